// SPDX-License-Identifier: Apache-2.0
// The Huffman codes of a JPEG file: what passes over coefficients without decoding them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>

namespace jessl::data::detail {

/// A Huffman code of a JPEG file. Bits are taken from the top of a word of 64.
class JPEGCode {
 public:
  static constexpr unsigned window = 11;  // bits by which words are looked up; few are longer

  /// A symbol and its code; a word without a length is none.
  struct Word {
    std::uint16_t code = 0;
    std::uint8_t length = 0;  // bits
    std::uint8_t symbol = 0;
  };

  /// False for a table that is no code of symbols up to `largest`; libjpeg shall judge of it.
  [[nodiscard]] bool assign(const JHUFF_TBL& table, std::uint8_t largest);

  /// The word that `bits` begin with, if it is no longer than the window.
  [[nodiscard]] Word find_short(std::uint64_t bits) const { return by_bits_[bits >> (64 - window)]; }

  /// The word that `bits` begin with.
  [[nodiscard]] Word find(std::uint64_t bits) const {
    const Word word = find_short(bits);
    if (word.length != 0) return word;
    const auto top = static_cast<unsigned>(bits >> 48U);
    for (unsigned length = window + 1; length <= 16; ++length) {
      if (top < end_[length]) return by_rank_[first_[length] + (top >> (16 - length))];
    }
    return {};
  }

  [[nodiscard]] Word word_of(std::uint8_t symbol) const { return by_symbol_[symbol]; }

 private:
  std::array<Word, std::size_t{1} << window> by_bits_{};
  std::array<Word, 256> by_rank_{};  // in the order of their codes
  std::array<Word, 256> by_symbol_{};
  std::array<unsigned, 17> first_{};  // of each length: the rank of a code less the code, modulo 2^32
  std::array<unsigned, 17> end_{};    // of each length: what the next 16 bits are below, if the code is no longer
};

/// The way over the AC coefficients of a block, several at a step where the next bits hold several.
class JPEGSteps {
 public:
  [[nodiscard]] bool assign(const JHUFF_TBL& table);

  /// Where the coefficients from `place` on end; 0 where they are none. `bits_at(place)` gives 57 bits, at the top.
  template <class BitsAt>
  [[nodiscard]] std::size_t pass(std::size_t place, const BitsAt& bits_at) const {
    unsigned k = 1;
    for (;;) {
      std::uint64_t bits = bits_at(place);
      for (unsigned left = 57; left >= most_bits; left -= most_bits) {
        Step step = steps_[bits >> (64 - JPEGCode::window)];
        if (step.bits == 0 || k + step.coefficients > 64) step = over(code_.find(bits));
        k += step.coefficients;
        if (step.bits == 0 || k > 64) return 0;
        place += step.bits;
        if (step.ends || k == 64) return place;
        bits <<= step.bits;
      }
    }
  }

 private:
  static constexpr unsigned most_bits = 28;  // of a step: a code has 16 at most, a coefficient 10

  struct alignas(4) Step {
    std::uint8_t bits = 0;          // 0: no step
    std::uint8_t coefficients = 0;  // those passed; the end of a block counts as one
    bool ends = false;              // the block
  };

  /// Over one symbol and its coefficient.
  [[nodiscard]] static Step over(const JPEGCode::Word& word) {
    const unsigned size = word.symbol & 15U;
    const unsigned zeros = word.symbol >> 4U;
    if (word.length == 0 || size > 10) return {};
    if (size == 0 && zeros != 15) return {word.length, 1, true};
    return {static_cast<std::uint8_t>(word.length + size), static_cast<std::uint8_t>(zeros + 1), false};
  }

  JPEGCode code_{};
  std::array<Step, std::size_t{1} << JPEGCode::window> steps_{};
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE bool JPEGCode::assign(const JHUFF_TBL& table, std::uint8_t largest) {
  by_symbol_.fill({});
  auto end = by_bits_.begin();
  unsigned code = 0;
  unsigned rank = 0;
  for (unsigned length = 1; length <= 16; ++length) {
    first_[length] = rank - code;
    for (unsigned left = table.bits[length]; left > 0; --left, ++code, ++rank) {
      if (rank == by_rank_.size() || code + 1 >= 1U << length) return false;  // no code is all ones
      if (table.huffval[rank] > largest) return false;
      const Word word{static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(length), table.huffval[rank]};
      by_rank_[rank] = by_symbol_[word.symbol] = word;
      if (length <= window) end = std::fill_n(end, std::size_t{1} << (window - length), word);
    }
    end_[length] = code << (16 - length);
    code <<= 1U;
  }
  std::fill(end, by_bits_.end(), Word{});
  return true;
}

JESSL_INLINE bool JPEGSteps::assign(const JHUFF_TBL& table) {
  if (!code_.assign(table, 255)) return false;
  for (std::size_t index = 0; index < steps_.size(); ++index) {
    const std::uint64_t known = std::uint64_t{index} << (64 - JPEGCode::window);
    Step& all = steps_[index] = over(code_.find_short(known));
    while (all.bits != 0 && !all.ends && all.bits < JPEGCode::window) {
      const JPEGCode::Word word = code_.find_short(known << all.bits);
      const Step step = over(word);
      if (step.bits == 0 || all.bits + word.length > JPEGCode::window || all.bits + step.bits > most_bits) break;
      all = {static_cast<std::uint8_t>(all.bits + step.bits),
             static_cast<std::uint8_t>(all.coefficients + step.coefficients), step.ends};
    }
  }
  return true;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
