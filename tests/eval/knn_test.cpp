// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours against a search written plainly, and against other programs.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/nearest_neighbours.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::KNN;
using Labels = std::vector<std::int64_t>;

/// The shares of the votes, straight from the definition.
Eigen::MatrixXd plain_scores(const RowMatrix& x, const Labels& y, const RowMatrix& queries, std::int64_t class_count,
                             std::int64_t k, double temperature) {
  const Eigen::MatrixXd bank = x.cast<double>().rowwise().normalized();
  const Eigen::MatrixXd similarity = queries.cast<double>().rowwise().normalized() * bank.transpose();
  Eigen::MatrixXd votes = Eigen::MatrixXd::Zero(queries.rows(), class_count);
  std::vector<Eigen::Index> order(static_cast<std::size_t>(x.rows()));
  for (Eigen::Index i = 0; i < queries.rows(); ++i) {
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return similarity(i, a) > similarity(i, b); });
    for (std::size_t n = 0; n < static_cast<std::size_t>(k); ++n) {
      votes(i, y[static_cast<std::size_t>(order[n])]) += std::exp(similarity(i, order[n]) / temperature);
    }
  }
  return votes.array().colwise() / votes.rowwise().sum().array();
}

}  // namespace

TEST_CASE("KNN: the example of the documentation runs", "[eval][knn]") {
  const reference::Clusters train(1, 200, 8, 3);
  const reference::Clusters test(2, 50, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto knn = jessl::eval::KNN{.k = 20, .temperature = 0.07}.fit(features, labels);
  const double top1 = jessl::eval::accuracy(knn.predict(queries), expected);

  const auto predictions = knn.predict(queries, {1, 20, 200});  // one search, a vector of predictions for each k
  const double top2 = jessl::eval::top_k(knn.scores(queries), expected, 2);
  // [/example]
  CHECK(top1 > 0.7);
  CHECK(predictions.size() == 3);
  CHECK(top2 >= top1);
}

TEST_CASE("KNN: the nearest by direction decides, not the nearest by distance", "[eval][knn]") {
  const RowMatrix x = (RowMatrix(2, 2) << 100, 0, 0, 1).finished();
  const RowMatrix query = (RowMatrix(1, 2) << 1, 0.5).finished();
  CHECK(KNN{.k = 1}.fit(x, Labels{1, 0}).predict(query) == Labels{1});
}

TEST_CASE("KNN: votes are exp(similarity / temperature), worked out by hand", "[eval][knn]") {
  // Similarities 1, 0 and 0 to the query; with temperature 1 class 0 gets e, class 1 gets 1 + 1.
  const RowMatrix x = (RowMatrix(3, 3) << 2, 0, 0, 0, 1, 0, 0, 0, 5).finished();
  const auto model = KNN{.k = 3, .temperature = 1.0}.fit(x, Labels{0, 1, 1});
  const RowMatrix scores = model.scores(RowMatrix::Identity(1, 3));
  CHECK(scores(0, 0) == Approx(std::exp(1.0) / (std::exp(1.0) + 2.0)).epsilon(1e-6));
  CHECK(scores(0, 1) == Approx(2.0 / (std::exp(1.0) + 2.0)).epsilon(1e-6));
  // With temperature 2, e^0.5 = 1.65 < 2: the two outvote the one.
  CHECK(KNN{.k = 3, .temperature = 2.0}.fit(x, Labels{0, 1, 1}).predict(RowMatrix::Identity(1, 3)) == Labels{1});
}

TEST_CASE("KNN: of equal similarities the first rows are nearer, of equal votes the lowest class wins", "[eval][knn]") {
  const RowMatrix same = RowMatrix::Ones(5, 4);
  CHECK(KNN{.k = 3}.fit(same, Labels{2, 1, 2, 1, 1}).predict(same.topRows(1)) == Labels{2});
  CHECK(KNN{.k = 2}.fit(same, Labels{2, 1, 2, 1, 1}).predict(same.topRows(1)) == Labels{1});
  // Far more equal rows than are looked at together.
  const RowMatrix many = RowMatrix::Ones(3000, 2);
  Labels y(3000, 1);
  std::fill(y.begin(), y.begin() + 7, 2);
  CHECK(KNN{.k = 13}.fit(many, y).predict(many.topRows(1)) == Labels{2});
  CHECK(KNN{.k = 14}.fit(many, y).predict(many.topRows(1)) == Labels{1});
}

TEST_CASE("KNN: equal rows have equal similarities wherever they stand, so that the first is nearer", "[eval][knn]") {
  // Row 0 has a class of its own. A sum taken in another order in some part of the matrix would differ in its last bit
  // for some of the queries, and a later row come first.
  for (const std::int64_t rows : {7, 100, 1030, 2500}) {
    for (const std::int64_t width : {5, 37, 64, 301}) {
      const RowMatrix queries = reference::Clusters(8, 83, width, 5).x;
      const RowMatrix same = queries.row(3).replicate(rows, 1);
      Labels y(static_cast<std::size_t>(rows), 0);
      y[0] = 1;
      INFO(rows << " rows of width " << width);
      CHECK(KNN{.k = 1}.fit(same, y).predict(queries) == Labels(83, 1));
    }
  }
}

TEST_CASE("KNN: scores are those of the plain search, for every k and over several tiles", "[eval][knn]") {
  const reference::Clusters train(3, 2500, 9, 5);  // more rows than a tile, and no round number
  const reference::Clusters test(4, 83, 9, 5);
  for (const std::int64_t k : {1, 2, 33, 700, 2500}) {
    INFO(k);
    const RowMatrix scores = KNN{.k = k, .temperature = 0.2}.fit(train.x, train.y).scores(test.x);
    const Eigen::MatrixXd expected = plain_scores(train.x, train.y, test.x, 5, k, 0.2);
    // float32 similarities are off by about 1e-7, and their votes by that over the temperature.
    CHECK((scores.cast<double>() - expected).cwiseAbs().maxCoeff() < 1e-5);
  }
}

TEST_CASE("KNN: several k in one search give what one search each gives", "[eval][knn]") {
  const reference::Clusters train(5, 600, 6, 4);
  const reference::Clusters test(6, 40, 6, 4);
  const auto model = KNN{.k = 5}.fit(train.x, train.y);
  const auto together = model.predict(test.x, {50, 1, 5});
  REQUIRE(together.size() == 3);
  CHECK(together[0] == KNN{.k = 50}.fit(train.x, train.y).predict(test.x));
  CHECK(together[1] == KNN{.k = 1}.fit(train.x, train.y).predict(test.x));
  CHECK(together[2] == model.predict(test.x));
  CHECK(model.predict(test.x, std::span<const std::int64_t>{}).empty());
}

TEST_CASE("KNN: a very low temperature neither overflows nor divides by nothing", "[eval][knn]") {
  const reference::Clusters train(7, 100, 5, 3);
  const auto model = KNN{.k = 50, .temperature = 1e-6}.fit(train.x, train.y);
  CHECK(model.predict(train.x) == train.y);  // each row is its own nearest, and decides alone
  CHECK(model.scores(train.x).allFinite());
}

TEST_CASE("KNN: rows of zeros and of huge values are features like others", "[eval][knn]") {
  RowMatrix x = RowMatrix::Zero(3, 2);
  x(1, 0) = 3e38F;  // its square is no float32
  x(2, 1) = 1e-30F;
  const auto model = KNN{.k = 1}.fit(x, Labels{0, 1, 2});
  CHECK(model.predict((RowMatrix(2, 2) << 1, 0, 0, 0).finished()) == Labels{1, 0});
}

TEST_CASE("KNN: scores and predictions are NumPy's", "[eval][knn]") {
  const auto& numbers = reference::numbers();
  const RowMatrix x = reference::matrix(numbers["x"]);
  const RowMatrix queries = reference::matrix(numbers["queries"]);
  for (const auto& item : numbers["knn"]) {
    const KNN knn{.k = item["k"].get<std::int64_t>(), .temperature = item["temperature"].get<double>()};
    const RowMatrix scores = knn.fit(x, reference::labels(numbers["y"])).scores(queries);
    CHECK((scores - reference::matrix(item["scores"])).cwiseAbs().maxCoeff() < 1e-5F);
  }
}

TEST_CASE("KNN: scores by other distances and votes are scikit-learn's", "[eval][knn]") {
  const auto& numbers = reference::probes()["nearest_neighbours"];
  const RowMatrix x = reference::matrix(reference::numbers()["x"]);
  const Labels y = reference::labels(reference::numbers()["y"]);
  const RowMatrix queries = reference::matrix(numbers["queries"]);
  for (const auto& item : numbers["found"]) {
    auto settings = item;
    for (const char* other : {"rows", "scores"}) settings.erase(other);
    INFO(settings.dump());
    const auto knn = jessl::from_json<KNN>(jessl::Json(settings));
    const RowMatrix scores = knn.fit(x, y).scores(queries);
    CHECK((scores - reference::matrix(item["scores"])).cwiseAbs().maxCoeff() < 1e-5F);
    const auto found = jessl::eval::NearestNeighbours{.distance = knn.distance}.fit(x).find(queries, knn.k);
    CHECK(found.rows == reference::matrix<std::int64_t>(item["rows"]));
  }
}

TEST_CASE("KNN: the nearest by distance is not the nearest by direction", "[eval][knn]") {
  const RowMatrix x = (RowMatrix(2, 2) << 100, 0, 0, 1).finished();
  const RowMatrix query = (RowMatrix(1, 2) << 1, 0.5).finished();
  CHECK(KNN{.k = 1, .distance = jessl::eval::Distance::euclidean}.fit(x, Labels{1, 0}).predict(query) == Labels{0});
}

TEST_CASE("KNN: of rows of length 1 the votes by temperature are those of the cosine", "[eval][knn]") {
  RowMatrix x = reference::Clusters(9, 400, 6, 4).x;
  x.rowwise().normalize();
  const Labels y = reference::Clusters(9, 400, 6, 4).y;
  const RowMatrix by_cosine = KNN{.k = 30}.fit(x, y).scores(x);
  const RowMatrix by_distance = KNN{.k = 30, .distance = jessl::eval::Distance::euclidean}.fit(x, y).scores(x);
  CHECK((by_cosine - by_distance).cwiseAbs().maxCoeff() < 1e-5F);
}

TEST_CASE("KNN: rows at distance 0 share all votes by distance", "[eval][knn]") {
  const RowMatrix x = (RowMatrix(4, 2) << 1, 2, 1, 2, 1, 2.5F, 9, 9).finished();
  for (const auto distance : {jessl::eval::Distance::cosine, jessl::eval::Distance::euclidean}) {
    const auto model =
        KNN{.k = 4, .distance = distance, .votes = jessl::eval::Votes::by_distance}.fit(x, Labels{0, 1, 1, 1});
    const RowMatrix scores = model.scores(x);
    CHECK(scores(0, 0) == 0.5F);
    CHECK(scores(2, 1) == 1.0F);  // at distance 0 of itself alone
  }
}

TEST_CASE("KNN: predictions for many rows are those of a program in float64", "[eval][knn][outside]") {
  const auto collection = reference::Collection::open();
  if (!collection) return;
  const auto x = collection->features("X");
  const auto y = collection->labels("y");
  const auto queries = collection->features("T");
  const auto labels = collection->labels("yt");
  const auto cold = KNN{.k = 20, .temperature = 0.07}.fit(x, y).predict(queries, {1, 20});
  CHECK(cold[0] == collection->labels("knn_pred_k1"));
  CHECK(cold[1] == collection->labels("knn_pred_k20"));
  CHECK(KNN{.k = 200, .temperature = 0.1}.fit(x, y).predict(queries) == collection->labels("knn_pred_k200"));
  CHECK(jessl::eval::accuracy(cold[1], labels) == collection->expected()["knn"]["k20_t0.07"].get<double>());
}

TEST_CASE("KNN: settings out of range are errors that name them", "[eval][knn]") {
  const RowMatrix x = RowMatrix::Ones(4, 2);
  const Labels y{0, 1, 2, 0};
  CHECK_THROWS_AS(KNN{.k = 5}.fit(x, y), jessl::ConfigError);
  CHECK_THROWS_WITH(KNN{.k = 5}.fit(x, y), "jessl::eval::KNN: k is 5, expected 1 to the number of training rows, 4");
  CHECK_THROWS_AS(KNN{.k = 0}.fit(x, y), jessl::ConfigError);
  CHECK_THROWS_AS(KNN{.k = 2}.fit(x, y).predict(x, {2, 5}), jessl::ConfigError);
  CHECK_THROWS_WITH((KNN{.k = 2, .temperature = 0.0}.fit(x, y)),
                    Contains("temperature is 0, expected a finite number > 0"));
  CHECK_THROWS_AS((KNN{.k = 2, .temperature = std::nan("")}.fit(x, y)), jessl::ConfigError);
}

TEST_CASE("KNN: targets are averaged by the votes, worked out by hand", "[eval][knn]") {
  // Similarities 1, 0 and 0 to the query, and votes e, 1 and 1 with temperature 1.
  const RowMatrix x = RowMatrix::Identity(3, 3);
  const RowMatrix targets = (RowMatrix(3, 2) << 1, 10, 2, 0, 4, -2).finished();
  const auto model = KNN{.k = 3, .temperature = 1.0}.fit(x, targets);
  CHECK(model.targets() == 2);
  CHECK(model.dimension() == 3);
  const RowMatrix found = model.predict(RowMatrix::Identity(1, 3));
  REQUIRE(found.rows() == 1);
  const double e = std::exp(1.0);
  CHECK(found(0, 0) == Approx((e + 2.0 + 4.0) / (e + 2.0)).epsilon(1e-6));  // float32
  CHECK(found(0, 1) == Approx((10.0 * e - 2.0) / (e + 2.0)).epsilon(1e-6));
  CHECK(KNN{.k = 1}.fit(x, targets).predict(x) == targets);
  CHECK(KNN{.k = 3, .votes = jessl::eval::Votes::uniform}.fit(x, targets).predict(x).col(0).isConstant(7.0F / 3.0F));
}

TEST_CASE("KNN: one-hot targets have the scores of the classes, whatever the votes and threads", "[eval][knn]") {
  const reference::Clusters train(11, 500, 24, 4);
  const reference::Clusters test(12, 101, 24, 4);
  RowMatrix targets = RowMatrix::Zero(500, 4);
  for (Eigen::Index i = 0; i < 500; ++i) targets(i, train.y[static_cast<std::size_t>(i)]) = 1.0F;
  for (const auto distance : {jessl::eval::Distance::cosine, jessl::eval::Distance::euclidean}) {
    for (const auto votes :
         {jessl::eval::Votes::by_temperature, jessl::eval::Votes::by_distance, jessl::eval::Votes::uniform}) {
      for (const std::int64_t threads : {1, 3}) {
        const KNN knn{.k = 7, .distance = distance, .votes = votes, .threads = threads};
        CHECK(knn.fit(train.x, targets).predict(test.x) == knn.fit(train.x, train.y).scores(test.x));
      }
    }
  }
}

TEST_CASE("KNN: targets that do not fit are errors", "[eval][knn]") {
  const reference::Clusters train(11, 20, 5, 2);
  RowMatrix targets = RowMatrix::Ones(20, 2);
  CHECK_THROWS_AS(KNN{.k = 21}.fit(train.x, targets), jessl::ConfigError);
  CHECK_THROWS_AS(KNN{.temperature = 0.0}.fit(train.x, targets), jessl::ConfigError);
  CHECK_THROWS_AS(KNN{.k = 3}.fit(train.x, RowMatrix::Ones(19, 2)), jessl::ShapeError);
  CHECK_THROWS_WITH(
      KNN{.k = 3}.fit(train.x, RowMatrix::Ones(19, 2)),
      Contains("jessl::eval::KNN: X is [20, 5] but targets is [19, 2], expected one row of targets a row"));
  CHECK_THROWS_AS(KNN{.k = 3}.fit(train.x, targets).predict(RowMatrix::Ones(1, 4)), jessl::ShapeError);
  targets(4, 1) = NAN;
  CHECK_THROWS_AS(KNN{.k = 3}.fit(train.x, targets), jessl::DataError);
  CHECK_THROWS_WITH(KNN{.k = 3}.fit(train.x, targets), Contains("targets(4, 1) is nan"));
}
