// SPDX-License-Identifier: Apache-2.0
// RankMe and the effective rank against NumPy and on matrices whose rank is known.
#include <catch2/catch.hpp>

#include <cmath>

#include <jessl/eval/rank_me.hpp>

#include "eval/features.hpp"

namespace {

using jessl::RowMatrix;
using jessl::eval::effective_rank;
using jessl::eval::rank_me;

}  // namespace

TEST_CASE("rank_me: ranks are NumPy's and SciPy's", "[eval][rank_me]") {
  reference::for_each_features([](const RowMatrix& x, const auto& expected) {
    // Singular values are off by 1e-7 of the largest, where they are not small.
    CHECK(rank_me(x) == Approx(expected["rank_me"].template get<double>()).epsilon(1e-5));
    CHECK(effective_rank(x) == Approx(expected["effective_rank"].template get<double>()).epsilon(1e-5));
  });
}

TEST_CASE("rank_me: the identity has all dimensions, a line one", "[eval][rank_me]") {
  CHECK(rank_me(RowMatrix::Identity(12, 12)) == Approx(12.0).epsilon(1e-5));  // 1e-7 on each share
  CHECK(effective_rank(RowMatrix::Identity(12, 12)) == Approx(12.0).epsilon(1e-12));
  const RowMatrix line = reference::gaussian(1, 60, 1) * reference::gaussian(2, 1, 12);
  CHECK(effective_rank(line) == 1.0);
  // Each of the 11 zeros adds -1e-7 log(1e-7), and p = 1 + 1e-7 takes 1e-7 away.
  CHECK(rank_me(line) == Approx(std::exp(11 * 1e-7 * std::log(1e7) - 1e-7)).epsilon(1e-9));
}

TEST_CASE("rank_me: two singular values, worked out by hand", "[eval][rank_me]") {
  // Shares 3/4 and 1/4.
  const RowMatrix x = (RowMatrix(3, 2) << 3, 0, 0, 1, 0, 0).finished();
  const double entropy = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
  CHECK(effective_rank(x) == Approx(std::exp(entropy)).epsilon(1e-6));
}

TEST_CASE("rank_me: is not of the centred features", "[eval][rank_me]") {
  // Two rows that differ: one direction when centred, two when not.
  const RowMatrix x = (RowMatrix(2, 2) << 1, 0, 0, 1).finished();
  CHECK(rank_me(x) == Approx(2.0).epsilon(1e-5));
  // A large mean is one large singular value.
  const RowMatrix spread = reference::gaussian(3, 400, 10);
  CHECK(rank_me(RowMatrix(spread.array() + 1e4F)) < 1.01);
}

TEST_CASE("rank_me: scale, rotation, order and repetition of the rows do not matter", "[eval][rank_me]") {
  const RowMatrix x = reference::decaying(reference::gaussian(4, 200, 16), 0.5);
  const double expected = rank_me(x);
  CHECK(rank_me(RowMatrix(1000.0F * x)) == Approx(expected).epsilon(1e-6));
  CHECK(rank_me(RowMatrix(-x)) == Approx(expected).epsilon(1e-6));
  CHECK(rank_me(reference::rotated(x, 5)) == Approx(expected).epsilon(1e-6));
  CHECK(rank_me(RowMatrix(x.colwise().reverse())) == Approx(expected).epsilon(1e-6));
  CHECK(rank_me(RowMatrix(x.replicate(3, 1))) == Approx(expected).epsilon(1e-6));
  CHECK(rank_me(RowMatrix(x.transpose())) == Approx(expected).epsilon(1e-6));
}

TEST_CASE("rank_me: features of zeros use no dimension, constant ones one", "[eval][rank_me]") {
  CHECK(rank_me(RowMatrix::Zero(9, 4)) == 0.0);
  CHECK(effective_rank(RowMatrix::Zero(9, 4)) == 0.0);
  CHECK(effective_rank(RowMatrix::Constant(9, 4, 0.3F)) == 1.0);
  CHECK(rank_me(RowMatrix::Constant(9, 4, 0.3F)) == Approx(1.0).epsilon(1e-5));
}

TEST_CASE("rank_me: mistakes are errors, and threads change no bit", "[eval][rank_me]") {
  const reference::Metric garrido = [](const auto& x, auto threads) { return rank_me(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::rank_me", garrido);
  reference::check_threads(garrido);
  const reference::Metric roy = [](const auto& x, auto threads) { return effective_rank(x, {.threads = threads}); };
  reference::check_errors_of_input("jessl::eval::effective_rank", roy);
  reference::check_threads(roy);
}
