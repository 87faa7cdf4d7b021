// SPDX-License-Identifier: Apache-2.0
// Curves from a run's log.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

TEST_CASE("logged_curve: is what a run has logged, a point a step", "[train][logged_curve]") {
  const test::TemporaryFolder folder;
  const test::CapturedLog quiet;
  auto trainer = fixtures::small_trainer();
  const FitResult result =
      trainer.fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "metrics.jsonl"});
  // [example]
  const eval::Curve loss = train::logged_curve(folder / "metrics.jsonl", "loss");
  const Image picture = eval::curve_picture({loss});
  // [/example]
  REQUIRE(static_cast<std::int64_t>(loss.y.size()) == result.steps);
  REQUIRE(loss.x.size() == loss.y.size());
  CHECK(loss.x.front() == 1.0);
  CHECK(loss.x.back() == static_cast<double>(result.steps));
  CHECK(loss.y.back() == result.loss);
  CHECK(picture.width == 640);
  CHECK(train::logged_curve(folder / "metrics.jsonl", "learning_rate").y.size() == loss.y.size());
}

TEST_CASE("logged_curve: leaves out measurements and lines cut short, and keeps a loss that is not finite as NaN",
          "[train][logged_curve]") {
  const test::TemporaryFolder folder;
  write_file(folder / "log", R"({"step": 1, "loss": 2.5}
{"step": 1, "measured_by": "KNNMonitor", "values": {"loss": 7}}
{"step": 2, "loss": null}
not JSON
{"step": 5, "loss": 1}
{"step": 6, "lo)");
  const eval::Curve loss = train::logged_curve(folder / "log");
  CHECK(loss.x == std::vector<double>{1, 2, 5});
  REQUIRE(loss.y.size() == 3);
  CHECK(loss.y[0] == 2.5);
  CHECK(std::isnan(loss.y[1]));
  CHECK(loss.y[2] == 1.0);
}

TEST_CASE("logged_curve: a file that is absent or has no such number is an error", "[train][logged_curve]") {
  const test::TemporaryFolder folder;
  write_file(folder / "log", "{\"step\": 1, \"loss\": 2.5}\n");
  CHECK_THROWS_AS(train::logged_curve(folder / "none"), DataError);
  CHECK_THROWS_WITH(train::logged_curve(folder / "none"), Contains("jessl::train::logged_curve: cannot open"));
  CHECK_THROWS_AS(train::logged_curve(folder / "log", "lost"), DataError);
  CHECK_THROWS_WITH(train::logged_curve(folder / "log", "lost"), Contains("has a step and a number \"lost\""));
}
