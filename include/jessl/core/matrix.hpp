// SPDX-License-Identifier: Apache-2.0
// The matrix type of features: row-major float32, a row an image.
#pragma once

#include <cstdint>
#include <string>
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

/// What one layer of a network made of images.
///
/// Shapes     features: [N, D]
/// Errors     none
/// Models     none
/// Source     none
struct LayerFeatures {
  std::string layer;   ///< "representation", "projector.0", ..., or a block of the backbone, "layer1.0"
  RowMatrix features;  ///< [N, D], D the layer's own
};

/// The features of images at every layer of a network, with their labels: what Trainer::embed_layers gives.
///
/// Shapes     layers: L, each [N, D], D the layer's own; labels: [N]
/// Errors     none
/// Models     none
/// Source     none
struct LayerEmbedding {
  std::vector<LayerFeatures> layers;  ///< in the order in which images pass them
  std::vector<std::int64_t> labels;   ///< [N]; -1 where the data set has none
};

}  // namespace jessl
