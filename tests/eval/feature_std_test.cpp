// SPDX-License-Identifier: Apache-2.0
// The deviation of normalised features against NumPy, collapsed and even.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/feature_std.hpp>

#include "eval/features.hpp"

namespace {

using jessl::RowMatrix;
using jessl::eval::feature_std;

}  // namespace

TEST_CASE("feature_std: values are NumPy's", "[eval][feature_std]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    CHECK(feature_std(x) == Approx(expected["feature_std"].template get<double>()).epsilon(1e-10));
  });
}

TEST_CASE("feature_std: two opposite rows along each axis, worked out by hand", "[eval][feature_std]") {
  // Each dimension has the values 1, -1, 0, 0: mean 0, variance 1/2, which is 1 / D.
  const RowMatrix x = (RowMatrix(4, 2) << 3, 0, -1, 0, 0, 2, 0, -7).finished();
  CHECK(feature_std(x) == Approx(std::sqrt(0.5)).epsilon(1e-12));
}

TEST_CASE("feature_std: even directions have 1 / sqrt(D), which none exceed", "[eval][feature_std]") {
  const double at_random = feature_std(reference::gaussian(1, 3000, 100));
  CHECK(at_random == Approx(0.1).epsilon(0.01));
  CHECK(at_random <= 0.1);
  CHECK(feature_std(reference::decaying(reference::gaussian(2, 3000, 100), 1.0)) < 0.09);
}

TEST_CASE("feature_std: one direction has 0, whatever the lengths", "[eval][feature_std]") {
  RowMatrix x = RowMatrix::Constant(1500, 7, 0.1F);
  CHECK(feature_std(x) == Approx(0.0).margin(1e-13));
  for (Eigen::Index row = 0; row < x.rows(); ++row) x.row(row) *= static_cast<float>(row + 1);
  CHECK(feature_std(x) < 1e-7);  // the products are rounded to float32
  CHECK(feature_std(RowMatrix::Zero(5, 7)) == 0.0);
  CHECK(feature_std(RowMatrix::Ones(1, 7)) == Approx(0.0).margin(1e-13));
}

TEST_CASE("feature_std: lengths and order do not matter", "[eval][feature_std]") {
  const RowMatrix x = reference::gaussian(3, 200, 9);
  RowMatrix longer = x;
  for (Eigen::Index row = 0; row < x.rows(); ++row)
    longer.row(row) *= std::ldexp(1.0F, static_cast<int>(row % 90) - 45);
  CHECK(feature_std(longer) == Approx(feature_std(x)).epsilon(1e-12));
  CHECK(feature_std(RowMatrix(x.colwise().reverse())) == Approx(feature_std(x)).epsilon(1e-12));
}

TEST_CASE("feature_std: mistakes are errors, and threads change no bit", "[eval][feature_std]") {
  const reference::Metric metric = [](const auto& x, auto threads) { return feature_std(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::feature_std", metric);
  reference::check_threads(metric);
}
