// SPDX-License-Identifier: Apache-2.0
// Features with mean 0 and standard deviation 1 in each dimension, and classifiers of them.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/detail/checks.hpp>

namespace jessl::eval {

class FittedStandardize;

/// Shifts and scales each dimension to mean 0 and standard deviation 1 over the training rows.
///
/// Before a probe with a penalty, so that the penalty does not depend on the scale of a dimension. The test rows are
/// transformed with the training rows' numbers. A dimension that is constant in training, up to float32's
/// resolution, becomes 0 everywhere.
///
/// Shapes     fit: X [N, D];  transform: [M, D] -> [M, D]
/// Precision  sums in float64; the standard deviation is that of the population (divided by N)
/// Randomness none
/// Errors     DataError when there is no row, for NaN or infinity; ShapeError from transform for another number of
///            columns
/// Models     none
/// Source     none
struct Standardize {
  static constexpr std::string_view name = "Standardize";

  template <class = void>
  [[nodiscard]] FittedStandardize fit(const Features& x) const;
};

/// The means and scales that Standardize::fit found.
///
/// Shapes     transform: [M, D] -> [M, D]
/// Errors     as Standardize
/// Models     none
/// Source     none
class FittedStandardize {
 public:
  /// See Standardize::fit.
  template <class = void>
  explicit FittedStandardize(const Features& x);

  /// (x - mean) / deviation in each dimension, 0 in constant ones.
  template <class = void>
  [[nodiscard]] RowMatrix transform(const Features& x) const;

  [[nodiscard]] std::int64_t dimension() const { return mean_.size(); }
  [[nodiscard]] const Eigen::RowVectorXd& mean() const { return mean_; }            ///< [D]
  [[nodiscard]] const Eigen::RowVectorXd& deviation() const { return deviation_; }  ///< [D]

 private:
  static constexpr std::string_view who = "jessl::eval::Standardize";

  Eigen::RowVectorXd mean_;
  Eigen::RowVectorXd deviation_;
  Eigen::RowVectorXd factor_;  // 1 / deviation, 0 where the dimension is constant
};

template <class>
FittedStandardize::FittedStandardize(const Features& x) {
  detail::check_rows(who, x, 1);
  detail::check_finite(who, x, 0, x.rows());
  const auto rows = static_cast<double>(x.rows());
  mean_.setZero(x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) mean_ += x.row(i).cast<double>();
  mean_ /= rows;
  Eigen::RowVectorXd variance = Eigen::RowVectorXd::Zero(x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) variance += (x.row(i).cast<double>() - mean_).cwiseAbs2();
  deviation_ = (variance / rows).cwiseSqrt();
  constexpr double resolution = std::numeric_limits<float>::epsilon();
  const auto varies = deviation_.array() > resolution * mean_.array().abs();
  factor_ = varies.select(deviation_.cwiseInverse(), 0.0);
}

template <class>
RowMatrix FittedStandardize::transform(const Features& x) const {
  detail::check_columns(who, x, dimension());
  detail::check_finite(who, x, 0, x.rows());
  RowMatrix scaled(x.rows(), x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i)
    scaled.row(i) = (x.row(i).cast<double>() - mean_).cwiseProduct(factor_).cast<float>();
  return scaled;
}

template <class>
FittedStandardize Standardize::fit(const Features& x) const {
  return FittedStandardize(x);
}

/// A classifier of standardised features: the training rows' mean and deviation are taken out before it fits and before it predicts.
///
/// Layers of a network differ in scale by orders of magnitude; with this around it a probe treats them alike:
/// eval::standardized(eval::LogisticProbe{.l2 = 1e-3}). A classifier that is a regressor, too, stays one.
///
/// Shapes     as the classifier's
/// Cost       a standardised copy of the rows at hand beside the classifier's own
/// Randomness the classifier's
/// Errors     as Standardize and the classifier
/// Models     jessl::Classifier, and jessl::Regressor where the classifier does (docs/eval/README.md)
/// Source     none
template <Classifier C>
struct Standardized {
  static constexpr std::string_view name = "Standardized";

  C classifier;  ///< of the standardised features

  /// What the classifier found, asked about standardised features.
  template <class Model>
  class Fitted {
   public:
    Fitted(FittedStandardize scale, Model model) : scale_(std::move(scale)), model_(std::move(model)) {}

    [[nodiscard]] decltype(std::declval<const Model&>().predict(std::declval<const Features&>())) predict(
        const Features& x) const {
      return model_.predict(scale_.transform(x));
    }
    [[nodiscard]] RowMatrix scores(const Features& x) const requires FittedClassifier<Model> {
      return model_.scores(scale_.transform(x));
    }
    [[nodiscard]] std::int64_t classes() const requires FittedClassifier<Model> { return model_.classes(); }
    [[nodiscard]] std::int64_t dimension() const { return scale_.dimension(); }

    /// The classifier's own model, of standardised features.
    [[nodiscard]] const Model& model() const { return model_; }

   private:
    FittedStandardize scale_;
    Model model_;
  };

  /// What P::fit gives for features and this, labels or targets.
  template <class P, class Answers>
  using FittedBy =
      Fitted<decltype(std::declval<const P&>().fit(std::declval<const Features&>(), std::declval<const Answers&>()))>;

  [[nodiscard]] FittedBy<C, Labels> fit(const Features& x, Labels y) const {
    FittedStandardize scale(x);
    auto model = classifier.fit(scale.transform(x), y);
    return {std::move(scale), std::move(model)};
  }

  template <Regressor R = C>
  [[nodiscard]] FittedBy<R, Features> fit(const Features& x, const Features& targets) const {
    FittedStandardize scale(x);
    auto model = classifier.fit(scale.transform(x), targets);
    return {std::move(scale), std::move(model)};
  }

  [[nodiscard]] Json to_json() const { return {{"name", name}, {"classifier", jessl::to_json(classifier)}}; }
};

/// A classifier of standardised features.
template <Classifier C>
[[nodiscard]] Standardized<C> standardized(C classifier) {
  return {std::move(classifier)};
}

JESSL_INSTANTIATE(FittedStandardize Standardize::fit<void>(const Features&) const);
JESSL_INSTANTIATE(FittedStandardize::FittedStandardize(const Features&));
JESSL_INSTANTIATE(RowMatrix FittedStandardize::transform<void>(const Features&) const);

}  // namespace jessl::eval

JESSL_OPTIONS(jessl::eval::Standardize);
