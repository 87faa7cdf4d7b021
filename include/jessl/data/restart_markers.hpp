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

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/detail/channels.hpp>
#include <jessl/data/detail/format.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>

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
  bool optimize =
      false;  ///< make Huffman tables for the image, not take the standard's: 5 % fewer bytes, 2.2 times the time
};

namespace detail {

/// A row of `units` in equal segments, as near to `wanted` of them as can be: the number of units in one. Few too many
/// are preferred to few too little.
[[nodiscard]] inline std::int64_t units_per_segment(std::int64_t units, std::int64_t wanted) {
  std::int64_t best = 1;  // segments
  const auto distance = [wanted](std::int64_t segments) {
    return std::abs(std::log2(static_cast<double>(segments) / static_cast<double>(wanted)));
  };
  for (std::int64_t segments = 2; segments <= units; ++segments) {
    if (units % segments == 0 && distance(segments) <= distance(best)) best = segments;
  }
  return units / best;
}

/// One JPEG image being rewritten.
class JPEGRewriter {
 public:
  JPEGRewriter() {
    errors_.listen_to(input_);
    errors_.listen_to(output_);
    destination_.owner = this;
    destination_.init_destination = [](j_compress_ptr info) { rewind(*info); };
    destination_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
      take(*info, chunk);  // the count that libjpeg keeps is not to be trusted here, its manual says
      rewind(*info);
      return TRUE;
    };
    destination_.term_destination = [](j_compress_ptr info) { take(*info, chunk - info->dest->free_in_buffer); };
  }
  JPEGRewriter(const JPEGRewriter&) = delete;
  JPEGRewriter& operator=(const JPEGRewriter&) = delete;
  ~JPEGRewriter() {
    jpeg_destroy_compress(&output_);
    jpeg_destroy_decompress(&input_);
  }

  [[nodiscard]] std::vector<std::byte> rewrite(std::span<const std::byte> bytes, const RestartMarkers& options) {
    const auto attempt = [this](const auto& step) {
      errors_.attempt(step, "jessl::data::add_restart_markers: damaged or unsupported JPEG");
    };
    attempt([&] {
      jpeg_create_decompress(&input_);
      jpeg_create_compress(&output_);
      jpeg_mem_src(&input_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      if (options.metadata != Metadata::drop) save_markers(options.metadata);
      jpeg_read_header(&input_, TRUE);
    });
    check_image_size(input_.image_width, input_.image_height, "JPEG");
    const std::int64_t unit = input_.num_components == 1 ? 8 : 8 * std::int64_t{input_.max_h_samp_factor};
    const std::int64_t units = (std::int64_t{input_.image_width} + unit - 1) / unit;
    const std::int64_t interval = units_per_segment(units, options.segments_per_row);
    attempt([&] {
      jvirt_barray_ptr* const coefficients = jpeg_read_coefficients(&input_);
      jpeg_copy_critical_parameters(&input_, &output_);
      output_.restart_interval = static_cast<unsigned>(interval);
      output_.optimize_coding = options.optimize ? TRUE : FALSE;
      output_.dest = &destination_;
      jpeg_write_coefficients(&output_, coefficients);
      write_saved_markers();
      jpeg_finish_compress(&output_);
      jpeg_finish_decompress(&input_);
    });
    return std::move(bytes_);
  }

 private:
  static constexpr std::size_t chunk = 1 << 16U;

  struct Destination : jpeg_destination_mgr {
    JPEGRewriter* owner = nullptr;
  };

  static void rewind(jpeg_compress_struct& info) {
    info.dest->next_output_byte = static_cast<Destination*>(info.dest)->owner->buffer_.data();
    info.dest->free_in_buffer = chunk;
  }

  /// Takes over what libjpeg has written. No exception may pass through libjpeg.
  static void take(jpeg_compress_struct& info, std::size_t count) {
    JPEGRewriter& self = *static_cast<Destination*>(info.dest)->owner;
    bool out_of_memory = false;
    try {
      const auto* const begin = reinterpret_cast<const std::byte*>(self.buffer_.data());
      self.bytes_.insert(self.bytes_.end(), begin, begin + count);
    } catch (const std::exception&) {
      out_of_memory = true;
    }
    if (!out_of_memory) return;
    info.err->msg_code = JERR_OUT_OF_MEMORY;
    info.err->msg_parm.i[0] = 0;
    (*info.err->error_exit)(reinterpret_cast<j_common_ptr>(&info));
  }

  void save_markers(Metadata metadata) {
    constexpr unsigned whole = 0xFFFF;
    constexpr int colour_profile = 2;
    for (int application = 0; application < 16; ++application) {
      if (metadata == Metadata::keep || application == colour_profile)
        jpeg_save_markers(&input_, JPEG_APP0 + application, whole);
    }
    if (metadata == Metadata::keep) jpeg_save_markers(&input_, JPEG_COM, whole);
  }

  void write_saved_markers() {
    for (jpeg_saved_marker_ptr marker = input_.marker_list; marker != nullptr; marker = marker->next) {
      // libjpeg writes those that name the colour space itself.
      if (output_.write_JFIF_header != FALSE && begins_with(*marker, JPEG_APP0, "JFIF")) continue;
      if (output_.write_Adobe_marker != FALSE && begins_with(*marker, JPEG_APP0 + 14, "Adobe")) continue;
      jpeg_write_marker(&output_, marker->marker, marker->data, marker->data_length);
    }
  }

  [[nodiscard]] static bool begins_with(const jpeg_marker_struct& marker, int code, std::string_view text) {
    return marker.marker == code && marker.data_length >= text.size() &&
           std::memcmp(marker.data, text.data(), text.size()) == 0;
  }

  jpeg_decompress_struct input_{};
  jpeg_compress_struct output_{};
  JPEGErrors errors_;
  Destination destination_{};
  std::array<JOCTET, chunk> buffer_{};
  std::vector<std::byte> bytes_{};
};

}  // namespace detail

/// Rewrites a JPEG without loss so that every row of its coding units consists of segments that can be decoded alone.
///
/// The coefficients, and so the pixels, stay what they are; the file stays one that any program reads. What jessl gains:
/// decode_region reads the segments under a box and nothing else. A progressive image becomes a sequential one.
///
/// Shapes     none
/// Units      segments_per_row: segments, >= 1
/// Cost       1.3 decodes, 2.8 with `optimize`; the coefficients of the whole image are in memory, 2 bytes each
/// Errors     ConfigError for segments_per_row below 1; DataError for bytes that are not a JPEG, for damaged or
///            truncated images, for more than max_image_pixels pixels
/// Models     none
/// Source     ITU-T T.81 (JPEG), section B.1.1.3 and E.1.4
[[nodiscard]] inline std::vector<std::byte> add_restart_markers(std::span<const std::byte> jpeg,
                                                                const RestartMarkers& options = {}) {
  JESSL_CHECK(options.segments_per_row >= 1, ConfigError, "jessl::data::add_restart_markers: segments_per_row is ",
              options.segments_per_row, ", expected >= 1");
  JESSL_CHECK(detail::starts_with(jpeg, "\xFF\xD8"), DataError,
              "jessl::data::add_restart_markers: not a JPEG image: the first bytes are ", detail::first_bytes(jpeg),
              ", expected ff d8");
  return detail::JPEGRewriter().rewrite(jpeg, options);
}

}  // namespace jessl::data

BOOST_HANA_ADAPT_STRUCT(jessl::data::RestartMarkers, segments_per_row, metadata, optimize);
