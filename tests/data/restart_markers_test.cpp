// SPDX-License-Identifier: Apache-2.0
// Restart markers: rewritten files have the same pixels, and their segments can be found.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/data/decode_region.hpp>
#include <jessl/data/restart_markers.hpp>

#include "data/jpeg_maker.hpp"
#include "data/support.hpp"
#include "support/skip.hpp"

using data_test::Bytes;
using data_test::JPEGKind;
using jessl::EncodedImage;
using jessl::ImageFormat;
using jessl::data::Metadata;
namespace data = jessl::data;

namespace {

EncodedImage stored(std::span<const std::byte> bytes) { return {.format = ImageFormat::jpg, .bytes = bytes}; }

/// Puts a marker with a payload behind the first two bytes.
Bytes with_marker(const Bytes& jpeg, unsigned code, std::string_view payload) {
  Bytes result(jpeg.begin(), jpeg.begin() + 2);
  const std::size_t length = payload.size() + 2;
  for (const std::size_t byte : {std::size_t{0xFF}, std::size_t{code}, length >> 8U, length & 0xFFU})
    result.push_back(static_cast<std::byte>(byte));
  const auto text = std::as_bytes(std::span(payload));
  result.insert(result.end(), text.begin(), text.end());
  result.insert(result.end(), jpeg.begin() + 2, jpeg.end());
  return result;
}

/// The markers that define Huffman tables before the first scan.
int count_tables(const Bytes& jpeg) {
  data::detail::JPEGMarkers markers(jpeg);
  data::detail::JPEGMarker marker;
  int count = 0;
  while (markers.next(marker) && marker.code != data::detail::jpeg_code::start_of_scan)
    count += marker.code == data::detail::jpeg_code::huffman_tables ? 1 : 0;
  return count;
}

bool holds(const Bytes& bytes, std::string_view text) {
  const auto wanted = std::as_bytes(std::span(text));
  return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
}

}  // namespace

TEST_CASE("add_restart_markers: the pixels stay, and the segments are found", "[data][restart_markers]") {
  for (const JPEGKind& kind : data_test::jpeg_kinds()) {
    for (const std::int64_t width : {1, 30, 97, 128}) {
      const Bytes before = data_test::make_jpeg(data_test::rough_picture(width, 33, kind.components), kind);
      for (const std::int64_t segments : {1, 4, 1000}) {
        INFO(kind.name << ", width " << width << ", segments " << segments);
        const Bytes after = data::add_restart_markers(before, {.segments_per_row = segments});
        CHECK(data::decode(stored(after)).pixels == data::decode(stored(before)).pixels);
        CHECK(data::add_restart_markers(after, {.segments_per_row = segments}) == after);
        const data::ImageHeader header = data::peek(stored(after));
        if (!header.jpeg.regular) continue;
        CHECK(header.jpeg.segment_columns() ==
              (segments == 1000 ? header.jpeg.unit_columns() : header.jpeg.segment_columns()));
        std::vector<data::detail::Offset> markers;
        REQUIRE(header.jpeg.segment_columns() != 0);
        CHECK(data::detail::find_segments(after, header.jpeg, markers));
      }
    }
  }
}

TEST_CASE("add_restart_markers: is used as the docs say", "[data][restart_markers]") {
  const Bytes jpeg = data_test::make_jpeg(data_test::rough_picture(320, 64, 3), {});
  // [restart_markers]
  const std::vector<std::byte> marked = jessl::data::add_restart_markers(jpeg, {.segments_per_row = 8});
  // [/restart_markers]
  CHECK(data::peek(stored(marked)).jpeg.segment_columns() == 8);  // 40 units
}

TEST_CASE("add_restart_markers: the number of segments divides the row", "[data][restart_markers]") {
  CHECK(data::detail::units_per_segment(63, 8) == 7);   // 9 segments
  CHECK(data::detail::units_per_segment(32, 8) == 4);   // 8 segments
  CHECK(data::detail::units_per_segment(47, 8) == 1);   // 47 segments are nearer to 8 than one is, on a scale of ratios
  CHECK(data::detail::units_per_segment(97, 8) == 97);  // 97 are not
  CHECK(data::detail::units_per_segment(1, 8) == 1);
  for (std::int64_t units = 1; units < 200; ++units) CHECK(units % data::detail::units_per_segment(units, 8) == 0);
}

TEST_CASE("add_restart_markers: metadata stay or go as told, names of colour spaces stay", "[data][restart_markers]") {
  const std::string exif("Exif\0\0a camera", 14);
  const std::string profile("ICC_PROFILE\0\1\1some colours", 26);
  for (const JPEGKind& kind : {data_test::jpeg_kinds()[2], data_test::jpeg_kinds()[9]}) {
    Bytes jpeg = data_test::make_jpeg(data_test::rough_picture(40, 33, kind.components), kind);
    jpeg = with_marker(jpeg, 0xE1, exif);
    jpeg = with_marker(jpeg, 0xE2, profile);
    jpeg = with_marker(jpeg, 0xFE, "a comment");
    const auto pixels = data::decode(stored(jpeg)).pixels;
    for (const Metadata metadata : {Metadata::drop, Metadata::colour_profile, Metadata::keep}) {
      INFO(kind.name << ", metadata " << static_cast<int>(metadata));
      const Bytes after = data::add_restart_markers(jpeg, {.metadata = metadata});
      CHECK(holds(after, exif) == (metadata == Metadata::keep));
      CHECK(holds(after, "a comment") == (metadata == Metadata::keep));
      CHECK(holds(after, profile) == (metadata != Metadata::drop));
      CHECK(holds(after, "Adobe") == (kind.components == 4));
      CHECK(data::decode(stored(after)).pixels == pixels);
    }
  }
  // As Python's PIL sees it: an RGB JPEG names its colour space by Adobe's marker alone.
  const Bytes cmyk = data_test::reference_image("cmyk.jpg");
  CHECK(data::decode(stored(data::add_restart_markers(cmyk))).pixels == data::decode(stored(cmyk)).pixels);
}

TEST_CASE("add_restart_markers: where there were markers before does not matter", "[data][restart_markers]") {
  for (JPEGKind kind : data_test::jpeg_kinds()) {
    if (kind.optimize) continue;  // whose tables would be others
    const jessl::Image image = data_test::rough_picture(90, 33, kind.components);
    const Bytes without = data::add_restart_markers(data_test::make_jpeg(image, kind));
    for (const unsigned interval : {1U, 2U, 5U, 7U, 40U, 1000U}) {
      INFO(kind.name << ", interval " << interval);
      kind.restart_interval = interval;
      CHECK(data::add_restart_markers(data_test::make_jpeg(image, kind)) == without);
    }
  }
}

TEST_CASE("add_restart_markers: the bits of the coefficients stay, and tables without the codes that are needed go",
          "[data][restart_markers]") {
  for (const bool optimize : {false, true}) {
    INFO("optimize " << optimize);
    // A smooth picture, whose own tables have no codes for differences from zero.
    const Bytes before = data_test::make_jpeg(data_test::picture(200, 80, 3), {.optimize = optimize, .quality = 75});
    const Bytes after = data::add_restart_markers(before);
    CHECK(data::decode(stored(after)).pixels == data::decode(stored(before)).pixels);
    CHECK(count_tables(after) == count_tables(before) + (optimize ? 2 : 0));  // luminance, chrominance
  }
}

TEST_CASE("add_restart_markers: rewriting twice changes nothing more", "[data][restart_markers]") {
  const Bytes jpeg = data_test::make_jpeg(data_test::rough_picture(320, 64, 3), data_test::jpeg_kinds()[11]);
  const Bytes once = data::add_restart_markers(jpeg);
  CHECK(data::add_restart_markers(once) == once);
  CHECK(data::peek(stored(once)).jpeg.segment_columns() == 10);  // 20 units: as near to 8 as 5, and one prefers more
}

TEST_CASE("add_restart_markers: what is no JPEG, or damaged, is refused", "[data][restart_markers]") {
  const Bytes png = data_test::reference_image("rgb.png");
  CHECK_THROWS_WITH(data::add_restart_markers(png),
                    "jessl::data::add_restart_markers: not a JPEG image: the first bytes are 89 50 4e 47 0d 0a 1a 0a, "
                    "expected ff d8");
  const Bytes jpeg = data_test::reference_image("rgb_420.jpg");
  CHECK_THROWS_WITH(data::add_restart_markers(jpeg, {.segments_per_row = 0}),
                    "jessl::data::add_restart_markers: segments_per_row is 0, expected >= 1");
  CHECK_THROWS_AS(data::add_restart_markers(jpeg, {.segments_per_row = 0}), jessl::ConfigError);
  CHECK_THROWS_WITH(data::add_restart_markers(std::span(jpeg).first(jpeg.size() / 2)),
                    "jessl::data::add_restart_markers: damaged or unsupported JPEG: Premature end of JPEG file");
  for (const std::string name : {"rgb_420.jpg", "rgb_progressive.jpg", "cmyk.jpg"}) {
    const Bytes whole = data_test::reference_image(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size);
      REQUIRE_THROWS_AS(data::add_restart_markers(std::span(whole).first(size)), jessl::DataError);
    }
    for (std::size_t place = 0; place < whole.size(); ++place) {
      Bytes damaged = whole;
      damaged[place] ^= std::byte{0x24};
      INFO(name << ", byte " << place);
      try {
        const Bytes after = data::add_restart_markers(damaged);
        REQUIRE(after.size() > 100);
        // Where the bits of the coefficients are copied, damage that isn't noticed stays what it is.
        if (name == "rgb_420.jpg") REQUIRE(data::decode(stored(after)).pixels == data::decode(stored(damaged)).pixels);
      } catch (const jessl::DataError&) {
      }
    }
  }
}

TEST_CASE("find_segments: lost, added and renumbered markers are noticed", "[data][restart_markers]") {
  JPEGKind kind = data_test::jpeg_kinds()[2];
  kind.restart_interval = 2;
  const Bytes sound = data_test::make_jpeg(data_test::rough_picture(64, 160, 3), kind);
  const data::ImageHeader header = data::peek(stored(sound));
  std::vector<data::detail::Offset> markers;
  REQUIRE(data::detail::find_segments(sound, header.jpeg, markers));
  REQUIRE(markers.size() == 21);
  const std::vector<data::detail::Offset> good = markers;
  for (std::size_t i = 1; i + 1 < good.size(); ++i) {
    CHECK(sound[good[i]] == std::byte{0xFF});
    CHECK(std::to_integer<unsigned>(sound[good[i] + 1]) == 0xD0 + (i - 1) % 8);
  }
  const auto found = [&](const Bytes& bytes) { return data::detail::find_segments(bytes, header.jpeg, markers); };
  data::Decoder decoder;
  const jessl::Region box{20, 10, 30, 20};
  const data::Image whole = data::decode(stored(sound));
  for (std::size_t i = 1; i + 1 < good.size(); ++i) {
    INFO("marker " << i);
    Bytes lost = sound;
    lost[good[i] + 1] = std::byte{0};
    CHECK_FALSE(found(lost));
    Bytes renumbered = sound;
    renumbered[good[i] + 1] = static_cast<std::byte>(0xD0 + (i + 2) % 8);
    CHECK_FALSE(found(renumbered));
    Bytes added = sound;
    added.insert(added.begin() + good[i], {std::byte{0xFF}, std::byte{0xD3}});
    CHECK_FALSE(found(added));
    // Eight segments at once keep the numbering: their number gives it away.
    if (i + 9 < good.size()) {
      Bytes eight = sound;
      eight.erase(eight.begin() + good[i], eight.begin() + good[i + 8]);
      CHECK_FALSE(found(eight));
    }
    for (const Bytes& bytes : {lost, renumbered, added}) {
      try {
        const jessl::RegionView part = data::decode_region(stored(bytes), box, 3, decoder);
        for (std::int64_t y = box.top; y < box.bottom(); ++y) {
          for (std::int64_t x = box.left; x < box.right(); ++x) REQUIRE(part.at(y, x, 0) == whole.view().at(y, x, 0));
        }
      } catch (const jessl::DataError&) {
      }
    }
  }
  Bytes without_end = sound;
  without_end.resize(without_end.size() - 2);
  CHECK_FALSE(found(without_end));
}

TEST_CASE("find_marker: finds what a plain search finds, at every distance", "[data][restart_markers]") {
  Bytes bytes(300, std::byte{7});
  CHECK(data::detail::find_marker(bytes, 0) == bytes.size());
  for (std::size_t place = 0; place + 1 < bytes.size(); ++place) {
    Bytes one = bytes;
    if (place >= 9) {  // a stuffed byte and a filler before it
      one[place - 9] = std::byte{0xFF};
      one[place - 8] = std::byte{0};
      one[place - 1] = std::byte{0xFF};
    }
    one[place] = std::byte{0xFF};
    one[place + 1] = std::byte{0xD5};
    for (const std::size_t from : {std::size_t{0}, place / 2, place})
      CHECK(data::detail::find_marker(one, from) == place);
    CHECK(data::detail::find_marker(one, place + 1) == bytes.size());
  }
  bytes.back() = std::byte{0xFF};
  CHECK(data::detail::find_marker(bytes, 0) == bytes.size());
  CHECK(data::detail::find_marker({}, 0) == 0);
}

TEST_CASE("add_restart_markers: photographs keep their pixels, whole and in part", "[data][restart_markers][outside]") {
  const std::filesystem::path folder = JESSL_REFERENCE_DIR "/data/imagenet-sample";
  if (!std::filesystem::is_directory(folder)) {
    JESSL_SKIP("the photographs are not there: JESSL_REFERENCE_DIR has no data/imagenet-sample");
    return;
  }
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  data::Decoder decoder;
  std::int64_t tried = 0;
  for (std::size_t i = 0; i < paths.size(); i += 7) {
    const Bytes before = data_test::read_bytes(paths[i]);
    if (before.size() < 2 || before[1] != std::byte{0xD8}) continue;
    INFO(paths[i]);
    const Bytes after = data::add_restart_markers(before);
    const data::Image whole = data::decode(stored(before));
    CHECK(data::decode(stored(after)).pixels == whole.pixels);
    const jessl::Region box{whole.height / 3, whole.width / 4, whole.height / 2, whole.width / 2};
    for (const Bytes& bytes : {before, after}) {
      const jessl::RegionView part = data::decode_region(stored(bytes), box, whole.channels, decoder);
      bool same = true;
      for (std::int64_t y = box.top; y < box.bottom(); ++y) {
        const auto row = part.row(y);
        same = same &&
               std::equal(row.begin(), row.end(), whole.pixels.begin() + (y * whole.width + box.left) * whole.channels);
      }
      CHECK(same);
    }
    ++tried;
  }
  CHECK(tried >= 10);
}
