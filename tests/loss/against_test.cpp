// SPDX-License-Identifier: Apache-2.0
// Tests of Against, and of the negatives that it is given.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/against.hpp>
#include <jessl/loss/dcl.hpp>
#include <jessl/loss/dclw.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <loss/evaluation.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/queued_cases.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::Against;
using jessl::loss::DCL;
using jessl::loss::DCLW;
using jessl::loss::Fixed;
using jessl::loss::InBatch;
using jessl::loss::None;
using jessl::loss::NTXent;
using jessl::loss::Queue;
using jessl::test::embeddings;
using jessl::test::queue_of;
using jessl::test::unit_embeddings;

static_assert(jessl::Loss<Against<NTXent, InBatch>> && !jessl::StatefulLoss<Against<NTXent, InBatch>>);
static_assert(jessl::Loss<Against<NTXent, Queue>> && jessl::StatefulLoss<Against<NTXent, Queue>>);
static_assert(jessl::Loss<Against<DCLW, Fixed>> && jessl::ImagesLoss<Against<DCLW, Fixed>>);
static_assert(!jessl::StatefulLoss<Against<DCLW, Fixed>> && !jessl::ImagesLoss<Against<NTXent, Queue>>);
static_assert(jessl::Loss<Against<DCL, None>> && !jessl::TargetedLoss<Against<DCL, None>>);

namespace {

/// Calls body(loss) with the default of every loss that has `against`.
template <class Body>
void for_each_contrastive(const Body& body) {
  body(NTXent{});
  body(DCL{});
  body(DCLW{});
}

/// The steps of tests/reference/loss/<file> against rows that have a gradient: float64 to rounding, float32 to 1e-5.
template <class L>
void check_fixed_cases(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/loss/" + file);
  REQUIRE(stream);
  for (const auto& entry : jessl::Json::parse(stream)) {
    INFO(entry["settings"]);
    const auto loss = jessl::from_json<L>(entry["settings"]).against(Fixed{.images = torch::zeros({1, 1, 1, 1})});
    const auto shape = entry["shape"].get<std::vector<std::int64_t>>();
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, std::pair{torch::kFloat32, 1e-5}}) {
      std::vector<torch::Tensor> views;
      for (const auto& view : entry["views"])
        views.push_back(jessl::test::to_tensor(view, shape).to(type).requires_grad_());
      const auto negatives = jessl::test::to_tensor(entry["negatives"], {-1, shape[1]}).to(type).requires_grad_();
      const auto value = loss(views, negatives);
      CHECK(value.template item<double>() == Approx(entry["value"].get<double>()).epsilon(tolerance));
      value.backward();
      for (std::size_t v = 0; v < views.size(); ++v)
        CHECK(jessl::test::relative_error(views[v].grad(), jessl::test::to_tensor(entry["grads"][v], shape)) <
              tolerance);
      CHECK(jessl::test::relative_error(negatives.grad(),
                                        jessl::test::to_tensor(entry["grad_negatives"], {-1, shape[1]})) < tolerance);
    }
  }
}

}  // namespace

TEST_CASE("Against Queue: value, gradients and queue agree with the formula written out in float64",
          "[loss][against]") {
  jessl::test::check_queued_cases<Against<NTXent, Queue>>("nt_xent_against_queue.json");
  jessl::test::check_queued_cases<Against<DCL, Queue>>("dcl_against_queue.json");
  jessl::test::check_queued_cases<Against<DCLW, Queue>>("dclw_against_queue.json");
}

TEST_CASE("Against Fixed: value and gradients, also of the negatives, agree with the formula written out in float64",
          "[loss][against]") {
  check_fixed_cases<NTXent>("nt_xent_against_fixed.json");
  check_fixed_cases<DCL>("dcl_against_fixed.json");
  check_fixed_cases<DCLW>("dclw_against_fixed.json");
}

TEST_CASE("Against: values worked out by hand", "[loss][against]") {
  // Each row equals its other view and is orthogonal to the one negative: log(e^(1/t) + e^0) - 1/t, and for DCL 0 - 1/t.
  // [queue]
  const auto z1 = torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0, 0.0}, {0.0, 3.0, 0.0}});
  const auto loss = jessl::loss::NTXent{.temperature = 0.5}.against(jessl::loss::Queue{.size = 1});
  auto queue = loss.make(3);  // rows of earlier steps; at first random directions
  queue->enqueue(torch::tensor({{0.0, 0.0, 1.0}}));
  torch::Tensor value = loss({z1, z2}, queue);  // and the rows of this step join the queue
  value.backward();
  // [/queue]
  CHECK(value.item<double>() == Approx(std::log(std::exp(2.0) + 1) - 2).epsilon(1e-6));
  CHECK(torch::equal(queue->rows, torch::tensor({{0.0, 1.0, 0.0}})));  // the last of the last view

  // [fixed]
  const auto patch = torch::zeros({1, 3, 32, 32});  // what the network gets for an image, one that never changes
  const auto against_patch = jessl::loss::DCL{.temperature = 0.5}.against(jessl::loss::Fixed{.images = patch});
  const auto embedded = torch::tensor({{0.0, 0.0, 4.0}}).requires_grad_();  // by the network, in this step
  torch::Tensor pushed = against_patch({z1, z2}, embedded);
  // [/fixed]
  CHECK(pushed.item<double>() == Approx(-2.0).epsilon(1e-6));
  CHECK(against_patch.images().is_same(patch));

  // [none]
  torch::Tensor pulled = jessl::loss::DCL{.temperature = 0.5}.against(jessl::loss::None{})({z1, z2});
  // [/none]
  CHECK(pulled.item<double>() == Approx(-2.0).epsilon(1e-6));
}

TEST_CASE("Against InBatch: is the loss itself, to the last bit", "[loss][against]") {
  for_each_contrastive([](const auto& loss) {
    const auto same = loss.against(InBatch{});
    for (const auto type : {torch::kFloat64, torch::kFloat32}) {
      const auto a = embeddings(7, 4, 0).to(type).requires_grad_(), b = a.detach().clone().requires_grad_();
      const auto c = embeddings(7, 4, 1).to(type), d = embeddings(7, 4, 2).to(type);
      const auto value = loss({a, c, d}), again = same({b, c, d});
      CHECK(value.template item<double>() == again.template item<double>());
      value.backward();
      again.backward();
      CHECK(torch::equal(a.grad(), b.grad()));
    }
  });
}

TEST_CASE("Against the batch's own rows: a fixed set is what the batch is", "[loss][against]") {
  // Against the rows of all other images: with one image, and the other's rows given, all three losses agree with InBatch,
  // whose mean over both images is the mean of the two.
  for_each_contrastive([]<class L>(const L& loss) {
    if constexpr (std::is_same_v<L, DCLW>) return;  // its weights compare the images of the batch
    const auto a = embeddings(2, 4, 0), b = embeddings(2, 4, 1);
    const auto fixed = loss.against(Fixed{.images = torch::zeros({1, 1, 1, 1})});
    const auto of = [&](std::int64_t image) {
      const auto row = [&](const torch::Tensor& z, std::int64_t i) { return z.narrow(0, i, 1); };
      return fixed({row(a, image), row(b, image)}, torch::cat({row(a, 1 - image), row(b, 1 - image)}));
    };
    CHECK((of(0) + of(1)).template item<double>() / 2 == Approx(loss(a, b).template item<double>()).epsilon(1e-12));
  });
}

TEST_CASE("Against None: positives alone pull", "[loss][against]") {
  const auto a = embeddings(5, 4, 0).requires_grad_(), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto cosine = [](const torch::Tensor& x, const torch::Tensor& y) {
    return at::cosine_similarity(x, y, 1, 1e-12);
  };
  const auto value = DCL{.temperature = 0.3}.against(None{})({a, b, c});
  const auto plain = -(cosine(a, b) + cosine(a, c) + cosine(b, c)).mean() / 3 / 0.3;
  CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  value.backward();
  CHECK(a.grad().isfinite().all().item<bool>());

  const auto likeness = (cosine(a, b) / 0.5).softmax(0);
  const auto weighted = -((2 - 5 * likeness) * cosine(a, b)).mean() / 0.1;
  CHECK(DCLW{}.against(None{})({a, b}).item<double>() == Approx(weighted.item<double>()).epsilon(1e-12));
}

TEST_CASE("Against: autograd's gradient is that of finite differences", "[loss][against]") {
  const auto check = [](const auto& loss) {
    const jessl::loss::Embedded given{.views = {embeddings(4, 3, 0), embeddings(4, 3, 0.7), embeddings(4, 3, 1.3)}};
    CHECK(jessl::test::queued_gradient_error(loss.against(Queue{.size = 9}), given, unit_embeddings(9, 3, 3)) < 1e-7);
    const auto fixed = loss.against(Fixed{.images = torch::zeros({1, 1, 1, 1})});
    const auto direct = [&](const std::vector<torch::Tensor>& z) { return fixed({z[0], z[1]}, z[2]); };
    for (const std::int64_t rows : {1, 7}) {
      CHECK(jessl::test::finite_difference_error(
                direct, {embeddings(4, 3, 0), embeddings(4, 3, 0.7), embeddings(rows, 3, 1.2)}) < 1e-7);
    }
  };
  check(NTXent{});
  check(DCL{});
  const auto none = [](const std::vector<torch::Tensor>& z) { return DCL{}.against(None{})(z); };
  CHECK(jessl::test::finite_difference_error(none, {embeddings(4, 3, 0), embeddings(4, 3, 0.7)}) < 1e-7);
}

TEST_CASE("Against Queue: two ranks are one process on the joint batch, and hold its queue", "[loss][against]") {
  for_each_contrastive([](const auto& plain) {
    const auto loss = plain.against(Queue{.size = 17});
    const auto rows = unit_embeddings(17, 4, 3);
    const auto leaf = [](double phase) { return embeddings(6, 4, phase).requires_grad_(); };
    const auto a = leaf(0), b = leaf(1), split_a = leaf(0), split_b = leaf(1);
    const auto queue = queue_of(loss, rows, 11);
    const auto joint = loss({a, b}, queue);
    joint.backward();

    const std::array queues{queue_of(loss, rows, 11), queue_of(loss, rows, 11)};
    std::array<torch::Tensor, 2> values;
    jessl::test::PairOfRanks pair;
    pair.run([&](const auto& rank) {
      const auto own = static_cast<std::size_t>(rank.rank());
      const auto part = [&](const torch::Tensor& z) { return z.narrow(0, 3 * rank.rank(), 3); };
      values[own] = loss({part(split_a), part(split_b)}, queues[own], rank);
    });
    const auto mean = (values[0] + values[1]) / 2;
    mean.backward();
    CHECK(mean.template item<double>() == Approx(joint.template item<double>()).epsilon(1e-12));
    CHECK(jessl::test::relative_error(split_a.grad(), a.grad()) < 1e-12);
    CHECK(jessl::test::relative_error(split_b.grad(), b.grad()) < 1e-12);
    for (const auto& held : queues) {
      CHECK(torch::equal(held->rows, queue->rows));
      CHECK(torch::equal(held->position, queue->position));
    }
  });
}

TEST_CASE("Against Fixed and None: two ranks are one process on the joint batch", "[loss][against]") {
  for_each_contrastive([]<class L>(const L& plain) {
    const auto check = [&](const auto& call) {
      const auto leaf = [](std::int64_t rows, double phase) { return embeddings(rows, 4, phase).requires_grad_(); };
      const auto a = leaf(6, 0), b = leaf(6, 1), c = leaf(3, 2);
      const auto split_a = leaf(6, 0), split_b = leaf(6, 1), split_c = leaf(3, 2);
      const torch::Tensor joint = call(std::vector{a, b}, c, jessl::SingleProcess{});
      joint.backward();
      std::array<torch::Tensor, 2> values;
      jessl::test::PairOfRanks pair;
      pair.run([&](const auto& rank) {
        const auto part = [&](const torch::Tensor& z) { return z.narrow(0, 3 * rank.rank(), 3); };
        values[static_cast<std::size_t>(rank.rank())] = call(std::vector{part(split_a), part(split_b)}, split_c, rank);
      });
      ((values[0] + values[1]) / 2).backward();
      CHECK(jessl::test::relative_error(split_a.grad(), a.grad()) < 1e-12);
      CHECK(jessl::test::relative_error(split_b.grad(), b.grad()) < 1e-12);
      if (c.grad().defined()) CHECK(jessl::test::relative_error(split_c.grad(), c.grad()) < 1e-12);
    };
    check([&](const auto& views, const torch::Tensor& rows, const auto& group) {
      return plain.against(Fixed{.images = torch::zeros({1, 1, 1, 1})})(views, rows, group);
    });
    if constexpr (!std::is_same_v<L, NTXent>) {
      check([&](const auto& views, const torch::Tensor&, const auto& group) {
        return plain.against(None{})(views, group);
      });
    }
  });
}

TEST_CASE("Against: many tiles give what one matrix gives, without holding it", "[loss][against]") {
  // 2 x 700 rows against 1300 make several tiles each way; with a gradient for the rows (Fixed) and without (Queue).
  const auto rows = unit_embeddings(1300, 6, 3);
  const auto a = embeddings(700, 6, 0).requires_grad_(), b = embeddings(700, 6, 0.5);
  const auto plain_a = a.detach().clone().requires_grad_(), plain_rows = rows.clone().requires_grad_();
  const auto unit = [](const torch::Tensor& z) { return z / z.norm(2, 1, true); };
  const auto y = torch::cat({unit(plain_a), unit(b)});
  const auto negatives = (y.mm(unit(plain_rows).t()) / 0.1).logsumexp(1);
  const auto plain = (negatives - (y * y.roll(700, 0)).sum(1) / 0.1).mean();
  plain.backward();

  const auto queued = DCL{}.against(Queue{.size = 1300});
  const auto value = queued({a, b}, queue_of(queued, rows));
  value.backward();
  CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  CHECK(jessl::test::relative_error(a.grad(), plain_a.grad()) < 1e-11);

  a.mutable_grad().zero_();
  const auto fixed_rows = rows.clone().requires_grad_();
  const auto fixed = DCL{}.against(Fixed{.images = torch::zeros({1, 1, 1, 1})})({a, b}, fixed_rows);
  fixed.backward();
  CHECK(fixed.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  CHECK(jessl::test::relative_error(a.grad(), plain_a.grad()) < 1e-11);
  CHECK(jessl::test::relative_error(fixed_rows.grad(), plain_rows.grad()) < 1e-11);

  // 2 x 1000 rows against 20000: the matrix would take 160 MB in float32.
  const auto large = NTXent{}.against(Queue{.size = 20000});
  const auto queue = large.make(8);
  const auto z = embeddings(1000, 8, 0).to(torch::kFloat32).requires_grad_();
  const jessl::test::PeakMemory peak;
  large({z, z}, queue).backward();
  CHECK(peak.bytes() < 4'000'000);
}

TEST_CASE("Against: hard embeddings have finite values and gradients", "[loss][against]") {
  for_each_contrastive([]<class L>(const L& loss) {
    for (const auto& hard : {embeddings(1, 3, 0), embeddings(5, 1, 0), torch::zeros({5, 3}), torch::ones({5, 3}),
                             1e4 * embeddings(5, 3, 0)}) {
      const auto z = hard.to(torch::kFloat32);
      INFO(z);
      jessl::test::check_finite(loss.against(Queue{.size = 8}), {.views = {z, z}});
      if constexpr (!std::is_same_v<L, NTXent>) jessl::test::check_finite(loss.against(None{}), {.views = {z, z}});
      const auto fixed = loss.against(Fixed{.images = torch::zeros({1, 1, 1, 1})});
      const auto a = z.clone().requires_grad_(), rows = z.clone().requires_grad_();
      const auto value = fixed({a, a}, rows);
      value.backward();
      CHECK(value.isfinite().template item<bool>());
      CHECK(a.grad().isfinite().all().template item<bool>());
      CHECK(rows.grad().isfinite().all().template item<bool>());
    }
  });
}

TEST_CASE("Against: is reduced in float32 under autocast, of bfloat16 too", "[loss][against]") {
  const auto a = embeddings(8, 4, 0).to(torch::kBFloat16), b = embeddings(8, 4, 1).to(torch::kBFloat16);
  const auto rows = embeddings(3, 4, 2).to(torch::kBFloat16);
  for_each_contrastive([&]<class L>(const L& loss) {
    const auto value = [&](torch::ScalarType type) {
      const auto fixed = loss.against(Fixed{.images = torch::zeros({1, 1, 1, 1})});
      return fixed({a.to(type), b.to(type)}, rows.to(type));
    };
    const auto plain = value(torch::kFloat32);
    const jessl::Autocast autocast(torch::kCPU, jessl::Precision::bfloat16);
    const auto reduced = value(torch::kBFloat16);
    CHECK(reduced.scalar_type() == torch::kFloat32);
    CHECK(torch::equal(reduced, plain));
    CHECK(value(torch::kFloat64).scalar_type() == torch::kFloat64);
  });
}

TEST_CASE("Against: says what it is, and is read back", "[loss][against]") {
  const auto queued = NTXent{.temperature = 0.2}.against(Queue{.size = 128});
  CHECK(
      jessl::to_json(queued).dump() ==
      R"({"name":"NTXent against Queue","loss":{"name":"NTXent","temperature":0.2},"negatives":{"name":"Queue","size":128}})");
  CHECK(jessl::same_options(jessl::from_json<Against<NTXent, Queue>>(jessl::to_json(queued)), queued));
  CHECK(jessl::describe(DCL{}.against(InBatch{})) ==
        "DCL against InBatch{loss = DCL{temperature = 0.1}, negatives = InBatch{}}");
  CHECK_THROWS_AS((jessl::from_json<Against<NTXent, InBatch>>(jessl::to_json(queued))), jessl::ConfigError);

  const auto pixels = torch::arange(12, torch::kFloat32).reshape({1, 3, 2, 2});
  const auto record = [](const torch::Tensor& images) {
    return jessl::to_json(DCL{}.against(Fixed{.images = images}));
  };
  CHECK(record(pixels)["negatives"]["shape"] == std::vector<std::int64_t>{1, 3, 2, 2});
  // FNV-1a of the bytes of one zero, by hand: four times the offset basis times the prime.
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (int byte = 0; byte < 4; ++byte) hash *= 0x100000001b3U;
  CHECK(record(torch::zeros({1, 1, 1, 1}))["negatives"]["fingerprint"] == hash);
  CHECK(record(pixels) == record(pixels.to(torch::kFloat64).contiguous(torch::MemoryFormat::ChannelsLast)));
  auto other = pixels.clone();
  other[0][2][1][1] = std::nextafter(11.0F, 12.0F);
  CHECK(record(other) != record(pixels));
}

TEST_CASE("Against: settings and arguments that don't fit are refused", "[loss][against]") {
  const auto z = embeddings(4, 3, 0);
  const auto queued = NTXent{}.against(Queue{.size = 2});
  const auto queue = queued.make(3);
  CHECK_THROWS_WITH(NTXent{}.against(Queue{.size = 0}).make(3),
                    "jessl::loss::Queue: size is 0, expected a whole number >= 1");
  CHECK_THROWS_WITH(NTXent{.temperature = 0}.against(Queue{})({z, z}, queue),
                    "jessl::loss::NTXent: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_WITH(queued({z}, queue), "jessl::loss::NTXent against Queue: there are 1 views, expected at least 2");
  const auto wide = embeddings(4, 5, 0);
  CHECK_THROWS_WITH(queued({wide, wide}, queue),
                    "jessl::loss::NTXent against Queue: the queue is [2, 3], expected rows of D = 5 as views[0]");

  CHECK_THROWS_WITH(DCL{}.against(Fixed{}).images(), "jessl::loss::Fixed: images is undefined, expected [M, C, H, W]");
  CHECK_THROWS_AS(DCL{}.against(Fixed{}).check(), jessl::ConfigError);
  CHECK_THROWS_WITH(Fixed{.images = torch::zeros({3, 2, 2})}.check(),
                    "jessl::loss::Fixed: images is [3, 2, 2], expected [M, C, H, W] with M >= 1");
  CHECK_THROWS_AS(Fixed{.images = torch::zeros({0, 3, 2, 2})}.check(), jessl::ShapeError);
  CHECK_THROWS_AS(Fixed{.images = torch::zeros({1, 3, 2, 2}, torch::kUInt8)}.check(), jessl::ConfigError);
  const auto fixed = DCL{}.against(Fixed{.images = torch::zeros({1, 3, 2, 2})});
  CHECK_THROWS_WITH(
      fixed({z, z}, wide),
      "jessl::loss::DCL against Fixed: the negatives are [4, 5], expected [M, D] with M >= 1 and D = 3 as "
      "views[0]");
  CHECK_THROWS_WITH(fixed({z, z}, torch::Tensor()), "jessl::loss::DCL against Fixed: the negatives are undefined");
  CHECK_THROWS_AS(fixed({z, z}, z.to(torch::kFloat32)), jessl::ConfigError);
  CHECK_THROWS_AS(fixed({z, z}, torch::zeros({0, 3}, torch::kFloat64)), jessl::ShapeError);
}
