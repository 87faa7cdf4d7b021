// SPDX-License-Identifier: Apache-2.0
// Writes small JPEGs of several sizes into three class folders, for examples that want a folder of photographs.
//
// Usage: jessl_small_image_folder COUNT FOLDER

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/jpeg_writer.hpp>

namespace {

/// Coloured stripes: along rows, along columns, or across both. Phase, colour and size are the image's own.
jessl::Image stripes(std::int64_t number) {
  jessl::Draw draw({.sample = static_cast<std::uint64_t>(number)});
  jessl::Image image(40 + draw.below(30), 40 + draw.below(30), 3);
  const double phase = draw.uniform(0.0, 6.0);
  const double colours[3] = {draw.uniform(40.0, 120.0), draw.uniform(40.0, 120.0), draw.uniform(40.0, 120.0)};
  std::size_t to = 0;
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x) {
      const std::int64_t along = number % 3 == 0 ? y : number % 3 == 1 ? x : x + y;
      for (const double colour : colours)
        image.pixels[to++] =
            static_cast<std::uint8_t>(std::lround(128.0 + colour * std::sin(0.6 * static_cast<double>(along) + phase)));
    }
  }
  return image;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    JESSL_CHECK(argc == 3, jessl::ConfigError, "usage: jessl_small_image_folder COUNT FOLDER");
    jessl::data::detail::JPEGWriter writer;
    std::vector<std::byte> bytes;
    for (std::int64_t i = 0; i < std::stoll(argv[1]); ++i) {
      const std::string name = i % 3 == 0 ? "rows" : i % 3 == 1 ? "columns" : "across";
      const std::filesystem::path folder = std::filesystem::path(argv[2]) / name;
      std::filesystem::create_directories(folder);
      writer.write(stripes(i).view(), 90, /*full_chroma=*/false, /*restart_interval=*/0, bytes);
      jessl::write_file(folder / (std::to_string(i) + ".jpg"),
                        std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
                        "jessl_small_image_folder");
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
