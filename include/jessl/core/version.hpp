// SPDX-License-Identifier: Apache-2.0
// The version of jessl; CMake and the packages read it from here.
#pragma once

#define JESSL_VERSION_MAJOR 0
#define JESSL_VERSION_MINOR 1
#define JESSL_VERSION_PATCH 0

#include <string_view>

namespace jessl {

/// The library's version as "major.minor.patch", written into every checkpoint.
inline constexpr std::string_view version = "0.1.0";

}  // namespace jessl
