// SPDX-License-Identifier: Apache-2.0
// PNG files: another program's reader gives back the pixels, and images that are not whole are refused.
#include <catch2/catch.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <jessl/io/png.hpp>

#include "support/temporary_folder.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::Image;
using jessl::ImageView;
using jessl::io::save_png;
using jessl::test::TemporaryFolder;

}  // namespace

TEST_CASE("save_png: libpng reads back the pixels of grey and RGB images", "[io][png]") {
  const TemporaryFolder folder;
  for (const std::int64_t channels : {1, 3}) {
    Image image(5, 3, channels);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(17 * i);
    save_png(folder / "a.png", image.view());
    png_image header{};
    header.version = PNG_IMAGE_VERSION;
    REQUIRE(png_image_begin_read_from_file(&header, (folder / "a.png").c_str()) != 0);
    CHECK(header.width == 5);
    CHECK(header.height == 3);
    header.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(header));
    REQUIRE(png_image_finish_read(&header, nullptr, pixels.data(), 0, nullptr) != 0);
    CHECK(pixels == image.pixels);
  }
}

TEST_CASE("save_png: pixels that do not fit the extents are a ShapeError, and nothing is written", "[io][png]") {
  const TemporaryFolder folder;
  const std::vector<std::uint8_t> pixels(14);
  const auto save = [&](std::int64_t width, std::int64_t height, std::int64_t channels) {
    save_png(folder / "a.png", ImageView{width, height, channels, pixels});
  };
  CHECK_THROWS_AS(save(5, 3, 1), jessl::ShapeError);
  CHECK_THROWS_WITH(save(5, 3, 1), Contains("14 bytes of pixels, expected 15 for 5 x 3 pixels with 1 channels"));
  CHECK_THROWS_AS(save(13, 1, 1), jessl::ShapeError);
  CHECK_THROWS_AS(save(0, 3, 1), jessl::ShapeError);
  CHECK_THROWS_AS(save(7, 1, 2), jessl::ShapeError);
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_AS(save(huge, huge, 3), jessl::ShapeError);
  CHECK_THROWS_AS(save(std::int64_t{1} << 32U, std::int64_t{1} << 32U, 1), jessl::ShapeError);
  CHECK(folder.entries() == 0);
}
