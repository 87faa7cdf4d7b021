// SPDX-License-Identifier: Apache-2.0
// How the examples judge what stands for an image, where the images have classes.
#pragma once

#include <jessl/jessl.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

/// Test accuracies of one representation, in percent.
struct Scores {
  double knn20_top1 = 0.0;
  double knn200_top1 = 0.0;
  double linear_top1 = 0.0;
};
JESSL_OPTIONS(Scores, knn20_top1, knn200_top1, linear_top1);

constexpr std::int64_t most_neighbours = 200;  // of the k-NN

/// Some rows, with their labels.
inline jessl::Embedding rows_of(const jessl::RowMatrix& features, const std::vector<std::int64_t>& labels,
                                const std::vector<Eigen::Index>& rows) {
  jessl::Embedding part{features(rows, Eigen::all), {}};
  for (const Eigen::Index row : rows) part.labels.push_back(labels[static_cast<std::size_t>(row)]);
  return part;
}

/// The penalty of the linear probe with the best accuracy on every sixth of the training images, fitted to the others.
inline double choose_l2(const jessl::RowMatrix& features, const std::vector<std::int64_t>& labels) {
  std::vector<Eigen::Index> fitted;
  std::vector<Eigen::Index> asked;
  for (Eigen::Index row = 0; row < features.rows(); ++row) (row % 6 == 5 ? asked : fitted).push_back(row);
  const jessl::Embedding bank = rows_of(features, labels, fitted);
  const jessl::Embedding query = rows_of(features, labels, asked);
  return jessl::eval::LogisticProbeSearch{.l2s = {1e-2, 1e-3, 1e-4, 1e-5}, .tolerance = 1e-3}
      .fit(bank.features, bank.labels, query.features, query.labels)
      .l2();
}

/// The same protocol for every representation: features standardised by the training set's mean and deviation; k-NN by
/// cosine similarity s with weights exp(s / 0.07); multinomial logistic regression, its L2 penalty chosen on training images.
inline Scores evaluate(const std::string& what, const jessl::Embedding& bank, const jessl::Embedding& query) {
  std::cout << "evaluating " << what << " [" << bank.features.rows() << ", " << bank.features.cols() << "]"
            << std::endl;
  const auto standard = jessl::eval::Standardize{}.fit(bank.features);
  const jessl::RowMatrix train = standard.transform(bank.features);
  const jessl::RowMatrix test = standard.transform(query.features);
  const auto percent = [&](const std::vector<std::int64_t>& predicted) {  // to two digits, in every place alike
    return std::round(10000.0 * jessl::eval::accuracy(predicted, query.labels)) / 100.0;
  };
  const auto neighbours = jessl::eval::KNN{.k = most_neighbours, .temperature = 0.07}
                              .fit(train, bank.labels)
                              .predict(test, {20, most_neighbours});
  // From 0, as the figures in the documentation: the search's own probe stops elsewhere within so wide a tolerance.
  const auto linear = jessl::eval::LogisticProbe{.l2 = choose_l2(train, bank.labels), .tolerance = 1e-3}
                          .fit(train, bank.labels)
                          .predict(test);
  return {percent(neighbours[0]), percent(neighbours[1]), percent(linear)};
}
