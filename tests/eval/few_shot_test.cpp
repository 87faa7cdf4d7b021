// SPDX-License-Identifier: Apache-2.0
// Few-shot accuracies: which rows are drawn, what is made of the accuracies, for any classifier.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <boost/hana/for_each.hpp>

#include <jessl/eval.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::few_shot;
using jessl::eval::NearestCentroid;
using Labels = std::vector<std::int64_t>;

/// A classifier that writes down what it is given, and answers as the archetype.
struct Witness {
  std::vector<Labels>* rows;    // a fit: the first column
  std::vector<Labels>* labels;  // a fit: y

  [[nodiscard]] auto fit(jessl::eval::Features x, jessl::eval::Labels y) const {
    Labels numbers;
    for (Eigen::Index i = 0; i < x.rows(); ++i) numbers.push_back(std::llround(x(i, 0)));
    rows->push_back(numbers);
    labels->emplace_back(y.begin(), y.end());
    return jessl::ClassifierArchetype{}.fit(x, y);
  }
};

/// `count` rows whose first column is their number.
RowMatrix numbered(Eigen::Index count) {
  RowMatrix x = RowMatrix::Ones(count, 2);
  for (Eigen::Index i = 0; i < count; ++i) x(i, 0) = static_cast<float>(i);
  return x;
}

/// The rows that each repeat draws of rows with these labels.
std::vector<Labels> drawn(const Labels& y, const jessl::eval::FewShotOptions& options) {
  std::vector<Labels> rows;
  std::vector<Labels> labels;
  const RowMatrix x = numbered(static_cast<Eigen::Index>(y.size()));
  const auto result = few_shot(Witness{&rows, &labels}, x, y, x, y, options);
  CHECK(result.accuracies.size() == rows.size());
  for (std::size_t repeat = 0; repeat < rows.size(); ++repeat) {
    Labels theirs;
    for (const std::int64_t row : rows[repeat]) theirs.push_back(y[static_cast<std::size_t>(row)]);
    CHECK(labels[repeat] == theirs);
  }
  return rows;
}

/// 25 rows of class 0, 50 of class 1, 25 of class 5, mixed.
const Labels mixed_labels = [] {
  Labels y;
  for (int i = 0; i < 25; ++i) y.insert(y.end(), {0, 1, 1, 5});
  return y;
}();

}  // namespace

TEST_CASE("few_shot: the example of the documentation runs", "[eval][few_shot]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto five_shot = jessl::eval::few_shot(jessl::eval::NearestCentroid{}, features, labels, queries, expected,
                                               {.shots = 5, .repeats = 20, .seed = 1});
  const double low = five_shot.accuracy - five_shot.margin;  // the 95 % confidence interval
  const double high = five_shot.accuracy + five_shot.margin;
  // [/example]
  CHECK(five_shot.accuracies.size() == 20);
  CHECK(low > 0.5);
  CHECK(high < 1.0);
}

TEST_CASE("few_shot: each repeat draws so many different rows of each class that occurs", "[eval][few_shot]") {
  const auto repeats = drawn(mixed_labels, {.shots = 7, .repeats = 30, .seed = 3});
  REQUIRE(repeats.size() == 30);
  for (const Labels& rows : repeats) {
    REQUIRE(rows.size() == 21);
    CHECK(std::is_sorted(rows.begin(), rows.end()));
    CHECK(std::adjacent_find(rows.begin(), rows.end()) == rows.end());
    for (const std::int64_t label : {0, 1, 5}) {
      CHECK(std::count_if(rows.begin(), rows.end(),
                          [&](std::int64_t row) { return mixed_labels[static_cast<std::size_t>(row)] == label; }) == 7);
    }
  }
}

TEST_CASE("few_shot: rows are a function of the seed and the repeat, and few are among many", "[eval][few_shot]") {
  const auto three = drawn(mixed_labels, {.shots = 3, .repeats = 4, .seed = 9});
  CHECK(drawn(mixed_labels, {.shots = 3, .repeats = 2, .seed = 9}) ==
        std::vector<Labels>(three.begin(), three.begin() + 2));
  CHECK(drawn(mixed_labels, {.shots = 3, .repeats = 4, .seed = 10}) != three);
  CHECK(three[0] != three[1]);
  const auto ten = drawn(mixed_labels, {.shots = 10, .repeats = 4, .seed = 9});
  for (std::size_t repeat = 0; repeat < 4; ++repeat) {
    CHECK(std::includes(ten[repeat].begin(), ten[repeat].end(), three[repeat].begin(), three[repeat].end()));
  }
  Labels renamed = mixed_labels;
  for (std::int64_t& label : renamed) label = label == 5 ? 0 : label + 3;
  CHECK(drawn(renamed, {.shots = 3, .repeats = 4, .seed = 9}) == three);
}

TEST_CASE("few_shot: over many repeats every row is drawn equally often", "[eval][few_shot]") {
  std::vector<double> counts(100, 0.0);
  for (const Labels& rows : drawn(mixed_labels, {.shots = 5, .repeats = 2000, .seed = 4})) {
    for (const std::int64_t row : rows) counts[static_cast<std::size_t>(row)] += 1.0;
  }
  // A row of 25 is drawn in 2000 / 5 = 400 repeats, deviation 18; one of 50 in 200, deviation 13. Five deviations each.
  for (std::size_t row = 0; row < 100; ++row) {
    CHECK(counts[row] == Approx(mixed_labels[row] == 1 ? 200.0 : 400.0).margin(mixed_labels[row] == 1 ? 67.0 : 89.0));
  }
}

TEST_CASE("few_shot: mean and interval follow from the accuracies", "[eval][few_shot]") {
  const reference::Clusters train(5, 200, 6, 4);
  const reference::Clusters test(6, 150, 6, 4);
  const auto result = few_shot(NearestCentroid{}, train.x, train.y, test.x, test.y, {.shots = 2, .repeats = 3});
  REQUIRE(result.accuracies.size() == 3);
  const double a = result.accuracies[0];
  const double b = result.accuracies[1];
  const double c = result.accuracies[2];
  const double mean = (a + b + c) / 3;
  CHECK(result.accuracy == Approx(mean).epsilon(1e-14));
  const double deviation = std::sqrt(((a - mean) * (a - mean) + (b - mean) * (b - mean) + (c - mean) * (c - mean)) / 2);
  CHECK(deviation > 0.0);
  CHECK(result.margin == Approx(4.30265272974946 * deviation / std::sqrt(3.0)).epsilon(1e-10));  // t of 2 degrees

  const auto once = few_shot(NearestCentroid{}, train.x, train.y, test.x, test.y, {.shots = 2, .repeats = 1});
  CHECK(once.accuracy == a);
  CHECK(once.margin == std::numeric_limits<double>::infinity());
}

TEST_CASE("few_shot: all rows of each class make all repeats equal", "[eval][few_shot]") {
  const RowMatrix x = (RowMatrix(6, 1) << 0, 1, 2, 10, 11, 12).finished();
  const Labels y{0, 0, 0, 1, 1, 1};
  const auto result = few_shot(NearestCentroid{}, x, y, x, Labels{0, 0, 0, 1, 1, 0}, {.shots = 3, .repeats = 5});
  CHECK(result.accuracies == std::vector<double>(5, 5.0 / 6.0));
  CHECK(result.margin == Approx(0.0).margin(1e-15));
}

TEST_CASE("few_shot: works with every classifier", "[eval][few_shot]") {
  const reference::Clusters train(7, 400, 6, 3);
  const reference::Clusters test(8, 100, 6, 3);
  boost::hana::for_each(jessl::eval::All, [&](auto type) {
    using Policy = typename decltype(type)::type;
    INFO(Policy::name);
    const auto many = few_shot(Policy{}, train.x, train.y, test.x, test.y, {.shots = 40, .repeats = 2});
    CHECK(many.accuracy > 0.6);
  });
  const auto guessed = few_shot(jessl::ClassifierArchetype{}, train.x, train.y, test.x, test.y);
  CHECK(guessed.accuracies == std::vector<double>(10, jessl::eval::accuracy(Labels(100, 0), test.y)));
}

TEST_CASE("few_shot: a class with too few rows is an error that names it, its rows and the way out",
          "[eval][few_shot]") {
  const RowMatrix x = numbered(7);
  const Labels y{0, 0, 0, 4, 4, 9, 9};
  CHECK_THROWS_AS(few_shot(NearestCentroid{}, x, y, x, y, {.shots = 3}), jessl::DataError);
  CHECK_THROWS_WITH(
      few_shot(NearestCentroid{}, x, y, x, y, {.shots = 3}),
      "jessl::eval::few_shot: class 4 has 2 training rows, expected at least shots = 3; take fewer shots, "
      "or leave the class out of training and test rows");
  CHECK_NOTHROW(few_shot(NearestCentroid{}, x, y, x, y, {.shots = 2}));
}

TEST_CASE("few_shot: settings, shapes and labels that cannot be used are errors that name them", "[eval][few_shot]") {
  const RowMatrix x = numbered(4);
  const Labels y{0, 0, 1, 1};
  const NearestCentroid classifier;
  CHECK_THROWS_AS(few_shot(classifier, x, y, x, y, {.shots = 0}), jessl::ConfigError);
  CHECK_THROWS_WITH(few_shot(classifier, x, y, x, y, {.shots = 0}), "jessl::eval::few_shot: shots is 0, expected >= 1");
  CHECK_THROWS_AS(few_shot(classifier, x, y, x, y, {.repeats = 0}), jessl::ConfigError);
  CHECK_THROWS_AS(few_shot(classifier, x, y, x, y, {.repeats = (std::int64_t{1} << 31U) + 1}), jessl::ConfigError);
  CHECK_THROWS_WITH(few_shot(classifier, x, Labels{0, 1}, x, y), Contains("X is [4, 2] but y has 2 labels"));
  CHECK_THROWS_WITH(few_shot(classifier, x, y, x, Labels{0, 1}),
                    Contains("few_shot, test rows: X is [4, 2] but y has 2 labels"));
  CHECK_THROWS_AS(few_shot(classifier, x, y, RowMatrix::Zero(4, 3), y), jessl::ShapeError);
  CHECK_THROWS_AS(few_shot(classifier, RowMatrix(0, 2), Labels{}, x, y), jessl::DataError);
  CHECK_THROWS_AS(few_shot(classifier, x, y, RowMatrix(0, 2), Labels{}), jessl::DataError);
  CHECK_THROWS_WITH(few_shot(classifier, x, Labels{0, 0, -1, 1}, x, y),
                    "jessl::eval::few_shot: labels[2] is -1, expected a class >= 0; leave images without a label out");
  CHECK_THROWS_WITH(few_shot(classifier, x, y, x, Labels{-1, 0, 1, 1}), Contains("test rows: labels[0] is -1"));
  RowMatrix broken = x;
  broken(3, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(few_shot(classifier, broken, y, x, y, {.shots = 2}), jessl::DataError);
  CHECK_THROWS_AS(few_shot(classifier, x, y, broken, y, {.shots = 2}), jessl::DataError);
}
