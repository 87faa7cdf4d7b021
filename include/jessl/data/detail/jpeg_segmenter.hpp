// SPDX-License-Identifier: Apache-2.0
// Cuts the scan of a JPEG into restart segments without coding its coefficients anew.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <numeric>
#include <span>
#include <vector>

#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/data/detail/jpeg_code.hpp>
#include <jessl/data/detail/jpeg_layout.hpp>

namespace jessl::data::detail {

/// A number with its bytes in the order of the entropy-coded bits; and back.
[[nodiscard]] inline std::uint64_t to_big_endian(std::uint64_t number) {
  return std::endian::native == std::endian::big ? number : __builtin_bswap64(number);
}

[[nodiscard]] inline std::uint32_t to_big_endian(std::uint32_t number) {
  return std::endian::native == std::endian::big ? number : __builtin_bswap32(number);
}

/// Appends bits to entropy-coded bytes of a JPEG: the first bit is the highest, and a zero byte follows each FF.
class JPEGBits {
 public:
  explicit JPEGBits(std::vector<std::byte>& out) : out_(out), size_(out.size()) {}

  /// The last `count` bits of `bits`, which has no others; 32 at most.
  void put(std::uint64_t bits, unsigned count) {
    reserve(8);
    put_reserved(bits, count);
  }

  /// The bits from `begin` to `end` of `source`, which has eight bytes more.
  void copy(const std::byte* source, std::size_t begin, std::size_t end) {
    reserve((end - begin) / 4 + 8);
    for (; begin + 32 <= end; begin += 32) put_reserved(peek(source, begin) >> 32U, 32);
    if (begin < end) put_reserved(peek(source, begin) >> (64 - (end - begin)), static_cast<unsigned>(end - begin));
  }

  /// Fills the last byte and puts a marker behind it.
  void end_segment(std::uint8_t marker) {
    reserve(8);
    const unsigned missing = (8 - held_ % 8) % 8;
    put_reserved((1U << missing) - 1, missing);
    for (; held_ > 0; held_ -= 8) put_byte(static_cast<std::uint8_t>(bits_ >> (held_ - 8)));
    append(0xFF);
    append(marker);
  }

  /// To be called at the end: leaves what was appended and no more.
  void finish() { out_.resize(size_); }

  /// 57 bits or more, at the top.
  [[nodiscard]] static std::uint64_t peek(const std::byte* source, std::size_t place) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, source + place / 8, sizeof bits);
    return to_big_endian(bits) << (place % 8);
  }

 private:
  void reserve(std::size_t bytes) {
    if (out_.size() - size_ < bytes) out_.resize(std::max(size_ + bytes, 2 * out_.size()));
  }

  void put_reserved(std::uint64_t bits, unsigned count) {
    bits_ = bits_ << count | bits;
    held_ += count;
    if (held_ < 32) return;
    held_ -= 32;
    const auto word = static_cast<std::uint32_t>(bits_ >> held_);
    if (((~word - 0x01010101U) & word & 0x80808080U) != 0) {  // some byte is FF
      for (unsigned shift = 32; shift > 0; shift -= 8) put_byte(static_cast<std::uint8_t>(word >> (shift - 8)));
    } else {
      const std::uint32_t bytes = to_big_endian(word);
      std::memcpy(out_.data() + size_, &bytes, sizeof bytes);
      size_ += sizeof bytes;
    }
  }

  void put_byte(std::uint8_t byte) {
    append(byte);
    if (byte == 0xFF) append(0);
  }

  void append(std::uint8_t byte) { out_[size_++] = static_cast<std::byte>(byte); }

  std::vector<std::byte>& out_;
  std::size_t size_;        // bytes of `out_` that are written
  std::uint64_t bits_ = 0;  // the last `held_` are not written yet
  unsigned held_ = 0;       // below 32 between two calls
};

/// Cuts the scan of a JPEG into restart segments: the bits are copied but for the first DC coefficients of each segment,
/// which are coded by their difference from zero there. Keeps its memory.
///
/// A table without codes for all the differences that there may be, as those made for one image are, is replaced by the
/// standard's, and then the DC coefficients are all coded anew.
///
/// Only sound files of the usual kind are taken: one Huffman coded sequential scan of 8 bits, with nothing but its end
/// behind it. Whatever else is left to libjpeg, to rewrite it or to say what is wrong.
class JPEGSegmenter {
 public:
  JPEGSegmenter();
  JPEGSegmenter(const JPEGSegmenter&) = delete;
  JPEGSegmenter& operator=(const JPEGSegmenter&) = delete;
  ~JPEGSegmenter() = default;

  /// Appends to `out`, which holds the header, what the marker `start` of the scan in `bytes` begins, in segments of
  /// `interval` units. False where it can't be taken; `out` is then anything. `header` is what libjpeg read before it.
  [[nodiscard]] bool cut(std::span<const std::byte> bytes, const JPEGMarker& start,
                         const jpeg_decompress_struct& header, std::int64_t interval, std::vector<std::byte>& out);

 private:
  static constexpr std::size_t most_components = 4;  // of a scan
  static constexpr std::size_t most_blocks = 10;     // of a unit
  static constexpr std::size_t most_unit = 4096;     // bytes that a unit may have, and more than it can have
  static constexpr std::uint8_t differences = 12;    // sizes of DC differences of 8-bit samples, in bits: 0 to 11

  /// The standard's codes for DC differences of luminance and of chrominance: how many there are of each length.
  static constexpr std::array<std::array<std::uint8_t, 16>, 2> lengths{
      {{0, 1, 5, 1, 1, 1, 1, 1, 1}, {0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1}}};

  struct Component {
    const JPEGCode* dc = nullptr;
    const JPEGCode* new_dc = nullptr;  // with which it is written
    const JPEGSteps* ac = nullptr;
  };

  /// What the scan is to be read by.
  [[nodiscard]] bool take_header(const jpeg_decompress_struct& header);

  /// Whether it has codes for all differences.
  [[nodiscard]] static bool is_complete(const JPEGCode& code);

  /// Takes the bytes up to the end of the image, without the zeros that follow FF and without restart markers.
  [[nodiscard]] bool take_scan(std::span<const std::byte> bytes);

  /// The tables that are new, the interval, and the start of the scan.
  void write_header(std::span<const std::byte> start, std::int64_t interval, std::vector<std::byte>& out) const;

  /// The number that is written as the `size` first bits of `bits`.
  [[nodiscard]] static int value_of(std::uint64_t bits, unsigned size) {
    if (size == 0) return 0;
    const auto value = static_cast<int>(bits >> (64 - size));
    return value >> (size - 1) != 0 ? value : value - (1 << size) + 1;
  }

  /// Writes a DC difference; false for one that 8-bit samples do not have.
  [[nodiscard]] static bool put(const JPEGCode& code, int difference, JPEGBits& target) {
    const auto size = static_cast<unsigned>(std::bit_width(static_cast<unsigned>(std::abs(difference))));
    if (size >= differences) return false;
    const JPEGCode::Word word = code.word_of(static_cast<std::uint8_t>(size));
    const auto value = static_cast<unsigned>(difference >= 0 ? difference : difference + (1 << size) - 1);
    target.put(word.code << size | value, word.length + size);
    return true;
  }

  std::array<JPEGCode, 2> standard_{};
  std::array<JPEGCode, NUM_HUFF_TBLS> dc_{};
  std::array<JPEGSteps, NUM_HUFF_TBLS> ac_{};
  std::array<Component, most_components> components_{};    // of the image at hand, as is what follows
  std::array<const JPEGCode*, NUM_HUFF_TBLS> replaced_{};  // by what
  std::vector<std::uint8_t> unit_{};                       // the component of each block
  std::int64_t units_ = 0;
  std::int64_t restart_interval_ = 0;
  std::vector<std::byte> scan_{};    // without what is stuffed in, and more zeros than a unit has
  std::vector<std::size_t> ends_{};  // of its restart segments, in bytes
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE JPEGSegmenter::JPEGSegmenter() {
  for (std::size_t kind = 0; kind < standard_.size(); ++kind) {
    JHUFF_TBL table{};
    std::copy(lengths[kind].begin(), lengths[kind].end(), std::begin(table.bits) + 1);
    std::iota(std::begin(table.huffval), std::begin(table.huffval) + differences, std::uint8_t{0});
    const bool is_code = standard_[kind].assign(table, differences - 1);
    JESSL_ASSERT(is_code, "the standard's table ", kind);
  }
}

JESSL_INLINE bool JPEGSegmenter::cut(std::span<const std::byte> bytes, const JPEGMarker& start,
                                     const jpeg_decompress_struct& header, std::int64_t interval,
                                     std::vector<std::byte>& out) {
  if (!take_header(header) || !take_scan(bytes.subspan(start.end))) return false;
  write_header(bytes.subspan(start.begin, start.end - start.begin), interval, out);
  const std::byte* const scan = scan_.data();
  const auto bits_at = [scan](std::size_t place) { return JPEGBits::peek(scan, place); };
  JPEGBits target(out);
  std::size_t place = 0;   // in bits of the scan
  std::size_t copied = 0;  // up to where
  std::size_t segment = 0;
  unsigned cuts = 0;
  std::array<int, most_components> read{};     // the last DC coefficient of each component
  std::array<int, most_components> written{};  // what the next one's difference is taken from
  for (std::int64_t unit = 0; unit < units_; ++unit) {
    const bool restarts = restart_interval_ != 0 && unit != 0 && unit % restart_interval_ == 0;
    const bool cuts_here = unit != 0 && unit % interval == 0;
    if (restarts || cuts_here) target.copy(scan, copied, place);
    if (cuts_here) {
      target.end_segment(static_cast<std::uint8_t>(jpeg_code::restart + cuts++ % 8));
      written.fill(0);
    }
    if (restarts) {
      place = (place + 7) / 8 * 8;
      if (place != 8 * ends_[segment++]) return false;
      read.fill(0);
    }
    if (restarts || cuts_here) copied = place;
    for (const std::uint8_t number : unit_) {
      const Component& component = components_[number];
      const std::uint64_t bits = bits_at(place);
      const JPEGCode::Word word = component.dc->find(bits);
      if (word.length == 0 || word.symbol >= differences) return false;
      const int difference = value_of(bits << word.length, word.symbol);
      const std::size_t coefficients = place + word.length + word.symbol;
      read[number] += difference;
      if (std::abs(read[number]) > INT16_MAX) return false;
      const int wanted = read[number] - written[number];
      written[number] = read[number];
      if (wanted != difference || component.dc != component.new_dc) {
        target.copy(scan, copied, place);
        if (!put(*component.new_dc, wanted, target)) return false;
        copied = coefficients;
      }
      place = component.ac->pass(coefficients, bits_at);
      if (place == 0) return false;
    }
    if (place > 8 * ends_[segment]) return false;
  }
  if ((place + 7) / 8 != ends_.back()) return false;
  target.copy(scan, copied, place);
  target.end_segment(jpeg_code::end_of_image);
  target.finish();
  return true;
}

JESSL_INLINE bool JPEGSegmenter::take_header(const jpeg_decompress_struct& header) {
  const bool usual = header.progressive_mode == FALSE && header.arith_code == FALSE && header.data_precision == 8 &&
                     header.comps_in_scan == header.num_components && header.Ss == 0 && header.Se == 63 &&
                     header.Ah == 0 && header.Al == 0;
  if (!usual) return false;
  const auto units = [](JDIMENSION pixels, int factor) {
    return (std::int64_t{pixels} + 8 * factor - 1) / (8 * factor);
  };
  const bool alone = header.num_components == 1;  // then a unit is a block
  units_ = units(header.image_width, alone ? 1 : header.max_h_samp_factor) *
           units(header.image_height, alone ? 1 : header.max_v_samp_factor);
  restart_interval_ = header.restart_interval;
  unit_.clear();
  replaced_.fill(nullptr);
  const int luminance = header.cur_comp_info[0]->dc_tbl_no;
  for (int i = 0; i < header.comps_in_scan; ++i) {
    const jpeg_component_info& component = *header.cur_comp_info[i];
    const auto dc = static_cast<std::size_t>(component.dc_tbl_no);
    const auto ac = static_cast<std::size_t>(component.ac_tbl_no);
    const auto steps = static_cast<std::size_t>(component.quant_tbl_no);
    if (steps >= NUM_QUANT_TBLS || header.quant_tbl_ptrs[steps] == nullptr) return false;
    if (dc >= dc_.size() || ac >= ac_.size() || header.dc_huff_tbl_ptrs[dc] == nullptr ||
        header.ac_huff_tbl_ptrs[ac] == nullptr || !dc_[dc].assign(*header.dc_huff_tbl_ptrs[dc], 15) ||
        !ac_[ac].assign(*header.ac_huff_tbl_ptrs[ac]))
      return false;
    if (!is_complete(dc_[dc])) replaced_[dc] = &standard_[component.dc_tbl_no == luminance ? 0 : 1];
    components_[static_cast<std::size_t>(i)] = {&dc_[dc], replaced_[dc] == nullptr ? &dc_[dc] : replaced_[dc],
                                                &ac_[ac]};
    const int blocks = alone ? 1 : component.h_samp_factor * component.v_samp_factor;
    unit_.insert(unit_.end(), static_cast<std::size_t>(blocks), static_cast<std::uint8_t>(i));
  }
  return unit_.size() <= most_blocks;
}

JESSL_INLINE bool JPEGSegmenter::is_complete(const JPEGCode& code) {
  for (std::uint8_t size = 0; size < differences; ++size) {
    if (code.word_of(size).length == 0) return false;
  }
  return true;
}

JESSL_INLINE bool JPEGSegmenter::take_scan(std::span<const std::byte> bytes) {
  scan_.resize(bytes.size() + most_unit);
  ends_.clear();
  std::size_t size = 0;
  for (std::size_t place = 0; place < bytes.size();) {
    const std::byte* const begin = bytes.data() + place;
    const auto* const marker = static_cast<const std::byte*>(std::memchr(begin, 0xFF, bytes.size() - place));
    if (marker == nullptr) return false;
    const auto plain = static_cast<std::size_t>(marker - begin);
    std::memcpy(scan_.data() + size, begin, plain);
    size += plain;
    place += plain + 2;
    if (place > bytes.size()) return false;
    const unsigned code = byte_at(bytes, place - 1);
    if (code == 0) {
      scan_[size++] = std::byte{0xFF};
      continue;
    }
    ends_.push_back(size);
    if (code == jpeg_code::end_of_image) {
      scan_.resize(size);
      scan_.resize(size + most_unit);  // zeros
      const std::int64_t restarts = restart_interval_ == 0 ? 0 : (units_ - 1) / restart_interval_;
      return std::ssize(ends_) == restarts + 1;
    }
    if (code != jpeg_code::restart + (ends_.size() - 1) % 8) return false;
  }
  return false;
}

JESSL_INLINE void JPEGSegmenter::write_header(std::span<const std::byte> start, std::int64_t interval,
                                              std::vector<std::byte>& out) const {
  const auto append = [&out](auto... numbers) { (out.push_back(static_cast<std::byte>(numbers)), ...); };
  for (std::size_t number = 0; number < replaced_.size(); ++number) {
    if (replaced_[number] == nullptr) continue;
    append(0xFF, jpeg_code::huffman_tables, 0, 2 + 17 + differences, number);
    for (const std::uint8_t count : lengths[replaced_[number] == &standard_[0] ? 0 : 1]) append(count);
    for (std::uint8_t size = 0; size < differences; ++size) append(size);
  }
  append(0xFF, jpeg_code::restart_interval, 0, 4, interval >> 8U, interval & 0xFF);
  out.insert(out.end(), start.begin(), start.end());
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
