// SPDX-License-Identifier: Apache-2.0
// How many values count: the exponential of the entropy of their shares.
#pragma once

#include <cmath>

#include <Eigen/Core>

namespace jessl::eval::detail {

/// exp(-sum_k p_k log p_k) with p_k = values_k / sum(values) + epsilon, over values that are not negative and, after
/// them, `zeros` more that are 0. It is 0 where all are.
[[nodiscard]] inline double exponential_entropy(const Eigen::VectorXd& values, double epsilon, Eigen::Index zeros = 0) {
  const double sum = values.sum();
  if (!(sum > 0.0)) return 0.0;
  double entropy = 0.0;
  for (Eigen::Index k = 0; k < values.size(); ++k) {
    const double share = values(k) / sum + epsilon;
    if (share > 0.0) entropy -= share * std::log(share);
  }
  if (epsilon > 0.0) entropy -= static_cast<double>(zeros) * epsilon * std::log(epsilon);
  return std::exp(entropy);
}

}  // namespace jessl::eval::detail
