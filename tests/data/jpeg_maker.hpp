// SPDX-License-Identifier: Apache-2.0
// JPEG files of every layout, for the tests of decoding a part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/draw.hpp>
#include <jessl/core/image.hpp>

#include "data/support.hpp"

namespace data_test {

/// How a JPEG is to be written.
struct JPEGKind {
  std::string name{};
  std::array<int, 8> factors{1, 1, 1, 1, 1, 1, 1, 1};  ///< horizontal and vertical, of each component
  int components = 3;                                  ///< 1: grey, 3: YCbCr, 4: YCCK from CMYK
  bool progressive = false;
  bool interleaved = true;
  unsigned restart_interval = 0;
  int quality = 90;
};

/// A picture in which every pixel differs from its neighbours: waves, edges and noise.
inline jessl::Image rough_picture(std::int64_t width, std::int64_t height, std::int64_t channels,
                                  std::uint64_t seed = 1) {
  jessl::Image image(width, height, channels);
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t wave = (x * (5 + c) + y * (9 - c)) % 160 + ((x / 5 + y / 3 + c) % 2) * 40;
        image.pixels[static_cast<std::size_t>((y * width + x) * channels + c)] =
            static_cast<std::uint8_t>(wave + static_cast<std::int64_t>(draw.below(50)));
      }
    }
  }
  return image;
}

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

/// Every layout that programs write, and some that nobody does.
inline std::vector<JPEGKind> jpeg_kinds() {
  return {{.name = "4:4:4"},
          {.name = "4:2:2", .factors = {2, 1, 1, 1, 1, 1, 1, 1}},
          {.name = "4:2:0", .factors = {2, 2, 1, 1, 1, 1, 1, 1}},
          {.name = "4:4:0", .factors = {1, 2, 1, 1, 1, 1, 1, 1}},
          {.name = "4:1:1", .factors = {4, 1, 1, 1, 1, 1, 1, 1}},
          {.name = "mixed", .factors = {2, 2, 2, 1, 1, 2, 1, 1}},
          {.name = "all twofold", .factors = {2, 1, 2, 1, 2, 1, 1, 1}},
          {.name = "grey", .components = 1},
          {.name = "grey 2x2", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .components = 1},
          {.name = "YCCK", .factors = {2, 2, 1, 1, 1, 1, 2, 2}, .components = 4},
          {.name = "progressive 4:4:4", .progressive = true},
          {.name = "progressive 4:2:0", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .progressive = true},
          {.name = "not interleaved", .factors = {2, 2, 1, 1, 1, 1, 1, 1}, .interleaved = false}};
}

}  // namespace data_test
