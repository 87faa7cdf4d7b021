// SPDX-License-Identifier: Apache-2.0
// What the tests of .beton files share: the worked example, small files of every kind of field, and reading all of one.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <jessl/data/beton.hpp>
#include <jessl/data/beton_writer.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/detail/little_endian.hpp>

#include "data/support.hpp"
#include "support/skip.hpp"

namespace data_test {

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A text that holds zero bytes.
template <std::size_t N>
std::string_view literal(const char (&text)[N]) {
  return {text, N - 1};
}

/// Two samples in 12432 bytes, whose layout is worked out by hand in beton_writer_test.cpp.
inline std::string write_example(const TemporaryFolder& folder) {
  const std::string path = folder / "example.beton";
  // [writer]
  jessl::data::BetonWriter writer(path,
                                  {{"image", "image"},
                                   {"label", "int"},
                                   {.name = "vec", .kind = "array", .dtype = "<f4", .shape = {3}},
                                   {"meta", "json"}},
                                  {.page_size = 4096});
  const std::vector<std::uint8_t> red_green{255, 0, 0, 0, 255, 0};
  const std::vector<float> vec{1.0F, 2.0F, 3.0F};
  const jessl::EncodedImage image{.format = jessl::ImageFormat::raw,
                                  .width = 2,
                                  .height = 1,
                                  .channels = 3,
                                  .bytes = std::as_bytes(std::span(red_green))};
  writer.append({image, 7, std::as_bytes(std::span(vec)), "{\"k\": 0}"});
  // [/writer]
  const std::vector<std::uint8_t> pixels{1, 2, 3, 4, 5, 6};
  const std::vector<float> other{0.5F, -0.5F, 0.0F};
  const jessl::EncodedImage upright{jessl::ImageFormat::raw, 1, 2, 3, std::as_bytes(std::span(pixels))};
  writer.append({upright, -1, std::as_bytes(std::span(other)), "{\"k\": \"\\u00e9\"}"});
  // [commit]
  writer.commit();
  // [/commit]
  return path;
}

/// Every kind of field, raw and JPEG images; 5 samples in pages of 1024 bytes, some of which end in unused bytes.
inline std::string write_mixed(const TemporaryFolder& folder) {
  const std::string path = folder / "mixed.beton";
  jessl::data::BetonWriter writer(path,
                                  {{"label", "int"},
                                   {"image", "image"},
                                   {"blob", "bytes"},
                                   {"score", "float"},
                                   {"meta", "json"},
                                   {.name = "box", .kind = "array", .dtype = "<i2", .shape = {2, 3}},
                                   {.name = "mask", .kind = "tensor", .dtype = "|b1", .shape = {5}},
                                   {"second", "image"}},
                                  {.page_size = 1024});
  for (std::int64_t i = 0; i < 5; ++i) {
    const jessl::Image pixels = picture(4 + i, 5, 3, i);
    const Bytes jpeg = to_jpeg(picture(6, 3 + i, i % 2 == 0 ? 3 : 1, i));
    const Bytes blob(static_cast<std::size_t>(1 + 3 * i), std::byte{0xAB});
    const std::vector<std::int16_t> box{1, 2, 3, -4, 5, static_cast<std::int16_t>(i)};
    const Bytes mask(5, std::byte{1});
    writer.append({std::int64_t{i % 3},
                   jessl::EncodedImage{jessl::ImageFormat::raw, pixels.width, pixels.height, 3,
                                       std::as_bytes(std::span(pixels.pixels))},
                   blob, 0.5 * static_cast<double>(i), "{\"id\": " + std::to_string(i) + "}",
                   std::as_bytes(std::span(box)), mask,
                   jessl::EncodedImage{.format = jessl::ImageFormat::jpg, .bytes = jpeg}});
  }
  writer.commit();
  return path;
}

/// Reads every value of every sample, and decodes the images; what was read, for comparing.
inline std::string read_all(const jessl::data::Beton& file) {
  std::string all;
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < file.size(); ++i) {
    for (const jessl::data::BetonField& field : file.fields()) {
      const auto add = [&all](std::span<const std::byte> bytes) {
        all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      };
      if (field.kind == "int") {
        all += std::to_string(file.integer(i, field.name));
      } else if (field.kind == "float") {
        all += std::to_string(std::bit_cast<std::uint64_t>(file.real(i, field.name)));
      } else if (field.kind == "json") {
        all += file.json(i, field.name, storage);
      } else if (field.kind == "image") {
        const jessl::data::BetonImage image = file.image(i, field.name, storage);
        all += image.format;
        add(image.bytes);
        const jessl::data::Image decoded = jessl::data::decode(image);
        add(std::as_bytes(std::span(decoded.pixels)));
      } else {
        add(file.bytes(i, field.name, storage));
      }
      all += '|';
    }
  }
  return all;
}

/// Puts a number into bytes, as it stands in a file.
template <class T>
Bytes with(Bytes bytes, std::size_t offset, T number) {
  jessl::data::detail::store(bytes.data() + offset, number);
  return bytes;
}

/// The folder of the files that ffcv wrote, or "" where it is not there and the case is skipped.
inline std::string ffcv_betons() {
  const std::string folder = JESSL_REFERENCE_DIR "/data/beton";
  if (std::filesystem::is_directory(folder)) return folder;
  JESSL_SKIP("the .beton files of ffcv are not there: JESSL_REFERENCE_DIR has no data/beton");
  return "";
}

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

}  // namespace data_test
