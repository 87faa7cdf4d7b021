// SPDX-License-Identifier: Apache-2.0
// Classification by the labels of the nearest training features, and regression by their targets.
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

#include <jessl/core/detail/separate.hpp>
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
class FittedKNNRegression;

/// k nearest neighbours, weighted by how near they are.
///
/// The usual first look at a representation: nothing is trained, so nothing has to be tuned. The k training rows
/// nearest to a query vote for their class, by default those with the highest cosine similarity s with weight exp(s /
/// temperature); of training rows that are equally near the one that comes first is nearer, and of classes with equal
/// votes the lowest wins. With targets, real numbers [N, T] or 0 and 1 for several labels an image, the prediction is
/// the mean of the neighbours' targets, weighted by their votes.
///
/// Shapes     fit: X [N, D] and y [N], or targets [N, T];  predict: [M, D] -> [M], or [M, T];  scores: [M, D] -> [M, C]
/// Units      temperature: that of a cosine, or of half a squared distance
/// Precision  float64; closenesses that are equal in float32 are equal
/// Cost       2 M N D operations in 8 bits, those of a few hundred rows a query in float64; the fitted model holds a
///            copy of X and a quarter of its size
/// Randomness none; neither the number of threads nor the processor changes a neighbour
/// Errors     ConfigError for a setting out of range or k above N; ShapeError when X, y, targets or the queries do not
///            fit together; DataError when there is no row, for NaN or infinity, for a label outside [0, classes)
/// Models     jessl::Classifier, jessl::Regressor (docs/eval/README.md)
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
  template <class = void>
  [[nodiscard]] FittedKNNRegression fit(const Features& x, const Features& targets) const;
};

namespace detail {

/// The training rows of a KNN, and what their votes weigh.
class Voters {
 public:
  template <class = void>
  Voters(const KNN& settings, const Features& x)
      : settings_(checked(settings, x)),
        threads_(thread_count(who, settings.threads)),
        index_(who, x, settings.distance, threads_) {}

  static constexpr std::string_view who = "jessl::eval::KNN";

  void check_k(std::int64_t k) const { check_k(k, index_.rows()); }

  /// Calls use(query, its k nearest training rows in order, numbers of the thread's own) for every row of `x`, on
  /// several threads.
  template <class Use>
  void search(const Features& x, std::int64_t k, std::int64_t numbers, const Use& use) const {
    std::vector<std::vector<double>> own(static_cast<std::size_t>(threads_),
                                         std::vector<double>(static_cast<std::size_t>(numbers)));
    index_.search(x, k, [&](Eigen::Index query, std::span<const Neighbour> nearest, std::int64_t worker) {
      use(query, nearest, std::span<double>(own[static_cast<std::size_t>(worker)]));
    });
  }

  /// Calls count(training row, weight of its vote) for each neighbour; returns the sum of the weights.
  template <class Count>
  double for_each_vote(std::span<const Neighbour> nearest, const Count& count) const {
    const double least = index_.distance_of(nearest.front().closeness);
    double all = 0.0;
    for (const Neighbour& neighbour : nearest) {
      const double vote = weight(neighbour.closeness, nearest.front().closeness, least);
      count(neighbour.row, vote);
      all += vote;
    }
    return all;
  }

  [[nodiscard]] std::int64_t k() const { return settings_.k; }
  [[nodiscard]] std::int64_t dimension() const { return index_.dimension(); }

 private:
  /// The settings, in range for these rows, of which there are some.
  static const KNN& checked(const KNN& settings, const Features& x) {
    JESSL_CHECK(std::isfinite(settings.temperature) && settings.temperature > 0, ConfigError, who, ": temperature is ",
                settings.temperature, ", expected a finite number > 0");
    check_k(settings.k, x.rows());
    return settings;
  }

  static void check_k(std::int64_t k, Eigen::Index rows) {
    JESSL_CHECK(k >= 1 && k <= rows, ConfigError, who, ": k is ", k, ", expected 1 to the number of training rows, ",
                rows);
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
  NeighbourIndex<> index_;
};

}  // namespace detail

/// A KNN with its training rows: what KNN::fit gives for labels.
///
/// Shapes     predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Errors     as KNN
/// Models     jessl::FittedClassifier
/// Source     as KNN
class FittedKNN {
 public:
  template <class = void>
  FittedKNN(const KNN& settings, const Features& x, Labels y);

  /// The class of each row, by the k of the settings.
  template <class = void>
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const;

  /// The class of each row for several k at once, one vector a k, from one search for the neighbours.
  template <class = void>
  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::span<const std::int64_t> ks) const;

  template <class = void>
  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::initializer_list<std::int64_t> ks) const;

  /// The share of the votes that each class got, [M, C]; rows sum to 1.
  template <class = void>
  [[nodiscard]] RowMatrix scores(const Features& x) const;

  [[nodiscard]] std::int64_t classes() const { return classes_; }
  [[nodiscard]] std::int64_t dimension() const { return voters_.dimension(); }

 private:
  static std::int64_t checked_classes(const KNN& settings, const Features& x, Labels y) {
    detail::check_training(detail::Voters::who, x, y);
    return detail::class_count(detail::Voters::who, y, settings.classes);
  }

  /// Sums the votes for each class; returns all of them.
  double count_votes(std::span<const detail::Neighbour> nearest, std::span<double> votes) const {
    std::fill(votes.begin(), votes.end(), 0.0);
    return voters_.for_each_vote(nearest, [&](Eigen::Index row, double vote) {
      votes[static_cast<std::size_t>(labels_[static_cast<std::size_t>(row)])] += vote;
    });
  }

  std::int64_t classes_;
  std::vector<std::int64_t> labels_;
  detail::Voters voters_;
};

template <class>
FittedKNN::FittedKNN(const KNN& settings, const Features& x, Labels y)
    : classes_(checked_classes(settings, x, y)), labels_(y.begin(), y.end()), voters_(settings, x) {}

template <class>
std::vector<std::int64_t> FittedKNN::predict(const Features& x) const {
  return std::move(predict(x, std::array{voters_.k()}).front());
}

template <class>
std::vector<std::vector<std::int64_t>> FittedKNN::predict(const Features& x, std::span<const std::int64_t> ks) const {
  for (const std::int64_t k : ks) voters_.check_k(k);
  std::vector<std::vector<std::int64_t>> predictions(ks.size(),
                                                     std::vector<std::int64_t>(static_cast<std::size_t>(x.rows())));
  if (ks.empty()) return predictions;
  voters_.search(x, *std::max_element(ks.begin(), ks.end()), classes_,
                 [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::span<double> votes) {
                   for (std::size_t i = 0; i < ks.size(); ++i) {
                     count_votes(nearest.first(static_cast<std::size_t>(ks[i])), votes);
                     predictions[i][static_cast<std::size_t>(query)] =
                         std::max_element(votes.begin(), votes.end()) - votes.begin();
                   }
                 });
  return predictions;
}

template <class>
std::vector<std::vector<std::int64_t>> FittedKNN::predict(const Features& x,
                                                          std::initializer_list<std::int64_t> ks) const {
  return predict(x, std::span<const std::int64_t>(ks.begin(), ks.size()));
}

template <class>
RowMatrix FittedKNN::scores(const Features& x) const {
  RowMatrix shares(x.rows(), classes_);
  voters_.search(x, voters_.k(), classes_,
                 [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::span<double> votes) {
                   const double all = count_votes(nearest, votes);
                   for (Eigen::Index c = 0; c < classes_; ++c)
                     shares(query, c) = static_cast<float>(votes[static_cast<std::size_t>(c)] / all);
                 });
  return shares;
}

/// A KNN with its training rows: what KNN::fit gives for targets.
///
/// Shapes     predict: [M, D] -> [M, T]
/// Errors     as KNN
/// Models     none
/// Source     as KNN
class FittedKNNRegression {
 public:
  template <class = void>
  FittedKNNRegression(const KNN& settings, const Features& x, const Features& targets);

  /// The mean of the neighbours' targets, weighted by their votes, [M, T].
  template <class = void>
  [[nodiscard]] RowMatrix predict(const Features& x) const;

  [[nodiscard]] std::int64_t targets() const { return targets_.cols(); }        ///< T
  [[nodiscard]] std::int64_t dimension() const { return voters_.dimension(); }  ///< D

 private:
  static const Features& checked(const Features& x, const Features& targets) {
    detail::check_training(detail::Voters::who, x, targets);
    return targets;
  }

  RowMatrix targets_;
  detail::Voters voters_;
};

template <class>
FittedKNNRegression::FittedKNNRegression(const KNN& settings, const Features& x, const Features& targets)
    : targets_(checked(x, targets)), voters_(settings, x) {}

template <class>
RowMatrix FittedKNNRegression::predict(const Features& x) const {
  RowMatrix means(x.rows(), targets_.cols());
  voters_.search(x, voters_.k(), targets_.cols(),
                 [&](Eigen::Index query, std::span<const detail::Neighbour> nearest, std::span<double> sums) {
                   std::fill(sums.begin(), sums.end(), 0.0);
                   const double all = voters_.for_each_vote(nearest, [&](Eigen::Index row, double vote) {
                     for (std::size_t t = 0; t < sums.size(); ++t)
                       sums[t] += vote * static_cast<double>(targets_(row, static_cast<Eigen::Index>(t)));
                   });
                   for (std::size_t t = 0; t < sums.size(); ++t)
                     means(query, static_cast<Eigen::Index>(t)) = static_cast<float>(sums[t] / all);
                 });
  return means;
}

template <class>
FittedKNN KNN::fit(const Features& x, Labels y) const {
  return {*this, x, y};
}

template <class>
FittedKNNRegression KNN::fit(const Features& x, const Features& targets) const {
  return {*this, x, targets};
}

JESSL_INSTANTIATE(FittedKNN KNN::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(FittedKNNRegression KNN::fit<void>(const Features&, const Features&) const);
JESSL_INSTANTIATE(std::vector<std::int64_t> FittedKNN::predict<void>(const Features&) const);
JESSL_INSTANTIATE(std::vector<std::vector<std::int64_t>> FittedKNN::predict<void>(const Features&,
                                                                                  std::span<const std::int64_t>) const);
JESSL_INSTANTIATE(std::vector<std::vector<std::int64_t>> FittedKNN::predict<void>(const Features&,
                                                                                  std::initializer_list<std::int64_t>)
                      const);
JESSL_INSTANTIATE(RowMatrix FittedKNN::scores<void>(const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedKNNRegression::predict<void>(const Features&) const);

}  // namespace jessl::eval

template <>
struct jessl::EnumNames<jessl::eval::Votes> {
  static constexpr std::array<std::pair<jessl::eval::Votes, std::string_view>, 3> value{
      {{jessl::eval::Votes::by_temperature, "by_temperature"},
       {jessl::eval::Votes::by_distance, "by_distance"},
       {jessl::eval::Votes::uniform, "uniform"}}};
};

JESSL_OPTIONS(jessl::eval::KNN, k, temperature, distance, votes, classes, threads);
