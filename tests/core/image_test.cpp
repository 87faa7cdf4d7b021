// SPDX-License-Identifier: Apache-2.0
// Images in memory.
#include <catch2/catch.hpp>

#include <jessl/core/image.hpp>

TEST_CASE("Image: keeps its memory when it becomes smaller", "[core][image]") {
  jessl::Image image(4, 3, 3);
  CHECK(image.pixels.size() == 36);
  const auto* memory = image.pixels.data();
  image.resize(2, 2, 1);
  CHECK(image.pixels.size() == 4);
  image.resize(3, 4, 3);
  CHECK(image.pixels.data() == memory);
}

TEST_CASE("ImageView: at(y, x, channel) reads interleaved rows", "[core][image]") {
  jessl::Image image(2, 2, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i);
  const jessl::ImageView view = image.view();
  CHECK(view.at(0, 0, 2) == 2);
  CHECK(view.at(0, 1, 0) == 3);
  CHECK(view.at(1, 0, 0) == 6);
  CHECK(view.at(1, 1, 2) == 11);
}

TEST_CASE("ImageView: is the part of an image that is all of it", "[core][image]") {
  jessl::Image image(3, 2, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i);
  const jessl::ImageView view = image.view();
  const jessl::RegionView part = view;
  CHECK(part.region == jessl::Region{0, 0, 2, 3});
  CHECK(part.image_height == 2);
  CHECK(part.image_width == 3);
  CHECK(part.shrink == 1);
  CHECK(part.pixels.data() == image.pixels.data());
  CHECK(part.pixels.size() == image.pixels.size());
  CHECK(part.at(1, 2, 1) == view.at(1, 2, 1));
  CHECK(part.row(1)[0] == view.at(1, 0, 0));
}

TEST_CASE("largest_shrink: leaves a pixel for each", "[core][image]") {
  CHECK(jessl::largest_shrink({.height = 448, .width = 500}, 224, 224) == 2);
  CHECK(jessl::largest_shrink({.height = 447, .width = 500}, 224, 224) == 1);
  CHECK(jessl::largest_shrink({.height = 100, .width = 100}, 224, 224) == 1);
  CHECK(jessl::largest_shrink({.height = 4000, .width = 4000}, 32, 32) == 8);
}
