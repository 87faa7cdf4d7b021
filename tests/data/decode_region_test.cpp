// SPDX-License-Identifier: Apache-2.0
// Decoding a part of an image: the pixels of the whole, whatever the layout, the box and the way.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <jessl/data/decode_region.hpp>
#include <jessl/data/restart_markers.hpp>

#include "data/jpeg_maker.hpp"
#include "data/support.hpp"

using data_test::Bytes;
using data_test::JPEGKind;
using jessl::EncodedImage;
using jessl::Image;
using jessl::ImageFormat;
using jessl::Region;
using jessl::RegionView;
using jessl::data::Decoder;
using jessl::data::DecodeWay;
namespace data = jessl::data;

namespace {

EncodedImage as_jpeg(std::span<const std::byte> bytes) { return {.format = ImageFormat::jpg, .bytes = bytes}; }

/// Whether all pixels of a region are those of the whole image.
bool same_pixels(const RegionView& part, const Image& whole) {
  if (part.channels != whole.channels || !Region{.height = whole.height, .width = whole.width}.contains(part.region))
    return false;
  for (std::int64_t y = part.region.top; y < part.region.bottom(); ++y) {
    const auto expected = std::span(whole.pixels)
                              .subspan(static_cast<std::size_t>((y * whole.width + part.region.left) * whole.channels),
                                       static_cast<std::size_t>(part.region.width * whole.channels));
    const auto row = part.row(y);
    if (!std::equal(row.begin(), row.end(), expected.begin(), expected.end())) return false;
  }
  return true;
}

std::string text(const Region& box) {
  return jessl::concat(box.height, " x ", box.width, " from (", box.top, ", ", box.left, ")");
}

/// All intervals of columns with some of rows, and all of rows with some of columns: since libjpeg treats rows and
/// columns apart, these are all cases.
std::vector<Region> boxes_of(std::int64_t height, std::int64_t width, std::int64_t step = 1) {
  std::vector<Region> boxes;
  const auto some = [](std::int64_t extent) {
    std::vector<std::array<std::int64_t, 2>> intervals;
    const std::array<std::array<std::int64_t, 2>, 4> wanted{
        {{0, extent}, {extent - 1, 1}, {extent / 2, 1}, {extent / 3, (extent + 1) / 2}}};
    for (const auto& interval : wanted) {
      if (interval[0] + interval[1] <= extent) intervals.push_back(interval);
    }
    return intervals;
  };
  for (std::int64_t left = 0; left < width; left += step) {
    for (std::int64_t columns = 1; columns <= width - left; columns += step) {
      for (const auto& [top, rows] : some(height)) boxes.push_back({top, left, rows, columns});
    }
  }
  for (std::int64_t top = 0; top < height; top += step) {
    for (std::int64_t rows = 1; rows <= height - top; rows += step) {
      for (const auto& [left, columns] : some(width)) boxes.push_back({top, left, rows, columns});
    }
  }
  return boxes;
}

/// The ways that can be gone with an image of this header.
std::vector<DecodeWay> ways(const data::ImageHeader& header) {
  std::vector<DecodeWay> possible{DecodeWay::whole};
  if (header.jpeg.regular) possible.push_back(DecodeWay::part);
  if (header.jpeg.segment_columns() != 0) possible.push_back(DecodeWay::segments);
  return possible;
}

/// Reads every box by every way and compares with the whole; returns how many boxes differ, and tells the first.
std::int64_t wrong_boxes(const Bytes& bytes, std::int64_t step, std::int64_t shrink = 1) {
  Decoder decoder;
  const data::ImageHeader header = data::peek(as_jpeg(bytes));
  Image whole;
  if (shrink == 1) {
    whole = data::decode(as_jpeg(bytes));
  } else {
    const RegionView all = data::detail::decode_region(as_jpeg(bytes), header, header.region(), header.channels,
                                                       decoder, shrink, DecodeWay::whole);
    whole.resize(all.region.width, all.region.height, all.channels);
    std::copy(all.pixels.begin(), all.pixels.end(), whole.pixels.begin());
  }
  std::int64_t wrong = 0;
  for (const DecodeWay way : ways(header)) {
    for (const Region& box : boxes_of(header.height, header.width, step)) {
      const RegionView part =
          data::detail::decode_region(as_jpeg(bytes), header, box, header.channels, decoder, shrink, way);
      const bool right = same_pixels(part, whole) && part.region == data::detail::JPEGReader::shrunk(box, shrink);
      if (!right && ++wrong == 1) UNSCOPED_INFO("way " << static_cast<int>(way) << ", box " << text(box));
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("decode_region: is used as the docs say", "[data][decode_region]") {
  const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(60, 40, 3), {});
  const EncodedImage image = as_jpeg(bytes);
  // [decode_region]
  jessl::data::Decoder decoder;  // working memory, one a thread
  const jessl::data::ImageHeader header = jessl::data::peek(image);
  const jessl::Region box{
      .top = 10, .left = 20, .height = 16, .width = 24};  // in an image of header.height x header.width
  const jessl::RegionView part = jessl::data::decode_region(image, header, box, 3, decoder);
  const std::uint8_t red = part.at(10, 20, 0);  // in the coordinates of the image
  // [/decode_region]
  CHECK(red == data::decode(image).view().at(10, 20, 0));
  CHECK(part.region == box);
  CHECK(part.image_height == 40);
  CHECK(part.image_width == 60);
  CHECK(part.shrink == 1);
}

TEST_CASE("decode_region: every box of every kind of JPEG has the pixels of the whole", "[data][decode_region]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    for (const auto& [width, height] : std::vector<std::array<std::int64_t, 2>>{{35, 21}, {18, 34}, {70, 9}}) {
      const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(width, height, kind.components), kind);
      INFO(kind.name << ", " << width << " x " << height);
      CHECK(wrong_boxes(bytes, width == 70 ? 3 : 1) == 0);
    }
  }
}

TEST_CASE("decode_region: so have those with restart markers, at any interval", "[data][decode_region]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    for (const unsigned interval : {1U, 2U, 3U, 5U, 6U}) {
      kind.restart_interval = interval;
      const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(44, 37, kind.components), kind);
      INFO(kind.name << ", interval " << interval);
      CHECK(wrong_boxes(bytes, 4) == 0);
    }
  }
}

TEST_CASE("decode_region: so have images of a few pixels", "[data][decode_region]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    for (const unsigned interval : {0U, 1U}) {
      for (const std::int64_t width : {1, 3, 5, 18}) {
        for (const std::int64_t height : {1, 17}) {
          kind.restart_interval = interval;
          const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(width, height, kind.components), kind);
          INFO(kind.name << ", " << width << " x " << height << ", interval " << interval);
          CHECK(wrong_boxes(bytes, 1) == 0);
        }
      }
    }
  }
}

TEST_CASE("decode_region: shrunk boxes are those of the shrunk image", "[data][decode_region]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    for (const unsigned interval : {0U, 2U}) {
      kind.restart_interval = interval;
      const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(60, 37, kind.components), kind);
      for (const std::int64_t shrink : {2, 4, 8}) {
        INFO(kind.name << ", interval " << interval << ", shrink " << shrink);
        CHECK(wrong_boxes(bytes, 7, shrink) == 0);
      }
    }
  }
}

TEST_CASE("decode_region: a shrunk pixel is near the mean of those that it stands for", "[data][decode_region]") {
  // Smooth, as photographs are where they are worth shrinking; noise of +-8 on top.
  Image image = data_test::picture(96, 64, 3);
  const Image noise = data_test::rough_picture(96, 64, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::size_t x = i / 3 % 96;
    const std::size_t y = i / 288;
    image.pixels[i] = static_cast<std::uint8_t>(40 + x + y + noise.pixels[i] % 16);
  }
  for (const JPEGKind& kind : {data_test::jpeg_kinds()[0], data_test::jpeg_kinds()[2]}) {
    const Bytes bytes = data_test::make_jpeg(image, kind);
    const Image whole = data::decode(as_jpeg(bytes));
    Decoder decoder;
    for (const std::int64_t shrink : {2, 4, 8}) {
      const RegionView small = data::decode_region(as_jpeg(bytes), {.height = 64, .width = 96}, 3, decoder, shrink);
      REQUIRE(small.shrink == shrink);
      REQUIRE(small.region == Region{.height = 64 / shrink, .width = 96 / shrink});
      double largest = 0;
      double sum = 0;
      for (std::int64_t y = 0; y < small.region.height; ++y) {
        for (std::int64_t x = 0; x < small.region.width; ++x) {
          for (std::int64_t c = 0; c < 3; ++c) {
            double mean = 0;
            for (std::int64_t i = 0; i < shrink * shrink; ++i)
              mean += whole.view().at(y * shrink + i / shrink, x * shrink + i % shrink, c);
            mean /= static_cast<double>(shrink * shrink);
            const double difference = std::abs(mean - small.at(y, x, c));
            largest = std::max(largest, difference);
            sum += difference;
          }
        }
      }
      const double mean_difference = sum / static_cast<double>(3 * small.region.area());
      INFO(kind.name << ", shrink " << shrink << ": largest " << largest << ", mean " << mean_difference);
      CHECK(largest <= 12);  // 4:2:0 upsamples colours in the whole image and takes them as they are in the shrunk one
      CHECK(mean_difference <= 2);
    }
  }
}

TEST_CASE("decode_region: raw pixels are not copied", "[data][decode_region]") {
  const Image image = data_test::rough_picture(9, 7, 3);
  const EncodedImage raw{ImageFormat::raw, 9, 7, 3, std::as_bytes(std::span(image.pixels))};
  Decoder decoder;
  for (const Region& box : boxes_of(7, 9)) {
    const RegionView part = data::decode_region(raw, box, 3, decoder);
    CHECK(part.pixels.data() == &image.pixels[static_cast<std::size_t>((box.top * 9 + box.left) * 3)]);
    CHECK(part.stride == 27);
    CHECK(same_pixels(part, image));
  }
  CHECK(decoder.image.pixels.empty());
  CHECK(data::decode_region(raw, {.height = 2, .width = 2}, 3, decoder, 4).shrink == 1);
  Image scratch;
  const jessl::ImageView grey = data::decode(raw, 1, scratch);
  const RegionView part = data::decode_region(raw, {2, 3, 4, 5}, 1, decoder);
  for (std::int64_t y = 2; y < 6; ++y) {
    for (std::int64_t x = 3; x < 8; ++x) CHECK(part.at(y, x, 0) == grey.at(y, x, 0));
  }
}

TEST_CASE("decode_region: every kind of stored image, in grey and in colour", "[data][decode_region]") {
  Decoder decoder;
  Image scratch;
  for (const std::string name :
       {"rgb_420.jpg", "rgb_444.jpg", "rgb_progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png", "rgb_interlaced.png",
        "palette.png", "palette_transparent.png", "grey_alpha.png", "rgb_16bit.png", "grey_1bit.png"}) {
    const Bytes bytes = data_test::reference_image(name);
    for (const std::int64_t channels : {1, 3}) {
      const jessl::ImageView view = data::decode(as_jpeg(bytes), channels, scratch);
      Image whole(view.width, view.height, channels);
      std::copy(view.pixels.begin(), view.pixels.end(), whole.pixels.begin());
      for (const Region& box : boxes_of(whole.height, whole.width, 3)) {
        INFO(name << ", " << channels << " channels, box " << text(box));
        const RegionView part = data::decode_region(as_jpeg(bytes), box, channels, decoder);
        REQUIRE(part.region == box);
        REQUIRE(same_pixels(part, whole));
      }
    }
  }
}

TEST_CASE("decode_region: nothing below the box is read, damage in it is an error", "[data][decode_region]") {
  Decoder decoder;
  JPEGKind kind = data_test::jpeg_kinds()[2];
  const Bytes whole = data_test::make_jpeg(data_test::rough_picture(64, 160, 3), kind);
  const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * 3 / 4));
  CHECK_THROWS_AS(data::decode(as_jpeg(cut)), jessl::DataError);
  CHECK(same_pixels(data::decode_region(as_jpeg(cut), {10, 20, 60, 30}, 3, decoder), data::decode(as_jpeg(whole))));
  CHECK_THROWS_WITH(data::decode_region(as_jpeg(cut), {100, 20, 60, 30}, 3, decoder),
                    Catch::Contains("damaged or unsupported JPEG: Premature end of JPEG file"));
  const Bytes png = data_test::to_png(data_test::rough_picture(64, 160, 3));
  const Bytes cut_png(png.begin(), png.begin() + static_cast<std::ptrdiff_t>(png.size() * 3 / 4));
  CHECK_THROWS_AS(data::decode_region(as_jpeg(cut_png), {150, 0, 10, 10}, 3, decoder), jessl::DataError);

  // With segments the same holds above and beside it.
  kind.restart_interval = 2;
  const Bytes marked = data_test::make_jpeg(data_test::rough_picture(64, 160, 3), kind);
  const data::ImageHeader header = data::peek(as_jpeg(marked));
  REQUIRE(header.jpeg.segment_columns() == 2);
  std::vector<data::detail::Offset> markers;
  REQUIRE(data::detail::find_segments(marked, header.jpeg, markers));
  Bytes damaged = marked;  // without the bytes of the second row's left half
  damaged.erase(damaged.begin() + markers[2] + 2, damaged.begin() + markers[3]);
  const Image expected = data::decode(as_jpeg(marked));
  CHECK(same_pixels(data::decode_region(as_jpeg(damaged), {17, 40, 20, 20}, 3, decoder), expected));
  CHECK_THROWS_AS(data::decode_region(as_jpeg(damaged), {17, 10, 20, 20}, 3, decoder), jessl::DataError);
}

TEST_CASE("decode_region: of flipped bytes, what decodes has the pixels of the whole if that decodes",
          "[data][decode_region]") {
  Decoder decoder;
  std::int64_t equal = 0;
  std::int64_t errors = 0;
  for (std::size_t number : {0U, 2U, 11U, 12U}) {
    for (const unsigned interval : {0U, 2U}) {
      JPEGKind kind = data_test::jpeg_kinds()[number];
      kind.restart_interval = interval;
      kind.quality = 60;
      const Bytes sound = data_test::make_jpeg(data_test::rough_picture(61, 40, 3), kind);
      for (std::size_t place = 0; place < sound.size(); ++place) {
        Bytes damaged = sound;
        damaged[place] ^= std::byte{static_cast<unsigned char>(1U << (place % 8))};
        std::optional<Image> whole;
        try {
          whole = data::decode(as_jpeg(damaged));
        } catch (const jessl::DataError&) {
        }
        for (const Region& box : {Region{20, 17, 7, 20}, Region{0, 0, 8, 8}, Region{38, 59, 2, 2}}) {
          try {
            const data::ImageHeader header = data::peek(as_jpeg(damaged));
            const Region inside{std::min(box.top, header.height - 1), std::min(box.left, header.width - 1), 1, 1};
            const bool fits = header.region().contains(box);
            for (const DecodeWay way : ways(header)) {
              const RegionView part = data::detail::decode_region(as_jpeg(damaged), header, fits ? box : inside,
                                                                  header.channels, decoder, 1, way);
              if (!whole) continue;
              INFO(kind.name << ", interval " << interval << ", byte " << place << ", way " << static_cast<int>(way));
              REQUIRE(same_pixels(part, *whole));
              ++equal;
            }
          } catch (const jessl::DataError&) {
            ++errors;
          }
        }
      }
    }
  }
  CHECK(equal > 1000);
  CHECK(errors > 1000);
}

TEST_CASE("decode_region: files that are cut off anywhere give pixels or a DataError", "[data][decode_region]") {
  Decoder decoder;
  std::int64_t decoded = 0;
  for (const unsigned interval : {0U, 2U}) {
    JPEGKind kind = data_test::jpeg_kinds()[2];
    kind.restart_interval = interval;
    const Bytes sound = data_test::make_jpeg(data_test::rough_picture(61, 40, 3), kind);
    const Image whole = data::decode(as_jpeg(sound));
    for (std::size_t size = 0; size < sound.size(); ++size) {
      const Bytes cut(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(size));
      try {
        const RegionView part = data::decode_region(as_jpeg(cut), {3, 4, 9, 20}, 3, decoder);
        REQUIRE(same_pixels(part, whole));
        ++decoded;
      } catch (const jessl::DataError&) {
      }
    }
  }
  CHECK(decoded > 100);
}

TEST_CASE("decode_region: what cannot be is refused, and says why", "[data][decode_region]") {
  const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(60, 40, 3), {});
  Decoder decoder;
  CHECK_THROWS_WITH(
      data::decode_region(as_jpeg(bytes), {30, 0, 11, 4}, 3, decoder),
      "jessl::data::decode_region: the box has 11 rows from 30 and 4 columns from 0, expected a box of one "
      "pixel or more in an image of 40 rows and 60 columns");
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  for (const Region& box : {Region{-1, 0, 4, 4}, Region{0, 57, 4, 4}, Region{0, 0, 0, 4}, Region{0, 0, 4, -1},
                            Region{1, 1, huge, huge}, Region{huge, huge, 1, 1}})
    CHECK_THROWS_AS(data::decode_region(as_jpeg(bytes), box, 3, decoder), jessl::ShapeError);
  CHECK_THROWS_WITH(data::decode_region(as_jpeg(bytes), {0, 0, 4, 4}, 2, decoder),
                    "jessl::data::decode_region: channels is 2, expected 1 (grey) or 3 (RGB)");
  CHECK_THROWS_WITH(data::decode_region(as_jpeg(bytes), {0, 0, 4, 4}, 3, decoder, 3),
                    "jessl::data::decode_region: shrink is 3, expected 1, 2, 4 or 8");
  data::ImageHeader other = data::peek(as_jpeg(bytes));
  other.height = 80;
  CHECK_THROWS_WITH(data::decode_region(as_jpeg(bytes), other, {70, 0, 4, 4}, 3, decoder),
                    Catch::Contains("gives two sizes, one of them 60 x 40"));
}

TEST_CASE("peek: reads size and layout without decoding", "[data][decode_region]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    kind.restart_interval = 1;
    const Bytes bytes = data_test::make_jpeg(data_test::rough_picture(61, 40, kind.components), kind);
    const data::ImageHeader header = data::peek(as_jpeg(bytes));
    INFO(kind.name);
    CHECK(header.format == ImageFormat::jpg);
    CHECK(header.width == 61);
    CHECK(header.height == 40);
    CHECK(header.channels == (kind.components == 1 ? 1 : 3));
    CHECK(header.jpeg.restart_interval == 1);
    const bool usable = !kind.progressive && kind.interleaved && kind.factors[0] <= (kind.components == 1 ? 1 : 2);
    CHECK((header.jpeg.segment_columns() != 0) == usable);
  }
  const Bytes png = data_test::reference_image("palette.png");
  CHECK(data::peek(as_jpeg(png)).format == ImageFormat::png);
  CHECK(data::peek(as_jpeg(png)).width == 19);
  CHECK(data::peek(as_jpeg(png)).height == 13);
  CHECK(data::peek(as_jpeg(png)).channels == 3);
  CHECK(data::peek(as_jpeg(data_test::reference_image("grey_alpha.png"))).channels == 1);
  CHECK(data::peek(as_jpeg(data_test::reference_image("rgb_interlaced.png"))).interlaced);
  const Bytes one(35, std::byte{9});
  CHECK(data::peek({ImageFormat::raw, 7, 5, 0, one}).channels == 1);
  CHECK_THROWS_AS(data::peek(as_jpeg(std::span(png).first(20))), jessl::DataError);
  const std::string words = "This is no image at all.\n";
  CHECK_THROWS_WITH(data::peek(as_jpeg(std::as_bytes(std::span(words)))), Catch::Contains("neither a JPEG nor a PNG"));
  const Bytes jpeg = data_test::reference_image("rgb_444.jpg");
  CHECK_THROWS_WITH(data::peek(as_jpeg(std::span(jpeg).first(30))),
                    "jessl::data::peek: a JPEG of 30 bytes whose header gives no size; it is damaged or cut off");
  CHECK_THROWS_WITH(data::peek({ImageFormat::jpg, 20, 13, 3, jpeg}),
                    "jessl::data::peek: the image has 19 x 13 pixels, expected 20 x 13 as the data set says");
}

TEST_CASE("plan_decode: the way follows from the header and the box", "[data][decode_region]") {
  const Image image = data_test::rough_picture(320, 320, 3);
  JPEGKind kind;
  const Bytes plain = data_test::make_jpeg(image, kind);
  kind.restart_interval = 5;
  const Bytes marked = data_test::make_jpeg(image, kind);
  const data::ImageHeader without = data::peek(as_jpeg(plain));
  const data::ImageHeader with = data::peek(as_jpeg(marked));
  const Region low{.top = 200, .left = 200, .height = 64, .width = 64};
  CHECK(data::plan_decode(without, without.region()).way == DecodeWay::whole);
  CHECK(data::plan_decode(with, with.region()).way == DecodeWay::whole);
  CHECK(data::plan_decode(without, low).way == DecodeWay::part);
  CHECK(data::plan_decode(with, low).way == DecodeWay::segments);
  // Larger boxes cost more, lower ones too where there are no segments, and shrunk ones less.
  const auto cost = [](const data::ImageHeader& header, const Region& box, std::int64_t shrink = 1) {
    return data::plan_decode(header, box, shrink).cost;
  };
  CHECK(cost(without, {0, 0, 64, 64}) < cost(without, low));
  CHECK(cost(with, {0, 0, 64, 64}) <= cost(with, low));
  CHECK(cost(with, low) < 0.3 * cost(without, low));
  CHECK(cost(without, low) < cost(without, {100, 100, 164, 164}));
  for (const std::int64_t shrink : {2, 4, 8}) CHECK(cost(with, low, shrink) < cost(with, low, shrink / 2));
}

TEST_CASE("plan_views: boxes share a decode where that is cheaper", "[data][decode_region]") {
  const Image image = data_test::rough_picture(320, 320, 3);
  JPEGKind kind;
  const data::ImageHeader without = data::peek(as_jpeg(data_test::make_jpeg(image, kind)));
  kind.restart_interval = 5;
  const data::ImageHeader with = data::peek(as_jpeg(data_test::make_jpeg(image, kind)));
  using data::DecodePart;
  const std::array wanted{DecodePart{{0, 0, 80, 80}}, DecodePart{{240, 240, 80, 80}}, DecodePart{{250, 230, 60, 60}}};
  std::array<DecodePart, 3> decode;
  // With segments, two corners are decoded apart and what overlaps together.
  data::plan_views(with, wanted, decode);
  CHECK(decode[0] == wanted[0]);
  CHECK(decode[1] == DecodePart{{240, 230, 80, 90}});
  CHECK(decode[2] == decode[1]);
  // Without, the lower corner costs all the entropy decoding anyway.
  data::plan_views(without, wanted, decode);
  CHECK(decode[1] == decode[2]);
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(decode[i].region.contains(wanted[i].region));
  // What is shared is shrunk by no more than each may be.
  const std::array two{DecodePart{{0, 0, 300, 300}, 4}, DecodePart{{20, 20, 300, 300}, 2}};
  std::array<DecodePart, 2> shared;
  data::plan_views(without, two, shared);
  CHECK(shared[0] == DecodePart{{0, 0, 320, 320}, 2});
  CHECK(shared[0] == shared[1]);
  CHECK_THROWS_WITH(data::plan_views(with, two, decode),
                    "jessl::data::plan_views: decode has 3 parts, expected one for each of the 2 that are wanted");
}
