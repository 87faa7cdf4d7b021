// SPDX-License-Identifier: Apache-2.0
// PNG images through libpng, whole or some of their rows.
#pragma once

#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>

#include <png.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/detail/channels.hpp>

namespace jessl::data::detail {

// libpng, as libjpeg, reports errors by a call that must not return: each step that can fail runs alone in its own
// function object, in which nothing owns anything, between a setjmp and its end (see jpeg_reader.hpp).

/// One PNG image being decoded.
class PNGReader {
 public:
  explicit PNGReader(std::span<const std::byte> bytes)
      : rest_(bytes),
        png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &leave, [](png_structp, png_const_charp) {})) {
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
  }
  PNGReader(const PNGReader&) = delete;
  PNGReader& operator=(const PNGReader&) = delete;
  ~PNGReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  /// The whole image.
  void read(Image& image) { read(image, {}, /*whole=*/true); }

  /// The rows of `box`, all columns of them. Rows above it are decoded, those below it are not looked at; of an
  /// interlaced image all rows are. Returns what `image` holds.
  Region read(Image& image, const Region& box) { return read(image, box, /*whole=*/false); }

 private:
  Region read(Image& image, const Region& box, bool whole);

  template <class Step>
  void attempt(const Step& step) {
    if (!completes(step)) fail<DataError>("jessl::data::decode: damaged or unsupported PNG: ", reason_.data());
  }

  template <class Step>
  [[nodiscard]] bool completes(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }

  [[noreturn]] static void leave(png_structp png, png_const_charp reason) {
    auto* reader = static_cast<PNGReader*>(png_get_error_ptr(png));
    std::snprintf(reader->reason_.data(), reader->reason_.size(), "%s", reason);
    std::longjmp(reader->escape_, 1);
  }

  static void take(png_structp png, png_bytep target, std::size_t size);

  std::span<const std::byte> rest_;
  std::jmp_buf escape_{};
  std::array<char, 256> reason_{};
  png_structp png_;
  png_infop info_ = nullptr;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE Region PNGReader::read(Image& image, const Region& box, bool whole) {
  JESSL_CHECK(png_ != nullptr && info_ != nullptr, DataError,
              "jessl::data::decode: libpng did not start: out of memory, or ",
              "its version is not the one compiled with, " PNG_LIBPNG_VER_STRING);
  attempt([&] {
    png_set_read_fn(png_, this, &take);
    png_read_info(png_, info_);
  });
  check_image_size(png_get_image_width(png_, info_), png_get_image_height(png_, info_), "PNG");
  int passes = 1;
  attempt([&] {
    // As PIL's convert("RGB"): 16 bits keep the upper 8, fewer are stretched to 8, alpha is dropped.
    png_set_strip_16(png_);
    png_set_expand_gray_1_2_4_to_8(png_);
    png_set_palette_to_rgb(png_);
    png_set_strip_alpha(png_);
    passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  });
  const std::int64_t height = png_get_image_height(png_, info_);
  const bool all = whole || passes > 1;  // the passes of an interlaced image go over all of its rows
  const std::int64_t first = all ? 0 : box.top;
  const std::int64_t last = all ? height : box.bottom();
  JESSL_CHECK(first >= 0 && first < last && last <= height, DataError, "jessl::data::decode_region: a PNG of ", height,
              " rows is to give rows ", first, " to ", last, ": the header is not that of this image");
  image.resize(png_get_image_width(png_, info_), last - first, png_get_channels(png_, info_));
  const std::size_t stride = png_get_rowbytes(png_, info_);
  JESSL_ASSERT(stride * static_cast<std::size_t>(image.height) == image.pixels.size(), "a PNG row has ", stride,
               " bytes");
  std::uint8_t* const pixels = image.pixels.data();
  const auto rows = static_cast<std::size_t>(image.height);
  attempt([&] {
    for (std::int64_t y = 0; y < first; ++y) png_read_row(png_, pixels, nullptr);  // overwritten by the next
    for (int pass = 0; pass < passes; ++pass) {
      for (std::size_t y = 0; y < rows; ++y) png_read_row(png_, pixels + y * stride, nullptr);
    }
    if (last == height) png_read_end(png_, nullptr);
  });
  return {first, 0, image.height, image.width};
}

JESSL_INLINE void PNGReader::take(png_structp png, png_bytep target, std::size_t size) {
  auto& rest = static_cast<PNGReader*>(png_get_io_ptr(png))->rest_;
  if (size > rest.size()) png_error(png, "premature end of the file");
  std::memcpy(target, rest.data(), size);
  rest = rest.subspan(size);
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
