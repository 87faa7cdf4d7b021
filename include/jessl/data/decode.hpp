// SPDX-License-Identifier: Apache-2.0
// From stored bytes to pixels: raw, JPEG and PNG images of any flavour become 8-bit grey or RGB.
#pragma once

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>

namespace jessl::data {

using Image = jessl::Image;

/// Larger images are refused before memory is taken for them: what claims to be one is damaged or an attack.
inline constexpr std::int64_t max_image_pixels = std::int64_t{1} << 27U;

namespace detail {

inline void check_image_size(std::int64_t width, std::int64_t height, std::string_view format) {
  // Division, so that no claim of a damaged header overflows.
  JESSL_CHECK(width >= 1 && height >= 1 && height <= max_image_pixels / width, DataError, "jessl::data::decode: the ",
              format, " image claims to have ", width, " x ", height, " pixels; from 1 to ", max_image_pixels,
              " are decoded");
}

/// ITU-R 601 luma, rounded as PIL's convert("L") does.
[[nodiscard]] inline std::uint8_t luma(unsigned red, unsigned green, unsigned blue) {
  return static_cast<std::uint8_t>((red * 19595U + green * 38470U + blue * 7471U + 0x8000U) >> 16U);
}

inline void rgb_to_grey(Image& image) {
  std::uint8_t* pixels = image.pixels.data();
  const auto count = static_cast<std::size_t>(image.width * image.height);
  for (std::size_t i = 0; i < count; ++i) pixels[i] = luma(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]);
  image.resize(image.width, image.height, 1);
}

inline void grey_to_rgb(Image& image) {
  image.resize(image.width, image.height, 3);
  std::uint8_t* pixels = image.pixels.data();
  // From the back: the grey values lie in the first third.
  for (auto i = static_cast<std::size_t>(image.width * image.height); i-- > 0;) {
    const std::uint8_t grey = pixels[i];
    std::fill_n(pixels + 3 * i, 3, grey);
  }
}

/// CMYK as Adobe's programs store it in JPEG files, inverted (255 is no ink), to RGB as PIL's convert("RGB") does.
inline void inverted_cmyk_to_rgb(Image& image) {
  std::uint8_t* pixels = image.pixels.data();
  const auto count = static_cast<std::size_t>(image.width * image.height);
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned light = pixels[4 * i + 3];
    for (std::size_t ink = 0; ink < 3; ++ink) {
      const unsigned product = (255U - pixels[4 * i + ink]) * light + 128U;
      const unsigned absorbed = (product + (product >> 8U)) >> 8U;  // product / 255, rounded
      pixels[3 * i + ink] = static_cast<std::uint8_t>(light - absorbed);
    }
  }
  image.resize(image.width, image.height, 3);
}

inline void convert_channels(Image& image, std::int64_t channels) {
  if (image.channels == channels) return;
  channels == 1 ? rgb_to_grey(image) : grey_to_rgb(image);
}

// libjpeg and libpng report errors by a call that must not return. It leaves by longjmp, because exceptions must not
// pass through C code. So each step that can fail runs alone in its own function object, in which nothing owns
// anything, between a setjmp and its end; the state is released by the destructor of the class around it.

/// One JPEG image being decoded.
class JPEGReader {
 public:
  JPEGReader() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = &leave;
    errors_.emit_message = &judge;
    errors_.output_message = [](j_common_ptr) {};
  }
  JPEGReader(const JPEGReader&) = delete;
  JPEGReader& operator=(const JPEGReader&) = delete;
  ~JPEGReader() { jpeg_destroy_decompress(&info_); }

  void read(std::span<const std::byte> bytes, Image& image) {
    attempt([&] {
      jpeg_create_decompress(&info_);
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      jpeg_read_header(&info_, TRUE);
    });
    check_image_size(info_.image_width, info_.image_height, "JPEG");
    info_.out_color_space = output_space();
    const bool four_inks = info_.out_color_space == JCS_CMYK;
    image.resize(info_.image_width, info_.image_height, four_inks ? 4 : info_.out_color_space == JCS_RGB ? 3 : 1);
    std::uint8_t* const pixels = image.pixels.data();
    const auto stride = static_cast<std::size_t>(image.width * image.channels);
    attempt([&] {
      jpeg_start_decompress(&info_);
      while (info_.output_scanline < info_.output_height) {
        JSAMPROW row = pixels + info_.output_scanline * stride;
        jpeg_read_scanlines(&info_, &row, 1);
      }
      jpeg_finish_decompress(&info_);
    });
    if (four_inks) inverted_cmyk_to_rgb(image);
  }

 private:
  template <class Step>
  void attempt(const Step& step) {
    if (!completes(step)) fail<DataError>("jessl::data::decode: damaged or unsupported JPEG: ", reason_.data());
  }

  template <class Step>
  [[nodiscard]] bool completes(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }

  [[noreturn]] static void leave(j_common_ptr info) {
    auto* reader = static_cast<JPEGReader*>(info->client_data);
    (*info->err->format_message)(info, reader->reason_.data());
    std::longjmp(reader->escape_, 1);
  }

  /// libjpeg goes on after a warning with pixels it made up. Those that mean lost pixels are errors here.
  static void judge(j_common_ptr info, int level) {
    constexpr std::array harmless{int{JWRN_ADOBE_XFORM}, int{JWRN_JFIF_MAJOR}, int{JWRN_EXTRANEOUS_DATA},
                                  int{JWRN_BOGUS_PROGRESSION}};
    if (level >= 0 || std::find(harmless.begin(), harmless.end(), info->err->msg_code) != harmless.end()) return;
    leave(info);
  }

  [[nodiscard]] J_COLOR_SPACE output_space() const {
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

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> reason_{};
};

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

  void read(Image& image) {
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
    image.resize(png_get_image_width(png_, info_), png_get_image_height(png_, info_), png_get_channels(png_, info_));
    const std::size_t stride = png_get_rowbytes(png_, info_);
    JESSL_ASSERT(stride * static_cast<std::size_t>(image.height) == image.pixels.size(), "a PNG row has ", stride,
                 " bytes");
    std::uint8_t* const pixels = image.pixels.data();
    const auto rows = static_cast<std::size_t>(image.height);
    attempt([&] {
      for (int pass = 0; pass < passes; ++pass) {
        for (std::size_t y = 0; y < rows; ++y) png_read_row(png_, pixels + y * stride, nullptr);
      }
      png_read_end(png_, nullptr);
    });
  }

 private:
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

  static void take(png_structp png, png_bytep target, std::size_t size) {
    auto& rest = static_cast<PNGReader*>(png_get_io_ptr(png))->rest_;
    if (size > rest.size()) png_error(png, "premature end of the file");
    std::memcpy(target, rest.data(), size);
    rest = rest.subspan(size);
  }

  std::span<const std::byte> rest_;
  std::jmp_buf escape_{};
  std::array<char, 256> reason_{};
  png_structp png_;
  png_infop info_ = nullptr;
};

[[nodiscard]] inline bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// The first bytes in hexadecimal, for messages.
[[nodiscard]] inline std::string first_bytes(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 8))) {
    const auto value = std::to_integer<unsigned>(byte);
    text += {text.empty() ? '0' : ' ', digits[value >> 4U], digits[value & 15U]};
  }
  return text.empty() ? text : text.substr(1);
}

/// Into `image`, with 1 or 3 channels as stored. The bytes decide, not what the file is called: ImageNet has a PNG
/// named .JPEG.
inline void decode_file(std::span<const std::byte> bytes, Image& image) {
  if (starts_with(bytes, "\xFF\xD8")) return JPEGReader().read(bytes, image);
  if (starts_with(bytes, "\x89PNG\r\n\x1A\n")) return PNGReader(bytes).read(image);
  JESSL_CHECK(!bytes.empty(), DataError, "jessl::data::decode: the file is empty; expected a JPEG or PNG image");
  fail<DataError>("jessl::data::decode: neither a JPEG nor a PNG image: the first bytes are ", first_bytes(bytes),
                  ", expected ff d8 or 89 50 4e 47");
}

/// Raw pixels where they lie.
[[nodiscard]] inline ImageView view_raw(const EncodedImage& image) {
  check_image_size(image.width, image.height, "raw");
  const std::int64_t area = image.width * image.height;
  const auto size = static_cast<std::int64_t>(image.bytes.size());
  const std::int64_t channels = image.channels == 0 ? size / area : image.channels;
  JESSL_CHECK(channels == 1 || channels == 3, DataError, "jessl::data::decode: a raw image of ", image.width, " x ",
              image.height, " pixels in ", size, " bytes has ", channels, " channels, expected 1 or 3");
  JESSL_CHECK(size == area * channels, DataError, "jessl::data::decode: a raw image of ", image.width, " x ",
              image.height, " x ", channels, " has ", size, " bytes, expected ", area * channels);
  return {image.width,
          image.height,
          channels,
          {reinterpret_cast<const std::uint8_t*>(image.bytes.data()), image.bytes.size()}};
}

/// As the public decode, where 0 channels means those that are stored.
[[nodiscard]] inline ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch) {
  if (image.format == ImageFormat::raw) {
    const ImageView raw = view_raw(image);
    if (channels == 0 || channels == raw.channels) return raw;
    scratch.resize(raw.width, raw.height, raw.channels);
    std::copy(raw.pixels.begin(), raw.pixels.end(), scratch.pixels.begin());
  } else {
    decode_file(image.bytes, scratch);
    JESSL_CHECK(
        (image.width == 0 || image.width == scratch.width) && (image.height == 0 || image.height == scratch.height),
        DataError, "jessl::data::decode: the image has ", scratch.width, " x ", scratch.height, " pixels, expected ",
        image.width, " x ", image.height, " as the data set says");
  }
  if (channels != 0) convert_channels(scratch, channels);
  return scratch.view();
}

}  // namespace detail

/// Decodes a stored image to 8-bit pixels with 1 (grey) or 3 (RGB) channels.
///
/// Raw pixels that have these channels already are not copied; everything else is decoded into `scratch`, whose memory
/// is kept from image to image. The result is what PIL's convert("RGB") or convert("L") gives: grey is repeated, RGB
/// becomes ITU-R 601 luma, palettes are looked up, alpha is dropped, 16 bits keep the upper 8, and CMYK is converted
/// (inverted, as Adobe's programs write it). An orientation in EXIF is ignored, as torchvision's ImageFolder does.
/// Whether the bytes are a JPEG or a PNG is read from them.
///
/// Shapes     image -> [H, W, channels]
/// Cost       one decode; nothing is allocated once `scratch` has held the largest image, apart from what libjpeg and
///            libpng take and return inside
/// Errors     DataError for bytes that are neither a JPEG nor a PNG, for damaged or truncated images (libjpeg's
///            warnings about lost data too), for more than max_image_pixels pixels, for a size other than the data set
///            says; ConfigError for channels other than 1 and 3. Safe on several threads, with a `scratch` each
/// Models     none
/// Source     none
[[nodiscard]] inline ImageView decode(const EncodedImage& image, std::int64_t channels, Image& scratch) {
  JESSL_CHECK(channels == 1 || channels == 3, ConfigError, "jessl::data::decode: channels is ", channels,
              ", expected 1 (grey) or 3 (RGB)");
  return detail::decode(image, channels, scratch);
}

/// Decodes a stored image to an image of its own, grey or RGB as it is stored.
///
/// Errors     as above
[[nodiscard]] inline Image decode(const EncodedImage& image) {
  Image result;
  const ImageView view = detail::decode(image, 0, result);
  if (view.pixels.data() == result.pixels.data()) return result;
  result.resize(view.width, view.height, view.channels);
  std::copy(view.pixels.begin(), view.pixels.end(), result.pixels.begin());
  return result;
}

}  // namespace jessl::data
