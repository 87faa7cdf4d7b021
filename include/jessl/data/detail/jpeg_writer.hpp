// SPDX-License-Identifier: Apache-2.0
// Pixels to baseline JPEG files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>

namespace jessl::data::detail {

/// Encodes images as baseline JPEG files with standard tables, as libjpeg's defaults are; keeps its memory.
class JPEGWriter {
 public:
  JPEGWriter() {
    errors_.listen_to(info_);
    errors_.attempt([&] { jpeg_create_compress(&info_); }, failure);
  }
  JPEGWriter(const JPEGWriter&) = delete;
  JPEGWriter& operator=(const JPEGWriter&) = delete;
  ~JPEGWriter() { jpeg_destroy_compress(&info_); }

  /// The file; it is valid until the next call. `full_chroma`: 4:4:4 instead of 4:2:0; `restart_interval`: coding units
  /// from one restart marker to the next, 0 for no markers.
  [[nodiscard]] std::span<const std::byte> write(const ImageView& image, int quality, bool full_chroma,
                                                 std::int64_t restart_interval = 0) {
    JESSL_CHECK(image.width >= 1 && image.width <= JPEG_MAX_DIMENSION && image.height >= 1 &&
                    image.height <= JPEG_MAX_DIMENSION,
                DataError, "jessl::data: an image of ", image.width, " x ", image.height,
                " pixels cannot be a JPEG, which has 1 to ", JPEG_MAX_DIMENSION, " each");
    // More than a file of noise takes; should one take still more, libjpeg gets its own memory.
    buffer_.resize(std::max(buffer_.size(), 4 * image.pixels.size() + 4096));
    unsigned char* memory = buffer_.data();
    unsigned long size = static_cast<unsigned long>(buffer_.size());
    const auto stride = static_cast<std::size_t>(image.width * image.channels);
    const auto encode = [&] {
      jpeg_mem_dest(&info_, &memory, &size);
      info_.image_width = static_cast<JDIMENSION>(image.width);
      info_.image_height = static_cast<JDIMENSION>(image.height);
      info_.input_components = static_cast<int>(image.channels);
      info_.in_color_space = image.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
      jpeg_set_defaults(&info_);
      jpeg_set_quality(&info_, quality, TRUE);
      if (full_chroma) info_.comp_info[0].h_samp_factor = info_.comp_info[0].v_samp_factor = 1;
      info_.restart_interval = static_cast<unsigned>(restart_interval);
      jpeg_start_compress(&info_, TRUE);
      while (info_.next_scanline < info_.image_height) {
        // libjpeg reads its rows only, but does not say so.
        JSAMPROW row = const_cast<JSAMPROW>(image.pixels.data() + info_.next_scanline * stride);
        jpeg_write_scanlines(&info_, &row, 1);
      }
      jpeg_finish_compress(&info_);
    };
    try {
      errors_.attempt(encode, failure);
    } catch (const DataError&) {
      jpeg_abort_compress(&info_);  // for the next image
      throw;
    }
    own_.reset(memory == buffer_.data() ? nullptr : memory);
    return std::as_bytes(std::span<const unsigned char>(memory, size));
  }

 private:
  struct Free {
    void operator()(unsigned char* memory) const { std::free(memory); }
  };

  static constexpr const char* failure = "jessl::data: cannot encode an image as JPEG";

  jpeg_compress_struct info_{};
  JPEGErrors errors_{};
  std::vector<unsigned char> buffer_{};
  std::unique_ptr<unsigned char, Free> own_{};
};

}  // namespace jessl::data::detail
