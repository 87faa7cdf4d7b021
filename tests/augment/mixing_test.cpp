// SPDX-License-Identifier: Apache-2.0
// MixUp and CutMix: results against torchvision's on the same parameters, distributions, labels, errors.
#include "recording.hpp"
#include "statistics.hpp"
#include "support.hpp"

#include <array>
#include <cmath>
#include <functional>
#include <numbers>
#include <type_traits>

#include <boost/hana/for_each.hpp>
#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

constexpr int batches = 20000;

jessl::Draw draw_of(std::uint64_t batch) {
  return jessl::Draw({.seed = 6, .sample = batch, .purpose = jessl::Purpose::mixing});
}

template <class F>
void for_each_batch_operation(const F& f) {
  boost::hana::for_each(AllOnBatches, [&](auto type) { f(typename decltype(type)::type{}); });
}

std::vector<double> lambdas(double alpha) {
  std::vector<double> values;
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    jessl::Draw draw = draw_of(batch);
    values.push_back(MixUp{.alpha = alpha}.sample(draw, 1, {2, 2}).lambda[0]);
  }
  return values;
}

/// The values of a distribution, through its distribution function: uniform if it is the right one.
std::vector<double> through(std::vector<double> values, const std::function<double(double)>& function) {
  for (double& value : values) value = function(value);
  return values;
}

}  // namespace

TEST_CASE("mix, mixed_targets: every case equals torchvision's result", "[augment][mixing]") {
  const Recording reference("photometric");
  int compared = 0;
  for (const jessl::Json& entry : reference.list("batches")) {
    INFO(entry.dump());
    const std::int64_t images = entry["count"];
    const jessl::ViewShape shape{entry["channels"], entry["height"], entry["width"]};
    const auto values = static_cast<std::size_t>(images * shape.count());
    jessl::Draw draw = draw_of(0);
    Mixing mixing = MixUp{}.sample(draw, images, {shape.height, shape.width});
    CHECK(mixing.partner == std::vector<std::int64_t>{4, 0, 1, 2, 3});
    mixing.lambda.assign(mixing.lambda.size(), entry["lambda"]);
    if (entry["op"] == "cutmix") {
      const auto box = entry["box"].get<std::array<std::int64_t, 4>>();
      mixing.box.assign(mixing.lambda.size(), {box[0], box[1], box[2], box[3]});
    }
    std::vector<float> mixed(values);
    mix(reference.values<float>(entry["images"], values), shape, mixing, mixed);
    CHECK(largest_difference(mixed, reference.values<float>(entry["mixed"], values)) < 1e-6);  // of values up to 3

    const std::int64_t classes = entry["classes"];
    const auto size = static_cast<std::size_t>(images * classes);
    std::vector<float> targets(size);
    mixed_targets(entry["labels"].get<std::vector<std::int64_t>>(), classes, mixing, targets);
    CHECK(largest_difference(targets, reference.values<float>(entry["targets"], size)) < 1e-6);
    ++compared;
  }
  CHECK(compared == 14);
}

TEST_CASE("MixUp: lambda has the distribution Beta(alpha, alpha)", "[augment][mixing]") {
  const double bound = 1.95 / std::sqrt(static_cast<double>(batches));
  // The distribution functions of the three that have a simple one.
  CHECK(distance_from_uniform(lambdas(1.0), 0.0, 1.0) < bound);
  const auto arcsine = [](double x) { return 2.0 / std::numbers::pi * std::asin(std::sqrt(x)); };
  CHECK(distance_from_uniform(through(lambdas(0.5), arcsine), 0.0, 1.0) < bound);
  const auto cubic = [](double x) { return x * x * (3.0 - 2.0 * x); };
  CHECK(distance_from_uniform(through(lambdas(2.0), cubic), 0.0, 1.0) < bound);
  for (const double alpha : {0.05, 0.2, 20.0}) {
    double mean = 0.0;
    double variance = 0.0;
    for (const double lambda : lambdas(alpha)) {
      REQUIRE((lambda >= 0.0 && lambda <= 1.0));
      mean += lambda / batches;
      variance += (lambda - 0.5) * (lambda - 0.5) / batches;
    }
    const double expected = 0.25 / (2.0 * alpha + 1.0);
    CHECK(std::abs(mean - 0.5) < 3.3 * std::sqrt(expected / batches));
    CHECK(variance == Approx(expected).epsilon(0.05));  // its own deviation is at most sqrt(2 / batches) = 1 %
  }
  int between = 0;  // of a distribution that is all but two points; gamma numbers of that shape underflow
  for (const double lambda : lambdas(1e-6)) {
    REQUIRE((lambda >= 0.0 && lambda <= 1.0));
    between += lambda > 0.01 && lambda < 0.99 ? 1 : 0;
  }
  CHECK(between <= 3);
  for (const double lambda : lambdas(1e6)) REQUIRE(lambda == Approx(0.5).margin(0.003));
}

TEST_CASE("MixUp, CutMix: draws have torchvision's distribution", "[augment][mixing]") {
  const Recording reference("photometric");
  const double bound = 1.95 * std::sqrt(1.0 / batches + 1.0 / 1000.0);
  int compared = 0;
  for (const jessl::Json& entry : reference.list("draws")) {
    INFO(entry.dump());
    const std::size_t rows = entry["count"];
    REQUIRE(rows == 1000);
    const std::size_t columns = entry["columns"];
    const auto values = reference.values<std::uint16_t>(entry["values"], rows * columns);
    const auto column = [&](std::size_t c, double scale) {
      std::vector<double> result;
      for (std::size_t row = 0; row < rows; ++row) result.push_back(values[row * columns + c] * scale);
      return result;
    };
    if (entry["op"] == "mixup") {
      CHECK(distance(lambdas(entry["alpha"]), column(0, 1.0 / 65535.0)) < bound);
      ++compared;
    }
    if (entry["op"] != "cutmix") continue;
    std::array<std::vector<double>, 4> ours;
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
      jessl::Draw draw = draw_of(batch);
      const Mixing mixing = CutMix{.alpha = entry["alpha"]}.sample(draw, 1, {entry["height"], entry["width"]});
      const jessl::Region& box = mixing.box[0];
      const std::array sides{box.top, box.left, box.height, box.width};
      for (std::size_t i = 0; i < sides.size(); ++i) ours[i].push_back(static_cast<double>(sides[i]));
      REQUIRE(mixing.lambda[0] == 1.0 - static_cast<double>(box.area()) / (24.0 * 33.0));
    }
    for (std::size_t i = 0; i < ours.size(); ++i) {
      INFO("column " << i);
      CHECK(distance(ours[i], column(i, 1.0)) < bound);
    }
    ++compared;
  }
  CHECK(compared == 6);
}

TEST_CASE("MixUp, CutMix: the same key mixes alike; another key, seed or epoch does not", "[augment][mixing]") {
  for_each_batch_operation([](auto operation) {
    static_assert(BatchOperation<decltype(operation)>);
    INFO(operation.name);
    const auto mixing = [&](const jessl::DrawKey& key) {
      jessl::Draw draw(key);
      return operation.sample(draw, 6, {40, 50});
    };
    const Mixing base = mixing({.seed = 1, .epoch = 2, .sample = 3});
    CHECK(mixing({.seed = 1, .epoch = 2, .sample = 3}) == base);
    CHECK(mixing({.seed = 2, .epoch = 2, .sample = 3}) != base);
    CHECK(mixing({.seed = 1, .epoch = 3, .sample = 3}) != base);
    CHECK(mixing({.seed = 1, .epoch = 2, .sample = 4}) != base);
    // One lambda serves the batch, or each image has its own; the first is the same.
    for (const double lambda : base.lambda) CHECK(lambda == base.lambda[0]);
    operation.per_image = true;
    const Mixing each = mixing({.seed = 1, .epoch = 2, .sample = 3});
    CHECK(each.lambda[0] == base.lambda[0]);
    CHECK(each.lambda[1] != base.lambda[1]);
    CHECK(each.partner == base.partner);
  });
}

TEST_CASE("MixUp, CutMix: settings are checked and survive JSON", "[augment][mixing]") {
  for_each_batch_operation([](auto operation) {
    using Op = decltype(operation);
    CHECK_NOTHROW(operation.check());
    for (const double alpha : {0.0, -1.0, 1e7, std::nan("")}) {
      operation.alpha = alpha;
      CHECK_THROWS_AS(operation.check(), jessl::ConfigError);
      CHECK_THROWS_WITH(operation.check(), Catch::Matchers::Contains(std::string(Op::name) + ": alpha = "));
      jessl::Draw draw = draw_of(0);
      CHECK_THROWS_AS(operation.sample(draw, 2, {4, 4}), jessl::ConfigError);
    }
    operation = {.alpha = 0.375, .per_image = true};
    CHECK(jessl::same_options(jessl::from_json<Op>(jessl::to_json(operation)), operation));
    jessl::Draw draw = draw_of(0);
    CHECK_THROWS_AS(Op{}.sample(draw, 0, {4, 4}), jessl::ShapeError);
    CHECK_THROWS_AS(Op{}.sample(draw, 4, {0, 4}), jessl::ShapeError);
    CHECK(Op{}.sample(draw, 1, {1, 1}).partner == std::vector<std::int64_t>{0});
  });
}

TEST_CASE("mix: a batch is mixed with the mixing that a loss is given", "[augment][mixing]") {
  // [example]
  const std::int64_t count_of_images = 4;
  const jessl::ViewShape shape{3, 16, 16};
  const std::vector<float> images(static_cast<std::size_t>(count_of_images * shape.count()), 0.5F);  // [N, C, H, W]
  const std::vector<std::int64_t> labels = {2, 0, 1, 1};

  // One draw for each batch: the same whatever the threads do, and after a restart.
  jessl::Draw draw({.seed = 1, .epoch = 0, .sample = 17, .purpose = jessl::Purpose::mixing});
  const auto mixing = jessl::augment::CutMix{.alpha = 1.0}.sample(draw, count_of_images, {shape.height, shape.width});

  std::vector<float> mixed(images.size());
  jessl::augment::mix(images, shape, mixing, mixed);
  std::vector<float> targets(4 * 3);  // [N, classes]
  jessl::augment::mixed_targets(labels, /*classes=*/3, mixing, targets);
  // A contrastive loss takes mixing.partner and mixing.lambda instead: image i is lambda[i] of itself and
  // 1 - lambda[i] of image partner[i].
  // [/example]
  CHECK(mixed == images);
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(targets[3 * i] + targets[3 * i + 1] + targets[3 * i + 2] == Approx(1.0F).margin(1e-6));
  CHECK(static_cast<double>(targets[2]) == Approx(mixing.lambda[0]).margin(1e-6));
  CHECK(targets[3 * 3 + 1] == Approx(1.0F).margin(1e-6));  // image 3 and its partner have one label
}

TEST_CASE("mixed_targets: an image without a label has no share", "[augment][mixing]") {
  const Mixing mixing{.partner = {1, 0}, .lambda = {0.75, 0.75}};
  std::vector<float> targets(4, -1.0F);
  mixed_targets(std::vector<std::int64_t>{1, -1}, 2, mixing, targets);
  CHECK(targets == std::vector<float>{0.0F, 0.75F, 0.0F, 0.25F});
}

TEST_CASE("mix, mixed_targets: what does not fit together is refused with where", "[augment][mixing]") {
  using Catch::Matchers::Contains;
  const jessl::ViewShape shape{1, 3, 4};
  const std::vector<float> images(24);
  std::vector<float> mixed(24);
  const auto refuses = [&](const Mixing& mixing, const std::string& text) {
    CHECK_THROWS_AS(mix(images, shape, mixing, mixed), jessl::ShapeError);
    CHECK_THROWS_WITH(mix(images, shape, mixing, mixed), Contains(text));
  };
  const Mixing good{.partner = {1, 0}, .lambda = {0.5, 0.5}};
  CHECK_NOTHROW(mix(images, shape, good, mixed));
  refuses({.partner = {1, 0}, .lambda = {0.5}}, "2 partners, 1 lambdas and 0 boxes");
  refuses({.partner = {1, 2}, .lambda = {0.5, 0.5}}, "partner[1] is 2, expected 0 to 1");
  refuses({.partner = {-1, 0}, .lambda = {0.5, 0.5}}, "partner[0] is -1");
  refuses({.partner = {1, 0, 2}, .lambda = {0.5, 0.5, 0.5}}, "expected 3 images of shape [1, 3, 4] = 36 in both");
  refuses({.partner = {1, 0}, .lambda = {0.5, 0.5}, .box = {{0, 0, 3, 4}, {1, 0, 3, 4}}},
          "box[1] has 3 rows from 1 and 4 columns from 0");
  refuses({.partner = {1, 0}, .lambda = {0.5, 0.5}, .box = {{0, 0, -1, 4}, {}}}, "box[0] has -1 rows");
  CHECK_THROWS_AS(mix(images, shape, {.partner = {1, 0}, .lambda = {0.5, 1.5}}, mixed), jessl::ConfigError);
  std::vector<float> short_out(23);
  CHECK_THROWS_AS(mix(images, shape, good, short_out), jessl::ShapeError);

  std::vector<float> targets(4);
  CHECK_THROWS_WITH(mixed_targets(std::vector<std::int64_t>{0, 2}, 2, good, targets), Contains("labels[1] is 2"));
  CHECK_THROWS_AS(mixed_targets(std::vector<std::int64_t>{0}, 2, good, targets), jessl::ShapeError);
  CHECK_THROWS_AS(mixed_targets(std::vector<std::int64_t>{0, 1}, 3, good, targets), jessl::ShapeError);
}
