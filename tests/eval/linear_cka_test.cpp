// SPDX-License-Identifier: Apache-2.0
// Linear CKA against its definition by centred Gram matrices, and its invariances.
#include <catch2/catch.hpp>

#include <jessl/eval/linear_cka.hpp>

#include "eval/features.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::linear_cka;

}  // namespace

TEST_CASE("linear_cka: the example of the documentation runs", "[eval][linear_cka]") {
  const RowMatrix layer3 = reference::gaussian(1, 600, 24);
  const RowMatrix layer4 = (layer3.leftCols(12) * reference::gaussian(2, 12, 40)).cwiseMax(0.0F);
  // [example]
  const double similarity = jessl::eval::linear_cka(layer3, layer4);  // [N, 24] and [N, 40] of the same images
  // [/example]
  CHECK(similarity > 0.3);
  CHECK(similarity < 0.95);
}

TEST_CASE("linear_cka: values are those of centred Gram matrices, with more rows than columns and fewer",
          "[eval][linear_cka]") {
  for (const auto& item : reference::metrics()["linear_cka"]) {
    const RowMatrix a = reference::matrix(item["a"]);
    const RowMatrix b = reference::matrix(item["b"]);
    INFO(a.rows() << " rows of " << a.cols() << " and " << b.cols());
    CHECK(linear_cka(a, b) == Approx(item["value"].get<double>()).epsilon(1e-6));
    CHECK(linear_cka(b, a) == Approx(item["value"].get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("linear_cka: rotations, shifts and a scale of either side do not matter", "[eval][linear_cka]") {
  for (const auto& [rows, columns] : {std::pair{300, 20}, std::pair{30, 80}}) {
    INFO(rows << " x " << columns);
    const RowMatrix x = reference::decaying(reference::gaussian(3, rows, columns), 0.5);
    CHECK(linear_cka(x, x) == Approx(1.0).epsilon(1e-9));
    CHECK(linear_cka(x, reference::rotated(x, 4)) == Approx(1.0).epsilon(1e-6));
    CHECK(linear_cka(x, RowMatrix(-1e-20F * x)) == Approx(1.0).epsilon(1e-6));
    CHECK(linear_cka(RowMatrix(x.array() + 30.0F), x) == Approx(1.0).epsilon(1e-4));  // the shifted values are rounded
    const RowMatrix y = reference::gaussian(5, rows, 7) + x.leftCols(7);
    CHECK(linear_cka(reference::rotated(x, 6), RowMatrix(1e10F * reference::rotated(y, 7))) ==
          Approx(linear_cka(x, y)).epsilon(1e-5));
    CHECK(linear_cka(RowMatrix(x.colwise().reverse()), RowMatrix(y.colwise().reverse())) ==
          Approx(linear_cka(x, y)).epsilon(1e-5));
  }
}

TEST_CASE("linear_cka: uncorrelated columns have 0, other linear maps than rotations change it", "[eval][linear_cka]") {
  const RowMatrix a = (RowMatrix(4, 1) << 1, 1, -1, -1).finished();
  const RowMatrix b = (RowMatrix(4, 1) << 1, -1, 1, -1).finished();
  CHECK(linear_cka(a, b) == 0.0);
  const RowMatrix x = reference::gaussian(8, 400, 10);
  CHECK(linear_cka(x, reference::decaying(x, 1.0)) < 0.9);
}

TEST_CASE("linear_cka: unrelated white features have about D / (N + D)", "[eval][linear_cka]") {
  for (const Eigen::Index rows : {40, 1000}) {
    const double expected = 60.0 / (static_cast<double>(rows) + 60.0);
    const RowMatrix a = reference::gaussian(9, rows, 60);
    CHECK(linear_cka(a, reference::gaussian(10, rows, 60)) == Approx(expected).epsilon(0.1));
  }
}

TEST_CASE("linear_cka: both ways to compute it agree where they meet", "[eval][linear_cka]") {
  // 60 columns together: 60 rows go by columns, 59 by rows.
  const RowMatrix a = reference::gaussian(11, 60, 25);
  const RowMatrix b = a.leftCols(20) * reference::gaussian(12, 20, 35);
  const RowMatrix doubled = b.replicate(1, 2);  // twice the columns, the same Gram matrix up to a factor
  CHECK(linear_cka(a, doubled) == Approx(linear_cka(a, b)).epsilon(1e-6));
}

TEST_CASE("linear_cka: shapes that do not fit and constant features are errors", "[eval][linear_cka]") {
  const RowMatrix a = reference::gaussian(13, 6, 3);
  CHECK_THROWS_AS(linear_cka(a, a.topRows(5)), jessl::ShapeError);
  CHECK_THROWS_WITH(
      linear_cka(a, a.topRows(5)),
      "jessl::eval::linear_cka: A is [6, 3] but B is [5, 3], expected as many rows: one each of every image");
  CHECK_THROWS_WITH(linear_cka(a.topRows(1), a.topRows(1)), Contains("A is [1, 3], expected at least 2 rows"));
  CHECK_THROWS_WITH(linear_cka(a, RowMatrix(6, 0)), Contains("B is [6, 0], expected at least 2 rows and one column"));
  CHECK_THROWS_AS(linear_cka(a, RowMatrix::Constant(6, 2, 0.1F)), jessl::DataError);
  CHECK_THROWS_WITH(linear_cka(a, RowMatrix::Constant(6, 20, 0.1F)),
                    Contains("jessl::eval::linear_cka: all rows of B are equal"));
  CHECK_THROWS_WITH(linear_cka(RowMatrix::Zero(6, 2), a), Contains("all rows of A are equal"));
  RowMatrix broken = a;
  broken(5, 2) = std::nanf("");
  CHECK_THROWS_WITH(linear_cka(a, broken), Contains("jessl::eval::linear_cka: B(5, 2) is nan"));
}

TEST_CASE("linear_cka: mistakes are errors, and threads change no bit", "[eval][linear_cka]") {
  const reference::Metric metric = [](const auto& x, auto threads) {
    return linear_cka(x, RowMatrix(x.colwise().reverse()), {.threads = threads});
  };
  reference::check_errors_of_input("jessl::eval::linear_cka", metric, "A");
  reference::check_threads(metric);
}
