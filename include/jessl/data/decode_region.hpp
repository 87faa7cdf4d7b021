// SPDX-License-Identifier: Apache-2.0
// Decoding a part of a stored image: only the pixels that are used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/detail/channels.hpp>
#include <jessl/data/detail/format.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>
#include <jessl/data/detail/jpeg_reader.hpp>
#include <jessl/data/detail/png_reader.hpp>
#include <jessl/data/peek.hpp>

namespace jessl::data {

/// The working memory of decode_region, one a thread. It grows to what the largest image needs and is kept; what is in
/// it is nobody's business between two calls, and the pixels of the last call lie in it.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Decoder {
  Image image{};                          ///< decoded pixels
  std::vector<std::byte> file{};          ///< a JPEG put together from restart segments
  std::vector<detail::Offset> markers{};  ///< where the segments are
};

namespace detail {

/// As the public decode_region, by a given way.
[[nodiscard]] RegionView decode_region(const EncodedImage& image, const ImageHeader& header, const Region& box,
                                       std::int64_t channels, Decoder& decoder, std::int64_t shrink, DecodeWay way);

}  // namespace detail

/// Decodes a part of a stored image: as data::decode, but no more of it than `box` needs.
///
/// With shrink = 1 every pixel is that of the whole image decoded, to the bit, whatever the way (plan_decode). With 2, 4
/// or 8 the inverse transform of a JPEG gives pixels that stand for squares of so many: cheaper, and good for a box that
/// will be shrunk that much anyway (largest_shrink); other images come in full size, and the result says so.
///
/// Raw pixels that have the wanted channels already are not copied. Of a JPEG, what lies below the box is not read at
/// all, and where there are restart segments (add_restart_markers) only those under it are: damage elsewhere may go
/// unnoticed. Damage in the box is an error, as in decode.
///
/// Shapes     box in [H, W] -> box.height x box.width x channels (shrunk: what the box touches)
/// Cost       plan_decode() says it. Nothing is allocated once `decoder` has held the largest image, apart from what
///            libjpeg and libpng take and return inside
/// Errors     ShapeError for an empty box or one that is not inside the image; ConfigError for channels other than 1 and
///            3 or a shrink other than 1, 2, 4 and 8; DataError as decode. Safe on several threads, with a `decoder` each
/// Models     none
/// Source     none
[[nodiscard]] RegionView decode_region(const EncodedImage& image, const ImageHeader& header, const Region& box,
                                       std::int64_t channels, Decoder& decoder, std::int64_t shrink = 1);

/// As above, where the header has not been read before.
[[nodiscard]] inline RegionView decode_region(const EncodedImage& image, const Region& box, std::int64_t channels,
                                              Decoder& decoder, std::int64_t shrink = 1) {
  return decode_region(image, peek(image), box, channels, decoder, shrink);
}

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

/// `box` of an image of which `held` lies in `image`, without a copy.
JESSL_INLINE RegionView cut(const ImageView& image, const Region& held, const Region& box) {
  JESSL_CHECK(held.contains(box), DataError, "jessl::data::decode_region: the box ends at row ", box.bottom(),
              " and column ", box.right(), ", but the image has ", held.bottom(), " rows and ", held.right(),
              " columns there: the header is not that of this image");
  const std::int64_t stride = image.width * image.channels;
  const std::int64_t begin = (box.top - held.top) * stride + (box.left - held.left) * image.channels;
  const std::int64_t size = (box.height - 1) * stride + box.width * image.channels;
  return {.region = box,
          .channels = image.channels,
          .stride = stride,
          .pixels = image.pixels.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(size))};
}

JESSL_INLINE RegionView raw_region(const EncodedImage& image, const Region& box, std::int64_t channels,
                                   Decoder& decoder) {
  const ImageView raw = view_raw(image);
  const RegionView stored = cut(raw, {.height = raw.height, .width = raw.width}, box);
  if (channels == raw.channels) return stored;
  decoder.image.resize(box.width, box.height, raw.channels);
  auto* target = decoder.image.pixels.data();
  for (std::int64_t y = box.top; y < box.bottom(); ++y) {
    const std::span<const std::uint8_t> row = stored.row(y);
    target = std::copy(row.begin(), row.end(), target);
  }
  convert_channels(decoder.image, channels);
  return cut(decoder.image.view(), box, box);
}

/// Reads `box` of a JPEG into decoder.image; returns what of the shrunk image is there.
JESSL_INLINE Region read_jpeg(std::span<const std::byte> bytes, const ImageHeader& header, const Region& box,
                              std::int64_t shrink, DecodeWay way, Decoder& decoder) {
  const JPEGLayout& layout = header.jpeg;
  if (way == DecodeWay::segments && find_segments(bytes, layout, decoder.markers)) {
    const SegmentRange range = covering(layout, box, shrink);
    const Region part = pixels_of(layout, range);
    JPEGLayout smaller = layout;
    smaller.width = part.width;
    smaller.height = part.height;
    const Region inside{box.top - part.top, box.left - part.left, box.height, box.width};
    Region held = JPEGReader().read(assemble(bytes, layout, decoder.markers, range, decoder.file), smaller, inside,
                                    shrink, decoder.image);
    held.top += part.top / shrink;  // without a remainder: segments begin at multiples of 8
    held.left += part.left / shrink;
    return held;
  }
  if (way == DecodeWay::whole) return JPEGReader().read(bytes, layout, header.region(), shrink, decoder.image);
  return JPEGReader().read(bytes, layout, box, shrink, decoder.image);
}

JESSL_INLINE RegionView decode_region(const EncodedImage& image, const ImageHeader& header, const Region& box,
                                      std::int64_t channels, Decoder& decoder, std::int64_t shrink, DecodeWay way) {
  RegionView result;
  if (header.format == ImageFormat::raw) {
    result = raw_region(image, box, channels, decoder);
  } else {
    const bool is_jpeg = header.format == ImageFormat::jpg;
    result.shrink = is_jpeg ? shrink : 1;
    // Room for the whole image, of which untouched pages cost nothing: then no larger box of it allocates again.
    const std::int64_t stored = is_jpeg ? std::min<std::int64_t>(header.jpeg.components, 4) : header.channels;
    decoder.image.pixels.reserve(static_cast<std::size_t>(header.region().area() * std::max(channels, stored)));
    const Region held = is_jpeg ? read_jpeg(image.bytes, header, box, shrink, way, decoder)
                                : PNGReader(image.bytes).read(decoder.image, box);
    convert_channels(decoder.image, channels);
    const std::int64_t kept = result.shrink;
    result = cut(decoder.image.view(), held, JPEGReader::shrunk(box, kept));
    result.shrink = kept;
  }
  result.image_height = header.height;
  result.image_width = header.width;
  return result;
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE RegionView decode_region(const EncodedImage& image, const ImageHeader& header, const Region& box,
                                      std::int64_t channels, Decoder& decoder, std::int64_t shrink) {
  JESSL_CHECK(channels == 1 || channels == 3, ConfigError, "jessl::data::decode_region: channels is ", channels,
              ", expected 1 (grey) or 3 (RGB)");
  JESSL_CHECK(shrink == 1 || shrink == 2 || shrink == 4 || shrink == 8, ConfigError,
              "jessl::data::decode_region: shrink is ", shrink, ", expected 1, 2, 4 or 8");
  // By subtraction, so that no box overflows.
  JESSL_CHECK(box.top >= 0 && box.left >= 0 && box.height >= 1 && box.width >= 1 && box.top < header.height &&
                  box.left < header.width && box.height <= header.height - box.top &&
                  box.width <= header.width - box.left,
              ShapeError, "jessl::data::decode_region: the box has ", box.height, " rows from ", box.top, " and ",
              box.width, " columns from ", box.left, ", expected a box of one pixel or more in an image of ",
              header.height, " rows and ", header.width, " columns");
  return detail::decode_region(image, header, box, channels, decoder, shrink, plan_decode(header, box, shrink).way);
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
