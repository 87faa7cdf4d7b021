// SPDX-License-Identifier: Apache-2.0
// Student's t against SciPy and against values with a formula of their own.
#include <catch2/catch.hpp>

#include <cmath>
#include <numbers>

#include <jessl/eval/detail/student_t.hpp>

#include "eval/reference.hpp"

using jessl::eval::detail::student_t;

TEST_CASE("Student's t: quantiles are SciPy's", "[eval][student_t]") {
  for (const auto& item : reference::probes()["student_t"]) {
    INFO(item[0]);
    CHECK(student_t(item[0].get<std::int64_t>(), 0.95) == Approx(item[1].get<double>()).epsilon(1e-10));
  }
}

TEST_CASE("Student's t: one and two degrees of freedom have formulas of their own", "[eval][student_t]") {
  for (const double probability : {0.1, 0.5, 0.95, 0.999}) {
    CHECK(student_t(1, probability) == Approx(std::tan(std::numbers::pi * probability / 2)).epsilon(1e-12));
    CHECK(student_t(2, probability) ==
          Approx(probability * std::sqrt(2.0 / (1.0 - probability * probability))).epsilon(1e-12));
  }
}
