// SPDX-License-Identifier: Apache-2.0
// Nearest centroids on cases that can be worked out by hand, and against scikit-learn.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/nearest_centroid.hpp>

#include "eval/reference.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::RowMatrix;
using jessl::eval::Metric;
using jessl::eval::NearestCentroid;
using Labels = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("NearestCentroid: the example of the documentation runs", "[eval][nearest_centroid]") {
  const reference::Clusters train(1, 300, 8, 3);
  const reference::Clusters test(2, 100, 8, 3);
  const RowMatrix &features = train.x, &queries = test.x;
  const Labels &labels = train.y, &expected = test.y;
  // [example]
  const auto model = jessl::eval::NearestCentroid{.metric = jessl::eval::Metric::cosine}.fit(features, labels);
  const double top1 = jessl::eval::accuracy(model.predict(queries), expected);
  // [/example]
  CHECK(top1 > 0.7);
}

TEST_CASE("NearestCentroid: centroids are means and scores minus squared distances, worked out by hand",
          "[eval][nearest_centroid]") {
  const RowMatrix x = (RowMatrix(3, 2) << 0, 0, 2, 0, 10, 10).finished();
  const auto model = NearestCentroid{}.fit(x, Labels{0, 0, 1});
  CHECK(model.centroids() == (jessl::eval::RowMatrixD(2, 2) << 1, 0, 10, 10).finished());
  const RowMatrix scores = model.scores((RowMatrix(2, 2) << 1, 0, 4, 4).finished());
  CHECK(scores(0, 0) == 0.0F);
  CHECK(scores(0, 1) == Approx(-181.0).epsilon(1e-6));  // 9^2 + 10^2
  CHECK(scores(1, 0) == Approx(-25.0).epsilon(1e-6));   // 3^2 + 4^2
  CHECK(scores(1, 1) == Approx(-72.0).epsilon(1e-6));   // 6^2 + 6^2
}

TEST_CASE("NearestCentroid: the cosine's centroids are mean directions, worked out by hand",
          "[eval][nearest_centroid]") {
  // Directions (1, 0) and (0, 1), whatever their lengths: their mean points at 45 degrees.
  const RowMatrix x = (RowMatrix(3, 2) << 100, 0, 0, 1, -3, 0).finished();
  const auto model = NearestCentroid{.metric = Metric::cosine}.fit(x, Labels{0, 0, 1});
  CHECK(model.centroids()(0, 0) == Approx(std::sqrt(0.5)).epsilon(1e-14));
  CHECK(model.centroids()(0, 1) == Approx(std::sqrt(0.5)).epsilon(1e-14));
  const RowMatrix scores = model.scores((RowMatrix(2, 2) << 5, 5, -2, 0).finished());
  CHECK(scores(0, 0) == Approx(1.0).epsilon(1e-6));
  CHECK(scores(0, 1) == Approx(-std::sqrt(0.5)).epsilon(1e-6));
  CHECK(scores(1, 1) == Approx(1.0).epsilon(1e-6));
  // By distance the mean of class 0 is far from its second row.
  CHECK(NearestCentroid{}.fit(x, Labels{0, 0, 1}).predict(x) == Labels{0, 1, 1});
  CHECK(model.predict(x) == Labels{0, 0, 1});
}

TEST_CASE("NearestCentroid: centroids, scores and predictions are scikit-learn's", "[eval][nearest_centroid]") {
  const auto& numbers = reference::numbers();
  for (const Metric metric : {Metric::euclidean, Metric::cosine}) {
    const auto& expected = reference::probes()["nearest_centroid"][metric == Metric::cosine ? "cosine" : "euclidean"];
    const auto model =
        NearestCentroid{.metric = metric}.fit(reference::matrix(numbers["x"]), reference::labels(numbers["y"]));
    const auto centroids = reference::matrix<double>(expected["centroids"]);
    CHECK((model.centroids() - centroids).cwiseAbs().maxCoeff() < 1e-13);
    const RowMatrix queries = reference::matrix(numbers["queries"]);
    const RowMatrix scores = reference::matrix(expected["scores"]);
    CHECK((model.scores(queries) - scores).cwiseAbs().maxCoeff() < 2e-7F * scores.cwiseAbs().maxCoeff());
    CHECK(model.predict(queries) == reference::labels(expected["predicted"]));
  }
}

TEST_CASE("NearestCentroid: lengths of rows do not matter to the cosine", "[eval][nearest_centroid]") {
  const reference::Clusters train(3, 200, 6, 4);
  RowMatrix scaled = train.x;
  for (Eigen::Index i = 0; i < scaled.rows(); ++i) scaled.row(i) *= std::pow(2.0F, static_cast<float>(i % 40) - 20.0F);
  const NearestCentroid settings{.metric = Metric::cosine};
  CHECK(settings.fit(scaled, train.y).scores(train.x) == settings.fit(train.x, train.y).scores(scaled));
}

TEST_CASE("NearestCentroid: a class without rows is never predicted", "[eval][nearest_centroid]") {
  const RowMatrix x = (RowMatrix(2, 2) << 5, 5, -5, 5).finished();
  for (const Metric metric : {Metric::euclidean, Metric::cosine}) {
    const auto model = NearestCentroid{.metric = metric, .classes = 4}.fit(x, Labels{0, 2});
    const RowMatrix scores = model.scores(RowMatrix::Zero(1, 2));  // where the centroid of no rows would be
    CHECK(scores(0, 1) == -std::numeric_limits<float>::infinity());
    CHECK(scores(0, 3) == -std::numeric_limits<float>::infinity());
    CHECK(model.predict(RowMatrix::Zero(1, 2)) == Labels{0});
    CHECK(model.centroids().row(1).isZero(0.0));
  }
}

TEST_CASE("NearestCentroid: rows of zeros and directions that cancel have similarity 0", "[eval][nearest_centroid]") {
  const RowMatrix x = (RowMatrix(4, 2) << 1, 0.3F, -2, -0.6F, 0, 0, 1, 1).finished();
  const auto model = NearestCentroid{.metric = Metric::cosine}.fit(x, Labels{0, 0, 1, 2});
  const RowMatrix scores = model.scores((RowMatrix(2, 2) << 0, 0, 3, 1).finished());
  CHECK(scores.row(0).isZero(0.0F));
  CHECK(scores(1, 0) == 0.0F);
  CHECK(scores(1, 1) == 0.0F);
  CHECK(scores(1, 2) == Approx(4.0 / std::sqrt(20.0)).epsilon(1e-6));
}

TEST_CASE("NearestCentroid: more columns than rows, constant columns, one class and one row are possible",
          "[eval][nearest_centroid]") {
  reference::Clusters train(4, 12, 50, 3);
  train.x.col(7).setConstant(1e4F);
  CHECK(NearestCentroid{}.fit(train.x, train.y).predict(train.x) == train.y);
  CHECK(NearestCentroid{}.fit(train.x, Labels(12, 0)).predict(train.x) == Labels(12, 0));
  const auto one = NearestCentroid{}.fit(train.x.topRows(1), Labels{3});
  CHECK(one.predict(train.x) == Labels(12, 3));
  CHECK(one.scores(train.x.topRows(1))(0, 3) == 0.0F);
}

TEST_CASE("NearestCentroid: no squared distance is below 0, whatever is rounded", "[eval][nearest_centroid]") {
  const reference::Clusters rows(6, 60, 37, 60);  // each row is the centroid of a class of its own
  Labels own(60);
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<std::int64_t>(i);
  const RowMatrix at = NearestCentroid{}.fit(rows.x, own).scores(rows.x);
  CHECK(at.maxCoeff() <= 0.0F);
  CHECK(at.diagonal().minCoeff() > -1e-12F);
}

TEST_CASE("NearestCentroid: the number of threads changes no bit with the cosine", "[eval][nearest_centroid]") {
  const reference::Clusters train(5, 1500, 70, 4);
  const NearestCentroid alone{.metric = Metric::cosine, .threads = 1};
  const RowMatrix expected = alone.fit(train.x, train.y).scores(train.x);
  for (const std::int64_t threads : {2, 3, 7}) {
    const NearestCentroid together{.metric = Metric::cosine, .threads = threads};
    CHECK(together.fit(train.x, train.y).scores(train.x) == expected);
  }
}

TEST_CASE("NearestCentroid: the metric has a name in JSON", "[eval][nearest_centroid]") {
  CHECK(jessl::to_json(NearestCentroid{.metric = Metric::cosine})["metric"] == "cosine");
  CHECK_THROWS_WITH(jessl::from_json<NearestCentroid>(jessl::Json{{"metric", "cosin"}}),
                    Contains("did you mean \"cosine\"?"));
}
