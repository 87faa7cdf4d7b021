// SPDX-License-Identifier: Apache-2.0
// How many dimensions features use: RankMe and the effective rank.
#pragma once

#include <jessl/core/detail/separate.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/entropy.hpp>
#include <jessl/eval/metric_options.hpp>
#include <jessl/eval/spectrum.hpp>

namespace jessl::eval {

/// RankMe: a smooth count of the singular values of features.
///
/// exp(-sum_k p_k log p_k) with p_k = s_k / sum(s) + 1e-7 over the min(N, D) singular values s of X, which is not
/// centred. From 1 (all rows on a line) to min(N, D) (all singular values equal), 0 for features of zeros alone; higher
/// is better among runs of one method. The paper takes the projector's outputs of 25,600 training images. The value
/// grows with N as long as N is not well above D: compare at equal N.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensions
/// Precision  as jessl::eval::spectrum
/// Cost       that of jessl::eval::spectrum; with a Spectrum, none
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for threads < 0; DataError when there is no row or column, for NaN or infinity
/// Models     none
/// Source     Garrido, Balestriero, Najman, LeCun: RankMe: Assessing the downstream performance of pretrained
///            self-supervised representations by their rank, ICML 2023, arXiv 2210.02885, equation 1
/// Differs    singular values below the rounding of jessl::eval::spectrum are 0
[[nodiscard]] inline double rank_me(const Spectrum& spectrum) {
  return detail::exponential_entropy(spectrum.singular_values, 1e-7);
}

template <class = void>
[[nodiscard]] double rank_me(const Features& x, const MetricOptions& options = {}) {
  return rank_me(detail::spectrum("jessl::eval::rank_me", x, options.threads));
}

/// The effective rank: exp of the entropy of the singular values' shares.
///
/// exp(-sum_k p_k log p_k) with p_k = s_k / sum(s) and 0 log 0 = 0, over the singular values s of X. RankMe is the same
/// but for the 1e-7 that it adds to each share, which raises it by up to 1.6e-6 min(N, D) of itself, 0.3 % at 2048: a
/// matrix of rank 1 has exactly 1 here. Range, direction and 0 as rank_me.
///
/// Shapes     X: [N, D] -> number
/// Units      dimensions
/// Errors     as rank_me
/// Models     none
/// Source     Roy, Vetterli: The effective rank: a measure of effective dimensionality, EUSIPCO 2007, definition 1
/// Differs    as rank_me
[[nodiscard]] inline double effective_rank(const Spectrum& spectrum) {
  return detail::exponential_entropy(spectrum.singular_values, 0.0);
}

template <class = void>
[[nodiscard]] double effective_rank(const Features& x, const MetricOptions& options = {}) {
  return effective_rank(detail::spectrum("jessl::eval::effective_rank", x, options.threads));
}

JESSL_INSTANTIATE(double rank_me<void>(const Features&, const MetricOptions&));
JESSL_INSTANTIATE(double effective_rank<void>(const Features&, const MetricOptions&));

}  // namespace jessl::eval
