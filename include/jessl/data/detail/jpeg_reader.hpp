// SPDX-License-Identifier: Apache-2.0
// JPEG images through libjpeg-turbo, whole or in part.
#pragma once

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>

#include <jerror.h>
#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/channels.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>

namespace jessl::data::detail {

// libjpeg reports errors by a call that must not return. It leaves by longjmp, because exceptions must not pass through
// C code. So each step that can fail runs alone in its own function object, in which nothing owns anything, between a
// setjmp and its end; the state is released by the destructor of the class around it.

/// What libjpeg calls when something is wrong, and the way out of it.
class JPEGErrors {
 public:
  JPEGErrors();
  JPEGErrors(const JPEGErrors&) = delete;
  JPEGErrors& operator=(const JPEGErrors&) = delete;
  ~JPEGErrors() = default;

  /// Makes `info` report here.
  template <class Info>
  void listen_to(Info& info) {
    info.err = &manager_;
    info.client_data = this;
  }

  /// Runs a step that calls libjpeg. `what` opens the message of its failure.
  template <class Step>
  void attempt(const Step& step, const char* what = "jessl::data::decode: damaged or unsupported JPEG") {
    if (!completes(step)) fail<DataError>(what, ": ", reason_.data());
  }

 private:
  template <class Step>
  [[nodiscard]] bool completes(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }

  [[noreturn]] static void leave(j_common_ptr info) {
    auto* errors = static_cast<JPEGErrors*>(info->client_data);
    (*info->err->format_message)(info, errors->reason_.data());
    std::longjmp(errors->escape_, 1);
  }

  /// libjpeg goes on after a warning with pixels it made up. Those that mean lost pixels are errors here.
  static void judge(j_common_ptr info, int level);

  jpeg_error_mgr manager_{};
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> reason_{};
};

/// One JPEG image being decoded.
///
/// There is a new one for each image: keeping one saves 0.3 of 9 us for an image of 32 x 32 pixels and nothing
/// measurable for a photograph, but tables of one image would serve the next one that lacks its own, and
/// jpeg_skip_scanlines of libjpeg-turbo before 3.1 may follow pointers that belonged to the image before.
class JPEGReader {
 public:
  JPEGReader() { errors_.listen_to(info_); }
  JPEGReader(const JPEGReader&) = delete;
  JPEGReader& operator=(const JPEGReader&) = delete;
  ~JPEGReader() { jpeg_destroy_decompress(&info_); }

  /// The whole image.
  void read(std::span<const std::byte> bytes, Image& image);

  /// `box`, in pixels of the stored image, shrunk by 1, 2, 4 or 8. Rows above it and columns beside it go through
  /// entropy decoding only, and nothing below it is looked at. Returns what `image` holds, in pixels of the shrunk image:
  /// all of the box, the columns up to the next border of a coding unit, and at most two more at either side, which may
  /// differ from the whole image's. `layout` is that of `bytes`.
  Region read(std::span<const std::byte> bytes, const JPEGLayout& layout, const Region& box, std::int64_t shrink,
              Image& image);

  /// What remains of a region of the stored image when that is shrunk: all pixels that have a part in it.
  [[nodiscard]] static Region shrunk(const Region& box, std::int64_t shrink) {
    const std::int64_t top = box.top / shrink;
    const std::int64_t left = box.left / shrink;
    return {top, left, (box.bottom() + shrink - 1) / shrink - top, (box.right() + shrink - 1) / shrink - left};
  }

 private:
  /// Reads the header and starts.
  void open(std::span<const std::byte> bytes, std::int64_t shrink);

  void read_rows(std::uint8_t* pixels, std::size_t stride, JDIMENSION rows);

  [[nodiscard]] std::int64_t channels() const { return info_.output_components; }

  /// The columns that must be decoded so that those of `wanted` come out as in the whole image.
  [[nodiscard]] Region with_neighbours(const JPEGLayout& layout, Region wanted, std::int64_t shrink) const;

  [[nodiscard]] J_COLOR_SPACE output_space() const;

  jpeg_decompress_struct info_{};
  JPEGErrors errors_;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE JPEGErrors::JPEGErrors() {
  jpeg_std_error(&manager_);
  manager_.error_exit = &leave;
  manager_.emit_message = &judge;
  manager_.output_message = [](j_common_ptr) {};
}

JESSL_INLINE void JPEGErrors::judge(j_common_ptr info, int level) {
  constexpr std::array harmless{int{JWRN_ADOBE_XFORM}, int{JWRN_JFIF_MAJOR}, int{JWRN_EXTRANEOUS_DATA},
                                int{JWRN_BOGUS_PROGRESSION}};
  if (level >= 0 || std::find(harmless.begin(), harmless.end(), info->err->msg_code) != harmless.end()) return;
  leave(info);
}

JESSL_INLINE void JPEGReader::read(std::span<const std::byte> bytes, Image& image) {
  open(bytes, 1);
  image.resize(info_.output_width, info_.output_height, channels());
  std::uint8_t* const pixels = image.pixels.data();
  const auto stride = static_cast<std::size_t>(image.width * image.channels);
  errors_.attempt([&] {
    read_rows(pixels, stride, info_.output_height);
    jpeg_finish_decompress(&info_);
  });
  if (image.channels == 4) inverted_cmyk_to_rgb(image);
}

JESSL_INLINE Region JPEGReader::read(std::span<const std::byte> bytes, const JPEGLayout& layout, const Region& box,
                                     std::int64_t shrink, Image& image) {
  open(bytes, shrink);
  const Region wanted = shrunk(box, shrink);
  const Region all{.height = info_.output_height, .width = info_.output_width};
  JESSL_CHECK(all.contains(wanted), DataError,
              "jessl::data::decode: the header of a JPEG gives two sizes, one of them ", info_.image_width, " x ",
              info_.image_height, "; it is damaged");
  const Region part = with_neighbours(layout, wanted, shrink);
  auto left = static_cast<JDIMENSION>(part.left);
  auto width = static_cast<JDIMENSION>(part.width);
  errors_.attempt([&] { jpeg_crop_scanline(&info_, &left, &width); });
  image.resize(width, wanted.height, channels());
  std::uint8_t* const pixels = image.pixels.data();
  const auto stride = static_cast<std::size_t>(image.width * image.channels);
  const auto above = static_cast<JDIMENSION>(wanted.top);
  const auto rows = static_cast<JDIMENSION>(wanted.height);
  errors_.attempt([&] {
    if (above > 0) jpeg_skip_scanlines(&info_, above);
    read_rows(pixels, stride, rows);
    if (info_.output_scanline == info_.output_height) jpeg_finish_decompress(&info_);
  });
  if (image.channels == 4) inverted_cmyk_to_rgb(image);
  return {wanted.top, left, wanted.height, width};
}

JESSL_INLINE void JPEGReader::open(std::span<const std::byte> bytes, std::int64_t shrink) {
  errors_.attempt([&] {
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info_, TRUE);
  });
  check_image_size(info_.image_width, info_.image_height, "JPEG");
  info_.out_color_space = output_space();
  info_.scale_num = 1;
  info_.scale_denom = static_cast<unsigned>(shrink);
  errors_.attempt([&] { jpeg_start_decompress(&info_); });
}

JESSL_INLINE void JPEGReader::read_rows(std::uint8_t* pixels, std::size_t stride, JDIMENSION rows) {
  for (const JDIMENSION end = info_.output_scanline + rows; info_.output_scanline < end; pixels += stride) {
    JSAMPROW row = pixels;
    jpeg_read_scanlines(&info_, &row, 1);
  }
}

JESSL_INLINE Region JPEGReader::with_neighbours(const JPEGLayout& layout, Region wanted, std::int64_t shrink) const {
  if (!layout.subsampled) return wanted;
  const std::int64_t image_width = info_.output_width;
  const std::int64_t unit = std::max<std::int64_t>(1, layout.unit_width() / shrink);
  const std::int64_t least = least_width(layout);
  std::int64_t left = std::max<std::int64_t>(0, wanted.left - 1) / unit * unit;
  std::int64_t right = std::min(image_width, wanted.right() + 1);
  right = std::min(image_width, std::max(right, left + least));
  while (left > 0 && right - left < least) left = std::max<std::int64_t>(0, left - unit);
  wanted.left = left;
  wanted.width = right - left;
  return wanted;
}

JESSL_INLINE J_COLOR_SPACE JPEGReader::output_space() const {
  switch (info_.jpeg_color_space) {
    case JCS_GRAYSCALE:
      return JCS_GRAYSCALE;
    case JCS_RGB:
    case JCS_YCbCr:
      return JCS_RGB;
    case JCS_CMYK:
    case JCS_YCCK:
      return JCS_CMYK;
    default:
      fail<DataError>("jessl::data::decode: a JPEG of ", info_.num_components,
                      " components in an unknown colour space; grey, RGB, YCbCr, CMYK and YCCK are decoded");
  }
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
