// SPDX-License-Identifier: Apache-2.0
// Restart markers: a lossless rewriting of a JPEG, after which any part of it can be decoded without the rest.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/detail/channels.hpp>
#include <jessl/data/detail/format.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>
#include <jessl/data/detail/jpeg_segmenter.hpp>
#include <jessl/data/detail/jpeg_target.hpp>

namespace jessl::data {

/// What becomes of the parts of a JPEG file that are not pixels.
enum class Metadata : std::uint8_t {
  drop,            ///< all of it goes
  colour_profile,  ///< the ICC profile stays: programs that manage colour show the same
  keep             ///< all of it stays: EXIF, XMP, comments, thumbnails
};

}  // namespace jessl::data

template <>
struct jessl::EnumNames<jessl::data::Metadata> {
  static constexpr std::array<std::pair<data::Metadata, std::string_view>, 3> value{
      {{data::Metadata::drop, "drop"},
       {data::Metadata::colour_profile, "colour_profile"},
       {data::Metadata::keep, "keep"}}};
};

namespace jessl::data {

/// How add_restart_markers rewrites a file.
///
/// More segments a row let a decoder come closer to a box and cost bytes: docs/data/restart_markers.md has both, measured.
///
/// Shapes     none
/// Errors     add_restart_markers() checks them
/// Models     jessl::Options
/// Source     none
struct RestartMarkers {
  static constexpr std::string_view name = "RestartMarkers";

  std::int64_t segments_per_row = 8;             ///< wanted number, >= 1; the nearest that divides the row is taken
  Metadata metadata = Metadata::colour_profile;  ///< what becomes of EXIF, comments and profiles
  bool optimize = false;  ///< make Huffman tables for the image: 1 % fewer bytes, 5.5 times the time
};

namespace detail {

/// A row of `units` in equal segments, as near to `wanted` of them as can be: the number of units in one. Few too many
/// are preferred to few too little.
[[nodiscard]] std::int64_t units_per_segment(std::int64_t units, std::int64_t wanted);

/// One JPEG image being rewritten.
class JPEGRewriter {
 public:
  explicit JPEGRewriter(const RestartMarkers& options) : options_(options) {
    errors_.listen_to(input_);
    errors_.listen_to(output_);
  }
  JPEGRewriter(const JPEGRewriter&) = delete;
  JPEGRewriter& operator=(const JPEGRewriter&) = delete;
  ~JPEGRewriter() {
    jpeg_destroy_compress(&output_);
    jpeg_destroy_decompress(&input_);
  }

  /// `out` becomes the new file; its memory is used again.
  void rewrite(std::span<const std::byte> bytes, JPEGSegmenter& segmenter, std::vector<std::byte>& out);

 private:
  static constexpr std::string_view jfif = "JFIF";
  static constexpr std::string_view adobe = "Adobe";

  template <class Step>
  void attempt(const Step& step) {
    errors_.attempt(step, "jessl::data::add_restart_markers: damaged or unsupported JPEG");
  }

  // ---- A header that stays, because the coefficients are not coded anew.

  /// The header up to the start of the scan; false where it has something that libjpeg would not write.
  [[nodiscard]] bool copy_header(std::span<const std::byte> bytes, JPEGMarker& start,
                                 std::vector<std::byte>& out) const;

  /// Whether markers of this code are metadata that stay.
  [[nodiscard]] bool is_kept(int code) const;

  // ---- One that libjpeg writes.

  void save_markers();

  void write_saved_markers();

  [[nodiscard]] static bool begins_with(const jpeg_marker_struct& marker, int code, std::string_view text) {
    return marker.marker == code && marker.data_length >= text.size() &&
           std::memcmp(marker.data, text.data(), text.size()) == 0;
  }

  RestartMarkers options_;
  jpeg_decompress_struct input_{};
  jpeg_compress_struct output_{};
  JPEGErrors errors_;
  JPEGTarget target_;
};

/// As the public add_restart_markers, with memory that is used again.
void add_restart_markers(std::span<const std::byte> jpeg, const RestartMarkers& options, JPEGSegmenter& segmenter,
                         std::vector<std::byte>& out);

}  // namespace detail

/// Rewrites a JPEG without loss so that every row of its coding units consists of segments that can be decoded alone.
///
/// The coefficients, and so the pixels, stay what they are; the file stays one that any program reads. What jessl gains:
/// decode_region reads the segments under a box and nothing else. A progressive image becomes a sequential one.
///
/// Shapes     none
/// Units      segments_per_row: segments, >= 1
/// Cost       0.6 decodes of a sequential image, whose bits are copied, and memory for another file; 1.3 of others and 3
///            with `optimize`, and the coefficients of the whole image in memory, 2 bytes each
/// Errors     ConfigError for segments_per_row below 1; DataError for bytes that are not a JPEG, for damaged or
///            truncated images, for more than max_image_pixels pixels
/// Models     none
/// Source     ITU-T T.81 (JPEG), section B.1.1.3 and E.1.4
[[nodiscard]] std::vector<std::byte> add_restart_markers(std::span<const std::byte> jpeg,
                                                         const RestartMarkers& options = {});

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::RestartMarkers, segments_per_row, metadata, optimize);

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::int64_t units_per_segment(std::int64_t units, std::int64_t wanted) {
  std::int64_t best = 1;  // segments
  const auto distance = [wanted](std::int64_t segments) {
    return std::abs(std::log2(static_cast<double>(segments) / static_cast<double>(wanted)));
  };
  for (std::int64_t segments = 2; segments <= units; ++segments) {
    if (units % segments == 0 && distance(segments) <= distance(best)) best = segments;
  }
  return units / best;
}

JESSL_INLINE void JPEGRewriter::rewrite(std::span<const std::byte> bytes, JPEGSegmenter& segmenter,
                                        std::vector<std::byte>& out) {
  attempt([&] {
    jpeg_create_decompress(&input_);
    jpeg_mem_src(&input_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    if (options_.metadata != Metadata::drop) save_markers();
    jpeg_read_header(&input_, TRUE);
  });
  check_image_size(input_.image_width, input_.image_height, "JPEG");
  const std::int64_t unit = input_.num_components == 1 ? 8 : 8 * std::int64_t{input_.max_h_samp_factor};
  const std::int64_t units = (std::int64_t{input_.image_width} + unit - 1) / unit;
  const std::int64_t interval = units_per_segment(units, options_.segments_per_row);
  JPEGMarker start;
  const bool bits_stay =
      !options_.optimize && copy_header(bytes, start, out) && start.end == bytes.size() - input_.src->bytes_in_buffer;
  if (bits_stay && segmenter.cut(bytes, start, input_, interval, out)) return;
  attempt([&] {
    jvirt_barray_ptr* const coefficients = jpeg_read_coefficients(&input_);
    jpeg_create_compress(&output_);
    jpeg_copy_critical_parameters(&input_, &output_);
    output_.restart_interval = static_cast<unsigned>(interval);
    output_.optimize_coding = options_.optimize ? TRUE : FALSE;
    target_.take(output_, out);
    jpeg_write_coefficients(&output_, coefficients);
    write_saved_markers();
    jpeg_finish_compress(&output_);
    jpeg_finish_decompress(&input_);
  });
}

JESSL_INLINE bool JPEGRewriter::copy_header(std::span<const std::byte> bytes, JPEGMarker& start,
                                            std::vector<std::byte>& out) const {
  out.assign({std::byte{0xFF}, static_cast<std::byte>(jpeg_code::start_of_image)});
  JPEGMarkers markers(bytes);
  while (markers.next(start)) {
    if (start.code == jpeg_code::start_of_scan) return true;
    const bool is_jfif = start.code == jpeg_code::application && starts_with(start.payload, jfif);
    if (is_jfif && start.payload.size() != 14) return false;  // with a thumbnail
    const bool names_colours = is_jfif || (start.code == jpeg_code::adobe && starts_with(start.payload, adobe));
    const bool codes_pixels = is_start_of_frame(start.code) || start.code == jpeg_code::quantization_tables ||
                              start.code == jpeg_code::huffman_tables;
    if (names_colours || codes_pixels || is_kept(start.code)) {
      const auto part = bytes.subspan(start.begin, start.end - start.begin);
      out.insert(out.end(), part.begin(), part.end());
    }
  }
  return false;
}

JESSL_INLINE bool JPEGRewriter::is_kept(int code) const {
  if (options_.metadata == Metadata::drop) return false;
  const bool is_metadata = code == JPEG_COM || (code >= JPEG_APP0 && code < JPEG_APP0 + 16);
  return is_metadata && (options_.metadata == Metadata::keep || code == jpeg_code::colour_profile);
}

JESSL_INLINE void JPEGRewriter::save_markers() {
  constexpr unsigned whole = 0xFFFF;
  for (int code = JPEG_APP0; code <= JPEG_COM; ++code) {
    if (is_kept(code)) jpeg_save_markers(&input_, code, whole);
  }
}

JESSL_INLINE void JPEGRewriter::write_saved_markers() {
  for (jpeg_saved_marker_ptr marker = input_.marker_list; marker != nullptr; marker = marker->next) {
    // libjpeg writes those that name the colour space itself.
    if (output_.write_JFIF_header != FALSE && begins_with(*marker, JPEG_APP0, jfif)) continue;
    if (output_.write_Adobe_marker != FALSE && begins_with(*marker, JPEG_APP0 + 14, adobe)) continue;
    jpeg_write_marker(&output_, marker->marker, marker->data, marker->data_length);
  }
}

JESSL_INLINE void add_restart_markers(std::span<const std::byte> jpeg, const RestartMarkers& options,
                                      JPEGSegmenter& segmenter, std::vector<std::byte>& out) {
  JESSL_CHECK(options.segments_per_row >= 1, ConfigError, "jessl::data::add_restart_markers: segments_per_row is ",
              options.segments_per_row, ", expected >= 1");
  JESSL_CHECK(starts_with(jpeg, "\xFF\xD8"), DataError,
              "jessl::data::add_restart_markers: not a JPEG image: the first bytes are ", first_bytes(jpeg),
              ", expected ff d8");
  JPEGRewriter(options).rewrite(jpeg, segmenter, out);
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE std::vector<std::byte> add_restart_markers(std::span<const std::byte> jpeg,
                                                        const RestartMarkers& options) {
  detail::JPEGSegmenter segmenter;
  std::vector<std::byte> out;
  detail::add_restart_markers(jpeg, options, segmenter, out);
  return out;
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
