// SPDX-License-Identifier: Apache-2.0
// The search for nearest rows: candidates by products of 8-bit codes, with a bound on their error; the rest in float64.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/detail/instruction_set.hpp>
#include <jessl/core/detail/large_pages.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/code_products.hpp>
#include <jessl/eval/distance.hpp>

namespace jessl::eval::detail {

/// A row that was found for a query.
struct Neighbour {
  double closeness;  ///< the cosine similarity, or minus the distance
  Eigen::Index row;

  /// Nearer first; a total order, so that the set of the k nearest is unique. Closeness counts in float32: rows of one
  /// direction are equally near, whatever their lengths.
  friend bool operator<(const Neighbour& a, const Neighbour& b) {
    const auto of_a = static_cast<float>(a.closeness);
    const auto of_b = static_cast<float>(b.closeness);
    return of_a > of_b || (of_a == of_b && a.row < b.row);
  }
};

/// The inner product of two rows of float32, or the square of their distance, in float64: the values are added in 16 sums, on
/// every processor the same.
template <Distance distance>
[[nodiscard]] double exact_pair(const float* a, const float* b, std::size_t width) {
  constexpr std::size_t lanes = 16;
  const auto term = [](float x, float y) {
    if constexpr (distance == Distance::cosine) {
      return double{x} * double{y};
    } else {
      return (double{x} - double{y}) * (double{x} - double{y});
    }
  };
  std::array<double, lanes> sums{};
  std::size_t d = 0;
  for (; d + lanes <= width; d += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(a[d + lane], b[d + lane]);
  }
  for (; d < width; ++d) sums[d % lanes] += term(a[d], b[d]);
  double sum = 0.0;
  for (const double part : sums) sum += part;
  return sum;
}

/// Rows to be searched for the k nearest to queries.
///
/// With p a row (scaled to length 1 for cosines), q a query and m the rows' mean, the order of the rows is that of a
/// score, (q - m)(p - m) + m (p - m) for the cosine and (q - m)(p - m) - |p - m|^2 / 2 for the distance. Of p - m and
/// q - m only 8 bits a value are multiplied, which processors do faster than in float32. By the Cauchy-Schwarz
/// inequality the product is off by no more than the lengths of what was rounded away say, so that rows are left out
/// only where k others are nearer for certain; the distances of those that remain, a few times k, are computed again
/// from the rows themselves. The result is that of float64. Taking the mean off keeps the bound small where all features
/// point in one direction, as those of images do.
///
/// A template without a parameter that anybody gives: compiled in the programs that search, not in all that include it.
template <class = void>
class NeighbourIndex {
 public:
  NeighbourIndex(std::string_view who, const Features& x, Distance distance, std::int64_t threads)
      : who_(who),
        distance_(distance),
        threads_(threads),
        shape_{x.rows(), x.cols()},
        values_(static_cast<std::size_t>(x.size())),
        factors_(static_cast<std::size_t>(x.rows())) {
    ThreadPool pool(threads_);
    find_mean(x, pool);
    make_codes(pool);
  }

  [[nodiscard]] Eigen::Index rows() const { return shape_[0]; }
  [[nodiscard]] Eigen::Index dimension() const { return shape_[1]; }

  /// The distance that a closeness means: 1 - s for a cosine similarity s.
  [[nodiscard]] double distance_of(double closeness) const {
    return distance_ == Distance::cosine ? 1.0 - double{static_cast<float>(closeness)} : -closeness;
  }

  /// Calls use(query, its k nearest rows in order, worker) for every row of `queries`, on several threads; k is 1 to
  /// rows(), and worker < threads.
  template <class Use>
  void search(const Features& queries, std::int64_t k, const Use& use) const {
    check_columns(who_, queries, dimension());
    const CodeProducts products = code_products();
    constexpr Eigen::Index most = 12;  // times queries_at_once: each row is read for several of them
    const Eigen::Index groups = (queries.rows() + group - 1) / group;
    const Eigen::Index block = std::clamp<Eigen::Index>(groups / (4 * threads_), 1, most) * group;
    ThreadPool pool(threads_);
    std::vector<Scratch> scratch(static_cast<std::size_t>(pool.size()));
    pool.parallel_for((queries.rows() + block - 1) / block, [&](std::int64_t index, std::int64_t worker) {
      const Eigen::Index first = index * block;
      Scratch& mine = scratch[static_cast<std::size_t>(worker)];
      read_queries(queries, first, std::min(block, queries.rows() - first), products.largest_query_code, mine);
      find_candidates(products.score, static_cast<std::size_t>(k), mine);
      find_nearest(static_cast<std::size_t>(k), mine);
      for (std::size_t q = 0; q < mine.queries.size(); ++q)
        use(first + static_cast<Eigen::Index>(q), std::span<const Neighbour>(mine.queries[q].nearest), worker);
    });
  }

 private:
  static constexpr Eigen::Index group = static_cast<Eigen::Index>(queries_at_once);
  static constexpr Eigen::Index panel = static_cast<Eigen::Index>(panel_rows);
  static constexpr std::size_t code_group = 4;  // values that lie together
  static constexpr std::size_t few = 1024;      // candidates, beside a multiple of k
  static constexpr float infinity = std::numeric_limits<float>::infinity();

  // Roundings of float32 between the codes' products and their bounds: a few in the product, a few in the bias.
  static constexpr double of_product = 1e-6;
  static constexpr double of_bias = 2e-6;
  static constexpr double tiny = 1e-36;
  // Closenesses that are equal in float32 differ by less than this, as do those of float64 that are computed in two ways.
  static constexpr double of_tie = 5e-7;
  static constexpr double of_double = 1e-12;

  /// A row that may be among the nearest, and what its score is between.
  struct Candidate {
    float upper;
    float lower;
    std::uint32_t row;
  };

  struct Query {
    const float* values = nullptr;  // [D]
    double factor = 1.0;            // what makes its cosines of its inner products
    double origin = 0.0;            // score = scale * (closeness - origin), or scale * (origin - (unit distance)^2 / 2)
    double scale = 1.0;             // of scores: no query is longer than 1
    std::vector<Candidate> candidates;
    std::size_t room = 0;     // of candidates, before the furthest of them are dropped
    float guess = -infinity;  // what the k nearest are thought to reach
    std::vector<Neighbour> nearest;
  };

  /// A row whose distance to a query is wanted.
  struct Pair {
    std::uint32_t row;
    std::uint32_t query;
  };

  /// What a thread works with.
  struct Scratch {
    std::vector<Query> queries;
    std::vector<std::int8_t> codes;  // [queries and padding, D padded]
    std::vector<QueryTerms> terms;   // [queries and padding]
    PanelScores scores;
    std::vector<std::vector<float>> best;  // a query: of each panel that was looked at, the best lower bound
    std::vector<Pair> pairs;
    std::vector<Pair> sorted;
    std::vector<std::uint32_t> places;
  };

  /// D, padded: to whole tiles where that adds little.
  [[nodiscard]] std::size_t code_width() const {
    const auto width = static_cast<std::size_t>(dimension());
    constexpr std::size_t tile = tile_groups * code_group;
    const std::size_t unit = width >= 8 * tile ? tile : code_group;
    return (width + unit - 1) / unit * unit;
  }

  [[nodiscard]] Eigen::Map<const Eigen::RowVectorXf> row_of(Eigen::Index row) const {
    return {values_.data() + row * dimension(), dimension()};
  }

  /// Checks the rows and copies them; their factors, and the mean.
  void find_mean(const Features& x, ThreadPool& pool) {
    constexpr Eigen::Index block = 1024;
    const Eigen::Index blocks = (rows() + block - 1) / block;
    std::vector<float> largest(static_cast<std::size_t>(blocks), 0.0F);
    const auto for_each_row = [&](const auto& body) {
      pool.parallel_for(blocks, [&](std::int64_t index, std::int64_t) {
        for (Eigen::Index row = index * block; row < std::min((index + 1) * block, rows()); ++row)
          body(static_cast<std::size_t>(index), row);
      });
    };
    for_each_row([&](std::size_t index, Eigen::Index row) {
      const double length = std::sqrt(x.row(row).cast<double>().squaredNorm());
      if (!std::isfinite(length)) fail_not_finite(who_, x, row);
      factors_[static_cast<std::size_t>(row)] = length > 0.0 ? 1.0 / length : 0.0;
      largest[index] = std::max(largest[index], x.row(row).cwiseAbs().maxCoeff());
      std::copy_n(x.data() + row * x.outerStride(), x.cols(), values_.data() + row * x.cols());
    });
    if (distance_ == Distance::euclidean) {
      const float most = *std::max_element(largest.begin(), largest.end());
      unit_ = most > 0.0F ? std::ldexp(1.0, -std::ilogb(most)) : 1.0;
      std::fill(factors_.begin(), factors_.end(), unit_);
    }
    RowMatrixD sums = RowMatrixD::Zero(blocks, dimension());
    for_each_row([&](std::size_t index, Eigen::Index row) {
      sums.row(static_cast<Eigen::Index>(index)) +=
          row_of(row).template cast<double>() * factors_[static_cast<std::size_t>(row)];
    });
    mean_ = sums.colwise().sum() / static_cast<double>(rows());
  }

  void make_codes(ThreadPool& pool) {
    const std::size_t width = code_width();
    const Eigen::Index panels = (rows() + panel - 1) / panel;
    const auto padded = static_cast<std::size_t>(panels * panel);
    codes_.assign(padded * width, 128);
    scale_.assign(padded, 0.0F);
    bias_.assign(padded, -infinity);
    length_.assign(padded, 0.0F);
    error_.assign(padded, 0.0F);
    std::vector<Eigen::RowVectorXd> scratch(static_cast<std::size_t>(pool.size()));
    pool.parallel_for(panels, [&](std::int64_t index, std::int64_t worker) {
      Eigen::RowVectorXd& value = scratch[static_cast<std::size_t>(worker)];
      std::uint8_t* const codes = codes_.data() + static_cast<std::size_t>(index * panel) * width;
      for (Eigen::Index row = index * panel; row < std::min((index + 1) * panel, rows()); ++row) {
        const auto r = static_cast<std::size_t>(row);
        const std::size_t place = r % panel_rows;
        value = row_of(row).template cast<double>() * factors_[r] - mean_;
        const double length = value.norm();
        const double bias = distance_ == Distance::cosine ? mean_.dot(value) : -0.5 * length * length;
        scale_[r] = static_cast<float>(value.cwiseAbs().maxCoeff() / 127.0);
        const double rounded_away = round_to(scale_[r], 127, value, [&](std::size_t d, std::int32_t code) {
          codes[(d / code_group * panel_rows + place) * code_group + d % code_group] =
              static_cast<std::uint8_t>(code + 128);
        });
        length_[r] = static_cast<float>(length * (1.0 + of_product));
        error_[r] = static_cast<float>(rounded_away + of_product * length);
        bias_[r] = static_cast<float>(bias + bias_slack(bias));
      }
    });
  }

  [[nodiscard]] static double bias_slack(double bias) { return of_bias * std::abs(bias) + tiny; }

  /// Calls keep(d, code) for each value, which is about code * scale; returns the length of what was rounded away.
  template <class Keep>
  static double round_to(float scale, std::int32_t largest, const Eigen::RowVectorXd& value, const Keep& keep) {
    const double inverse = scale > 0.0F ? 1.0 / double{scale} : 0.0;
    double squares = 0.0;
    for (Eigen::Index d = 0; d < value.size(); ++d) {
      const auto nearest = static_cast<std::int32_t>(std::lrint(value(d) * inverse));
      const std::int32_t code = std::clamp(nearest, -largest, largest);
      const double away = value(d) - double{scale} * code;
      squares += away * away;
      keep(static_cast<std::size_t>(d), code);
    }
    return std::sqrt(squares);
  }

  void read_queries(const Features& x, Eigen::Index first, Eigen::Index count, std::int32_t largest_code,
                    Scratch& mine) const {
    const std::size_t width = code_width();
    const auto padded = static_cast<std::size_t>((count + group - 1) / group * group);
    // No sum of products may leave 32 bits.
    const std::int64_t longest = std::numeric_limits<std::int32_t>::max() / (255 * static_cast<std::int64_t>(width));
    const auto largest = static_cast<std::int32_t>(std::clamp<std::int64_t>(longest, 1, largest_code));
    mine.queries.resize(static_cast<std::size_t>(count));
    mine.codes.assign(padded * width, 0);
    mine.terms.assign(padded, QueryTerms{.threshold = infinity});
    Eigen::RowVectorXd value(x.cols());
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto q = static_cast<std::size_t>(i);
      Query& query = mine.queries[q];
      const double norm = std::sqrt(x.row(first + i).cast<double>().squaredNorm());
      if (!std::isfinite(norm)) fail_not_finite(who_, x, first + i);
      const bool cosine = distance_ == Distance::cosine;
      query.factor = !cosine ? unit_ : norm > 0.0 ? 1.0 / norm : 0.0;
      value = x.row(first + i).cast<double>() * query.factor;
      query.origin = cosine ? value.dot(mean_) : 0.0;
      query.values = x.data() + (first + i) * x.outerStride();
      value -= mean_;
      const double length = value.norm();
      if (!cosine) query.origin = 0.5 * length * length;
      query.scale = length > 1.0 ? 1.0 / length : 1.0;
      value *= query.scale;
      query.candidates.clear();
      query.room = 0;
      query.guess = -infinity;

      QueryTerms& terms = mine.terms[q];
      terms.threshold = -infinity;
      terms.bias_scale = static_cast<float>(query.scale);
      terms.scale = static_cast<float>(value.cwiseAbs().maxCoeff() / largest);
      std::int32_t sum = 0;
      double squares = 0.0;
      const double rounded_away = round_to(terms.scale, largest, value, [&](std::size_t d, std::int32_t code) {
        mine.codes[q * width + d] = static_cast<std::int8_t>(code);
        sum += code;
        squares += static_cast<double>(code) * static_cast<double>(code);
      });
      terms.offset = 128 * sum;
      terms.length = static_cast<float>(double{terms.scale} * std::sqrt(squares) * (1.0 + of_product));
      terms.error = static_cast<float>(rounded_away * (1.0 + of_product));
    }
  }

  /// Finds the rows that may be among the k nearest of each query, at least k of them.
  ///
  /// A guess at the threshold, from a part of the rows, spares most of what would be found before the threshold has risen. A
  /// guess that was too high is noticed, as fewer than k rows reach it for certain, and the search made again without.
  void find_candidates(ScorePanel score, std::size_t k, Scratch& mine) const {
    guess(score, k, mine);
    scan(score, k, mine);
    bool again = false;
    for (std::size_t q = 0; q < mine.queries.size(); ++q) {
      Query& query = mine.queries[q];
      const auto reaches = [&](const Candidate& candidate) { return candidate.lower >= query.guess; };
      const auto reaching = std::count_if(query.candidates.begin(), query.candidates.end(), reaches);
      const bool proven = static_cast<std::size_t>(reaching) >= k;
      mine.terms[q].threshold = proven ? infinity : -infinity;
      if (proven) continue;
      again = true;
      query.candidates.clear();
      query.room = 0;
    }
    if (again) scan(score, k, mine);
  }

  /// Sets thresholds that about twice k rows reach, from every 16th panel. Of a panel the best row counts alone, so that a class
  /// whose rows stand together is not taken for many.
  void guess(ScorePanel score, std::size_t k, Scratch& mine) const {
    constexpr std::size_t stride = 16;
    const double expected = static_cast<double>(k) / static_cast<double>(stride);
    const auto rank = static_cast<std::size_t>(std::ceil(expected + 3.0 * std::sqrt(expected) + 3.0));
    const std::size_t panels = bias_.size() / panel_rows;
    mine.best.assign(mine.queries.size(), {});
    if (panels / stride < 2 * rank) return;
    for (std::size_t index = 0; index < panels; index += stride) {
      for_each_score(score, index, mine, [&](std::size_t q, std::size_t i) {
        const std::size_t first = index * panel_rows;
        float best = -infinity;
        for (std::size_t place = 0; place < panel_rows; ++place)
          best = std::max(best, lower_bound(mine.scores.bounds[i][place], first + place, mine.terms[q]));
        mine.best[q].push_back(best);
      });
    }
    for (std::size_t q = 0; q < mine.queries.size(); ++q) {
      std::vector<float>& best = mine.best[q];
      const auto place = best.begin() + static_cast<std::ptrdiff_t>(rank - 1);
      std::nth_element(best.begin(), place, best.end(), std::greater<>());
      mine.queries[q].guess = *place;
      mine.queries[q].room = 4 * k + few;
      mine.terms[q].threshold = loosened(double{*place}, mine.queries[q]);
    }
  }

  /// Calls use(query, its place in mine.scores) for each query, the scores of a panel being there.
  template <class Use>
  void for_each_score(ScorePanel score, std::size_t index, Scratch& mine, const Use& use) const {
    const std::size_t width = code_width();
    const std::size_t first = index * panel_rows;
    const PanelTerms terms{scale_.data() + first, bias_.data() + first, length_.data() + first, error_.data() + first};
    for (std::size_t q = 0; q < mine.terms.size(); q += queries_at_once) {
      score(codes_.data() + first * width, terms, mine.codes.data() + q * width, mine.terms.data() + q,
            width / code_group, mine.scores);
      for (std::size_t i = 0; i < std::min(queries_at_once, mine.queries.size() - q); ++i) use(q + i, i);
    }
  }

  /// Collects the rows that exceed the queries' thresholds, which rise meanwhile.
  void scan(ScorePanel score, std::size_t k, Scratch& mine) const {
    for (std::size_t index = 0; index < bias_.size() / panel_rows; ++index) {
      for_each_score(score, index, mine, [&](std::size_t q, std::size_t i) {
        if (mine.scores.above[i] == 0) return;
        collect(mine.scores.above[i], mine.scores.bounds[i], index * panel_rows, mine.terms[q], mine.queries[q]);
        if (mine.queries[q].candidates.size() >= std::max(mine.queries[q].room, 2 * k + panel_rows))
          drop_furthest(k, q, mine);
      });
    }
  }

  /// The least that a score can be whose bound from above is `bound`.
  [[nodiscard]] float lower_bound(float bound, std::size_t row, const QueryTerms& terms) const {
    const float error = terms.length * error_[row] + terms.error * length_[row];
    const float slack = terms.bias_scale * static_cast<float>(bias_slack(double{bias_[row]}));
    return bound - 2.0F * (error + slack);
  }

  /// Adds those of a panel's rows that may be among the k nearest; `above` has a bit for each.
  void collect(std::uint32_t above, const std::array<float, panel_rows>& bounds, std::size_t first,
               const QueryTerms& terms, Query& query) const {
    for (; above != 0; above &= above - 1) {
      const auto place = static_cast<std::size_t>(std::countr_zero(above));
      const std::size_t row = first + place;
      query.candidates.push_back({.upper = bounds[place],
                                  .lower = lower_bound(bounds[place], row, terms),
                                  .row = static_cast<std::uint32_t>(row)});
    }
  }

  /// A number that the lower bounds of at least k candidates reach, and of few more: the edge of one of many bins.
  [[nodiscard]] static float lower_bound_of_kth(std::size_t k, const std::vector<Candidate>& candidates) {
    float least = infinity;
    float most = -infinity;
    for (const Candidate& candidate : candidates) {
      least = std::min(least, candidate.lower);
      most = std::max(most, candidate.lower);
    }
    constexpr std::size_t bins = 256;
    const float bins_per_unit = static_cast<float>(bins) / (most - least);
    if (!std::isfinite(bins_per_unit)) return least;
    const auto bin_of = [&](const Candidate& candidate) {
      return std::min(bins - 1, static_cast<std::size_t>((candidate.lower - least) * bins_per_unit));
    };
    std::array<std::uint32_t, bins> counts{};
    for (const Candidate& candidate : candidates) ++counts[bin_of(candidate)];
    std::size_t edge = bins;
    for (std::size_t reached = 0; reached < k;) reached += counts[--edge];
    float lowest = infinity;  // of those in the last bin and above, which no rounding of its edge can change
    for (const Candidate& candidate : candidates) {
      if (bin_of(candidate) >= edge) lowest = std::min(lowest, candidate.lower);
    }
    return lowest;
  }

  /// Drops the candidates of a query that k others are nearer than for certain, and sets the threshold for those to come.
  void drop_furthest(std::size_t k, std::size_t q, Scratch& mine) const {
    Query& query = mine.queries[q];
    std::vector<Candidate>& candidates = query.candidates;
    float threshold = loosened(double{lower_bound_of_kth(k, candidates)}, query);
    std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.upper < threshold; });
    // Where the bounds say little, as those of features that are as good as equal, memory is bounded all the same.
    if (candidates.size() > 4 * k + few) {
      query.nearest.clear();
      for (const Candidate& candidate : candidates) query.nearest.push_back(measured(candidate.row, query));
      keep_nearest(k, query.nearest);
      threshold = loosened(score_of(furthest(query.nearest), query), query);
      candidates.clear();
      for (const Neighbour& neighbour : query.nearest) {
        const auto score = static_cast<float>(score_of(neighbour.closeness, query));
        candidates.push_back({.upper = std::nextafter(score, infinity),
                              .lower = std::nextafter(score, -infinity),
                              .row = static_cast<std::uint32_t>(neighbour.row)});
      }
    }
    mine.terms[q].threshold = std::max(mine.terms[q].threshold, threshold);
    query.room = 2 * candidates.size();
  }

  /// Fills each query's nearest with its k nearest rows, in order: those that are likely are measured first, so that few of
  /// the others have to be.
  void find_nearest(std::size_t k, Scratch& mine) const {
    mine.pairs.clear();
    for (std::size_t q = 0; q < mine.queries.size(); ++q) {
      std::vector<Candidate>& candidates = mine.queries[q].candidates;
      const auto likely = candidates.begin() + static_cast<std::ptrdiff_t>(k);
      std::nth_element(candidates.begin(), likely - 1, candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.upper + a.lower > b.upper + b.lower; });
      mine.queries[q].nearest.clear();
      for (auto candidate = candidates.begin(); candidate != likely; ++candidate)
        mine.pairs.push_back({candidate->row, static_cast<std::uint32_t>(q)});
    }
    measure(mine);
    mine.pairs.clear();
    for (std::size_t q = 0; q < mine.queries.size(); ++q) {
      const Query& query = mine.queries[q];
      const float threshold = loosened(score_of(furthest(query.nearest), query), query);
      for (std::size_t i = k; i < query.candidates.size(); ++i) {
        if (query.candidates[i].upper >= threshold)
          mine.pairs.push_back({query.candidates[i].row, static_cast<std::uint32_t>(q)});
      }
    }
    measure(mine);
    for (Query& query : mine.queries) {
      keep_nearest(k, query.nearest);
      std::sort(query.nearest.begin(), query.nearest.end());
    }
  }

  /// Adds the rows of all pairs to their queries' nearest. They are read in their order, each once for all queries.
  void measure(Scratch& mine) const {
    mine.places.assign(static_cast<std::size_t>(rows()) + 1, 0);
    for (const Pair& pair : mine.pairs) ++mine.places[pair.row + 1];
    std::partial_sum(mine.places.begin(), mine.places.end(), mine.places.begin());
    mine.sorted.resize(mine.pairs.size());
    for (const Pair& pair : mine.pairs) mine.sorted[mine.places[pair.row]++] = pair;
    constexpr std::size_t ahead = 8;  // pairs whose rows are on their way from memory
    for (std::size_t i = 0; i < mine.sorted.size(); ++i) {
      if (i + ahead < mine.sorted.size() && mine.sorted[i + ahead].row != mine.sorted[i + ahead - 1].row)
        fetch_row(mine.sorted[i + ahead].row);
      Query& query = mine.queries[mine.sorted[i].query];
      query.nearest.push_back(measured(mine.sorted[i].row, query));
    }
  }

  void fetch_row(std::size_t row) const {
    constexpr std::size_t line = 64 / sizeof(float);
    const auto width = static_cast<std::size_t>(dimension());
    for (std::size_t d = 0; d < width; d += line) __builtin_prefetch(values_.data() + row * width + d);
  }

  [[nodiscard]] Neighbour measured(std::uint32_t row, const Query& query) const {
    const auto width = static_cast<std::size_t>(dimension());
    const float* const values = values_.data() + row * width;
    Neighbour result{.closeness = 0.0, .row = static_cast<Eigen::Index>(row)};
    jessl::detail::run_vectorised([&](auto) {
      result.closeness = distance_ == Distance::cosine
                             ? exact_pair<Distance::cosine>(query.values, values, width) * query.factor * factors_[row]
                             : -std::sqrt(exact_pair<Distance::euclidean>(query.values, values, width));
    });
    return result;
  }

  static void keep_nearest(std::size_t k, std::vector<Neighbour>& neighbours) {
    std::nth_element(neighbours.begin(), neighbours.begin() + static_cast<std::ptrdiff_t>(k - 1), neighbours.end());
    neighbours.resize(k);
  }

  [[nodiscard]] static double furthest(std::span<const Neighbour> neighbours) {
    double least = std::numeric_limits<double>::infinity();
    for (const Neighbour& neighbour : neighbours) least = std::min(least, neighbour.closeness);
    return least;
  }

  [[nodiscard]] double score_of(double closeness, const Query& query) const {
    const double scaled = unit_ * closeness;
    return query.scale *
           (distance_ == Distance::cosine ? closeness - query.origin : query.origin - 0.5 * scaled * scaled);
  }

  /// Below every score that a row may have whose closeness is equal, in float32, to that of a row with this score.
  [[nodiscard]] float loosened(double score, const Query& query) const {
    const double half_square = std::max(0.0, query.origin - score / query.scale);
    const double slack = distance_ == Distance::cosine ? of_tie : of_tie * half_square + of_double * query.origin;
    return std::nextafter(static_cast<float>(score - query.scale * slack), -infinity);
  }

  std::string_view who_;
  Distance distance_;
  std::int64_t threads_;
  std::array<Eigen::Index, 2> shape_;
  std::vector<float, jessl::detail::LargePages<float>> values_;  // [N, D]
  std::vector<double> factors_;                                  // [N], that make p of the rows
  double unit_ = 1.0;        // a power of two by which distances are scaled, so that nothing overflows
  Eigen::RowVectorXd mean_;  // [D], of p

  // Of p - mean, for each row and the padding.
  std::vector<std::uint8_t, jessl::detail::LargePages<std::uint8_t>> codes_;  // [N / panel_rows][D / 4][panel_rows][4]
  std::vector<float> scale_;                                                  // a code's worth
  std::vector<float> bias_;  // what the score has beside the product, from above
  std::vector<float> length_;
  std::vector<float> error_;  // the length of what was rounded away
};

}  // namespace jessl::eval::detail
