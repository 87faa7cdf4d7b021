// SPDX-License-Identifier: Apache-2.0
// Many inner products of vectors of 8-bit numbers, with the instructions that processors have for them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/detail/separate.hpp>

namespace jessl::eval::detail {

/// How many rows of a bank are multiplied together: their codes lie in memory as [D / 4][panel_rows][4].
inline constexpr std::size_t panel_rows = 32;

/// How many queries are: their codes lie one after the other, [queries_at_once][D].
inline constexpr std::size_t queries_at_once = 16;

/// How many groups of four values AMX multiplies at once.
inline constexpr std::size_t tile_groups = 16;

/// What the codes of a panel's rows mean: a value is about (code - 128) * scale. Each is [panel_rows].
struct PanelTerms {
  const float* scale;
  const float* bias;    // added to a product; -inf in padding
  const float* length;  // of the row
  const float* error;   // how far the codes are from the row
};

/// What a query's codes mean, a value being about code * scale, and which of its scores are asked for.
struct QueryTerms {
  std::int32_t offset = 0;  // 128 times the sum of the codes, which is in every product
  float scale = 0.0F;
  float bias_scale = 1.0F;  // what the rows' bias is multiplied by
  float length = 0.0F;      // of what the codes say
  float error = 0.0F;       // how far that is from the query
  float threshold = -std::numeric_limits<float>::infinity();
};

/// What a panel gives for some queries.
struct PanelScores {
  std::array<std::array<float, panel_rows>, queries_at_once> bounds;  // above the score of a query and a row
  std::array<std::uint32_t, queries_at_once> above;                   // bit r: bounds[.][r] > threshold
};

/// Bounds of the scores of queries_at_once queries and panel_rows rows, a score being the inner product of query and row
/// plus bias_scale * bias: the product of the codes, and by how much that may be too low,
/// query's length * row's error + query's error * row's length. `groups` is D / 4.
using ScorePanel = void (*)(const std::uint8_t* panel, const PanelTerms& terms, const std::int8_t* queries,
                            const QueryTerms* query_terms, std::size_t groups, PanelScores& out);

/// A way to score, and how large a query's code may be for it. Sums are exact: neither their order nor the instructions
/// change them.
struct CodeProducts {
  ScorePanel score;
  std::int32_t largest_query_code;
};

/// Plain C++.
inline void score_panel(const std::uint8_t* panel, const PanelTerms& terms, const std::int8_t* queries,
                        const QueryTerms* query_terms, std::size_t groups, PanelScores& out) {
  for (std::size_t q = 0; q < queries_at_once; ++q) {
    const QueryTerms& query = query_terms[q];
    std::array<std::int32_t, panel_rows> sums{};
    for (std::size_t group = 0; group < groups; ++group) {
      const std::int8_t* const codes = queries + (q * groups + group) * 4;
      const std::uint8_t* const rows = panel + group * panel_rows * 4;
      for (std::size_t row = 0; row < panel_rows; ++row) {
        for (std::size_t d = 0; d < 4; ++d) sums[row] += std::int32_t{rows[4 * row + d]} * std::int32_t{codes[d]};
      }
    }
    out.above[q] = 0;
    for (std::size_t row = 0; row < panel_rows; ++row) {
      const float product = static_cast<float>(sums[row] - query.offset) * (query.scale * terms.scale[row]);
      const float error = query.length * terms.error[row] + query.error * terms.length[row];
      const float bound = product + (query.bias_scale * terms.bias[row] + error);
      out.bounds[q][row] = bound;
      if (bound > query.threshold) out.above[q] |= std::uint32_t{1} << row;
    }
  }
}

#if defined(__x86_64__)

/// AVX2: pairs of products are added in 16 bits, which the limit of the query's codes keeps them within.
[[gnu::target("avx2,fma")]] inline void score_panel_avx2(const std::uint8_t* panel, const PanelTerms& terms,
                                                         const std::int8_t* queries, const QueryTerms* query_terms,
                                                         std::size_t groups, PanelScores& out) {
  constexpr std::size_t lanes = 8;
  constexpr std::size_t vectors = 2;   // of rows
  constexpr std::size_t together = 4;  // queries
  static_assert(queries_at_once % together == 0 && panel_rows % (vectors * lanes) == 0);
  out.above.fill(0);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::size_t first = 0; first < queries_at_once; first += together) {
    for (std::size_t begin = 0; begin < panel_rows; begin += vectors * lanes) {
      __m256i sums[together][vectors];
#pragma GCC unroll 4
      for (std::size_t q = 0; q < together; ++q) sums[q][0] = sums[q][1] = _mm256_setzero_si256();
      for (std::size_t group = 0; group < groups; ++group) {
        const auto* const rows = reinterpret_cast<const __m256i*>(panel + (group * panel_rows + begin) * 4);
        const __m256i low = _mm256_loadu_si256(rows);
        const __m256i high = _mm256_loadu_si256(rows + 1);
#pragma GCC unroll 4
        for (std::size_t q = 0; q < together; ++q) {
          std::int32_t four = 0;
          std::memcpy(&four, queries + ((first + q) * groups + group) * 4, 4);
          const __m256i codes = _mm256_set1_epi32(four);
          sums[q][0] = _mm256_add_epi32(sums[q][0], _mm256_madd_epi16(_mm256_maddubs_epi16(low, codes), ones));
          sums[q][1] = _mm256_add_epi32(sums[q][1], _mm256_madd_epi16(_mm256_maddubs_epi16(high, codes), ones));
        }
      }
      for (std::size_t q = 0; q < together; ++q) {
        const QueryTerms& query = query_terms[first + q];
        for (std::size_t v = 0; v < vectors; ++v) {
          const std::size_t row = begin + v * lanes;
          const __m256 product =
              _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(sums[q][v], _mm256_set1_epi32(query.offset))),
                            _mm256_mul_ps(_mm256_set1_ps(query.scale), _mm256_loadu_ps(terms.scale + row)));
          const __m256 error =
              _mm256_fmadd_ps(_mm256_set1_ps(query.length), _mm256_loadu_ps(terms.error + row),
                              _mm256_mul_ps(_mm256_set1_ps(query.error), _mm256_loadu_ps(terms.length + row)));
          const __m256 rest =
              _mm256_fmadd_ps(_mm256_set1_ps(query.bias_scale), _mm256_loadu_ps(terms.bias + row), error);
          const __m256 bound = _mm256_add_ps(product, rest);
          _mm256_storeu_ps(out.bounds[first + q].data() + row, bound);
          const auto above = static_cast<std::uint32_t>(
              _mm256_movemask_ps(_mm256_cmp_ps(bound, _mm256_set1_ps(query.threshold), _CMP_GT_OQ)));
          out.above[first + q] |= above << row;
        }
      }
    }
  }
}

/// Makes bounds of the sums of one query and the 16 rows from `row` on; returns a bit for each that exceeds the threshold.
[[gnu::always_inline, gnu::target("avx512f")]] inline std::uint32_t store_bounds(__m512i sums, const PanelTerms& terms,
                                                                                 std::size_t row,
                                                                                 const QueryTerms& query,
                                                                                 float* bounds) {
  // Not _mm512_cvtepi32_ps: GCC 12 warns of a variable in it.
  const auto values = __builtin_convertvector(
      reinterpret_cast<__v16si>(_mm512_sub_epi32(sums, _mm512_set1_epi32(query.offset))), __v16sf);
  const __m512 product = _mm512_mul_ps(reinterpret_cast<__m512>(values),
                                       _mm512_mul_ps(_mm512_set1_ps(query.scale), _mm512_loadu_ps(terms.scale + row)));
  const __m512 error = _mm512_fmadd_ps(_mm512_set1_ps(query.length), _mm512_loadu_ps(terms.error + row),
                                       _mm512_mul_ps(_mm512_set1_ps(query.error), _mm512_loadu_ps(terms.length + row)));
  const __m512 rest = _mm512_fmadd_ps(_mm512_set1_ps(query.bias_scale), _mm512_loadu_ps(terms.bias + row), error);
  const __m512 bound = _mm512_add_ps(product, rest);
  _mm512_storeu_ps(bounds + row, bound);
  return std::uint32_t{_mm512_cmp_ps_mask(bound, _mm512_set1_ps(query.threshold), _CMP_GT_OQ)} << row;
}

/// AVX-512 with VNNI: four products of a lane in one instruction, 64 in all. The sums stay in registers.
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]] inline void score_panel_vnni(
    const std::uint8_t* panel, const PanelTerms& terms, const std::int8_t* queries, const QueryTerms* query_terms,
    std::size_t groups, PanelScores& out) {
  constexpr std::size_t lanes = 16;
  constexpr std::size_t together = 8;  // queries
  static_assert(queries_at_once % together == 0 && panel_rows == 2 * lanes);
  for (std::size_t first = 0; first < queries_at_once; first += together) {
    __m512i low_sums[together];
    __m512i high_sums[together];
#pragma GCC unroll 8
    for (std::size_t q = 0; q < together; ++q) low_sums[q] = high_sums[q] = _mm512_setzero_si512();
    for (std::size_t group = 0; group < groups; ++group) {
      const std::uint8_t* const rows = panel + group * panel_rows * 4;
      const __m512i low = _mm512_loadu_si512(rows);
      const __m512i high = _mm512_loadu_si512(rows + 4 * lanes);
#pragma GCC unroll 8
      for (std::size_t q = 0; q < together; ++q) {
        std::int32_t four = 0;
        std::memcpy(&four, queries + ((first + q) * groups + group) * 4, 4);
        const __m512i codes = _mm512_set1_epi32(four);
        low_sums[q] = _mm512_dpbusd_epi32(low_sums[q], low, codes);
        high_sums[q] = _mm512_dpbusd_epi32(high_sums[q], high, codes);
      }
    }
#pragma GCC unroll 8
    for (std::size_t q = 0; q < together; ++q) {
      float* const bounds = out.bounds[first + q].data();
      const QueryTerms& query = query_terms[first + q];
      out.above[first + q] =
          store_bounds(low_sums[q], terms, 0, query, bounds) | store_bounds(high_sums[q], terms, lanes, query, bounds);
    }
  }
}

/// AMX: 16 queries by 16 rows by 64 values in one instruction. Groups that fill no tile go the other way.
[[gnu::target("amx-tile,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]] inline void score_panel_amx(
    const std::uint8_t* panel, const PanelTerms& terms, const std::int8_t* queries, const QueryTerms* query_terms,
    std::size_t groups, PanelScores& out) {
  if (groups % tile_groups != 0) return score_panel_vnni(panel, terms, queries, query_terms, groups, out);
  constexpr std::size_t lanes = 16;
  static_assert(queries_at_once == 16 && panel_rows == 2 * lanes);
  struct alignas(64) Configuration {
    std::uint8_t palette = 1;
    std::uint8_t unused[15] = {};
    std::uint16_t bytes_a_row[16] = {64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16};
  };
  static_assert(sizeof(Configuration) == 64);
  const Configuration configuration;
  alignas(64) std::int32_t sums[2][queries_at_once][lanes];
  _tile_loadconfig(&configuration);
  _tile_zero(0);
  _tile_zero(1);
  for (std::size_t group = 0; group < groups; group += tile_groups) {
    const std::uint8_t* const rows = panel + group * panel_rows * 4;
    _tile_loadd(2, queries + group * 4, groups * 4);
    _tile_loadd(3, rows, panel_rows * 4);
    _tile_loadd(4, rows + lanes * 4, panel_rows * 4);
    _tile_dpbsud(0, 2, 3);
    _tile_dpbsud(1, 2, 4);
  }
  _tile_stored(0, sums[0], lanes * 4);
  _tile_stored(1, sums[1], lanes * 4);
  _tile_release();
  for (std::size_t q = 0; q < queries_at_once; ++q) {
    float* const bounds = out.bounds[q].data();
    out.above[q] = store_bounds(_mm512_load_si512(sums[0][q]), terms, 0, query_terms[q], bounds) |
                   store_bounds(_mm512_load_si512(sums[1][q]), terms, lanes, query_terms[q], bounds);
  }
}

/// Whether the processor has AMX for 8-bit numbers, and Linux lets the process use its registers, which it does on request.
[[nodiscard]] bool has_amx();

#endif

/// The fastest way that the processor has.
[[nodiscard]] CodeProducts code_products();

#if JESSL_DEFINITIONS

JESSL_INLINE bool has_amx() {
#if defined(__linux__)
  static const bool has = [] {
    unsigned int a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned int tile = 1U << 24U;
    constexpr unsigned int int8 = 1U << 25U;
    constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
    return (d & tile) != 0 && (d & int8) != 0 && ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return has;
#else
  return false;
#endif
}

JESSL_INLINE CodeProducts code_products() {
#if defined(__x86_64__)
  using jessl::detail::InstructionSet;
  const InstructionSet set = jessl::detail::instruction_set.load(std::memory_order_relaxed);
  if (set >= InstructionSet::avx512 && __builtin_cpu_supports("avx512vnni"))
    return {has_amx() ? score_panel_amx : score_panel_vnni, 127};
  if (set >= InstructionSet::avx2) return {score_panel_avx2, 64};  // 2 * 255 * 64 < 2^15
#endif
  return {score_panel, 127};
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval::detail
