// SPDX-License-Identifier: Apache-2.0
// <name>.json and <name>.bin, which the scripts of tests/reference/augment made with torchvision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>

namespace augment_test {

class Recording {
 public:
  explicit Recording(const std::string& name) {
    const std::string stem = JESSL_TEST_DATA "/reference/augment/" + name;
    std::ifstream(stem + ".json") >> index_;
    std::ifstream file(stem + ".bin", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  /// A list of the index: "cases", "batches" or "draws".
  [[nodiscard]] const jessl::Json& list(const std::string& name) const { return index_.at(name); }

  [[nodiscard]] jessl::Image image(const std::string& name) const {
    const jessl::Json& entry = index_["images"].at(name);
    jessl::Image image(entry["width"], entry["height"], entry["channels"]);
    image.pixels = values<std::uint8_t>(entry["offset"], image.pixels.size());
    return image;
  }

  template <class T>
  [[nodiscard]] std::vector<T> values(std::size_t offset, std::size_t count) const {
    REQUIRE(offset + count * sizeof(T) <= bytes_.size());
    std::vector<T> result(count);
    std::memcpy(result.data(), bytes_.data() + offset, count * sizeof(T));
    return result;
  }

 private:
  jessl::Json index_;
  std::vector<char> bytes_;
};

}  // namespace augment_test
