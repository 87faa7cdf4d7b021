// SPDX-License-Identifier: Apache-2.0
// The matrix type of features.
#include <catch2/catch.hpp>

#include <jessl/core/matrix.hpp>

TEST_CASE("RowMatrix: a row lies in one piece, so that a row-major tensor maps without a copy", "[core][matrix]") {
  jessl::RowMatrix features(2, 3);
  features << 1, 2, 3, 4, 5, 6;
  for (int i = 0; i < 6; ++i) CHECK(features.data()[i] == static_cast<float>(i + 1));
}
