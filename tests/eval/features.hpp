// SPDX-License-Identifier: Apache-2.0
// Features for the tests of metrics, the numbers that NumPy and SciPy found for them
// (tests/reference/eval/metrics.json), and what every metric must do with its input.
#pragma once

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include <Eigen/Eigenvalues>
#include <catch2/catch.hpp>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>

#include "eval/reference.hpp"

namespace reference {

inline const Json& metrics() {
  static const Json document = [] {
    std::ifstream file(JESSL_TEST_DATA "/reference/eval/metrics.json");
    REQUIRE(file.is_open());
    return Json::parse(file);
  }();
  return document;
}

/// Calls check(x, expected) for each of the small matrices, with what other programs found for it.
template <class Check>
void for_each_features(Check check) {
  for (const auto& [name, expected] : metrics().at("features").items()) {
    INFO(name);
    check(matrix(expected.at("x")), expected);
  }
}

/// Independent standard normal numbers; a pure function of the seed.
inline jessl::RowMatrix gaussian(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns) {
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  jessl::RowMatrix x(rows, columns);
  for (float& value : x.reshaped<Eigen::RowMajor>()) value = static_cast<float>(draw.normal());
  return x;
}

/// A random rotation or reflection, [size, size].
inline Eigen::MatrixXd rotation(std::uint64_t seed, Eigen::Index size) {
  const Eigen::MatrixXd entries = gaussian(seed, size, size).cast<double>();
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(entries + entries.transpose()).eigenvectors();
}

inline jessl::RowMatrix rotated(const jessl::RowMatrix& x, std::uint64_t seed) {
  return (x.cast<double>() * rotation(seed, x.cols())).cast<float>();
}

/// x with column j times (j + 1)^-power: a spectrum that decays.
inline jessl::RowMatrix decaying(jessl::RowMatrix x, double power) {
  for (Eigen::Index j = 0; j < x.cols(); ++j)
    x.col(j) *= static_cast<float>(std::pow(static_cast<double>(j) + 1.0, -power));
  return x;
}

/// A metric of one matrix, as the tests of input call it.
using Metric = std::function<double(const jessl::RowMatrix& x, std::int64_t threads)>;

/// No rows or columns, NaN, infinity and a number of threads that is none are errors that name the metric and place.
inline void check_errors_of_input(const std::string& who, const Metric& metric, const std::string& name = "X") {
  using Catch::Matchers::Contains;
  CHECK_THROWS_AS(metric(jessl::RowMatrix(0, 3), 1), jessl::DataError);
  CHECK_THROWS_WITH(metric(jessl::RowMatrix(0, 3), 1), Contains(who + ": " + name + " is [0, 3], expected at least"));
  CHECK_THROWS_AS(metric(jessl::RowMatrix(12, 0), 1), jessl::DataError);
  CHECK_THROWS_WITH(metric(jessl::RowMatrix(12, 0), 1), Contains(who + ": " + name + " is [12, 0], expected at least"));
  jessl::RowMatrix x = gaussian(1, 1200, 5);
  x(1111, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(metric(x, 1), jessl::DataError);
  CHECK_THROWS_WITH(metric(x, 2), Contains(who + ": " + name + "(1111, 3) is nan, expected a finite number"));
  x(1111, 3) = 0.0F;
  x(7, 0) = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(metric(x, 1), Contains(who + ": " + name + "(7, 0) is -inf, expected a finite number"));
  CHECK_THROWS_AS(metric(gaussian(1, 12, 5), -1), jessl::ConfigError);
  CHECK_THROWS_WITH(metric(gaussian(1, 12, 5), -1), Contains(who + ": threads is -1"));
}

/// The number of threads changes no bit.
inline void check_threads(const Metric& metric) {
  for (const auto& [rows, columns] : {std::pair{1300, 67}, std::pair{70, 300}}) {  // neither a multiple of a block
    const jessl::RowMatrix x = gaussian(2, rows, columns);
    const double expected = metric(x, 1);
    CHECK(std::isfinite(expected));
    for (const std::int64_t threads : {0, 2, 3, 7}) {
      INFO(threads << " threads");
      CHECK(metric(x, threads) == expected);
    }
  }
}

}  // namespace reference
