// SPDX-License-Identifier: Apache-2.0
// The version: its text and its numbers say the same.
#include <catch2/catch.hpp>

#include <jessl/core/error.hpp>
#include <jessl/core/version.hpp>

TEST_CASE("version: the text is made of the numbers", "[core][version]") {
  CHECK(jessl::version == jessl::concat(JESSL_VERSION_MAJOR, '.', JESSL_VERSION_MINOR, '.', JESSL_VERSION_PATCH));
}
