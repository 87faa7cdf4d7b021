// SPDX-License-Identifier: Apache-2.0
// Packing a data set into one .beton file.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/data/beton_writer.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/detail/area_resize.hpp>
#include <jessl/data/detail/in_order.hpp>
#include <jessl/data/detail/jpeg_header.hpp>
#include <jessl/data/detail/jpeg_segmenter.hpp>
#include <jessl/data/detail/jpeg_writer.hpp>
#include <jessl/data/detail/pack_progress.hpp>
#include <jessl/data/restart_markers.hpp>

namespace jessl::data {

/// How images are stored, by ffcv's names.
enum class PackMode : std::uint8_t {
  raw,        ///< as pixels
  jpg,        ///< as JPEG
  smart,      ///< as JPEG where the pixels take more than smart_threshold bytes, else as pixels
  proportion  ///< as JPEG with compress_probability, else as pixels
};

/// How much colour a JPEG that is made keeps.
enum class Chroma : std::uint8_t {
  half,  ///< 4:2:0, one colour for four pixels: what libjpeg, PIL and ffcv do
  full   ///< 4:4:4, a colour for each pixel
};

/// What to do about an image that cannot be read or decoded when packing.
enum class OnDamaged : std::uint8_t {
  error,  ///< throw; no file appears
  skip    ///< warn, and leave it out
};

}  // namespace jessl::data

template <>
struct jessl::EnumNames<jessl::data::PackMode> {
  static constexpr std::array<std::pair<data::PackMode, std::string_view>, 4> value{
      {{data::PackMode::raw, "raw"},
       {data::PackMode::jpg, "jpg"},
       {data::PackMode::smart, "smart"},
       {data::PackMode::proportion, "proportion"}}};
};

template <>
struct jessl::EnumNames<jessl::data::Chroma> {
  static constexpr std::array<std::pair<data::Chroma, std::string_view>, 2> value{
      {{data::Chroma::half, "4:2:0"}, {data::Chroma::full, "4:4:4"}}};
};

template <>
struct jessl::EnumNames<jessl::data::OnDamaged> {
  static constexpr std::array<std::pair<data::OnDamaged, std::string_view>, 2> value{
      {{data::OnDamaged::error, "error"}, {data::OnDamaged::skip, "skip"}}};
};

namespace jessl::data {

/// Settings of pack().
///
/// Shapes     none
/// Errors     pack() checks them
/// Models     jessl::Options
/// Source     FFCV's RGBImageField, for the modes
struct PackOptions {
  static constexpr std::string_view name = "pack";

  PackMode mode = PackMode::raw;                  ///< pixels or JPEG
  std::int64_t quality = 90;                      ///< of the JPEGs that are made, 1 to 100
  Chroma chroma = Chroma::half;                   ///< of the JPEGs that are made
  bool recompress = false;                        ///< make every JPEG anew; false: keep those that need no change
  bool restart_markers = true;                    ///< in JPEGs, so that a part of one can be decoded alone
  std::int64_t max_resolution = 0;                ///< pixels of the longest side, larger ones shrink; 0: any
  std::optional<std::int64_t> smart_threshold{};  ///< bytes of pixels, >= 0; none: nothing becomes a JPEG in smart mode
  double compress_probability = 0.5;              ///< share of JPEGs in proportion mode, in [0, 1]
  std::uint64_t seed = 0;                         ///< of the draws in proportion mode
  std::int64_t page_size = std::int64_t{8} << 20U;  ///< bytes, as BetonWriter's
  std::int64_t threads = hardware_threads();        ///< that decode and encode, >= 1
  OnDamaged on_damaged = OnDamaged::error;          ///< what to do about an image that cannot be decoded
  bool progress = true;                             ///< show on standard error how far it is
};

/// What pack() did.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct PackReport {
  std::int64_t samples = 0;  ///< images in the file
  std::int64_t raw = 0;      ///< of these stored as pixels
  std::int64_t kept = 0;     ///< of these the source's JPEG, its pixels unchanged
  std::int64_t made = 0;     ///< of these a JPEG that was made
  std::int64_t skipped = 0;  ///< damaged images that were left out
  std::int64_t bytes = 0;    ///< of all images in the file
};

namespace detail {

/// An image as it will be stored, or why there is none.
struct PackedImage {
  EncodedImage image{};  // its bytes are those below
  std::vector<std::byte> bytes{};
  bool kept = false;
  std::int64_t label = -1;
  std::string damage{};
  std::exception_ptr failure{};
};

/// What a thread needs to turn a stored image into one of a .beton file; its memory is kept.
class Packer {
 public:
  template <class D>
  void pack(const D& dataset, std::int64_t i, const PackOptions& options, PackedImage& out) {
    const EncodedImage source = dataset.read(i, storage_);
    const auto header = source.format == ImageFormat::raw ? std::nullopt : read_jpeg_header(source.bytes);
    if (header && ffcv_decodes(*header) && !options.recompress) {
      const Extent extent{header->height, header->width};
      if (fits(extent, options.max_resolution) && as_jpeg(extent, i, options))
        return keep(source, extent, dataset.channels(), options, out);
    }
    ImageView pixels = data::decode(source, dataset.channels(), decoded_);
    shrink(pixels, options.max_resolution);
    if (!as_jpeg(extent_of(pixels), i, options)) return store_raw(pixels, out);
    const bool full_chroma = options.chroma == Chroma::full;
    const std::int64_t interval = options.restart_markers ? restart_interval(pixels, full_chroma) : 0;
    jpeg_.write(pixels, static_cast<int>(options.quality), full_chroma, interval, out.bytes);
    describe(ImageFormat::jpg, extent_of(pixels), out);
  }

 private:
  /// Says what out.bytes are.
  static void describe(ImageFormat format, const Extent& extent, PackedImage& out) {
    out.image = {format, extent.width, extent.height, format == ImageFormat::raw ? 3 : 0, out.bytes};
    out.kept = false;
  }

  /// The file of the source, with its coefficients and so its pixels as they are. A damaged one should be found now:
  /// rewriting finds what decoding would, but for files of a kind that can't be decoded, which one pixel shows.
  void keep(const EncodedImage& source, const Extent& extent, std::int64_t channels, const PackOptions& options,
            PackedImage& out);

  /// As add_restart_markers' default, for a JPEG that is yet to be made.
  [[nodiscard]] static std::int64_t restart_interval(const ImageView& pixels, bool full_chroma) {
    const std::int64_t unit = pixels.channels == 1 || full_chroma ? 8 : 16;
    return units_per_segment((pixels.width + unit - 1) / unit, RestartMarkers{}.segments_per_row);
  }

  /// As RGB, which is all that a .beton file knows.
  void store_raw(const ImageView& pixels, PackedImage& out);

  [[nodiscard]] static Extent extent_of(const ImageView& pixels) { return {pixels.height, pixels.width}; }

  [[nodiscard]] static bool fits(const Extent& extent, std::int64_t most) {
    return most == 0 || std::max(extent.height, extent.width) <= most;
  }

  /// Makes `pixels` a smaller image where its longest side is above `most`.
  void shrink(ImageView& pixels, std::int64_t most);

  [[nodiscard]] static bool as_jpeg(const Extent& extent, std::int64_t i, const PackOptions& options);

  std::vector<std::byte> storage_{};
  Image decoded_{};
  Decoder decoder_{};
  Image shrunk_{};
  AreaResize resize_{};
  JPEGWriter jpeg_{};
  JPEGSegmenter segmenter_{};
};

void check_pack_options(const PackOptions& options, std::int64_t size);

/// Adds an image to the file, or reports why there is none.
void append_packed(BetonWriter& writer, const PackedImage& packed, const std::string& place, bool labels,
                   const PackOptions& options, PackReport& report);

}  // namespace detail

/// Writes the images of a data set, and its labels if it has any, into one .beton file: fields "image" and "label".
///
/// An image larger than max_resolution is first shrunk by area averaging, to floor(m/s * width) x floor(m/s * height) for
/// a longest side s. `mode` then says whether it is stored as pixels or as JPEG. A source that is a JPEG of 8-bit grey or
/// colour already, baseline or progressive, and was not shrunk keeps its coefficients, unless `recompress` is set; all
/// others are encoded with `quality` and `chroma`. Every image is decoded, or read code by code where its bits are copied, so
/// that a damaged one is found here.
///
/// With `restart_markers` each JPEG has restart segments (add_restart_markers), so that decode_region reads those under a
/// box and no others; a JPEG that is kept is rewritten without loss. Without, it is kept byte by byte, and one that is
/// made has ffcv's bytes.
///
/// The bytes of the file depend on the data set and on all settings but `threads` and `progress`. It appears when it is
/// complete; an interrupted packing leaves nothing under its name. data::subset packs a part.
///
/// Shapes     none
/// Units      max_resolution: pixels; smart_threshold, page_size: bytes
/// Cost       a decode and an encode of an image that is made, 0.6 decodes of one that is rewritten; memory for 32 stored
///            images a thread
/// Randomness proportion mode: Purpose::packing, by (seed, index)
/// Errors     ConfigError for settings out of range or an empty data set; DataError for a damaged image (unless
///            on_damaged is skip), for one that does not fit into a page, or when all were damaged; IOError as AtomicFile
/// Models     none
/// Source     ffcv's DatasetWriter and RGBImageField (arXiv 2306.12517)
/// Differs    ffcv makes every JPEG anew, without restart markers, draws proportions from one sequence a process, and
///            fails where max_resolution leaves a side without pixels; here it keeps one
template <Dataset D>
PackReport pack(const D& dataset, const std::filesystem::path& path, const PackOptions& options = {}) {
  detail::check_pack_options(options, dataset.size());
  const bool labels = dataset.classes() > 0;
  std::vector<BetonField> fields{{.name = "image", .kind = "image"}};
  if (labels) fields.push_back({.name = "label", .kind = "int"});
  BetonWriter writer(path, std::move(fields), {.page_size = options.page_size, .expected_samples = dataset.size()});

  ThreadPool pool(options.threads);
  std::vector<detail::Packer> packers(static_cast<std::size_t>(pool.size()));
  std::vector<detail::PackedImage> images(static_cast<std::size_t>(32 * pool.size()));
  detail::InOrder in_order(std::ssize(images));
  PackReport report;
  detail::PackProgress progress(options.progress, dataset.size());

  const auto encode = [&](std::int64_t i, detail::Packer& packer, detail::PackedImage& out) {
    out.damage.clear();
    out.failure = nullptr;
    try {
      out.label = labels ? dataset.label(i) : -1;
      packer.pack(dataset, i, options, out);
    } catch (const DataError& error) {
      out.damage = error.what();
    } catch (...) {
      out.failure = std::current_exception();
    }
  };
  pool.parallel_for(dataset.size(), [&](std::int64_t i, std::int64_t worker) {
    in_order.add(
        i, [&](std::size_t place) { encode(i, packers[static_cast<std::size_t>(worker)], images[place]); },
        [&](std::int64_t number, std::size_t place) {
          detail::append_packed(writer, images[place], dataset.describe(number), labels, options, report);
          progress.report(number + 1, report.bytes);
        });
  });
  JESSL_CHECK(report.samples > 0, DataError, "jessl::data::pack: all ", report.skipped,
              " images of the data set are damaged; ", path.string(), " is not written");
  writer.commit();
  return report;
}

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::PackOptions, mode, quality, chroma, recompress, restart_markers, max_resolution,
              smart_threshold, compress_probability, seed, page_size, threads, on_damaged, progress);
JESSL_OPTIONS(jessl::data::PackReport, samples, raw, kept, made, skipped, bytes);

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void Packer::keep(const EncodedImage& source, const Extent& extent, std::int64_t channels,
                               const PackOptions& options, PackedImage& out) {
  if (options.restart_markers) {
    add_restart_markers(source.bytes, {}, segmenter_, out.bytes);
    describe(ImageFormat::jpg, extent, out);
    static_cast<void>(decode_region(out.image, {.height = 1, .width = 1}, channels, decoder_));
  } else {
    static_cast<void>(data::decode(source, channels, decoded_));
    out.bytes.assign(source.bytes.begin(), source.bytes.end());
    describe(ImageFormat::jpg, extent, out);
  }
  out.kept = true;
}

JESSL_INLINE void Packer::store_raw(const ImageView& pixels, PackedImage& out) {
  const auto bytes = std::as_bytes(pixels.pixels);
  if (pixels.channels == 3) {
    out.bytes.assign(bytes.begin(), bytes.end());
  } else {
    out.bytes.resize(3 * bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) std::fill_n(&out.bytes[3 * i], 3, bytes[i]);
  }
  describe(ImageFormat::raw, extent_of(pixels), out);
}

JESSL_INLINE void Packer::shrink(ImageView& pixels, std::int64_t most) {
  if (fits(extent_of(pixels), most)) return;
  const std::int64_t longest = std::max(pixels.width, pixels.height);
  const double ratio = static_cast<double>(most) / static_cast<double>(longest);
  const auto shrunk = [ratio](std::int64_t side) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(ratio * static_cast<double>(side)));
  };
  shrunk_.resize(shrunk(pixels.width), shrunk(pixels.height), pixels.channels);
  resize_(pixels, shrunk_);
  pixels = shrunk_.view();
}

JESSL_INLINE bool Packer::as_jpeg(const Extent& extent, std::int64_t i, const PackOptions& options) {
  switch (options.mode) {
    case PackMode::raw:
      return false;
    case PackMode::jpg:
      return true;
    case PackMode::smart:
      return options.smart_threshold && 3 * extent.width * extent.height > *options.smart_threshold;
    case PackMode::proportion:
      return Draw({.seed = options.seed, .sample = static_cast<std::uint64_t>(i), .purpose = Purpose::packing})
          .bernoulli(options.compress_probability);
  }
  fail<ConfigError>("jessl::data::pack: mode is ", static_cast<int>(options.mode), ", expected a PackMode");
}

JESSL_INLINE void check_pack_options(const PackOptions& options, std::int64_t size) {
  constexpr std::string_view who = "jessl::data::pack";
  JESSL_CHECK(size >= 1, ConfigError, who, ": the data set has ", size, " images, expected at least 1");
  JESSL_CHECK(options.quality >= 1 && options.quality <= 100, ConfigError, who, ": quality is ", options.quality,
              ", expected 1 to 100");
  JESSL_CHECK(options.max_resolution >= 0, ConfigError, who, ": max_resolution is ", options.max_resolution,
              ", expected >= 1, or 0 for none");
  JESSL_CHECK(!options.smart_threshold || *options.smart_threshold >= 0, ConfigError, who, ": smart_threshold is ",
              options.smart_threshold.value_or(0), ", expected >= 0");
  JESSL_CHECK(options.compress_probability >= 0 && options.compress_probability <= 1, ConfigError, who,
              ": compress_probability is ", options.compress_probability, ", expected a share in [0, 1]");
  JESSL_CHECK(options.threads >= 1, ConfigError, who, ": threads is ", options.threads, ", expected >= 1");
}

JESSL_INLINE void append_packed(BetonWriter& writer, const PackedImage& packed, const std::string& place, bool labels,
                                const PackOptions& options, PackReport& report) {
  constexpr std::string_view who = "jessl::data::pack";
  if (packed.failure) std::rethrow_exception(packed.failure);
  if (!packed.damage.empty()) {
    JESSL_CHECK(options.on_damaged == OnDamaged::skip, DataError, who, ": ", place, " is damaged: ", packed.damage,
                ". Repair or remove it, or set on_damaged to skip");
    warn(who, ": ", place, " is damaged and left out: ", packed.damage);
    ++report.skipped;
    return;
  }
  try {
    const std::array<BetonValue, 2> values{packed.image, packed.label};
    writer.append(std::span(values).first(labels ? 2 : 1));
  } catch (const DataError& error) {
    fail<DataError>(who, ": ", place, " cannot be stored: ", error.what());
  }
  ++report.samples;
  ++(packed.image.format == ImageFormat::raw ? report.raw : packed.kept ? report.kept : report.made);
  report.bytes += static_cast<std::int64_t>(packed.image.bytes.size());
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
