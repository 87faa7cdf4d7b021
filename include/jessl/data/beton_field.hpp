// SPDX-License-Identifier: Apache-2.0
// One column of a .beton file: its name and what it holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jessl::data {

/// A field of a .beton file: what Beton::fields() tells and BetonWriter is given.
///
/// Written as {"label", "int"} or {.name = "box", .kind = "array", .dtype = "<f4", .shape = {4}}.
///
/// Shapes     none
/// Errors     none here; BetonWriter checks what it is given
/// Models     none
/// Source     none
struct BetonField {
  std::string name{};                 ///< 1 to 16 bytes of ASCII
  std::string kind{};                 ///< "image", "int", "float", "bytes", "json", "array" or "tensor"
  std::string dtype{};                ///< of arrays and tensors: numpy's name of the type, as "<f4"; else empty
  std::vector<std::int64_t> shape{};  ///< of arrays and tensors: that of each sample, every extent >= 1; else empty

  bool operator==(const BetonField&) const = default;
};

}  // namespace jessl::data
