// SPDX-License-Identifier: Apache-2.0
// Classification by the labels of the nearest training features.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/neighbour_index.hpp>
#include <jessl/eval/distance.hpp>

namespace jessl::eval {

/// How much a neighbour's vote weighs.
enum class Votes : std::uint8_t {
  by_temperature,  ///< exp(s / temperature) of a cosine s, exp(-d^2 / (2 temperature)) of a distance d: the same for rows of length 1
  by_distance,  ///< 1 / distance; rows at distance 0 share all votes
  uniform       ///< 1
};

class FittedKNN;

/// k nearest neighbours, weighted by how near they are.
///
/// The usual first look at a representation: nothing is trained, so nothing has to be tuned. The k training rows nearest
/// to a query vote for their class, by default those with the highest cosine similarity s with weight
/// exp(s / temperature); of training rows that are equally near the one that comes first is nearer, and of classes with
/// equal votes the lowest wins.
///
/// Shapes     fit: X [N, D], y [N];  predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Units      temperature: that of a cosine, or of half a squared distance
/// Precision  float64; closenesses that are equal in float32 are equal
/// Cost       2 M N D operations in 8 bits, those of a few hundred rows a query in float64; the fitted model holds a
///            copy of X and a quarter of its size
/// Randomness none; neither the number of threads nor the processor changes a neighbour
/// Errors     ConfigError for a setting out of range or k above N; ShapeError when X, y or the queries do not fit
///            together; DataError when there is no row, for NaN or infinity, for a label outside [0, classes)
/// Models     jessl::Classifier (docs/eval/README.md)
/// Source     Wu, Xiong, Yu, Lin: Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018,
///            arXiv 1805.01978, section 3.4
/// Differs    a row of zeros has similarity 0 to everything
struct KNN {
  static constexpr std::string_view name = "KNN";

  std::int64_t k = 20;                    ///< neighbours that vote, 1 to N
  double temperature = 0.07;              ///< sharpness of the votes, > 0; small: the nearest one decides
  Distance distance = Distance::cosine;   ///< what near means
  Votes votes = Votes::by_temperature;    ///< what near ones weigh
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedKNN fit(const Features& x, Labels y) const;
};

/// A KNN with its training rows: what KNN::fit gives.
///
/// Shapes     predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Errors     as KNN
/// Models     jessl::FittedClassifier
/// Source     as KNN
class FittedKNN {
 public:
  template <class = void>
  FittedKNN(const KNN& settings, const Features& x, Labels y)
      : settings_(checked(settings, x, y)),
        threads_(detail::thread_count(who, settings.threads)),
        classes_(detail::class_count(who, y, settings.classes)),
        labels_(y.begin(), y.end()),
        index_(who, x, settings.distance, threads_) {}

  /// The class of each row, by the k of the settings.
  template <class = void>
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const {
    return std::move(predict(x, std::array{settings_.k}).front());
  }

  /// The class of each row for several k at once, one vector a k, from one search for the neighbours.
  template <class = void>
  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::span<const std::int64_t> ks) const {
    for (const std::int64_t k : ks) check_k(k, index_.rows());
    std::vector<std::vector<std::int64_t>> predictions(ks.size(),
                                                       std::vector<std::int64_t>(static_cast<std::size_t>(x.rows())));
    if (ks.empty()) return predictions;
    search(x, *std::max_element(ks.begin(), ks.end()),
           [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::span<double> votes) {
             for (std::size_t i = 0; i < ks.size(); ++i) {
               count_votes(nearest.first(static_cast<std::size_t>(ks[i])), votes);
               predictions[i][static_cast<std::size_t>(query)] =
                   std::max_element(votes.begin(), votes.end()) - votes.begin();
             }
           });
    return predictions;
  }

  template <class = void>
  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::initializer_list<std::int64_t> ks) const {
    return predict(x, std::span<const std::int64_t>(ks.begin(), ks.size()));
  }

  /// The share of the votes that each class got, [M, C]; rows sum to 1.
  template <class = void>
  [[nodiscard]] RowMatrix scores(const Features& x) const {
    RowMatrix shares(x.rows(), classes_);
    search(x, settings_.k,
           [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::span<double> votes) {
             const double all = count_votes(nearest, votes);
             for (Eigen::Index c = 0; c < classes_; ++c)
               shares(query, c) = static_cast<float>(votes[static_cast<std::size_t>(c)] / all);
           });
    return shares;
  }

  [[nodiscard]] std::int64_t classes() const { return classes_; }
  [[nodiscard]] std::int64_t dimension() const { return index_.dimension(); }

 private:
  static constexpr std::string_view who = "jessl::eval::KNN";

  static const KNN& checked(const KNN& settings, const Features& x, Labels y) {
    JESSL_CHECK(std::isfinite(settings.temperature) && settings.temperature > 0, ConfigError, who, ": temperature is ",
                settings.temperature, ", expected a finite number > 0");
    detail::check_training(who, x, y);
    check_k(settings.k, x.rows());
    return settings;
  }

  static void check_k(std::int64_t k, Eigen::Index rows) {
    JESSL_CHECK(k >= 1 && k <= rows, ConfigError, who, ": k is ", k, ", expected 1 to the number of training rows, ",
                rows);
  }

  /// Calls use(query, its k nearest training rows in order, room for votes) for every row of `x`, on several threads.
  template <class Use>
  void search(const Features& x, std::int64_t k, const Use& use) const {
    std::vector<std::vector<double>> votes(static_cast<std::size_t>(threads_),
                                           std::vector<double>(static_cast<std::size_t>(classes_)));
    index_.search(x, k, [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::int64_t worker) {
      use(query, nearest, std::span<double>(votes[static_cast<std::size_t>(worker)]));
    });
  }

  /// Sums the votes for each class; returns all of them.
  double count_votes(std::span<const detail::Neighbour> nearest, std::span<double> votes) const {
    std::fill(votes.begin(), votes.end(), 0.0);
    const double least = index_.distance_of(nearest.front().closeness);
    double all = 0.0;
    for (const detail::Neighbour& neighbour : nearest) {
      const double vote = weight(neighbour.closeness, nearest.front().closeness, least);
      votes[static_cast<std::size_t>(labels_[static_cast<std::size_t>(neighbour.row)])] += vote;
      all += vote;
    }
    return all;
  }

  /// What a vote weighs, relative to that of the nearest row, which makes nothing overflow.
  [[nodiscard]] double weight(double closeness, double nearest, double least) const {
    switch (settings_.votes) {
      case Votes::uniform:
        return 1.0;
      case Votes::by_distance: {
        const double distance = index_.distance_of(closeness);
        return least > 0.0 ? least / distance : distance > 0.0 ? 0.0 : 1.0;
      }
      case Votes::by_temperature:
        break;
    }
    if (settings_.distance == Distance::cosine) return std::exp((closeness - nearest) / settings_.temperature);
    const double distance = index_.distance_of(closeness);
    return std::exp(0.5 * (least - distance) * (least + distance) / settings_.temperature);
  }

  KNN settings_;
  std::int64_t threads_;
  std::int64_t classes_;
  std::vector<std::int64_t> labels_;
  detail::NeighbourIndex<> index_;
};

template <class>
FittedKNN KNN::fit(const Features& x, Labels y) const {
  return {*this, x, y};
}

}  // namespace jessl::eval

template <>
struct jessl::EnumNames<jessl::eval::Votes> {
  static constexpr std::array<std::pair<jessl::eval::Votes, std::string_view>, 3> value{
      {{jessl::eval::Votes::by_temperature, "by_temperature"},
       {jessl::eval::Votes::by_distance, "by_distance"},
       {jessl::eval::Votes::uniform, "uniform"}}};
};

JESSL_OPTIONS(jessl::eval::KNN, k, temperature, distance, votes, classes, threads);
