// SPDX-License-Identifier: Apache-2.0
// Classification by the labels of the nearest training features.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>

namespace jessl::eval {

class FittedKNN;

/// Weighted k nearest neighbours by cosine similarity.
///
/// The usual first look at a representation: nothing is trained, so nothing has to be tuned. The k training rows with
/// the highest cosine similarity s to a query vote for their class with weight exp(s / temperature); of training rows
/// with equal similarity the one that comes first is nearer, and of classes with equal votes the lowest wins.
///
/// Shapes     fit: X [N, D], y [N];  predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Units      temperature: dimensionless
/// Precision  similarities in float32, votes in float64
/// Cost       2 M N D operations as blocked matrix products; the fitted model holds a copy of X
/// Randomness none; the result does not depend on the number of threads, bit for bit
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
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

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
  /// Normalises the rows of `x`; see KNN::fit.
  FittedKNN(const KNN& settings, const Features& x, Labels y)
      : settings_(settings), threads_(detail::thread_count(who, settings.threads)) {
    JESSL_CHECK(std::isfinite(settings.temperature) && settings.temperature > 0, ConfigError, who, ": temperature is ",
                settings.temperature, ", expected a finite number > 0");
    detail::check_training(who, x, y);
    check_k(settings.k, x.rows());
    rows_ = x.rows();
    classes_ = detail::class_count(who, y, settings.classes);
    labels_.assign(y.begin(), y.end());
    bank_.resize((rows_ + panel - 1) / panel * panel, x.cols());
    bank_.bottomRows(bank_.rows() - rows_).setZero();
    ThreadPool pool(threads_);
    constexpr Eigen::Index rows_a_call = 1024;
    pool.parallel_for((x.rows() + rows_a_call - 1) / rows_a_call, [&](std::int64_t block, std::int64_t) {
      const Eigen::Index first = block * rows_a_call;
      normalise(x, first, bank_.middleRows(first, std::min(rows_a_call, x.rows() - first)));
    });
  }

  /// The class of each row, by the k of the settings.
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const {
    return std::move(predict(x, std::array{settings_.k}).front());
  }

  /// The class of each row for several k at once, one vector a k, from one search for the neighbours.
  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::span<const std::int64_t> ks) const {
    for (const std::int64_t k : ks) check_k(k, rows_);
    std::vector<std::vector<std::int64_t>> predictions(ks.size(),
                                                       std::vector<std::int64_t>(static_cast<std::size_t>(x.rows())));
    if (ks.empty()) return predictions;
    search(x, *std::max_element(ks.begin(), ks.end()),
           [&](Eigen::Index query, std::span<const Neighbour> nearest, std::span<double> votes) {
             for (std::size_t i = 0; i < ks.size(); ++i) {
               count_votes(nearest.first(static_cast<std::size_t>(ks[i])), votes);
               predictions[i][static_cast<std::size_t>(query)] =
                   std::max_element(votes.begin(), votes.end()) - votes.begin();
             }
           });
    return predictions;
  }

  [[nodiscard]] std::vector<std::vector<std::int64_t>> predict(const Features& x,
                                                               std::initializer_list<std::int64_t> ks) const {
    return predict(x, std::span<const std::int64_t>(ks.begin(), ks.size()));
  }

  /// The share of the votes that each class got, [M, C]; rows sum to 1.
  [[nodiscard]] RowMatrix scores(const Features& x) const {
    RowMatrix shares(x.rows(), classes_);
    search(x, settings_.k, [&](Eigen::Index query, std::span<const Neighbour> nearest, std::span<double> votes) {
      const double all = count_votes(nearest, votes);
      for (Eigen::Index c = 0; c < classes_; ++c)
        shares(query, c) = static_cast<float>(votes[static_cast<std::size_t>(c)] / all);
    });
    return shares;
  }

  [[nodiscard]] std::int64_t classes() const { return classes_; }
  [[nodiscard]] std::int64_t dimension() const { return bank_.cols(); }

 private:
  static constexpr std::string_view who = "jessl::eval::KNN";
  /// The rows of the bank that Eigen's kernel takes at once. What is left over below that goes another way through it, and
  /// sums in another order: equal rows would then differ in the last bit. So the bank is padded to a multiple of it.
  static constexpr Eigen::Index panel = Eigen::internal::gebp_traits<float, float>::mr;
  static constexpr Eigen::Index tile_rows = 1024 / panel * panel;  // of the bank: 2 MB at D = 512

  struct Neighbour {
    float similarity;
    Eigen::Index row;

    /// Nearer first; a total order, so that the set of the k nearest is unique.
    friend bool operator<(const Neighbour& a, const Neighbour& b) {
      return a.similarity > b.similarity || (a.similarity == b.similarity && a.row < b.row);
    }
  };

  /// What a thread works with.
  struct Scratch {
    RowMatrix queries;                               // [block, D], normalised
    RowMatrix similarities;                          // [block, tile]
    std::vector<std::vector<Neighbour>> candidates;  // a query: the k nearest so far, and some that may be
    std::vector<float> thresholds;                   // a query: what a candidate must exceed
    std::vector<double> votes;                       // [C]
  };

  static void check_k(std::int64_t k, Eigen::Index rows) {
    JESSL_CHECK(k >= 1 && k <= rows, ConfigError, who, ": k is ", k, ", expected 1 to the number of training rows, ",
                rows);
  }

  /// Rows x[first ...] scaled to length 1 into `out`; also checks that they are finite.
  static void normalise(const Features& x, Eigen::Index first, Eigen::Ref<RowMatrix> out) {
    for (Eigen::Index i = 0; i < out.rows(); ++i) {
      const double length = std::sqrt(x.row(first + i).cast<double>().squaredNorm());
      if (!std::isfinite(length)) detail::fail_not_finite(who, x, first + i);
      out.row(i) = (x.row(first + i).cast<double>() / std::max(length, 1e-12)).cast<float>();
    }
  }

  /// Calls use(query, its k nearest training rows in order, room for votes) for every row of `x`, on several threads.
  template <class Use>
  void search(const Features& x, std::int64_t k, const Use& use) const {
    detail::check_columns(who, x, dimension());
    // Blocks depend on the number of queries alone, never on that of threads: a query's sums are the same everywhere.
    const Eigen::Index block_rows = std::clamp<Eigen::Index>(x.rows() / 40 / 16 * 16 + 16, 16, 512);
    ThreadPool pool(threads_);
    std::vector<Scratch> scratch(static_cast<std::size_t>(pool.size()));
    pool.parallel_for((x.rows() + block_rows - 1) / block_rows, [&](std::int64_t block, std::int64_t worker) {
      const Eigen::Index first = block * block_rows;
      Scratch& mine = scratch[static_cast<std::size_t>(worker)];
      mine.queries.resize(std::min(block_rows, x.rows() - first), x.cols());
      mine.votes.resize(static_cast<std::size_t>(classes_));
      normalise(x, first, mine.queries);
      find_nearest(static_cast<std::size_t>(k), mine);
      for (Eigen::Index i = 0; i < mine.queries.rows(); ++i)
        use(first + i, mine.candidates[static_cast<std::size_t>(i)], mine.votes);
    });
  }

  /// Fills mine.candidates with the k nearest rows of each of mine.queries, in order.
  void find_nearest(std::size_t k, Scratch& mine) const {
    const Eigen::Index count = mine.queries.rows();
    mine.candidates.resize(static_cast<std::size_t>(count));
    for (auto& candidates : mine.candidates) candidates.clear();
    mine.thresholds.assign(static_cast<std::size_t>(count), -std::numeric_limits<float>::infinity());
    for (Eigen::Index first = 0; first < bank_.rows(); first += tile_rows) {
      const Eigen::Index width = std::min(tile_rows, bank_.rows() - first);
      mine.similarities.setZero(count, width);
      detail::add_product(mine.queries, bank_.middleRows(first, width).transpose(), mine.similarities);
      for (Eigen::Index i = 0; i < count; ++i) {
        const auto q = static_cast<std::size_t>(i);
        const auto present = static_cast<std::size_t>(std::min(width, rows_ - first));
        collect({mine.similarities.data() + i * width, present}, first, k, mine.candidates[q], mine.thresholds[q]);
      }
    }
    for (auto& candidates : mine.candidates) {
      keep_nearest(k, candidates);
      std::sort(candidates.begin(), candidates.end());
    }
  }

  /// Adds those of a tile's rows that may be among the k nearest.
  ///
  /// Rows come in rising order, so one that only equals the k-th similarity so far is further than it. Candidates
  /// are cut to k whenever twice as many have gathered: a few comparisons each, and most rows fail the threshold.
  static void collect(std::span<const float> similarities, Eigen::Index first, std::size_t k,
                      std::vector<Neighbour>& candidates, float& threshold) {
    constexpr std::size_t lane = 16;
    for (std::size_t begin = 0; begin < similarities.size(); begin += lane) {
      const auto chunk = similarities.subspan(begin, std::min(lane, similarities.size() - begin));
      int above = 0;  // without a branch, for the compiler's vectors
      for (const float similarity : chunk) above |= similarity > threshold ? 1 : 0;
      if (above == 0) continue;
      for (std::size_t j = 0; j < chunk.size(); ++j) {
        if (!(chunk[j] > threshold)) continue;
        candidates.push_back({chunk[j], first + static_cast<Eigen::Index>(begin + j)});
        if (candidates.size() == 2 * k + lane) threshold = keep_nearest(k, candidates);
      }
    }
  }

  /// Cuts candidates to the k nearest, in no order; returns the lowest similarity among them.
  static float keep_nearest(std::size_t k, std::vector<Neighbour>& candidates) {
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(candidates.begin(), last, candidates.end());
    candidates.resize(k);
    return candidates.back().similarity;
  }

  /// Sums the votes for each class, relative to that of the nearest row, which no temperature makes overflow.
  double count_votes(std::span<const Neighbour> nearest, std::span<double> votes) const {
    std::fill(votes.begin(), votes.end(), 0.0);
    double all = 0.0;
    for (const Neighbour& neighbour : nearest) {
      const double vote =
          std::exp((double{neighbour.similarity} - double{nearest.front().similarity}) / settings_.temperature);
      votes[static_cast<std::size_t>(labels_[static_cast<std::size_t>(neighbour.row)])] += vote;
      all += vote;
    }
    return all;
  }

  KNN settings_;
  std::int64_t threads_;
  std::int64_t classes_ = 0;
  Eigen::Index rows_ = 0;  // N
  RowMatrix bank_;         // [N and padding, D], rows of length 1; the padding is 0
  std::vector<std::int64_t> labels_;
};

inline FittedKNN KNN::fit(const Features& x, Labels y) const { return {*this, x, y}; }

}  // namespace jessl::eval

BOOST_HANA_ADAPT_STRUCT(jessl::eval::KNN, k, temperature, classes, threads);
