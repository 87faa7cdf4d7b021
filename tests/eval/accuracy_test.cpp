// SPDX-License-Identifier: Apache-2.0
// Accuracy and top-k on cases that can be counted by hand.
#include <catch2/catch.hpp>

#include <limits>
#include <vector>

#include <jessl/eval/accuracy.hpp>

namespace {

using Labels = std::vector<std::int64_t>;
using Catch::Matchers::Contains;
using jessl::eval::accuracy;
using jessl::eval::top_k;

const jessl::RowMatrix scores = (jessl::RowMatrix(3, 3) << 0.1F, 0.7F, 0.2F,  //
                                 0.5F, 0.2F, 0.3F,                            //
                                 0.1F, 0.3F, 0.6F)
                                    .finished();

}  // namespace

TEST_CASE("accuracy: is the share of equal entries", "[eval][accuracy]") {
  CHECK(accuracy(Labels{1, 2, 3, 4}, Labels{1, 2, 0, 4}) == 0.75);
  CHECK(accuracy(Labels{1}, Labels{1}) == 1.0);
  CHECK(accuracy(Labels{1}, Labels{2}) == 0.0);
}

TEST_CASE("accuracy: lengths that differ, no labels and negative labels are errors", "[eval][accuracy]") {
  CHECK_THROWS_AS(accuracy(Labels{1, 2}, Labels{1}), jessl::ShapeError);
  CHECK_THROWS_WITH(accuracy(Labels{1, 2}, Labels{1}),
                    "jessl::eval::accuracy: 2 predictions but 1 labels, expected one each");
  CHECK_THROWS_AS(accuracy(Labels{}, Labels{}), jessl::DataError);
  CHECK_THROWS_WITH(accuracy(Labels{1, -1}, Labels{1, -1}), Contains("labels[1] is -1, expected a class >= 0"));
}

TEST_CASE("top_k: counts the rows whose label is among the k highest scores", "[eval][accuracy]") {
  const Labels labels{1, 2, 0};  // first, second and last of their rows
  CHECK(top_k(scores, labels, 1) == Approx(1.0 / 3).epsilon(1e-15));
  CHECK(top_k(scores, labels, 2) == Approx(2.0 / 3).epsilon(1e-15));
  CHECK(top_k(scores, labels, 3) == 1.0);
}

TEST_CASE("top_k: of equal scores the lower class comes first", "[eval][accuracy]") {
  const jessl::RowMatrix equal = jessl::RowMatrix::Constant(1, 4, 0.25F);
  CHECK(top_k(equal, Labels{2}, 2) == 0.0);
  CHECK(top_k(equal, Labels{2}, 3) == 1.0);
}

TEST_CASE("top_k: a class count that does not match and other mistakes are errors", "[eval][accuracy]") {
  CHECK_THROWS_WITH(top_k(scores, Labels{1, 3, 0}, 1), Contains("labels[1] is 3, expected a class in [0, 3)"));
  CHECK_THROWS_AS(top_k(scores, Labels{1, -1, 0}, 1), jessl::DataError);
  CHECK_THROWS_AS(top_k(scores, Labels{1, 2}, 1), jessl::ShapeError);
  CHECK_THROWS_AS(top_k(scores, Labels{1, 2, 0}, 0), jessl::ConfigError);
  CHECK_THROWS_WITH(top_k(scores, Labels{1, 2, 0}, 5),
                    "jessl::eval::top_k: k is 5, expected 1 to the number of classes, 3");
  CHECK_THROWS_AS(top_k(jessl::RowMatrix(0, 3), Labels{}, 1), jessl::DataError);
  jessl::RowMatrix broken = scores;
  broken(1, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(top_k(broken, Labels{1, 2, 0}, 1), Contains("NaN in row 1"));
}
