// SPDX-License-Identifier: Apache-2.0
// Vertical flips, warps and random crops against torchvision's results and draws;
// tests/reference/augment/make_geometric.py made the numbers.
#include "recording.hpp"
#include "statistics.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <catch2/catch.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

/// A warp with given parameters on the whole image.
template <class Op>
std::vector<float> warped_whole(const jessl::Image& image, const Op& operation, const typename Op::Params& params) {
  const CenterCrop whole{.size = image.height, .width = image.width};
  return view_with(compose(whole, operation), image, {CenterCrop::Params{}, params});
}

std::vector<float> made_by_case(const jessl::Json& entry, const jessl::Image& image) {
  const std::string op = entry["op"];
  if (op == "crop") {
    const std::array<std::int64_t, 4> box = entry["box"];
    return view_with(compose(RandomCrop{.size = box[2], .width = box[3]}), image, {{{box[0], box[1], box[2], box[3]}}});
  }
  const auto interpolation = jessl::from_json<Interpolation>(entry["interpolation"]);
  const std::array<double, 3> fill = entry["fill"];
  std::optional<std::array<double, 2>> center;
  if (entry.contains("center") && !entry["center"].is_null()) center = entry["center"].get<std::array<double, 2>>();
  if (op == "rotation") {
    const RandomRotation rotation{.interpolation = interpolation, .center = center, .fill = fill};
    return warped_whole(image, rotation, {entry["angle"]});
  }
  if (op == "affine") {
    const RandomAffine affine{.interpolation = interpolation, .center = center, .fill = fill};
    return warped_whole(image, affine, {entry["angle"], entry["translate"], entry["scale"], entry["shear"]});
  }
  if (op == "perspective") {
    const RandomPerspective perspective{.interpolation = interpolation, .fill = fill};
    return warped_whole(image, perspective, {true, entry["corners"]});
  }
  REQUIRE(op == "translate");
  return warped_whole(image, RandomTranslate{.fill = fill}, {entry["right"], entry["down"]});
}

/// The columns of a table that is stored row by row, from rows of doubles.
using Columns = std::vector<std::vector<double>>;

template <class Row>
void add_row(Columns& columns, const Row& row) {
  columns.resize(row.size());
  for (std::size_t i = 0; i < row.size(); ++i) columns[i].push_back(static_cast<double>(row[i]));
}

/// One draw's numbers, in the order of the recorded columns.
std::vector<double> drawn(const jessl::Json& entry, jessl::Draw& draw) {
  const Extent extent{entry["height"], entry["width"]};
  const std::string op = entry["op"];
  if (op == "rotation") return {RandomRotation{.degrees = entry["degrees"]}.sample(draw).angle};
  if (op == "affine") {
    const RandomAffine affine{
        .degrees = entry["degrees"], .translate = entry["translate"], .scale = entry["scale"], .shear = entry["shear"]};
    const auto params = affine.sample(draw, extent);
    return {params.angle,
            static_cast<double>(params.translate[0]),
            static_cast<double>(params.translate[1]),
            params.scale,
            params.shear[0],
            params.shear[1]};
  }
  if (op == "crop") {
    const RandomCrop crop{.size = entry["size"][0], .width = entry["size"][1], .padding = entry["padding"]};
    const Region box = crop.sample(draw, extent).box;
    return {static_cast<double>(box.top), static_cast<double>(box.left)};
  }
  REQUIRE(op == "perspective");
  std::vector<double> row;
  const RandomPerspective perspective{.distortion_scale = entry["distortion_scale"], .p = 1.0};
  for (const auto& corner : perspective.sample(draw, extent).corners) {
    for (const std::int64_t side : corner) row.push_back(static_cast<double>(side));
  }
  return row;
}

}  // namespace

TEST_CASE("Warps and crops: every case equals torchvision's result", "[augment][geometric]") {
  const Recording reference("geometric");
  std::map<std::string, int> counted;
  for (const jessl::Json& entry : reference.list("cases")) {
    INFO(entry.dump());
    const std::vector<float> actual = made_by_case(entry, reference.image(entry["image"]));
    std::vector<float> expected;
    for (const std::uint16_t q : reference.values<std::uint16_t>(entry["values"], actual.size()))
      expected.push_back(static_cast<float>(q / 65535.0));
    // Half a step of the stored numbers, and places that float32 has to 23 * 2^-24 of a pixel, a few roundings each.
    CHECK(largest_difference(actual, expected) < 0.5 / 65535.0 + 2e-5);
    ++counted[entry["op"]];
  }
  CHECK(counted.size() == 5);
}

TEST_CASE("Warps and crops: parameters have torchvision's distribution, rounding included", "[augment][geometric]") {
  const Recording reference("geometric");
  constexpr int count = 20000;
  int compared = 0;
  for (const jessl::Json& entry : reference.list("draws")) {
    INFO(entry.dump());
    const std::size_t rows = entry["count"];
    const std::size_t width = entry["columns"];
    const double low = entry["low"];
    const double step = (entry["high"].get<double>() - low) / 65535.0;
    const auto values = reference.values<std::uint16_t>(entry["values"], rows * width);
    Columns theirs;
    Columns ours;
    for (std::size_t row = 0; row < rows; ++row) {
      std::vector<double> one;
      for (std::size_t i = 0; i < width; ++i) one.push_back(low + step * values[row * width + i]);
      add_row(theirs, one);
    }
    for (std::uint64_t sample = 0; sample < count; ++sample) {
      jessl::Draw draw({.seed = 3, .sample = sample});
      std::vector<double> one = drawn(entry, draw);
      for (double& value : one) value = low + step * std::round((value - low) / step);  // stored as theirs
      add_row(ours, one);
    }
    REQUIRE(ours.size() == theirs.size());
    const double bound = 1.95 * std::sqrt(1.0 / count + 1.0 / static_cast<double>(rows));
    for (std::size_t i = 0; i < ours.size(); ++i) {
      INFO("column " << i);
      CHECK(distance(ours[i], theirs[i]) < bound);
    }
    ++compared;
  }
  CHECK(compared == 7);
}

TEST_CASE("RandomTranslate: every shift up to the padding is drawn as often as any other", "[augment][geometric]") {
  constexpr int count = 40000;
  std::map<std::array<std::int64_t, 2>, int> shifts;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 5, .sample = sample});
    const auto params = RandomTranslate{.padding = 4}.sample(draw);
    ++shifts[{params.right, params.down}];
  }
  REQUIRE(shifts.size() == 81);
  double chi_squared = 0.0;
  for (const auto& [shift, times] : shifts) {
    REQUIRE((std::abs(shift[0]) <= 4 && std::abs(shift[1]) <= 4));
    chi_squared += (times - count / 81.0) * (times - count / 81.0) / (count / 81.0);
  }
  CHECK(chi_squared < 124.9);  // 0.999 quantile, 80 degrees of freedom
}

TEST_CASE("RandomTranslate: moves pixels as they are, and fills what it uncovers", "[augment][geometric]") {
  const jessl::Image image = noise_image(13, 11, 3);
  const auto plain = view(compose(CenterCrop{.size = 11, .width = 13}), image);
  const std::array<double, 3> fill = {0.25, 0.5, 0.75};
  for (const std::int64_t right : {-20, -13, -4, 0, 3, 13}) {
    for (const std::int64_t down : {-11, -2, 0, 5, 100}) {
      const auto moved = warped_whole(image, RandomTranslate{.fill = fill}, {right, down});
      for (std::int64_t c = 0; c < 3; ++c) {
        for (std::int64_t y = 0; y < 11; ++y) {
          for (std::int64_t x = 0; x < 13; ++x) {
            const bool covered = inside({0, 0, 11, 13}, y - down, x - right);
            const float expected = covered ? plain[static_cast<std::size_t>((c * 11 + y - down) * 13 + x - right)]
                                           : static_cast<float>(fill[static_cast<std::size_t>(c)]);
            REQUIRE(moved[static_cast<std::size_t>((c * 11 + y) * 13 + x)] == expected);
          }
        }
      }
    }
  }
}

TEST_CASE("RandomCrop: every place up to the padding is drawn as often as any other", "[augment][geometric]") {
  constexpr int count = 40000;
  std::map<std::array<std::int64_t, 2>, int> places;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 5, .sample = sample});
    const Region box = RandomCrop{.size = 32, .padding = 4}.sample(draw, {32, 32}).box;
    REQUIRE((box.height == 32 && box.width == 32 && std::abs(box.top) <= 4 && std::abs(box.left) <= 4));
    ++places[{box.top, box.left}];
  }
  REQUIRE(places.size() == 81);
  double chi_squared = 0.0;
  for (const auto& [place, times] : places)
    chi_squared += (times - count / 81.0) * (times - count / 81.0) / (count / 81.0);
  CHECK(chi_squared < 124.9);  // 0.999 quantile, 80 degrees of freedom
}

TEST_CASE("RandomCrop: an image that is too small is seen whole, anywhere", "[augment][geometric]") {
  const Extent extent{5, 40};
  const RandomCrop crop{.size = 12, .width = 30, .padding = 2};
  std::set<std::int64_t> tops;
  std::set<std::int64_t> lefts;
  for (std::uint64_t sample = 0; sample < 2000; ++sample) {
    jessl::Draw draw({.sample = sample});
    const Region box = crop.sample(draw, extent).box;
    tops.insert(box.top);
    lefts.insert(box.left);
  }
  // Rows: 12 hold the image's 5 and 2 of padding on each side at 4 places. Columns: 30 of 44, at 15 places.
  CHECK(tops == std::set<std::int64_t>{-5, -4, -3, -2});
  CHECK((lefts.size() == 15 && *lefts.begin() == -2 && *lefts.rbegin() == 12));
}

TEST_CASE("RandomCrop: on an image of its size it moves the picture as RandomTranslate does", "[augment][geometric]") {
  const jessl::Image image = noise_image(13, 11, 3);
  const auto cropping = compose(RandomCrop{.size = 11, .width = 13, .padding = 4});
  for (const std::int64_t top : {-4, -1, 0, 3}) {
    for (const std::int64_t left : {-3, 0, 4})
      CHECK(view_with(cropping, image, {{{top, left, 11, 13}}}) ==
            warped_whole(image, RandomTranslate{}, {-left, -top}));
  }
}

TEST_CASE("RandomCrop: a patch of a large image needs its own pixels and no other", "[augment][geometric]") {
  const jessl::Image image = noise_image(300, 224, 3);
  // [patch]
  const auto patch = compose(RandomCrop{.size = 32}, RandomHorizontalFlip{}, Normalize{});
  // [/patch]
  std::set<std::array<std::int64_t, 2>> places;
  for (std::uint64_t sample = 0; sample < 50; ++sample) {
    const jessl::DrawKey key{.sample = sample};
    const Region region = patch.region({224, 300}, key);
    CHECK(region == std::get<0>(patch.sample(key, {224, 300})).box);
    CHECK((region.height == 32 && region.width == 32));
    places.insert({region.top, region.left});
    CHECK(view_of_part(patch, image, region, key) == view(patch, image, key));  // nothing else is there to be read
  }
  CHECK(places.size() == 50);
}

TEST_CASE("RandomCrop: the region is what of the crop lies in the image", "[augment][geometric]") {
  const Extent extent{32, 32};
  const auto pipeline = compose(RandomCrop{.size = 32, .padding = 4});
  for (std::uint64_t sample = 0; sample < 100; ++sample) {
    const Region box = std::get<0>(pipeline.sample({.sample = sample}, extent)).box;
    const std::int64_t top = std::max<std::int64_t>(0, box.top);
    const std::int64_t left = std::max<std::int64_t>(0, box.left);
    CHECK(pipeline.region(extent, {.sample = sample}) == Region{top, left,
                                                                std::min<std::int64_t>(32, box.bottom()) - top,
                                                                std::min<std::int64_t>(32, box.right()) - left});
  }
}

TEST_CASE("RandomVerticalFlip: turns the rows around, with its probability", "[augment][geometric]") {
  const jessl::Image image = noise_image(7, 6, 3);
  const CenterCrop whole{.size = 6, .width = 7};
  const auto plain = view(compose(whole), image);
  const auto flipped = view(compose(RandomVerticalFlip{.p = 1.0}, whole), image);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::size_t y = i / 7 % 6;
    REQUIRE(flipped[i] == plain[i - 7 * y + 7 * (5 - y)]);
  }
  CHECK(view(compose(RandomVerticalFlip{.p = 1.0}, RandomHorizontalFlip{.p = 1.0}, whole), image) ==
        warped_whole(image, RandomRotation{}, {180.0}));
  int applied = 0;
  constexpr int count = 20000;
  for (std::uint64_t sample = 0; sample < count; ++sample) {
    jessl::Draw draw({.seed = 6, .sample = sample});
    applied += RandomVerticalFlip{.p = 0.3}.sample(draw, {6, 7}).applied ? 1 : 0;
  }
  CHECK(std::abs(applied - 0.3 * count) < 3.3 * std::sqrt(0.3 * 0.7 * count));
}

TEST_CASE("RandomRotation: quarter turns of a square are exact, counter-clockwise", "[augment][geometric]") {
  const jessl::Image image = noise_image(8, 8, 1);
  const auto plain = view(compose(CenterCrop{.size = 8}), image);
  const auto turned = warped_whole(image, RandomRotation{}, {90.0});
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 8; ++x) REQUIRE(turned[y * 8 + x] == plain[x * 8 + (7 - y)]);
  }
}

TEST_CASE("RandomPerspective: corners that no map leads to leave the image as it is", "[augment][geometric]") {
  const jessl::Image image = noise_image(9, 9, 3);
  const auto plain = view(compose(CenterCrop{.size = 9}), image);
  CHECK(warped_whole(image, RandomPerspective{}, {true, {{{4, 4}, {8, 0}, {8, 8}, {0, 8}}}}) == plain);
  for (const Extent extent : {Extent{1, 1}, Extent{1, 9}, Extent{9, 1}, Extent{2, 2}}) {
    const jessl::Image small = noise_image(extent.width, extent.height, 1);
    const auto pipeline = compose(RandomPerspective{.distortion_scale = 1.0, .p = 1.0},
                                  CenterCrop{.size = extent.height, .width = extent.width});
    for (std::uint64_t sample = 0; sample < 20; ++sample) {
      for (const float value : view(pipeline, small, {.sample = sample})) REQUIRE((value >= 0.0F && value <= 1.0F));
    }
  }
}

TEST_CASE("Warps: a matrix of any numbers reads nothing beyond the image", "[augment][geometric]") {
  const Extent extent{7, 19};
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::array<double, 8> strange = {
      0.0, -0.05, 1e30, -1e300, infinity, -infinity, std::numeric_limits<double>::quiet_NaN(), 1.0};
  detail::WarpMemory memory;
  jessl::Draw draw({.seed = 1});
  for (int round = 0; round < 2000; ++round) {
    Warp warp{.interpolation = draw.bernoulli(0.5) ? Interpolation::nearest : Interpolation::bilinear,
              .fill = {0.5, 0.5, 0.5}};
    for (double& element : warp.matrix) {
      element = draw.bernoulli(0.5)
                    ? draw.uniform(-3.0, 3.0)
                    : strange[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(strange.size())))];
    }
    std::vector<float> values(3 * 7 * 19, 0.25F);
    detail::warp<3>(detail::Planes<3>{values.data(), extent}, warp, memory);
    for (const float value : values) REQUIRE((value >= 0.0F && value <= 0.5F + 1e-6F));
  }
}
