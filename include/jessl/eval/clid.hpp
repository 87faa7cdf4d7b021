// SPDX-License-Identifier: Apache-2.0
// Cluster learnability and intrinsic dimension of several models as one score each.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::eval {

/// CLID: how learnable and how expressive the features of each of several models are, among these models.
///
/// The sum of a model's cluster_learnability and intrinsic_dimension, each less its mean over the models and divided by
/// its standard deviation over them, so that neither outweighs the other. Higher is better; the scores of the models
/// sum to 0, and mean nothing beside those of other models. A part that is equal for all models adds 0.
///
/// Shapes     learnabilities: [M], dimensions: [M] -> [M]
/// Units      standard deviations; that of the population (divided by M)
/// Errors     ShapeError when the lengths differ; DataError when there are fewer than two models, and for NaN or
///            infinity
/// Models     none
/// Source     Lu, Liu, Baratin, Laroche, Courville, Sordoni: Using Representation Expressiveness and Learnability to
///            Evaluate Self-Supervised Learning Methods, TMLR 2023, arXiv 2206.01251
/// Differs    the standard deviation as the measure of scale is our reading: the paper adds the two on a common scale
[[nodiscard]] std::vector<double> clid(std::span<const double> learnabilities, std::span<const double> dimensions);

#if JESSL_DEFINITIONS

JESSL_INLINE std::vector<double> clid(std::span<const double> learnabilities, std::span<const double> dimensions) {
  constexpr std::string_view who = "jessl::eval::clid";
  JESSL_CHECK(learnabilities.size() == dimensions.size(), ShapeError, who, ": ", learnabilities.size(),
              " learnabilities but ", dimensions.size(), " dimensions, expected one each of every model");
  JESSL_CHECK(learnabilities.size() >= 2, DataError, who, ": there are ", learnabilities.size(),
              " models, expected at least 2 to compare");
  std::vector<double> scores(learnabilities.size());
  const auto add = [&](std::string_view name, std::span<const double> values) {
    double mean = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      JESSL_CHECK(std::isfinite(values[i]), DataError, who, ": ", name, "[", i, "] is ", values[i],
                  ", expected a finite number");
      mean += values[i] / static_cast<double>(values.size());
    }
    double variance = 0.0;
    for (const double value : values) variance += (value - mean) * (value - mean) / static_cast<double>(values.size());
    // Equal values differ from their mean by rounding alone.
    const double deviation = std::sqrt(variance);
    if (!(deviation > 1e-12 * std::abs(mean))) return;
    for (std::size_t i = 0; i < values.size(); ++i) scores[i] += (values[i] - mean) / deviation;
  };
  add("learnabilities", learnabilities);
  add("dimensions", dimensions);
  return scores;
}

#endif  // JESSL_DEFINITIONS

}  // namespace jessl::eval
