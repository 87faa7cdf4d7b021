// SPDX-License-Identifier: Apache-2.0
// The log of a run as tables.
#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <jessl/io.hpp>

#include "support/file_content.hpp"
#include "support/file_size_limit.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

namespace csv {

constexpr const char* header = "step,epoch,loss,learning_rate,images_per_second,loader_seconds\n";
constexpr const char* figures = "step,epoch,measured_by,place,figure,value,protocol\n";

train::Run run_of(std::int64_t first_step = 0, double resumed_loss = std::numeric_limits<double>::quiet_NaN()) {
  return {.epochs = 1, .steps_per_epoch = 10, .batch_size = 8, .first_step = first_step, .resumed_loss = resumed_loss};
}

train::StepRecord record_of(std::int64_t step, double scale = 1.0) {
  return {.step = step,
          .epoch = 0,
          .loss = scale / static_cast<double>(step),
          .learning_rate = 1e-3,
          .images = 8,
          .step_seconds = 0.5,
          .loader_seconds = 0.0};
}

std::string row_of(std::int64_t step) { return concat(step, ",0,", 1.0 / static_cast<double>(step), ",0.001,16,0\n"); }

template <class State>
void take_steps(State& state, std::int64_t first, std::int64_t last, double scale = 1.0) {
  for (std::int64_t step = first; step <= last; ++step) state.after_step(record_of(step, scale));
}

train::Measurement measured(std::int64_t step) {
  return {.step = step, .epoch = 0, .by = "A", .protocol = {{"k", 20}}, .values = {{"top1", 0.5}}};
}

}  // namespace csv

}  // namespace

TEST_CASE("CSV: the terms of a loss are columns, which a resumed run fills again", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "run.csv"};
  const auto record_of = [](std::int64_t step, std::vector<loss::Part> parts) {
    train::StepRecord record = csv::record_of(step);
    record.parts = std::move(parts);
    return record;
  };
  {
    auto state = table.start(csv::run_of());
    state.after_measurement(csv::measured(0));  // which does not know the columns
    state.after_step(record_of(1, {{"near", 0.75}, {"far", 0.25}}));
    state.after_step(record_of(2, {{"near", 0.5}, {"far", std::numeric_limits<double>::quiet_NaN()}}));
  }
  const std::string header = "step,epoch,loss,learning_rate,images_per_second,loader_seconds,loss/near,loss/far\n";
  CHECK(test::content(table.path) == header + "1,0,1,0.001,16,0,0.75,0.25\n2,0,0.5,0.001,16,0,0.5,\n");
  CHECK(test::content(folder / "run.measurements.csv").starts_with(csv::figures + std::string("0,0,A,")));
  {
    auto state = table.start(csv::run_of(1, 1.0));
    state.after_step(record_of(2, {{"far", 0.125}, {"new", 1.0}}));
    state.finish();
  }
  CHECK(test::content(table.path) == header + "1,0,1,0.001,16,0,0.75,0.25\n2,0,0.5,0.001,16,0,,0.125\n");

  // A run that is resumed with a file that has none, or whose header somebody has changed, goes on in that file's columns.
  write_file(table.path, "step,epoch,loss,learning_rate,images_per_second,loader_seconds,x,\n1,0,1,0.001,16,0,,\n");
  const fixtures::CapturedLog log;
  {
    auto state = table.start(csv::run_of(1, 1.0));
    state.after_step(record_of(2, {{"far", 0.125}}));
    state.after_step(record_of(3, {{"far", 0.125}}));
    state.finish();
  }
  CHECK(test::content(table.path).ends_with("\n2,0,0.5,0.001,16,0,,\n3,0,0.3333333333333333,0.001,16,0,,\n"));
  CHECK(log.messages.size() == 1);
  CHECK(log.contains("has no column loss/far"));

  // A spreadsheet ends lines in its own way.
  std::string text = header + "1,0,1,0.001,16,0,0.75,0.25\n";
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, 1, '\r');
  write_file(table.path, text);
  auto state = table.start(csv::run_of(1, 1.0));
  state.after_step(record_of(2, {{"near", 0.5}, {"far", 0.125}}));
  state.finish();
  CHECK(test::content(table.path).ends_with("\n2,0,0.5,0.001,16,0,0.5,0.125\n"));
}

TEST_CASE("CSV: is a row a step, and a row a figure that was measured", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "new/run.csv"};
  auto state = table.start(csv::run_of());
  csv::take_steps(state, 1, 3);
  state.after_measurement({.step = 3,
                           .epoch = 0,
                           .by = "Probe, \"own\"",
                           .protocol = {{"views", "of evaluation"}},
                           .values = {{"test", {{"representation", {{"top1", 0.1}, {"images", 12}}}}},
                                      {"rank", to_json(std::numeric_limits<double>::quiet_NaN())},
                                      {"ratio", to_json(-std::numeric_limits<double>::infinity())},
                                      {"comment", "no number"}}});
  state.after_measurement({.step = 3, .epoch = 0, .by = "B", .values = {{"x", 1e-20}}});
  state.finish();
  CHECK(test::content(table.path) ==
        csv::header + std::string("1,0,1,0.001,16,0\n2,0,0.5,0.001,16,0\n3,0,0.3333333333333333,0.001,16,0\n"));
  const std::string name = R"(3,0,"Probe, ""own""",)";
  const std::string protocol = R"(,"{""views"":""of evaluation""}")";
  CHECK(test::content(folder / "new/run.measurements.csv") ==
        csv::figures + name + "test/representation,top1,0.1" + protocol + '\n' + name +
            "test/representation,images,12" + protocol + '\n' + name + ",rank," + protocol + '\n' + name +
            ",ratio,-inf" + protocol + "\n3,0,B,,x,1e-20,\n");
}

TEST_CASE("CSV: a resumed run drops the rows after its checkpoint and a row cut short", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  {
    auto state = table.start(csv::run_of());
    csv::take_steps(state, 1, 2);
    state.after_measurement(csv::measured(2));
    csv::take_steps(state, 3, 3);
    state.after_measurement(csv::measured(3));
  }
  const bool in_quotes = GENERATE(false, true);  // where the crash was
  // Cut in its last digits it would read as a row.
  std::ofstream(table.path, std::ios::app) << "4,0,0.25,0.001,1";
  std::ofstream(folder / "metrics.measurements.csv", std::ios::app)
      << (in_quotes ? "4,0,A,,top1,0.5,\"{\"\"k" : "4,0,A,,to");
  {
    auto state = table.start(csv::run_of(2, 0.5));
    csv::take_steps(state, 3, 4);
    state.after_measurement(csv::measured(4));
  }
  CHECK(test::content(table.path) == csv::header + csv::row_of(1) + csv::row_of(2) + csv::row_of(3) + csv::row_of(4));
  CHECK(test::content(folder / "metrics.measurements.csv") ==
        csv::figures + std::string("2,0,A,,top1,0.5,\"{\"\"k\"\":20}\"\n4,0,A,,top1,0.5,\"{\"\"k\"\":20}\"\n"));
  CHECK(folder.entries() == 2);
}

TEST_CASE("CSV: the tables of an earlier run are kept together", "[train][csv]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  for (const std::int64_t steps : {5, 2, 3}) {
    auto state = table.start(csv::run_of());
    csv::take_steps(state, 1, steps);
    if (steps != 2) state.after_measurement(csv::measured(steps));
  }
  CHECK_THAT(test::content(folder / "metrics.csv.previous"), Contains(csv::row_of(5)));
  CHECK_THAT(test::content(folder / "metrics.measurements.csv.previous"), Contains("\n5,0,A"));
  CHECK_THAT(test::content(folder / "metrics.csv.previous-2"), Catch::EndsWith(csv::row_of(2)));
  CHECK(test::content(folder / "metrics.measurements.csv.previous-2") == csv::figures);
  CHECK_THAT(test::content(folder / "metrics.measurements.csv"), Contains("\n3,0,A"));
  CHECK(folder.entries() == 6);
}

TEST_CASE("CSV: a run resumed after another was started by mistake finds its own tables again", "[train][csv]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  {
    auto state = table.start(csv::run_of());
    csv::take_steps(state, 1, 4);
    state.after_measurement(csv::measured(3));
  }
  {
    auto mistaken = table.start(csv::run_of());
    csv::take_steps(mistaken, 1, 4, 7.0);
  }
  {
    auto state = table.start(csv::run_of(3, 1.0 / 3.0));
    csv::take_steps(state, 4, 4);
  }
  CHECK(log.contains("the log goes on from the rows of"));
  CHECK(test::content(table.path) == csv::header + csv::row_of(1) + csv::row_of(2) + csv::row_of(3) + csv::row_of(4));
  CHECK_THAT(test::content(folder / "metrics.measurements.csv"), Contains("3,0,A"));
  CHECK_THAT(test::content(folder / "metrics.csv.previous-2"), Contains("4,0,1.75,"));
}

TEST_CASE("CSV: a resumed run without its own tables warns, and cuts nobody's", "[train][csv]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  SECTION("another run's") {
    {
      auto other = table.start(csv::run_of());
      csv::take_steps(other, 1, 5);
    }
    auto state = table.start(csv::run_of(3, 9.0));
    csv::take_steps(state, 4, 4);
    CHECK(log.contains("it begins after step 3"));
    CHECK_THAT(test::content(folder / "metrics.csv.previous"), Contains(csv::row_of(5)));
    CHECK(test::content(table.path) == csv::header + csv::row_of(4));
  }
  SECTION("another program's") {
    write_file(table.path, "name;age\nA;7\n");
    auto state = table.start(csv::run_of(3, 9.0));
    csv::take_steps(state, 4, 4);
    CHECK(log.contains("it begins after step 3"));
    CHECK(test::content(folder / "metrics.csv.previous") == "name;age\nA;7\n");
  }
  SECTION("too short ones") {
    {
      auto state = table.start(csv::run_of());
      csv::take_steps(state, 1, 2);
    }
    auto state = table.start(csv::run_of(3, 1.0 / 3.0));
    csv::take_steps(state, 4, 4);
    CHECK(log.contains("ends at step 2, the run is resumed after step 3; rows are missing"));
    CHECK(test::content(table.path) == csv::header + csv::row_of(1) + csv::row_of(2) + csv::row_of(4));
  }
}

TEST_CASE("CSV: a spreadsheet's line ends are read", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  write_file(table.path, csv::header + csv::row_of(1).substr(0, csv::row_of(1).size() - 1) + "\r\n" + csv::row_of(2));
  auto state = table.start(csv::run_of(2, 0.5));
  csv::take_steps(state, 3, 3);
  CHECK_THAT(test::content(table.path), Contains("1,0,1,0.001,16,0\r\n") && Catch::EndsWith(csv::row_of(3)));
}

TEST_CASE("CSV: rows that a full disk refuses are written when it has room again", "[train][csv]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  auto state = table.start(csv::run_of());
  csv::take_steps(state, 1, 1);
  {
    const jessl::test::FileSizeLimit full(static_cast<rlim_t>(std::filesystem::file_size(table.path) + 5));
    csv::take_steps(state, 2, 4);
    CHECK_THROWS_WITH(state.finish(), Contains("jessl::train::CSV: cannot write") && Contains("is the disk full?"));
  }
  CHECK(log.messages.size() == 1);
  CHECK(log.contains("Its rows are kept until it can be written"));
  csv::take_steps(state, 5, 5);
  CHECK_NOTHROW(state.finish());
  CHECK(test::content(table.path) ==
        csv::header + csv::row_of(1) + csv::row_of(2) + csv::row_of(3) + csv::row_of(4) + csv::row_of(5));
}

TEST_CASE("CSV: a second run with the same file is refused, and so is a place that cannot be written", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  const train::CSV table{folder / "metrics.csv"};
  {
    const auto state = table.start(csv::run_of());
    CHECK_THROWS_AS(table.start(csv::run_of()), IOError);
    CHECK_THROWS_WITH(table.start(csv::run_of()), Contains("metrics.csv is being written by process "));
  }
  CHECK(folder.entries() == 0);  // a run without a step leaves nothing
  write_file(folder / "file", "in the way");
  CHECK_THROWS_AS(train::CSV{folder / "file/metrics.csv"}.start(csv::run_of()), IOError);
}

TEST_CASE("CSV: a name that is not UTF-8 is an error", "[train][csv]") {
  const fixtures::TemporaryFolder folder;
  auto state = train::CSV{folder / "metrics.csv"}.start(csv::run_of());
  CHECK_THROWS_AS(state.after_measurement({.step = 1, .by = "\xff", .values = {{"x", 1}}}), ConfigError);
}

TEST_CASE("CSV: a run that is resumed has the rows of one that was not", "[train][csv]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  fixtures::small_trainer().fit(data, options, train::CSV{folder / "whole.csv"}, train::OnlineProbe{});
  CHECK_THROWS(fixtures::small_trainer().fit(data, options, train::CSV{folder / "metrics.csv"}, train::OnlineProbe{},
                                             train::CheckpointEvery{.path = folder / "a.pt", .steps = 3},
                                             fixtures::StopAfter{7}));
  options.resume = folder / "a.pt";
  fixtures::small_trainer().fit(data, options, train::CSV{folder / "metrics.csv"}, train::OnlineProbe{});

  const auto losses = [](const std::filesystem::path& path) {
    std::vector<std::string> found;
    std::ifstream file(path);
    for (std::string row; std::getline(file, row);) {
      const std::size_t begin = row.find(',', row.find(',') + 1) + 1;
      found.push_back(row.substr(0, row.find(',')) + ' ' + row.substr(begin, row.find(',', begin) - begin));
    }
    return found;
  };
  CHECK(losses(folder / "whole.csv").size() == 13);
  CHECK(losses(folder / "metrics.csv") == losses(folder / "whole.csv"));
  CHECK(test::content(folder / "metrics.measurements.csv") == test::content(folder / "whole.measurements.csv"));
  CHECK_THAT(test::content(folder / "whole.measurements.csv"), Contains("4,0,OnlineProbe,train/representation,top1,"));
}
