// SPDX-License-Identifier: Apache-2.0
// NESum against NumPy and on matrices whose eigenvalues are known.
#include <catch2/catch.hpp>

#include <jessl/eval/nesum.hpp>

#include "eval/features.hpp"

namespace {

using jessl::RowMatrix;
using jessl::eval::nesum;

}  // namespace

TEST_CASE("nesum: sums are NumPy's", "[eval][nesum]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    CHECK(nesum(x) == Approx(expected["nesum"].template get<double>()).epsilon(1e-6));
  });
}

TEST_CASE("nesum: counts equal eigenvalues, and halves ones by half", "[eval][nesum]") {
  // The covariance of the rows of I, centred, has D - 1 equal eigenvalues.
  CHECK(nesum(RowMatrix::Identity(9, 9)) == Approx(8.0).epsilon(1e-6));
  // Variances 4, 2 and 2 along the axes, with mean 0: 1 + 1/2 + 1/2.
  const RowMatrix axes = (RowMatrix(6, 3) << 2, 0, 0, -2, 0, 0, 0, std::sqrt(2.0F), 0, 0, -std::sqrt(2.0F), 0, 0, 0,
                          std::sqrt(2.0F), 0, 0, -std::sqrt(2.0F))
                             .finished();
  CHECK(nesum(axes) == Approx(2.0).epsilon(1e-6));
}

TEST_CASE("nesum: scale, rotation, shift and order do not matter", "[eval][nesum]") {
  const RowMatrix x = reference::decaying(reference::gaussian(1, 150, 12), 0.5);
  const double expected = nesum(x);
  CHECK(nesum(RowMatrix(0.01F * x)) == Approx(expected).epsilon(1e-5));
  CHECK(nesum(RowMatrix(x.array() + 7.0F)) == Approx(expected).epsilon(1e-5));
  CHECK(nesum(reference::rotated(x, 2)) == Approx(expected).epsilon(1e-5));
  CHECK(nesum(RowMatrix(x.colwise().reverse())) == Approx(expected).epsilon(1e-5));
}

TEST_CASE("nesum: constant features have 0, one row too", "[eval][nesum]") {
  CHECK(nesum(RowMatrix::Constant(30, 5, 0.1F)) == 0.0);
  CHECK(nesum(RowMatrix::Ones(1, 5)) == 0.0);
  CHECK(nesum(jessl::eval::Spectrum{}) == 0.0);
}

TEST_CASE("nesum: mistakes are errors, and threads change no bit", "[eval][nesum]") {
  const reference::Metric metric = [](const auto& x, auto threads) { return nesum(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::nesum", metric);
  reference::check_threads(metric);
}
