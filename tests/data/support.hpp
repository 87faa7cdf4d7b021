// SPDX-License-Identifier: Apache-2.0
// What the tests of data share: files, small images and view makers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>
#include <png.h>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/data/array_dataset.hpp>

#include "support/captured_log.hpp"
#include "support/temporary_folder.hpp"

namespace data_test {

using Bytes = std::vector<std::byte>;

using jessl::test::TemporaryFolder;
using Warnings = jessl::test::CapturedLog;

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// The bytes of an image in tests/reference/data/images.
inline Bytes reference_image(const std::string& name) {
  return read_bytes(JESSL_TEST_DATA "/reference/data/images/" + name);
}

/// Smooth RGB pixels that depend on `number`.
inline jessl::Image picture(std::int64_t width, std::int64_t height, std::int64_t channels, std::int64_t number = 0) {
  jessl::Image image(width, height, channels);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        image.pixels[static_cast<std::size_t>((y * width + x) * channels + c)] =
            static_cast<std::uint8_t>((3 * x + 5 * y + 40 * c + 29 * number) % 256);
      }
    }
  }
  return image;
}

/// How a JPEG is to be written.
struct JPEGKind {
  std::string name{};
  std::array<int, 8> factors{1, 1, 1, 1, 1, 1, 1, 1};  ///< horizontal and vertical, of each component
  int components = 3;                                  ///< 1: grey, 3: YCbCr, 4: YCCK from CMYK
  bool progressive = false;
  bool interleaved = true;
  bool optimize = false;  ///< Huffman tables made for the image
  unsigned restart_interval = 0;
  int quality = 90;
};

/// `image` has as many channels as the kind has components.
inline Bytes make_jpeg(const jessl::Image& image, const JPEGKind& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = kind.components;
  info.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : kind.components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  if (kind.components == 4) jpeg_set_colorspace(&info, JCS_YCCK);
  jpeg_set_quality(&info, kind.quality, TRUE);
  for (int c = 0; c < kind.components; ++c) {
    info.comp_info[c].h_samp_factor = kind.factors[static_cast<std::size_t>(2 * c)];
    info.comp_info[c].v_samp_factor = kind.factors[static_cast<std::size_t>(2 * c + 1)];
  }
  if (kind.progressive) jpeg_simple_progression(&info);
  std::array<jpeg_scan_info, 4> scans{};
  if (!kind.interleaved) {
    for (int c = 0; c < kind.components; ++c)
      scans[static_cast<std::size_t>(c)] = {
          .comps_in_scan = 1, .component_index = {c}, .Ss = 0, .Se = 63, .Ah = 0, .Al = 0};
    info.scan_info = scans.data();
    info.num_scans = kind.components;
  }
  info.restart_interval = kind.restart_interval;
  info.optimize_coding = kind.optimize ? TRUE : FALSE;
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> pixels = image.pixels;  // libjpeg wants them mutable
  const auto stride = static_cast<std::size_t>(image.width * image.channels);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = pixels.data() + info.next_scanline * stride;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* begin = reinterpret_cast<const std::byte*>(memory);
  Bytes bytes(begin, begin + size);
  std::free(memory);
  return bytes;
}

inline Bytes to_jpeg(const jessl::Image& image, bool restarts = false) {
  JPEGKind kind{.components = static_cast<int>(image.channels), .restart_interval = restarts ? 1U : 0U, .quality = 95};
  if (image.channels == 3) kind.factors = {2, 2, 1, 1, 1, 1, 1, 1};
  return make_jpeg(image, kind);
}

inline Bytes to_png(const jessl::Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = image.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  Bytes bytes(size);
  png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr);
  bytes.resize(size);
  return bytes;
}

/// `count` pictures in memory, with labels 0 to 4 by turns.
inline jessl::data::ArrayDataset pictures(std::int64_t count, std::int64_t side = 6, std::int64_t channels = 1) {
  jessl::data::ImageArray array{.height = side, .width = side, .channels = channels, .classes = 5};
  for (std::int64_t i = 0; i < count; ++i) {
    const jessl::Image image = picture(side, side, channels, i);
    array.pixels.insert(array.pixels.end(), image.pixels.begin(), image.pixels.end());
    array.labels.push_back(i % 5);
  }
  return jessl::data::ArrayDataset(std::move(array));
}

/// Views that tell everything they were made from: the first value is a draw from the key, the others are pixels.
struct Stamp {
  struct Scratch {};
  static constexpr std::int64_t views = 2;
  std::int64_t side = 6;

  [[nodiscard]] jessl::ViewShape shape(std::int64_t view, std::int64_t channels) const {
    return {channels, side - view, side};
  }

  [[nodiscard]] jessl::Region region(const jessl::Extent& image, const jessl::DrawKey&) const {
    return {.height = image.height, .width = image.width};
  }

  void make(const jessl::RegionView& image, const jessl::DrawKey& key, Scratch&, std::span<float> out) const {
    const auto expected = static_cast<std::size_t>(shape(key.view, image.channels).count());
    JESSL_CHECK(out.size() == expected, jessl::ShapeError, "view ", int{key.view}, " has ", out.size(),
                " values, expected ", expected);
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>(image.pixels[i % image.pixels.size()]) / 255.0F;
    out[0] = static_cast<float>(jessl::Draw(key).uniform());
  }
};

/// Views that are random parts of the image, each a pixel in so many, and tell nothing of the pixels around them.
struct Parts {
  struct Scratch {};
  static constexpr std::int64_t views = 3;

  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 7, 5}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent& image, const jessl::DrawKey& key) const {
    jessl::Draw draw(key);
    // The third view is small, the others are of any size.
    const auto part = [&](std::int64_t side) {
      return 1 + draw.below(key.view == 2 ? std::max(side / 6, std::int64_t{1}) : side);
    };
    const std::int64_t height = part(image.height);
    const std::int64_t width = part(image.width);
    return {draw.below(image.height - height + 1), draw.below(image.width - width + 1), height, width};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey& key, Scratch&, std::span<float> out) const {
    const jessl::Region mine = region({part.image_height, part.image_width}, key);
    JESSL_CHECK(part.region.contains(mine) && part.shrink == 1, jessl::ShapeError, "not the part that was asked for");
    std::size_t i = 0;
    for (std::int64_t c = 0; c < part.channels; ++c) {
      for (std::int64_t y = 0; y < 7; ++y) {
        for (std::int64_t x = 0; x < 5; ++x)
          out[i++] = part.at(mine.top + y * (mine.height - 1) / 6, mine.left + x * (mine.width - 1) / 4, c);
      }
    }
  }
};

}  // namespace data_test
