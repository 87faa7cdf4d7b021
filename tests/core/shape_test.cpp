// SPDX-License-Identifier: Apache-2.0
// Shapes: comparing and printing.
#include <catch2/catch.hpp>

#include <array>
#include <cstdint>

#include <jessl/core/shape.hpp>

TEST_CASE("Shape: prints as messages have it", "[core][shape]") {
  CHECK(jessl::concat(jessl::Shape({256, 128})) == "[256, 128]");
  CHECK(jessl::concat(jessl::Shape({7})) == "[7]");
  CHECK(jessl::concat(jessl::Shape()) == "[]");
}

TEST_CASE("Shape: is made from anything that can be walked over", "[core][shape]") {
  const std::array<int, 3> extents{2, 3, 4};
  CHECK(jessl::Shape(extents) == jessl::Shape({2, 3, 4}));
  CHECK_FALSE(jessl::Shape(extents) == jessl::Shape({2, 3}));
}

TEST_CASE("ViewShape: counts its values and prints as [C, H, W]", "[core][shape]") {
  const jessl::ViewShape shape{3, 20, 10};
  CHECK(shape.count() == 600);
  CHECK(jessl::concat(shape) == "[3, 20, 10]");
  CHECK_FALSE(shape == jessl::ViewShape{3, 10, 20});
}
