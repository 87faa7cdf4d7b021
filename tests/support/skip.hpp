// SPDX-License-Identifier: Apache-2.0
// Cases that want something from outside the checkout: another program's files, a device, an interpreter with a package.
#pragma once

#include <catch2/catch.hpp>

namespace jessl::test {

/// Set once a case was skipped; the program then ends with skip_status unless something failed (main.cpp).
inline bool skipped = false;

/// What ctest takes for "skipped".
inline constexpr int skip_status = 77;

}  // namespace jessl::test

/// Says why a case, which has the tag [outside], is skipped, all of it or a part.
#define JESSL_SKIP(reason)         \
  do {                             \
    ::jessl::test::skipped = true; \
    WARN("skipped: " << reason);   \
  } while (false)
