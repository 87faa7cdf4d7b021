// SPDX-License-Identifier: Apache-2.0
// Uniformity against SciPy's matrix of all pairs and worked out by hand.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/alignment.hpp>
#include <jessl/eval/uniformity.hpp>

#include "eval/features.hpp"

namespace {

using jessl::RowMatrix;
using jessl::eval::uniformity;

}  // namespace

TEST_CASE("uniformity: the example of the documentation runs", "[eval][uniformity]") {
  const RowMatrix first_views = reference::gaussian(1, 200, 32);
  const RowMatrix second_views = first_views + 0.1F * reference::gaussian(2, 200, 32);
  // [example]
  const double alignment = jessl::eval::alignment(first_views, second_views);  // low: the two views of an image agree
  const double uniformity = jessl::eval::uniformity(first_views);              // low: the images spread over the sphere
  // [/example]
  CHECK(alignment < 0.05);
  CHECK(uniformity < -3.5);
}

TEST_CASE("uniformity: values are SciPy's", "[eval][uniformity]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    for (const auto& item : expected["uniformity"]) {
      const double t = item["t"].template get<double>();
      INFO("t " << t);
      // float32 cosines: each potential is off by up to 2 t 1e-7 of itself.
      CHECK(uniformity(x, {.t = t}) == Approx(item["value"].template get<double>()).margin(1e-6 * std::max(1.0, t)));
    }
  });
}

TEST_CASE("uniformity: two and three rows, worked out by hand", "[eval][uniformity]") {
  const RowMatrix right_angle = (RowMatrix(2, 2) << 3, 0, 0, 0.5).finished();
  CHECK(uniformity(right_angle) == Approx(-2.0 * 2.0).epsilon(1e-6));  // |y_1 - y_2|^2 = 2
  CHECK(uniformity(right_angle, {.t = 0.5}) == Approx(-0.5 * 2.0).epsilon(1e-6));
  const RowMatrix opposite = (RowMatrix(2, 1) << 7, -2).finished();
  CHECK(uniformity(opposite) == Approx(-2.0 * 4.0).epsilon(1e-6));
  // Squared distances 2, 4 and 2.
  const RowMatrix three = (RowMatrix(3, 2) << 1, 0, 0, 1, -1, 0).finished();
  CHECK(uniformity(three) == Approx(std::log((2.0 * std::exp(-4.0) + std::exp(-8.0)) / 3.0)).epsilon(1e-6));
}

TEST_CASE("uniformity: equal directions have 0 whatever their lengths, and never more", "[eval][uniformity]") {
  RowMatrix x = reference::gaussian(3, 1, 50).replicate(700, 1);
  CHECK(uniformity(x) == Approx(0.0).margin(1e-6));
  for (Eigen::Index row = 0; row < x.rows(); ++row) x.row(row) *= static_cast<float>(row + 1);
  CHECK(uniformity(x) == Approx(0.0).margin(1e-6));
  CHECK(uniformity(x) <= 0.0);
}

TEST_CASE("uniformity: over several tiles it is the mean over all pairs", "[eval][uniformity]") {
  const RowMatrix x = reference::gaussian(4, 1100, 6);
  double sum = 0.0;
  const Eigen::MatrixXd unit = x.cast<double>().rowwise().normalized();
  for (Eigen::Index i = 0; i < x.rows(); ++i)
    sum += (-2.0 * (unit.topRows(i).rowwise() - unit.row(i)).rowwise().squaredNorm().array()).exp().sum();
  CHECK(uniformity(x) == Approx(std::log(sum / (0.5 * 1100 * 1099))).epsilon(1e-6));
}

TEST_CASE("uniformity: directions at random have about -2 t + 2 t^2 / D", "[eval][uniformity]") {
  for (const double t : {0.5, 2.0}) {
    const double expected = -2.0 * t + 2.0 * t * t / 256.0;
    CHECK(uniformity(reference::gaussian(5, 800, 256), {.t = t}) == Approx(expected).margin(5e-3));
  }
}

TEST_CASE("uniformity: lengths, rotation and order do not matter; repetition raises it", "[eval][uniformity]") {
  const RowMatrix x = reference::gaussian(6, 300, 10);
  const double expected = uniformity(x);
  RowMatrix longer = x;
  for (Eigen::Index row = 0; row < x.rows(); ++row)
    longer.row(row) *= std::ldexp(1.0F, static_cast<int>(row % 60) - 30);
  CHECK(uniformity(longer) == Approx(expected).epsilon(1e-6));
  CHECK(uniformity(reference::rotated(x, 7)) == Approx(expected).epsilon(1e-6));
  CHECK(uniformity(RowMatrix(x.colwise().reverse())) == Approx(expected).epsilon(1e-6));
  CHECK(uniformity(RowMatrix(x.replicate(2, 1))) > expected);
}

TEST_CASE("uniformity: rows of zeros lie together in the middle", "[eval][uniformity]") {
  CHECK(uniformity(RowMatrix::Zero(20, 3)) == 0.0);
  RowMatrix x = RowMatrix::Zero(2, 3);
  x(1, 2) = 5.0F;
  CHECK(uniformity(x) == Approx(-2.0).epsilon(1e-6));  // at distance 1
}

TEST_CASE("uniformity: the largest t neither overflows nor vanishes", "[eval][uniformity]") {
  const RowMatrix right_angle = (RowMatrix(2, 2) << 1, 0, 0, 1).finished();
  CHECK(uniformity(right_angle, {.t = 1e6}) == Approx(-2e6).epsilon(1e-6));
  CHECK(std::isfinite(uniformity(reference::gaussian(8, 600, 5), {.t = 1e6})));
}

TEST_CASE("uniformity: one row and a t out of range are errors", "[eval][uniformity]") {
  using Catch::Matchers::Contains;
  CHECK_THROWS_AS(uniformity(RowMatrix::Ones(1, 4)), jessl::DataError);
  CHECK_THROWS_WITH(uniformity(RowMatrix::Ones(1, 4)), Contains("X is [1, 4], expected at least 2 rows"));
  for (const double t : {0.0, -1.0, 1e7, std::nan("")}) {
    CHECK_THROWS_AS(uniformity(RowMatrix::Ones(3, 4), {.t = t}), jessl::ConfigError);
  }
  CHECK_THROWS_WITH(uniformity(RowMatrix::Ones(3, 4), {.t = 0}),
                    "jessl::eval::uniformity: t is 0, expected a number above 0 and up to 1e6");
}

TEST_CASE("uniformity: mistakes are errors, and threads change no bit", "[eval][uniformity]") {
  const reference::Metric metric = [](const auto& x, auto threads) { return uniformity(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::uniformity", metric);
  reference::check_threads(metric);
}
