// SPDX-License-Identifier: Apache-2.0
// The linear probe: multinomial logistic regression on frozen features.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>
#include <jessl/eval/detail/gemm.hpp>
#include <jessl/eval/detail/lbfgs.hpp>
#include <jessl/eval/detail/moments.hpp>

namespace jessl::eval {

class FittedLogisticProbe;

/// Multinomial logistic regression with an L2 penalty.
///
/// The linear probe of a representation, fitted to its optimum instead of trained for some epochs: one number, without
/// a learning rate to choose. Minimises mean_i -log softmax(W x_i + b)[y_i] + l2/2 ||W||^2 over W [C, D] and b [C]; the
/// intercept b is not penalised. The features are taken as they are: standardise them (jessl::eval::Standardize)
/// where their scales differ, so that the penalty means the same for each.
///
/// L-BFGS runs in the metric of Boehning's bound on the Hessian, 1/2 Cov(X) + l2 I, which takes the correlations and
/// scales of the features out of the problem: a few dozen steps where the plain method needs hundreds.
///
/// Shapes     fit: X [N, D], y [N];  predict: [M, D] -> [M];  scores: [M, D] -> [M, C]
/// Units      l2: per squared weight, on the scale of the mean cross-entropy (scikit-learn's C is 1 / (N l2))
/// Precision  matrix products in float32, sums over rows and all of L-BFGS in float64
/// Cost       4 N D C operations a step, X read once; the metric N D^2 operations once; memory 64 MB or, for wide
///            problems, that of eight gradients
/// Randomness none; the result does not depend on the number of threads, bit for bit
/// Errors     ConfigError for a setting out of range; ShapeError when X, y or the rows to classify do not fit together;
///            DataError when there is no row, for NaN or infinity, for a label outside [0, classes). Ending short of
///            the tolerance is a warning, and converged() is false
/// Models     jessl::Classifier (docs/eval/README.md)
/// Source     Boehning: Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics,
///            1992 (the bound); Nocedal, Wright: Numerical Optimization, 2006, algorithm 7.5
/// Differs    none
struct LogisticProbe {
  static constexpr std::string_view name = "LogisticProbe";

  double l2 = 1e-4;         ///< weight of the penalty, >= 0
  double tolerance = 1e-6;  ///< largest entry of the gradient at the end, relative to max(1, that at W = 0), > 0
  std::int64_t max_iterations = 1000;     ///< steps of L-BFGS at most, >= 1
  std::optional<std::int64_t> classes{};  ///< number of classes; absent: one more than the largest label
  std::int64_t threads = 0;               ///< threads to use; 0: all of the hardware

  template <class = void>
  [[nodiscard]] FittedLogisticProbe fit(const Features& x, Labels y) const;
};

namespace detail {

/// The objective of LogisticProbe and its gradient, over parameters [W (C rows of D), b].
template <class = void>
class SoftmaxObjective {
 public:
  SoftmaxObjective(const Features& x, Labels y, std::int64_t classes, double l2, ThreadPool& pool)
      : x_(x), y_(y), classes_(classes), l2_(l2), pool_(pool), scratch_(static_cast<std::size_t>(pool.size())) {
    // Partial sums belong to chunks of rows, which depend on the problem's size alone: any number of threads adds up
    // the same numbers in the same order. 64 chunks keep the cores of a large machine busy; wide problems get fewer,
    // because each chunk has a gradient of its own.
    constexpr Eigen::Index floats_in_all = 16 << 20;
    const Eigen::Index most = std::clamp<Eigen::Index>(floats_in_all / (classes * x.cols()), 8, 64);
    chunk_rows_ = block_rows * std::max<Eigen::Index>(1, (x.rows() + most * block_rows - 1) / (most * block_rows));
    chunks_.resize(static_cast<std::size_t>((x.rows() + chunk_rows_ - 1) / chunk_rows_));
  }

  double operator()(const Eigen::VectorXd& parameters, Eigen::VectorXd& gradient) {
    const Eigen::Index size = classes_ * x_.cols();
    weights_ = Eigen::Map<const RowMatrixD>(parameters.data(), classes_, x_.cols()).cast<float>();
    intercept_ = parameters.tail(classes_).cast<float>();
    pool_.parallel_for(static_cast<std::int64_t>(chunks_.size()), [&](std::int64_t chunk, std::int64_t worker) {
      sum_chunk(chunk * chunk_rows_, chunks_[static_cast<std::size_t>(chunk)],
                scratch_[static_cast<std::size_t>(worker)]);
    });
    double loss = 0.0;
    gradient.setZero();
    for (const Chunk& chunk : chunks_) {
      loss += chunk.loss;
      gradient.head(size) += chunk.gradient.template reshaped<Eigen::RowMajor>().template cast<double>();
      gradient.tail(classes_) += chunk.intercept_gradient;
    }
    const auto rows = static_cast<double>(x_.rows());
    gradient /= rows;
    gradient.head(size) += l2_ * parameters.head(size);
    return loss / rows + 0.5 * l2_ * parameters.head(size).squaredNorm();
  }

 private:
  static constexpr Eigen::Index block_rows = 256;  // the block stays in the second-level cache between its two products

  struct Chunk {
    double loss = 0.0;
    RowMatrix gradient;                  // [C, D]
    Eigen::VectorXd intercept_gradient;  // [C]
  };

  void sum_chunk(Eigen::Index begin, Chunk& chunk, RowMatrix& scratch) const {
    chunk.loss = 0.0;
    chunk.gradient.setZero(classes_, x_.cols());
    chunk.intercept_gradient.setZero(classes_);
    const Eigen::Index end = std::min(begin + chunk_rows_, x_.rows());
    for (Eigen::Index first = begin; first < end; first += block_rows) {
      const auto rows = x_.middleRows(first, std::min(block_rows, end - first));
      scratch = intercept_.transpose().replicate(rows.rows(), 1);
      add_product(rows, weights_.transpose(), scratch);  // [rows, C] logits
      chunk.loss += softmax_residual(first, scratch);
      chunk.intercept_gradient += scratch.colwise().sum().transpose().cast<double>();
      add_product(scratch.transpose(), rows, chunk.gradient);
    }
  }

  /// Turns logits into probability minus one-hot label; returns the summed cross-entropy.
  double softmax_residual(Eigen::Index first, RowMatrix& logits) const {
    double loss = 0.0;
    for (Eigen::Index i = 0; i < logits.rows(); ++i) {
      logits.row(i).array() -= logits.row(i).maxCoeff();
      loss -= logits(i, y_[static_cast<std::size_t>(first + i)]);
    }
    logits = logits.array().exp();
    for (Eigen::Index i = 0; i < logits.rows(); ++i) {
      const float sum = logits.row(i).sum();
      loss += std::log(double{sum});
      logits.row(i) /= sum;
      logits(i, y_[static_cast<std::size_t>(first + i)]) -= 1.0F;
    }
    return loss;
  }

  const Features& x_;
  Labels y_;
  Eigen::Index classes_;
  double l2_;
  ThreadPool& pool_;
  Eigen::Index chunk_rows_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<RowMatrix> scratch_;  // a thread: [block, C]
  RowMatrix weights_;               // [C, D]
  Eigen::VectorXf intercept_;       // [C]
};

/// v <- P^-1 v for P = 1/2 Cov(X) + l2 I on each class's weights and 1/2 on its intercept, after the features' mean has
/// been moved into the intercept. The covariance is found once, for any number of l2.
template <class = void>
class SoftmaxMetric {
 public:
  SoftmaxMetric(const Features& x, std::int64_t classes, ThreadPool& pool) : classes_(classes) {
    // All rows: of features that are seldom non-zero, as a network's often are, a sample tells little, and a poor metric
    // costs hundreds of steps more than it saves.
    const Eigen::RowVectorXd mean = row_mean(x, pool);
    mean_ = mean.transpose();
    bound_ = scatter_matrix<float>(x, mean, pool).cast<double>() * (0.5 / static_cast<double>(x.rows()));
  }

  /// Makes P that of this l2.
  void penalise(double l2) {
    // Constant columns, fewer rows than columns and float32 sums leave it singular: a little more of the diagonal.
    const double least = 1e-12 * std::max(bound_.diagonal().maxCoeff(), 1e-12);
    Eigen::MatrixXd penalised = bound_;
    penalised.diagonal() = ((1.0 + 1e-4) * bound_.diagonal().array() + l2).max(least).matrix();
    factor_.compute(penalised);
    JESSL_ASSERT(factor_.info() == Eigen::Success, "LogisticProbe's metric is not positive definite");
  }

  void operator()(Eigen::VectorXd& v) const {
    const Eigen::Index dimension = mean_.size();
    Eigen::Map<Eigen::MatrixXd> weights(v.data(), dimension, classes_);  // a column a class
    auto intercept = v.tail(classes_);
    weights -= mean_ * intercept.transpose();
    factor_.solveInPlace(weights);
    intercept = 2.0 * intercept - weights.transpose() * mean_;
  }

 private:
  Eigen::Index classes_;
  Eigen::VectorXd mean_;                // [D]
  Eigen::MatrixXd bound_;               // 1/2 Cov(X), its lower triangle, [D, D]
  Eigen::LLT<Eigen::MatrixXd> factor_;  // of P's block for one class's weights, [D, D]
};

/// The checks of what LogisticProbe and LogisticProbeSearch have in common.
inline void check_minimiser(std::string_view who, double tolerance, std::int64_t max_iterations) {
  JESSL_CHECK(tolerance > 0, ConfigError, who, ": tolerance is ", tolerance, ", expected a number > 0");
  JESSL_CHECK(max_iterations >= 1, ConfigError, who, ": max_iterations is ", max_iterations, ", expected >= 1");
}

/// Goes from `parameters` to the optimum for settings.l2, or warns that it stopped short of it. `goal` is as minimise()
/// takes it. The metric may be that of more rows than `x` has.
template <class = void>
Minimum fit_softmax(std::string_view who, const LogisticProbe& settings, const Features& x, Labels y,
                    std::int64_t classes, SoftmaxMetric<>& metric, ThreadPool& pool, Eigen::VectorXd& parameters,
                    double goal = 0.0) {
  SoftmaxObjective<> objective(x, y, classes, settings.l2, pool);
  metric.penalise(settings.l2);
  const Minimum result =
      minimise(parameters, objective, std::as_const(metric), settings.max_iterations, settings.tolerance, goal);
  if (!result.converged) {
    warn(who, ": stopped after ", result.iterations, " steps with a gradient of ", result.gradient_norm, " (l2 ",
         settings.l2, ", tolerance ", settings.tolerance,
         "); standardise the features, raise max_iterations or l2, or raise tolerance");
  }
  return result;
}

}  // namespace detail

/// A LogisticProbe at its optimum: what LogisticProbe::fit gives.
///
/// Shapes     predict: [M, D] -> [M];  scores: [M, D] -> [M, C];  weights: [C, D];  intercept: [C]
/// Errors     as LogisticProbe
/// Models     jessl::FittedClassifier
/// Source     as LogisticProbe
class FittedLogisticProbe {
 public:
  /// Finds the optimum; see LogisticProbe::fit.
  template <class = void>
  FittedLogisticProbe(const LogisticProbe& settings, const Features& x, Labels y);

  /// Takes an optimum that was found for settings.l2, [W (C rows of D), b]; see LogisticProbeSearch::fit.
  template <class = void>
  FittedLogisticProbe(const LogisticProbe& settings, const detail::Minimum& result, const Eigen::VectorXd& parameters,
                      std::int64_t classes);

  /// The class with the highest logit, of equal ones the lowest.
  template <class = void>
  [[nodiscard]] std::vector<std::int64_t> predict(const Features& x) const;

  /// The logits W x + b, [M, C].
  template <class = void>
  [[nodiscard]] RowMatrix scores(const Features& x) const;

  [[nodiscard]] std::int64_t classes() const { return weights_.rows(); }
  [[nodiscard]] std::int64_t dimension() const { return weights_.cols(); }

  [[nodiscard]] const RowMatrix& weights() const { return weights_; }            ///< W, [C, D]
  [[nodiscard]] const Eigen::VectorXf& intercept() const { return intercept_; }  ///< b, [C]; sums to 0

  /// The weight of the penalty.
  [[nodiscard]] double l2() const { return l2_; }
  /// The value at the optimum: mean cross-entropy + l2/2 ||W||^2.
  [[nodiscard]] double objective() const { return result_.objective; }
  /// The largest absolute entry of the gradient there.
  [[nodiscard]] double gradient_norm() const { return result_.gradient_norm; }
  /// Steps of L-BFGS taken.
  [[nodiscard]] std::int64_t iterations() const { return result_.iterations; }
  /// Whether the gradient reached the tolerance.
  [[nodiscard]] bool converged() const { return result_.converged; }

 private:
  static constexpr std::string_view who = "jessl::eval::LogisticProbe";

  template <class = void>
  void keep(const Eigen::VectorXd& parameters, std::int64_t classes);

  double l2_;
  std::int64_t threads_;
  detail::Minimum result_;
  RowMatrix weights_;
  Eigen::VectorXf intercept_;
};

template <class>
FittedLogisticProbe::FittedLogisticProbe(const LogisticProbe& settings, const Features& x, Labels y)
    : l2_(settings.l2), threads_(detail::thread_count(who, settings.threads)) {
  JESSL_CHECK(std::isfinite(settings.l2) && settings.l2 >= 0, ConfigError, who, ": l2 is ", settings.l2,
              ", expected a finite number >= 0");
  detail::check_minimiser(who, settings.tolerance, settings.max_iterations);
  detail::check_training(who, x, y);
  const std::int64_t classes = detail::class_count(who, y, settings.classes);
  detail::check_finite(who, x, 0, x.rows());

  ThreadPool pool(threads_);
  detail::SoftmaxMetric<> metric(x, classes, pool);
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(classes * (x.cols() + 1));
  result_ = detail::fit_softmax(who, settings, x, y, classes, metric, pool, parameters);
  keep(parameters, classes);
}

template <class>
FittedLogisticProbe::FittedLogisticProbe(const LogisticProbe& settings, const detail::Minimum& result,
                                         const Eigen::VectorXd& parameters, std::int64_t classes)
    : l2_(settings.l2), threads_(detail::thread_count(who, settings.threads)), result_(result) {
  keep(parameters, classes);
}

template <class>
std::vector<std::int64_t> FittedLogisticProbe::predict(const Features& x) const {
  return detail::largest_columns(scores(x));
}

template <class>
RowMatrix FittedLogisticProbe::scores(const Features& x) const {
  detail::check_columns(who, x, dimension());
  RowMatrix logits = intercept_.transpose().replicate(x.rows(), 1);
  ThreadPool pool(threads_);
  constexpr Eigen::Index block_rows = 1024;
  pool.parallel_for((x.rows() + block_rows - 1) / block_rows, [&](std::int64_t block, std::int64_t) {
    const Eigen::Index first = block * block_rows;
    const Eigen::Index count = std::min(block_rows, x.rows() - first);
    detail::check_finite(who, x, first, count);
    detail::add_product(x.middleRows(first, count), weights_.transpose(), logits.middleRows(first, count));
  });
  return logits;
}

template <class>
void FittedLogisticProbe::keep(const Eigen::VectorXd& parameters, std::int64_t classes) {
  const Eigen::Index columns = parameters.size() / classes - 1;
  weights_ = parameters.head(classes * columns).reshaped<Eigen::RowMajor>(classes, columns).cast<float>();
  intercept_ = parameters.tail(classes).cast<float>();
}

template <class>
FittedLogisticProbe LogisticProbe::fit(const Features& x, Labels y) const {
  return {*this, x, y};
}

JESSL_INSTANTIATE(FittedLogisticProbe LogisticProbe::fit<void>(const Features&, Labels) const);
JESSL_INSTANTIATE(std::vector<std::int64_t> FittedLogisticProbe::predict<void>(const Features&) const);
JESSL_INSTANTIATE(RowMatrix FittedLogisticProbe::scores<void>(const Features&) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::LogisticProbe, l2, tolerance, max_iterations, classes, threads);
