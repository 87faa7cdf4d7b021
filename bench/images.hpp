// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of the data path share: the photographs, which are the JPEG files of the folder JESSL_BENCH_IMAGES
// or, without it, pictures of waves and noise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/detail/jpeg_writer.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/data/subset.hpp>

namespace bench {

using Bytes = std::vector<std::byte>;

/// A picture with structure at all scales, as a JPEG of quality 90; every fourth one has 4:2:0, the others 4:4:4.
inline Bytes made_up(std::int64_t width, std::int64_t height, std::uint64_t number) {
  jessl::Draw draw({.seed = number, .purpose = jessl::Purpose::initialisation});
  jessl::Image image(width, height, 3);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double wave = 60.0 * std::sin(static_cast<double>(x) / 31.0) * std::cos(static_cast<double>(y) / 23.0) +
                          30.0 * std::sin(static_cast<double>(x * y) / 997.0);
      for (std::int64_t c = 0; c < 3; ++c) {
        image.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] =
            static_cast<std::uint8_t>(110 + 12 * c + std::lround(wave) + draw.below(16));
      }
    }
  }
  jessl::data::detail::JPEGWriter writer;
  Bytes file;
  writer.write(image.view(), 90, /*full_chroma=*/number % 4 != 0, /*restart_interval=*/0, file);
  return file;
}

/// The JPEG files, in the order of their paths; read or made once.
inline const std::vector<Bytes>& jpegs() {
  static const std::vector<Bytes> all = [] {
    std::vector<Bytes> result;
    const char* const folder = std::getenv("JESSL_BENCH_IMAGES");
    if (folder == nullptr) {
      for (std::uint64_t i = 0; i < 40; ++i)
        result.push_back(made_up(400 + static_cast<std::int64_t>(i % 3) * 50, 375, i));
      return result;
    }
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      std::ifstream file(path, std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      const auto bytes = std::as_bytes(std::span(text));
      if (text.starts_with("\xFF\xD8")) result.emplace_back(bytes.begin(), bytes.end());
    }
    if (result.empty()) jessl::fail<jessl::IOError>("JESSL_BENCH_IMAGES: there is no JPEG file in ", folder);
    return result;
  }();
  return all;
}

/// The images over and over, 512 at least, so that the ends of epochs, where threads wait for each other, are few.
template <class D>
auto repeated(const D& dataset) {
  std::vector<std::int64_t> indices;
  while (indices.size() < 512) {
    indices.resize(indices.size() + static_cast<std::size_t>(dataset.size()));
    std::iota(indices.end() - static_cast<std::ptrdiff_t>(dataset.size()), indices.end(), std::int64_t{0});
  }
  return jessl::data::subset(dataset, std::move(indices));
}

/// A folder for temporary files, which goes with the program.
class Workplace {
 public:
  Workplace() {
    std::string pattern = (std::filesystem::temp_directory_path() / "jessl-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) jessl::fail<jessl::IOError>("cannot make a folder like ", pattern);
    path_ = pattern;
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;
  ~Workplace() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline const std::filesystem::path& workplace() {
  static const Workplace place;
  return place.path();
}

/// The photographs as a folder: JESSL_BENCH_IMAGES itself, or the pictures that are made, written at first use.
inline jessl::data::ImageFolder folder() {
  static const std::string path = [] {
    if (const char* const given = std::getenv("JESSL_BENCH_IMAGES")) return std::string(given);
    const std::filesystem::path made = workplace() / "folder";
    std::filesystem::create_directory(made);
    for (std::size_t i = 0; i < jpegs().size(); ++i) {
      const Bytes& bytes = jpegs()[i];
      std::ofstream file(made / (std::to_string(i) + ".jpg"), std::ios::binary);
      file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      if (!file.flush()) jessl::fail<jessl::IOError>("cannot write image ", i, " into ", made.string());
    }
    return made.string();
  }();
  return jessl::data::ImageFolder(path);
}

/// Packs the photographs as JPEGs into a .beton file with restart markers: as they are, or made anew with quality 90 and
/// 4:2:0, as ffcv's writer does with all of them.
inline std::string packed(bool recompress) {
  std::string path = (workplace() / (recompress ? "recompressed.beton" : "images.beton")).string();
  jessl::data::pack(folder(), path, {.mode = jessl::data::PackMode::jpg, .recompress = recompress, .progress = false});
  return path;
}

/// The photographs as a .beton file, packed at first use by pack's defaults for JPEGs.
inline jessl::data::Beton beton() {
  static const std::string path = packed(false);
  return jessl::data::Beton(path);
}

inline jessl::data::Beton recompressed_beton() {
  static const std::string path = packed(true);
  return jessl::data::Beton(path);
}

}  // namespace bench
