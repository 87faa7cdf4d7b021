// SPDX-License-Identifier: Apache-2.0
// The log of a run as an event file.
#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jessl/io.hpp>

#include "support/file_content.hpp"
#include "support/file_size_limit.hpp"
#include "support/skip.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

namespace board {

train::Run run_of(std::int64_t first_step = 0, double resumed_loss = std::numeric_limits<double>::quiet_NaN()) {
  return {.epochs = 1,
          .steps_per_epoch = 10,
          .batch_size = 8,
          .first_step = first_step,
          .resumed_loss = resumed_loss,
          .configuration = {{"loss", {{"name", "NTXent"}}}},
          .resolved = {.device = "cpu", .version = "1.2.3"}};
}

template <class State>
void take_steps(State& state, std::int64_t first, std::int64_t last, double scale = 1.0) {
  for (std::int64_t step = first; step <= last; ++step)
    state.after_step({.step = step,
                      .epoch = 0,
                      .loss = scale / static_cast<double>(step),
                      .learning_rate = 1e-3,
                      .images = 8,
                      .step_seconds = 0.5});
}

train::Measurement measured(std::int64_t step, double value) {
  return {.step = step,
          .epoch = 0,
          .by = "Probe",
          .protocol = {{"k", 20}},
          .values = {{"test", {{"representation", {{"top1", value}}}}}}};
}

std::vector<std::filesystem::path> files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().find("tfevents") != std::string::npos) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The last bytes of the file are lost, as by a power cut.
void cut(const std::filesystem::path& path, std::uintmax_t bytes) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - bytes);
}

/// A line for each event in the files of a folder: "step 3 train/loss=0.5 ...", or "step 4 start".
std::vector<std::string> events(const std::filesystem::path& folder) {
  std::vector<std::string> lines;
  for (const std::filesystem::path& path : files(folder)) {
    train::detail::EventReader reader(path);
    for (std::string record; reader.next(record);) {
      std::uint64_t step = 0;
      std::string text;
      for (train::detail::Fields event(record); event.next();) {
        if (event.field() == 2) step = event.whole();
        if (event.field() == 3) text += ' ' + std::string(event.bytes());
        if (event.field() == 7) text += " start";
        if (event.field() != 5) continue;
        for (train::detail::Fields summary(event.bytes()); summary.next();) {
          for (train::detail::Fields value(summary.bytes()); value.next();) {
            if (value.field() == 1) text += ' ' + std::string(value.bytes());
            if (value.float32()) text += concat('=', *value.float32());
          }
        }
      }
      lines.push_back(concat("step ", step, text));
    }
  }
  return lines;
}

std::string python() {
  const char* const chosen = std::getenv("JESSL_PYTHON");
  return chosen != nullptr ? chosen : "python3";
}

/// What TensorBoard's own reader finds.
Json read_by_tensorboard(const std::filesystem::path& folder) {
  const std::string command =
      python() + " " JESSL_TEST_DATA "/support/event_files.py " + folder.string() + " 2>/dev/null";
  std::string text;
  FILE* const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  REQUIRE(::pclose(pipe) == 0);
  return Json::parse(text);
}

/// Ends the process as `kill -9` does.
struct KillAfter {
  std::int64_t steps = 0;
  struct State {
    std::int64_t steps;
    void after_step(const train::StepRecord& record) const {
      if (record.step == steps) std::raise(SIGKILL);
    }
  };
  [[nodiscard]] State start(const train::Run&) const { return {steps}; }
};

const std::string described = " train/learning_rate=0.001 train/images_per_second=16 train/loader_seconds=0";

}  // namespace board

}  // namespace

TEST_CASE("TensorBoard: checks of records are those of RFC 3720", "[train][tensorboard]") {
  using train::detail::crc32c;
  // Appendix B.4, and the check value of the catalogue of parametrised CRCs.
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aaU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43U);
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  CHECK(crc32c(ascending) == 0x46dd794eU);
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(crc32c("") == 0U);
  CHECK(train::detail::masked(0U) == 0xa282ead8U);
  CHECK(train::detail::masked(0xe3069283U) == 0xc78ab0e5U);
}

TEST_CASE("TensorBoard: messages are as Protocol Buffers encode them", "[train][tensorboard]") {
  train::detail::Message inner;
  inner.whole(1, 150);  // the example of its documentation: 08 96 01
  CHECK(inner.encoded() == "\x08\x96\x01");
  train::detail::Message outer;
  outer.message(3, inner).bytes(2, "testing").float32(5, 1.0F).float64(1, -2.0).whole(16, 0);
  CHECK(outer.encoded() == std::string("\x1a\x03\x08\x96\x01\x12\x07testing\x2d\x00\x00\x80\x3f"
                                       "\x09\x00\x00\x00\x00\x00\x00\x00\xc0\x80\x01\x00",
                                       31));
  std::vector<std::uint32_t> read;
  train::detail::Fields fields(outer.encoded());
  while (fields.next()) {
    read.push_back(fields.field());
    if (fields.field() == 2) CHECK(fields.bytes() == "testing");
    if (fields.field() == 5) CHECK(fields.float32() == 1.0F);
  }
  CHECK((read == std::vector<std::uint32_t>{3, 2, 5, 1, 16}));
}

TEST_CASE("TensorBoard: the file begins as every event file does", "[train][tensorboard]") {
  const fixtures::TemporaryFolder folder;
  {
    auto state = train::TensorBoard{folder / "board"}.start(board::run_of());
    board::take_steps(state, 1, 1);
  }
  REQUIRE(board::files(folder / "board").size() == 1);
  const std::string bytes = test::content(board::files(folder / "board")[0]);
  // Its length of 24 bytes and the masked check of that; then wall_time (1, 64 bits) and file_version (3, a text).
  CHECK(bytes.substr(0, 13) == std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09", 13));
  CHECK(bytes.substr(21, 15) ==
        "\x1a\x0d"
        "brain.Event:2");
}

TEST_CASE("TensorBoard: has the scalars of each step and what callbacks measure", "[train][tensorboard]") {
  const fixtures::TemporaryFolder folder;
  auto state = train::TensorBoard{folder / "board"}.start(board::run_of());
  board::take_steps(state, 1, 2);
  state.after_step({.step = 3, .loss = 1.0, .parts = {{"near", 0.75}, {"far", 0.25}}});
  state.after_measurement(board::measured(3, 0.25));
  state.after_measurement({.step = 2, .by = "B", .values = {{"x", 3}, {"comment", "no number"}}});
  state.finish();
  const std::vector<std::string> expected{"step 0 brain.Event:2",
                                          "step 0 start",
                                          "step 0 configuration resolved",
                                          "step 1 train/loss=1" + board::described,
                                          "step 2 train/loss=0.5" + board::described,
                                          "step 3 train/loss=1 train/learning_rate=0 train/images_per_second=0 "
                                          "train/loader_seconds=0 loss/near=0.75 loss/far=0.25",
                                          "step 3 Probe/test/representation/top1=0.25",
                                          "step 2 B/x=3"};
  CHECK(board::events(folder / "board") == expected);
}

TEST_CASE("TensorBoard: a resumed run marks where it goes on, in a file of its own", "[train][tensorboard]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::TensorBoard callback{folder / "board"};
  {
    auto state = callback.start(board::run_of());
    board::take_steps(state, 1, 4);
  }
  board::cut(board::files(folder / "board")[0], 3);  // the record of step 4
  for (int time = 0; time < 2; ++time) {             // twice from the same checkpoint, within a second
    auto state = callback.start(board::run_of(2, 0.5));
    board::take_steps(state, 3, 3);
  }
  CHECK(log.messages.empty());
  CHECK(board::files(folder / "board").size() == 3);
  const std::vector<std::string> lines = board::events(folder / "board");
  REQUIRE(lines.size() == 6 + 4 + 4);
  CHECK(lines[5] == "step 3 train/loss=0.33333334" + board::described);
  for (const std::size_t begin : {6U, 10U}) {
    CHECK(lines[begin] == "step 0 brain.Event:2");
    CHECK(lines[begin + 1] == "step 3 start");
    CHECK(lines[begin + 2] == "step 3 configuration resolved");
    CHECK(lines[begin + 3] == lines[5]);
  }
}

TEST_CASE("TensorBoard: a new run moves the files of an earlier one, and a resumed one takes them back",
          "[train][tensorboard]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::TensorBoard callback{folder / "board"};
  {
    auto state = callback.start(board::run_of());
    board::take_steps(state, 1, 5);
  }
  const std::vector<std::string> own = board::events(folder / "board");
  { const auto idle = callback.start(board::run_of()); }  // comes to no step and leaves everything
  CHECK(board::events(folder / "board") == own);
  {
    auto mistaken = callback.start(board::run_of());
    board::take_steps(mistaken, 1, 5, 7.0);
  }
  CHECK(log.contains("the event files of an earlier run are now in"));
  CHECK(board::events(folder / "board/previous") == own);
  {
    auto state = callback.start(board::run_of(4, 0.25));
    board::take_steps(state, 5, 5);
  }
  CHECK(log.contains("the event files of the run that is resumed were in"));
  CHECK_FALSE(std::filesystem::exists(folder / "board/previous"));
  CHECK(board::events(folder / "board/previous-2").size() == 8);
  CHECK(board::files(folder / "board").size() == 2);
  CHECK(board::events(folder / "board").size() == own.size() + 4);
}

TEST_CASE("TensorBoard: a resumed run without its own files warns", "[train][tensorboard]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::TensorBoard callback{folder / "board"};
  {
    auto state = callback.start(board::run_of());
    board::take_steps(state, 1, 3);
  }
  SECTION("another run's are moved") {
    auto state = callback.start(board::run_of(2, 9.0));
    board::take_steps(state, 3, 3);
    CHECK(log.contains("they begin after step 2"));
    CHECK(board::files(folder / "board/previous").size() == 1);
  }
  SECTION("those that end too early stay") {
    auto state = callback.start(board::run_of(6, 1.0 / 6.0));
    board::take_steps(state, 7, 7);
    CHECK(log.contains("end at step 3, the run is resumed after step 6; steps are missing"));
    CHECK(board::files(folder / "board").size() == 2);
  }
}

TEST_CASE("TensorBoard: records are handed over after so many steps or seconds, and at the end",
          "[train][tensorboard]") {
  const fixtures::TemporaryFolder folder;
  const auto steps_in = [&] { return board::events(folder / "board").size() - 3; };
  auto state =
      train::TensorBoard{.folder = folder / "board", .flush_steps = 3, .flush_seconds = 1e9}.start(board::run_of());
  board::take_steps(state, 1, 2);
  CHECK(board::files(folder / "board").empty());
  board::take_steps(state, 3, 3);
  CHECK(steps_in() == 3);
  board::take_steps(state, 4, 4);
  CHECK(steps_in() == 3);
  state.finish();
  CHECK(steps_in() == 4);

  auto other =
      train::TensorBoard{.folder = folder / "other", .flush_steps = 100, .flush_seconds = 0}.start(board::run_of());
  board::take_steps(other, 1, 1);
  CHECK(board::events(folder / "other").size() == 4);
}

TEST_CASE("TensorBoard: records that a full disk refuses are written when it has room again", "[train][tensorboard]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto state = train::TensorBoard{folder / "board"}.start(board::run_of());
  board::take_steps(state, 1, 1);
  {
    const auto now = std::filesystem::file_size(board::files(folder / "board")[0]);
    const jessl::test::FileSizeLimit full(static_cast<rlim_t>(now + 20));
    board::take_steps(state, 2, 4);
    CHECK_THROWS_WITH(state.finish(), Contains("TensorBoard: cannot write") && Contains("is the disk full?"));
  }
  CHECK(log.messages.size() == 1);
  CHECK(log.contains("Its records are kept until it can be written"));
  board::take_steps(state, 5, 5);
  state.finish();
  CHECK(board::events(folder / "board").size() == 3 + 5);
}

TEST_CASE("TensorBoard: what can't be is known before the first step", "[train][tensorboard]") {
  const fixtures::TemporaryFolder folder;
  CHECK_THROWS_AS((train::TensorBoard{.folder = folder / "x", .flush_steps = 0}.start(board::run_of())), ConfigError);
  CHECK_THROWS_WITH((train::TensorBoard{.folder = folder / "x", .flush_seconds = -1}.start(board::run_of())),
                    "jessl::train::TensorBoard: flush_seconds is -1, expected at least 0 seconds");
  write_file(folder / "file", "in the way");
  CHECK_THROWS_AS(train::TensorBoard{folder / "file/board"}.start(board::run_of()), IOError);
  train::Run run = board::run_of();
  run.configuration = {{"path", "\xff"}};
  CHECK_THROWS_AS(train::TensorBoard{folder / "board"}.start(run), ConfigError);
  auto state = train::TensorBoard{folder / "board"}.start(board::run_of());
  CHECK_THROWS_AS(state.after_measurement({.step = 1, .by = "\xff", .values = {{"x", 1}}}), ConfigError);
  CHECK_THROWS_WITH(train::TensorBoard{folder / "board"}.start(board::run_of()),
                    Contains("is being written by process "));
}

// Runs only as the child of the next test case.
TEST_CASE("a run that is killed and has an event file", "[.board]") {
  const std::filesystem::path folder = std::getenv("JESSL_TEST_FOLDER");
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(),
                                train::TensorBoard{.folder = folder / "board"}, train::CSV{folder / "metrics.csv"},
                                train::CheckpointEvery{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 2},
                                board::KillAfter{7});
}

TEST_CASE("TensorBoard, CSV: a run killed with kill -9 resumes without a step twice", "[train][tensorboard]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("JESSL_TEST_FOLDER", folder.path().c_str(), 1);
    ::execl(self.c_str(), self.c_str(), "[.board]", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  CHECK(board::events(folder / "board").size() == 3 + 7);

  FitOptions options = fixtures::small_run();
  options.resume = folder / "checkpoint.pt";
  fixtures::small_trainer().fit(fixtures::stripes(), options, train::TensorBoard{folder / "board"},
                                train::CSV{folder / "metrics.csv"});
  const std::vector<std::string> lines = board::events(folder / "board");
  REQUIRE(lines.size() == 3 + 7 + 3 + 6);
  CHECK(lines[11] == "step 7 start");
  CHECK(lines[13].substr(0, 24) == lines[9].substr(0, 24));  // step 7 and its loss: the same, to the last digits
  std::ifstream table(folder / "metrics.csv");
  const auto rows = std::count(std::istreambuf_iterator<char>(table), std::istreambuf_iterator<char>(), '\n');
  CHECK(rows == 1 + 12);
}

TEST_CASE("TensorBoard: its own reader finds a resumed run's steps once", "[train][tensorboard][outside]") {
  if (std::system((board::python() + " -c 'import tensorboard' > /dev/null 2>&1").c_str()) != 0) {
    JESSL_SKIP(board::python() << " has no tensorboard; name one that has in JESSL_PYTHON");
    return;
  }
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::TensorBoard callback{folder / "board"};
  {
    auto state = callback.start(board::run_of());
    board::take_steps(state, 1, 3);
    state.after_measurement(board::measured(3, 0.25));
    board::take_steps(state, 4, 6);
    state.after_measurement(board::measured(6, 0.5));
  }
  board::cut(board::files(folder / "board")[0], 3);
  const Json before = board::read_by_tensorboard(folder / "board");
  CHECK(before["scalars"]["train/loss"].size() == 6);
  CHECK(before["scalars"]["Probe/test/representation/top1"] == Json::array({{3, 0.25}}));
  {
    auto state = callback.start(board::run_of(4, 0.25));
    board::take_steps(state, 5, 6, 2.0);
    state.after_measurement(board::measured(6, 0.75));
    board::take_steps(state, 7, 7, 2.0);
  }
  const Json read = board::read_by_tensorboard(folder / "board");
  std::vector<std::pair<int, float>> losses;
  for (const Json& one : read["scalars"]["train/loss"]) losses.emplace_back(one[0].get<int>(), one[1].get<float>());
  const std::vector<std::pair<int, float>> expected{{1, 1.0F},        {2, 0.5F},        {3, 1.0F / 3.0F}, {4, 0.25F},
                                                    {5, 2.0F / 5.0F}, {6, 2.0F / 6.0F}, {7, 2.0F / 7.0F}};
  CHECK(losses == expected);
  CHECK(read["scalars"]["train/learning_rate"].size() == 7);
  CHECK(read["scalars"]["Probe/test/representation/top1"] == Json::array({{3, 0.25}, {6, 0.75}}));
  CHECK(read["descriptions"]["Probe/test/representation/top1"] == "    {\"k\":20}");
  CHECK(read["newer"].size() == 5);
  CHECK(read["newer"]["train/loss"] == Json({1, 2, 3, 4, 5, 6, 7}));
  CHECK(read["newer"]["Probe/test/representation/top1"] == Json({3, 6}));
  REQUIRE(read["texts"]["configuration"].size() == 2);
  CHECK(read["texts"]["configuration"][0][0] == 0);
  CHECK(read["texts"]["configuration"][1][0] == 5);
  CHECK(read["texts"]["configuration"][0][1].get<std::string>().starts_with("    {\n      \"loss\": {"));
}
