// SPDX-License-Identifier: Apache-2.0
// The matrix type of features: row-major float32, a row an image.
#pragma once

#include <cstdint>
#include <vector>

#include <Eigen/Core>

namespace jessl {

/// Features X [N, D]: row-major float32, so that a row is one image's representation and a tensor maps without a copy.
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Representations with their labels: what Trainer::embed gives and the classifiers of eval take.
///
/// Shapes     features: [N, D], labels: [N]
/// Errors     none
/// Models     none
/// Source     none
struct Embedding {
  RowMatrix features;                ///< [N, D]
  std::vector<std::int64_t> labels;  ///< [N]; -1 where the data set has none
};

}  // namespace jessl
