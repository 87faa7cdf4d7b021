// SPDX-License-Identifier: Apache-2.0
// Which way to decode a part of an image: a cost model of header and box alone, never of clocks.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>
#include <jessl/data/peek.hpp>

namespace jessl::data {

/// A way to decode a part of an image.
enum class DecodeWay : std::uint8_t {
  whole,    ///< the whole image, of which the part is looked at
  part,     ///< what lies above and beside the box goes through entropy decoding only, what lies below it is not read
  segments  ///< only the restart segments under the box are read
};

}  // namespace jessl::data

template <>
struct jessl::EnumNames<jessl::data::DecodeWay> {
  static constexpr std::array<std::pair<data::DecodeWay, std::string_view>, 3> value{
      {{data::DecodeWay::whole, "whole"}, {data::DecodeWay::part, "part"}, {data::DecodeWay::segments, "segments"}}};
};

namespace jessl::data {

/// A way, and what it is expected to cost.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct DecodePlan {
  DecodeWay way = DecodeWay::whole;
  double cost = 0;  ///< microseconds on the machine on which the model was fitted; only ratios mean something elsewhere
};

namespace detail {

// Microseconds on one core of an EPYC (Zen 4) with libjpeg-turbo 2.1.5. Entropy decoding and samples: least squares of the
// relative error over decoding times of 140 ImageNet photographs (98 of them 4:4:4, 36 4:2:0), plain and with restart
// markers, each by every way under a box of RandomResizedCrop, and of 200 images of 32 x 32. `search_byte` was measured
// alone. The fit does not determine `start` and `segment` well; they are rounded by hand. `png_byte` is a guess: nothing
// is weighed against it but the union of several boxes. None of the photographs is progressive, so that these go by the
// numbers of the others.
//
// On the images of the fit the median error is 4 to 5 % for photographs, 21 % (too high) when they are shrunk by 8, and
// 37 % (too low) for 32 x 32 in full size. The way chosen was the fastest for 99 % of the boxes of photographs and 84 % of
// the small ones; all together that costs 0.03 % and 1.5 % of the time.
namespace decode_cost {
inline constexpr double start = 3.0;            // an image: libjpeg's set-up, Huffman tables
inline constexpr double entropy_byte = 0.0094;  // an entropy-coded byte (Huffman decoding), passed over or not
inline constexpr double restarts = 1.08;        // times that with restart markers: the fast path of libjpeg-turbo is
                                                // for scans without them
inline constexpr double sample = 0.0010;        // a sample: inverse transform and colours
inline constexpr double upsampled_sample = 0.0012;  // the same where some components are upsampled
inline constexpr double search_byte = 0.00022;      // a byte in the search for markers
inline constexpr double segment = 0.03;             // a segment: its copy, its marker, its end in the slow path
inline constexpr double png_byte = 0.01;            // a byte of a PNG's pixels (inflate, filters); not measured
inline constexpr std::array shrunk_sample{1.0, 0.56, 0.41, 0.29};  // times a sample, when shrunk by 1, 2, 4, 8
}  // namespace decode_cost

}  // namespace detail

/// The cheapest way to decode `box` of an image with this header: a pure function of its arguments, so that a run does
/// the same work on every machine and every time.
///
/// Raw images cost nothing; of a PNG the rows up to the box's last are decoded. `box` lies in the image.
///
/// Shapes     none
/// Units      cost: microseconds on the machine on which the model was fitted
/// Errors     none
/// Models     none
/// Source     none; the constants were measured, see detail::decode_cost
[[nodiscard]] DecodePlan plan_decode(const ImageHeader& header, const Region& box, std::int64_t shrink = 1);

/// A part of an image that is to be decoded, and by how much it is or may be shrunk at that.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct DecodePart {
  Region region{};          ///< in full size
  std::int64_t shrink = 1;  ///< 1, 2, 4 or 8

  bool operator==(const DecodePart&) const = default;
};

/// Which parts to decode for an image's views: one for several of them where that is cheaper.
///
/// `decode[i]` becomes a part that holds `wanted[i]` and is shrunk by no more; views with equal parts share one decode. It
/// begins with each alone and joins, again and again, the two whose union saves most.
///
/// Shapes     wanted, decode: [V]
/// Cost       0.2 us for 2 parts, 12 us for 10 (up to V^3 evaluations of the model); nothing is allocated
/// Errors     ShapeError when `decode` is not as long as `wanted`
/// Models     none
/// Source     none
void plan_views(const ImageHeader& header, std::span<const DecodePart> wanted, std::span<DecodePart> decode);

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE double share(std::int64_t part, std::int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// What remains of entropy decoding: inverse transform, upsampling, colours of `pixels` pixels of the stored image.
JESSL_INLINE double pixel_cost(const JPEGLayout& layout, double pixels, std::int64_t shrink) {
  // Samples a pixel: each component's share. The factors of the components are not all known here; that of luma is the
  // largest, and the others are taken to have the smallest.
  const double others = layout.subsampled ? share(1, std::int64_t{layout.max_horizontal} * layout.max_vertical) : 1.0;
  const double samples = 1.0 + others * (layout.components - 1);
  const std::size_t step = shrink == 1 ? 0U : shrink == 2 ? 1U : shrink == 4 ? 2U : 3U;
  const double sample = layout.subsampled ? decode_cost::upsampled_sample : decode_cost::sample;
  return sample * decode_cost::shrunk_sample[step] * pixels * samples;
}

JESSL_INLINE double entropy_cost(const ImageHeader& header) {
  const double slower = header.jpeg.restart_interval != 0 ? decode_cost::restarts : 1.0;
  return decode_cost::entropy_byte * slower * static_cast<double>(header.coded_bytes);
}

/// The pixels that are transformed for `box`: up to the borders of units.
JESSL_INLINE double transformed(const JPEGLayout& layout, const Region& box) {
  const auto up = [](std::int64_t value, std::int64_t unit) { return (value + unit - 1) / unit * unit; };
  const std::int64_t rows =
      up(box.bottom(), layout.unit_height()) - box.top / layout.unit_height() * layout.unit_height();
  const std::int64_t columns =
      up(box.right(), layout.unit_width()) - box.left / layout.unit_width() * layout.unit_width();
  return static_cast<double>(rows) * static_cast<double>(columns);
}

JESSL_INLINE double part_cost(const ImageHeader& header, const Region& box, std::int64_t shrink) {
  // The scans of a progressive image are decoded to their ends before the first pixel is known.
  const bool stops = header.jpeg.sequential && header.jpeg.one_scan;
  const double rows = stops ? share(box.bottom(), header.height) : 1.0;
  return decode_cost::start + rows * entropy_cost(header) +
         pixel_cost(header.jpeg, transformed(header.jpeg, box), shrink);
}

JESSL_INLINE double segments_cost(const ImageHeader& header, const Region& box, std::int64_t shrink) {
  const SegmentRange range = covering(header.jpeg, box, shrink);
  const std::int64_t count = header.jpeg.segment_columns() * header.jpeg.unit_rows();
  return decode_cost::start + decode_cost::search_byte * static_cast<double>(header.coded_bytes) +
         decode_cost::segment * static_cast<double>(range.count()) +
         share(range.count(), count) * entropy_cost(header) +
         pixel_cost(header.jpeg, transformed(header.jpeg, box), shrink);
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE DecodePlan plan_decode(const ImageHeader& header, const Region& box, std::int64_t shrink) {
  if (header.format == ImageFormat::raw) return {.way = DecodeWay::part, .cost = 0};
  if (header.format == ImageFormat::png) {
    const std::int64_t rows = header.interlaced ? header.height : box.bottom();
    return {.way = DecodeWay::part,
            .cost = detail::decode_cost::start +
                    detail::decode_cost::png_byte * static_cast<double>(rows * header.width * header.channels)};
  }
  const double whole_pixels = static_cast<double>(header.region().area());
  DecodePlan best{.way = DecodeWay::whole,
                  .cost = detail::decode_cost::start + detail::entropy_cost(header) +
                          detail::pixel_cost(header.jpeg, whole_pixels, shrink)};
  if (!header.jpeg.regular || header.jpeg.scan == 0 || box == header.region()) return best;
  const auto consider = [&best](DecodeWay way, double cost) {
    if (cost < best.cost) best = {.way = way, .cost = cost};
  };
  consider(DecodeWay::part, detail::part_cost(header, box, shrink));
  if (header.jpeg.segment_columns() != 0) consider(DecodeWay::segments, detail::segments_cost(header, box, shrink));
  return best;
}

JESSL_INLINE void plan_views(const ImageHeader& header, std::span<const DecodePart> wanted,
                             std::span<DecodePart> decode) {
  JESSL_CHECK(decode.size() == wanted.size(), ShapeError, "jessl::data::plan_views: decode has ", decode.size(),
              " parts, expected one for each of the ", wanted.size(), " that are wanted");
  std::copy(wanted.begin(), wanted.end(), decode.begin());
  const auto cost = [&](const DecodePart& part) { return plan_decode(header, part.region, part.shrink).cost; };
  const auto both = [](const DecodePart& a, const DecodePart& b) {
    return DecodePart{hull(a.region, b.region), std::min(a.shrink, b.shrink)};
  };
  for (;;) {
    double most = 0;
    DecodePart first;
    DecodePart second;
    for (std::size_t i = 0; i < decode.size(); ++i) {
      for (std::size_t j = i + 1; j < decode.size(); ++j) {
        if (decode[i] == decode[j]) continue;
        const double saved = cost(decode[i]) + cost(decode[j]) - cost(both(decode[i], decode[j]));
        if (saved > most) {
          most = saved;
          first = decode[i];
          second = decode[j];
        }
      }
    }
    if (most <= 0) return;
    for (DecodePart& part : decode) {
      if (part == first || part == second) part = both(first, second);
    }
  }
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
