// SPDX-License-Identifier: Apache-2.0
// Pixels to baseline JPEG files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>
#include <jessl/data/detail/jpeg_target.hpp>

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

  /// `out` becomes the file; its memory is used again. `full_chroma`: 4:4:4 instead of 4:2:0; `restart_interval`: coding
  /// units from one restart marker to the next, 0 for no markers.
  void write(const ImageView& image, int quality, bool full_chroma, std::int64_t restart_interval,
             std::vector<std::byte>& out);

 private:
  static constexpr const char* failure = "jessl::data: cannot encode an image as JPEG";

  jpeg_compress_struct info_{};
  JPEGErrors errors_{};
  JPEGTarget target_{};
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void JPEGWriter::write(const ImageView& image, int quality, bool full_chroma,
                                    std::int64_t restart_interval, std::vector<std::byte>& out) {
  JESSL_CHECK(
      image.width >= 1 && image.width <= JPEG_MAX_DIMENSION && image.height >= 1 && image.height <= JPEG_MAX_DIMENSION,
      DataError, "jessl::data: an image of ", image.width, " x ", image.height,
      " pixels cannot be a JPEG, which has 1 to ", JPEG_MAX_DIMENSION, " each");
  const auto stride = static_cast<std::size_t>(image.width * image.channels);
  const auto encode = [&] {
    target_.take(info_, out);
    info_.image_width = static_cast<JDIMENSION>(image.width);
    info_.image_height = static_cast<JDIMENSION>(image.height);
    info_.input_components = static_cast<int>(image.channels);
    info_.in_color_space = image.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    if (full_chroma) info_.comp_info[0].h_samp_factor = info_.comp_info[0].v_samp_factor = 1;
    info_.restart_interval = static_cast<unsigned>(restart_interval);
    jpeg_start_compress(&info_, TRUE);
    std::array<JSAMPROW, 16> rows;  // as many as a row of coding units has
    while (info_.next_scanline < info_.image_height) {
      JDIMENSION count = 0;
      for (std::size_t row = info_.next_scanline; row < info_.image_height && count < rows.size(); ++row, ++count) {
        // libjpeg reads its rows only, but does not say so.
        rows[count] = const_cast<JSAMPROW>(image.pixels.data() + row * stride);
      }
      jpeg_write_scanlines(&info_, rows.data(), count);
    }
    jpeg_finish_compress(&info_);
  };
  try {
    errors_.attempt(encode, failure);
  } catch (const DataError&) {
    jpeg_abort_compress(&info_);  // for the next image
    throw;
  }
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
