// SPDX-License-Identifier: Apache-2.0
// Decoding: every flavour of image as PIL sees it, and damaged ones as errors.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <zlib.h>
#include <nlohmann/json.hpp>

#include <jessl/data/decode.hpp>

#include "data/support.hpp"

using data_test::Bytes;
using jessl::EncodedImage;
using jessl::ImageFormat;
using jessl::ImageView;
namespace data = jessl::data;

namespace {

EncodedImage stored(std::span<const std::byte> bytes, ImageFormat format = ImageFormat::jpg) {
  return {.format = format, .bytes = bytes};
}

std::vector<std::uint8_t> from_hex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::vector<std::uint8_t> pixels_of(const ImageView& view) { return {view.pixels.begin(), view.pixels.end()}; }

int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  return largest;
}

void put_big_endian(Bytes& bytes, std::size_t offset, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[offset + i] = static_cast<std::byte>(value >> (24U - 8U * i));
}

}  // namespace

TEST_CASE("decode: every flavour of JPEG and PNG has the pixels that PIL sees", "[data][decode]") {
  std::ifstream file(JESSL_TEST_DATA "/reference/data/expected.json");
  const auto expected = nlohmann::json::parse(file);
  REQUIRE(expected["images"].size() == 16);
  data::Image scratch;
  for (const auto& [name, pixels] : expected["images"].items()) {
    INFO(name);
    const Bytes bytes = data_test::reference_image(name);
    for (const std::int64_t channels : {3, 1}) {
      const ImageView view = data::decode(stored(bytes), channels, scratch);
      CHECK(view.width == expected["width"]);
      CHECK(view.height == expected["height"]);
      CHECK(view.channels == channels);
      CHECK(pixels_of(view) == from_hex(pixels[channels == 3 ? "rgb" : "grey"]));
    }
  }
}

TEST_CASE("decode: an image of its own is grey or RGB as it is stored", "[data][decode]") {
  CHECK(data::decode(stored(data_test::reference_image("grey.jpg"))).channels == 1);
  CHECK(data::decode(stored(data_test::reference_image("grey_alpha.png"))).channels == 1);
  CHECK(data::decode(stored(data_test::reference_image("cmyk.jpg"))).channels == 3);
  CHECK(data::decode(stored(data_test::reference_image("palette.png"))).channels == 3);
  const jessl::Image image = data_test::picture(5, 4, 3);
  const data::Image again = data::decode({ImageFormat::raw, 5, 4, 3, std::as_bytes(std::span(image.pixels))});
  CHECK(again.pixels == image.pixels);
  CHECK(data::decode(stored(data_test::to_png(image))).pixels == image.pixels);
}

TEST_CASE("decode: raw pixels that have the wanted channels are not copied", "[data][decode]") {
  const jessl::Image image = data_test::picture(7, 5, 3);
  const EncodedImage raw{ImageFormat::raw, 7, 5, 3, std::as_bytes(std::span(image.pixels))};
  data::Image scratch;
  CHECK(data::decode(raw, 3, scratch).pixels.data() == image.pixels.data());
  CHECK(scratch.pixels.empty());

  const ImageView grey = data::decode(raw, 1, scratch);
  // 601 luma by hand: 0.299 R + 0.587 G + 0.114 B of (0, 40, 80) is 32.6.
  CHECK(grey.at(0, 0, 0) == 33);
  const Bytes one(35, std::byte{9});
  const ImageView colour =
      data::decode({ImageFormat::raw, 7, 5, 0, one}, 3, scratch);  // 0: the bytes tell the channels
  CHECK(std::all_of(colour.pixels.begin(), colour.pixels.end(), [](std::uint8_t value) { return value == 9; }));
  CHECK(colour.pixels.size() == 105);
}

TEST_CASE("decode: luma keeps grey levels as they are", "[data][decode]") {
  for (unsigned level = 0; level < 256; ++level) CHECK(data::detail::luma(level, level, level) == level);
}

TEST_CASE("decode: a JPEG is close to the picture it was made from, with restart markers too", "[data][decode]") {
  // Smooth: no wrap-around of the pattern, which a JPEG would blur.
  jessl::Image image(40, 24, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<std::uint8_t>(60 + (i / 3) % 40 * 2 + (i / 120) * 2);
  for (const bool restarts : {false, true}) {
    const data::Image decoded = data::decode(stored(data_test::to_jpeg(image, restarts)));
    CHECK(largest_difference(decoded.pixels, image.pixels) <= 4);  // quality 95
  }
}

TEST_CASE("decode: the bytes decide on the format, not the name", "[data][decode]") {
  const Bytes png = data_test::reference_image("rgb.png");
  const Bytes jpeg = data_test::reference_image("rgb_444.jpg");
  CHECK(data::decode(stored(png, ImageFormat::jpg)).width == 19);
  CHECK(data::decode(stored(jpeg, ImageFormat::png)).width == 19);
}

TEST_CASE("decode: a text file named .jpg, and an empty one, are errors that say what is there", "[data][decode]") {
  const std::string text = "This is no image at all.\n";
  const auto bytes = std::as_bytes(std::span(text));
  CHECK_THROWS_AS(data::decode(stored(bytes)), jessl::DataError);
  CHECK_THROWS_WITH(data::decode(stored(bytes)),
                    "jessl::data::decode: neither a JPEG nor a PNG image: the first bytes are "
                    "54 68 69 73 20 69 73 20, expected ff d8 or 89 50 4e 47");
  CHECK_THROWS_WITH(data::decode(stored({})), "jessl::data::decode: the file is empty; expected a JPEG or PNG image");
}

TEST_CASE("decode: an image that is cut off anywhere is an error", "[data][decode]") {
  data::Image scratch;
  for (const std::string name :
       {"rgb_420.jpg", "rgb_progressive.jpg", "grey.jpg", "cmyk.jpg", "rgb.png", "rgb_interlaced.png", "palette.png"}) {
    const Bytes whole = data_test::reference_image(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " of " << whole.size());
      REQUIRE_THROWS_AS(data::decode(stored(std::span(whole).first(size)), 3, scratch), jessl::DataError);
    }
  }
  const Bytes jpeg = data_test::reference_image("rgb_420.jpg");
  CHECK_THROWS_WITH(data::decode(stored(std::span(jpeg).first(jpeg.size() / 2))),
                    Catch::Contains("JPEG: Premature end of JPEG file"));
  const Bytes png = data_test::reference_image("rgb.png");
  CHECK_THROWS_WITH(data::decode(stored(std::span(png).first(png.size() / 2))),
                    Catch::Contains("PNG: premature end of the file"));
}

TEST_CASE("decode: flipped bytes give pixels or a DataError, nothing else", "[data][decode]") {
  data::Image scratch;
  std::int64_t errors = 0;
  for (const std::string name :
       {"rgb_420.jpg", "rgb_progressive.jpg", "cmyk.jpg", "rgb.png", "palette_transparent.png", "grey_16bit.png"}) {
    const Bytes whole = data_test::reference_image(name);
    for (std::size_t place = 0; place < whole.size(); ++place) {
      Bytes damaged = whole;
      damaged[place] ^= std::byte{0x55};
      try {
        const ImageView view = data::decode(stored(damaged), 3, scratch);
        REQUIRE(view.pixels.size() == static_cast<std::size_t>(view.width * view.height * 3));
      } catch (const jessl::DataError&) {
        ++errors;
      }
    }
  }
  CHECK(errors > 1000);  // any byte of a PNG, and many of a JPEG's
}

TEST_CASE("decode: sizes that cannot be are refused before memory is taken", "[data][decode]") {
  Bytes jpeg = data_test::reference_image("rgb_444.jpg");
  const std::array start_of_frame{std::byte{0xFF}, std::byte{0xC0}};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), start_of_frame.begin(), start_of_frame.end());
  REQUIRE(frame != jpeg.end());
  for (const std::ptrdiff_t extent : {5, 7}) {  // height and width: 0xFFDC, libjpeg's largest
    frame[extent] = std::byte{0xFF};
    frame[extent + 1] = std::byte{0xDC};
  }
  CHECK_THROWS_AS(data::decode(stored(jpeg)), jessl::DataError);
  CHECK_THROWS_WITH(data::decode(stored(jpeg)),
                    "jessl::data::decode: the JPEG image claims to have 65500 x 65500 pixels; "
                    "from 1 to 134217728 are decoded");

  Bytes png = data_test::reference_image("rgb.png");
  put_big_endian(png, 16, 900000);
  put_big_endian(png, 20, 900000);
  const auto crc = crc32(0, reinterpret_cast<const unsigned char*>(png.data()) + 12, 17);
  put_big_endian(png, 29, static_cast<std::uint32_t>(crc));
  CHECK_THROWS_WITH(data::decode(stored(png)),
                    "jessl::data::decode: the PNG image claims to have 900000 x 900000 pixels; "
                    "from 1 to 134217728 are decoded");
  CHECK_THROWS_AS(data::decode({ImageFormat::raw, std::int64_t{1} << 40U, std::int64_t{1} << 40U, 3, {}}),
                  jessl::DataError);
  CHECK_THROWS_AS(data::decode({ImageFormat::raw, 0, 5, 3, {}}), jessl::DataError);
  CHECK_THROWS_AS(data::decode({ImageFormat::raw, -4, -5, 1, {}}), jessl::DataError);
}

TEST_CASE("decode: sizes and channels that do not fit are refused", "[data][decode]") {
  const Bytes bytes(60);
  data::Image scratch;
  CHECK_THROWS_WITH(data::decode({ImageFormat::raw, 5, 5, 3, bytes}),
                    "jessl::data::decode: a raw image of 5 x 5 x 3 has 60 bytes, expected 75");
  CHECK_THROWS_WITH(data::decode({ImageFormat::raw, 5, 6, 0, bytes}),
                    "jessl::data::decode: a raw image of 5 x 6 pixels in 60 bytes has 2 channels, expected 1 or 3");
  CHECK_THROWS_AS(data::decode({ImageFormat::raw, 5, 4, 3, bytes}, 2, scratch), jessl::ConfigError);
  CHECK_THROWS_WITH(data::decode({ImageFormat::raw, 5, 4, 3, bytes}, 4, scratch),
                    "jessl::data::decode: channels is 4, expected 1 (grey) or 3 (RGB)");
  const Bytes png = data_test::reference_image("rgb.png");
  CHECK_THROWS_WITH(data::decode({ImageFormat::png, 20, 13, 3, png}),
                    "jessl::data::decode: the image has 19 x 13 pixels, expected 20 x 13 as the data set says");
}

TEST_CASE("decode: works on several threads at once", "[data][decode]") {
  const Bytes jpeg = data_test::reference_image("rgb_420.jpg");
  const Bytes png = data_test::reference_image("palette.png");
  const Bytes cut(jpeg.begin(), jpeg.begin() + 300);
  const data::Image jpeg_alone = data::decode(stored(jpeg));
  const data::Image png_alone = data::decode(stored(png));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      data::Image scratch;
      for (int round = 0; round < 100; ++round) {
        if (pixels_of(data::decode(stored(jpeg), 3, scratch)) != jpeg_alone.pixels) ++wrong;
        if (pixels_of(data::decode(stored(png), 3, scratch)) != png_alone.pixels) ++wrong;
        try {
          (void)data::decode(stored(cut), 3, scratch);
          ++wrong;
        } catch (const jessl::DataError&) {
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
