// SPDX-License-Identifier: Apache-2.0
// The callbacks that ship: the log that survives a kill, the checkpoint that survives a full disk, the progress bar.
#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>

#include "support/file_size_limit.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

train::Run run_of(std::int64_t steps, std::int64_t first_step = 0) {
  return {.epochs = 1, .steps_per_epoch = steps, .batch_size = 8, .first_step = first_step};
}

train::StepRecord record_of(std::int64_t step) {
  return {.step = step, .epoch = 0, .loss = 1.0 / static_cast<double>(step), .images = 8, .step_seconds = 0.5};
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

/// Puts the limit in force after the first checkpoint.
struct DiskFullAfter {
  std::int64_t step = 0;
  struct State {
    std::int64_t step;
    std::shared_ptr<jessl::test::FileSizeLimit> limit{};
    void after_step(const train::StepRecord& record) {
      if (record.step == step) limit = std::make_shared<jessl::test::FileSizeLimit>(1024);
    }
  };
  [[nodiscard]] State start(const train::Run&) const { return {step}; }
};

/// Lets the disk be full from after one step until after another.
struct DiskFullBetween {
  std::int64_t first = 0;
  std::int64_t last = 0;
  struct State {
    std::int64_t first;
    std::int64_t last;
    std::shared_ptr<jessl::test::FileSizeLimit> limit{};
    void after_step(const train::StepRecord& record) {
      if (record.step == first) limit = std::make_shared<jessl::test::FileSizeLimit>(1024);
      if (record.step == last) limit.reset();
    }
  };
  [[nodiscard]] State start(const train::Run&) const { return {first, last}; }
};

/// Takes down how large a checkpoint is at least.
struct LeastBytes {
  std::int64_t* bytes = nullptr;
  [[nodiscard]] CallbackArchetype::State start(const train::Run& run) const {
    *bytes = run.least_checkpoint_bytes;
    return {};
  }
};

/// New files can't be opened again while the guard lives: by nobody, root apart, which the process then is not.
class NewFilesLocked {
 public:
  NewFilesLocked() : mask_(::umask(0777)), user_(::geteuid()) {
    if (user_ == 0) REQUIRE(::seteuid(65534) == 0);
  }
  NewFilesLocked(const NewFilesLocked&) = delete;
  NewFilesLocked& operator=(const NewFilesLocked&) = delete;
  ~NewFilesLocked() {
    if (::seteuid(user_) != 0) std::abort();
    ::umask(mask_);
  }

 private:
  ::mode_t mask_;
  ::uid_t user_;
};

// [own]
/// Asks after each epoch what the features know, and keeps the weights of the epoch that knew most.
template <class D>
struct KNNEachEpoch {
  const D& train;
  const D& test;
  std::string path = "best.pt";         // beside it: best.pt.json
  std::vector<double>* top1 = nullptr;  // one an epoch, for who called fit()

  template <class Trainer>
  class State {
   public:
    State(const KNNEachEpoch& settings, const jessl::train::Run& run, Trainer& trainer)
        : settings_(settings), save_(run.save), trainer_(trainer) {
      // It is about the file at `path`, whichever checkpoint the run goes on from: so it stands beside that file, and not in
      // the checkpoint, as what state_dict() gives would.
      if (run.first_step > 0 && std::filesystem::exists(record())) best_ = jessl::io::load_json(record()).at("top1");
    }

    void after_epoch(const jessl::train::EpochRecord& epoch) {
      const jessl::Embedding bank = trainer_.embed(settings_.train);
      const jessl::Embedding query = trainer_.embed(settings_.test);
      const auto knn = jessl::eval::KNN{.k = 20}.fit(bank.features, bank.labels);
      const double accuracy = jessl::eval::accuracy(knn.predict(query.features), query.labels);
      if (settings_.top1 != nullptr) settings_.top1->push_back(accuracy);
      is_best_ = accuracy > best_;
      if (is_best_) best_ = accuracy;
      jessl::note("epoch ", epoch.epoch, ": mean loss ", epoch.mean_loss, ", k-NN top-1 ", accuracy);
    }

    void save_point(const jessl::train::StepRecord& step) {
      if (!std::exchange(is_best_, false)) return;
      save_(settings_.path);
      jessl::io::save_json(record(), {{"epoch", step.epoch}, {"top1", best_}});
    }

    void finish() const { jessl::note("the best k-NN top-1 was ", best_, "; its weights are in ", settings_.path); }

   private:
    [[nodiscard]] std::string record() const { return settings_.path + ".json"; }

    const KNNEachEpoch& settings_;  // an argument of fit(), and so outlives the run
    std::function<void(const std::filesystem::path&)> save_;
    Trainer& trainer_;
    double best_ = 0.0;
    bool is_best_ = false;
  };

  template <class Trainer>
  [[nodiscard]] State<Trainer> start(const jessl::train::Run& run, Trainer& trainer) const {
    return {*this, run, trainer};
  }
};
// [/own]

/// The longest name that a file may have if another, nine letters longer, can't.
std::string long_name() { return std::string(247, 'x'); }

std::int64_t seed_of(const std::string& checkpoint) {
  return io::Checkpoint::load(checkpoint).record["configuration"]["run"]["seed"];
}

}  // namespace

TEST_CASE("JSONLines: a resumed run drops the lines after its checkpoint and a line cut short", "[train][callbacks]") {
  const fixtures::TemporaryFolder folder;
  const train::JSONLines log{folder / "new/folder/metrics.jsonl"};
  {
    auto state = log.start(run_of(4));
    for (std::int64_t step = 1; step <= 3; ++step) state.after_step(record_of(step));
  }
  std::ofstream(log.path, std::ios::app) << R"({"step": 4, "lo)";
  {
    auto state = log.start(run_of(4, 2));
    state.after_step(record_of(3));
    state.after_step(record_of(4));
  }
  CHECK(fixtures::losses(log.path) == std::vector<std::string>{"1.0", "0.5", "0.3333333333333333", "0.25"});
  {
    auto state = log.start(run_of(4));
    state.after_step(record_of(1));
  }
  CHECK(fixtures::losses(log.path).size() == 1);
}

TEST_CASE("JSONLines: a new run keeps the log of an earlier one", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  for (const std::int64_t steps : {5, 2, 3}) {
    auto state = metrics.start(run_of(5));
    for (std::int64_t step = 1; step <= steps; ++step) state.after_step(record_of(step));
  }
  CHECK(fixtures::losses(folder / "metrics.jsonl.previous").size() == 5);
  CHECK(fixtures::losses(folder / "metrics.jsonl.previous-2").size() == 2);
  CHECK(fixtures::losses(metrics.path).size() == 3);
  CHECK(log.contains("the log of an earlier run is now"));
  CHECK(folder.entries() == 3);
}

TEST_CASE("JSONLines: a run resumed after another was started by mistake finds its own log again",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
  const FitOptions options = fixtures::small_run();
  const auto data = fixtures::stripes();
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "whole.jsonl"});
  CHECK_THROWS(fixtures::small_trainer().fit(data, options, metrics, checkpoint, fixtures::StopAfter{8}));
  FitOptions mistaken = options;
  mistaken.seed = 9;
  const std::int64_t steps = GENERATE(2, 6);  // short of the checkpoint of step 6, and as far
  CHECK_THROWS(fixtures::small_trainer().fit(data, mistaken, metrics, fixtures::StopAfter{steps}));
  FitOptions resumed = options;
  resumed.resume = checkpoint.path;
  fixtures::small_trainer().fit(data, resumed, metrics, checkpoint);
  CHECK(fixtures::losses(metrics.path) == fixtures::losses(folder / "whole.jsonl"));
  CHECK(fixtures::losses(folder / "metrics.jsonl.previous").size() == 8);
  CHECK(fixtures::losses(folder / "metrics.jsonl.previous-2").size() == static_cast<std::size_t>(steps));
}

TEST_CASE("JSONLines: a resumed run does not cut the log of another", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  CHECK_THROWS(
      fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "a.pt"}, fixtures::StopAfter{5}));
  options.seed = 9;
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "b.jsonl"});
  options.seed = 5;
  options.resume = folder / "a.pt";
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "b.jsonl"});
  CHECK(fixtures::losses(folder / "b.jsonl.previous").size() == 12);
  CHECK(fixtures::losses(folder / "b.jsonl").size() == 8);
  CHECK(log.contains("it begins after step 4"));
}

TEST_CASE("JSONLines: lines of the resumed run outlive a file that can't be opened again", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  {
    auto state = metrics.start(run_of(4));
    for (std::int64_t step = 1; step <= 3; ++step) state.after_step(record_of(step));
  }
  auto state = metrics.start(run_of(5, 3));
  {
    const NewFilesLocked guard;
    state.after_step(record_of(4));
  }
  CHECK(log.contains("Its lines are kept until it can be written"));
  state.after_step(record_of(5));
  state.finish();
  CHECK(fixtures::losses(metrics.path) == std::vector<std::string>{"1.0", "0.5", "0.3333333333333333", "0.25", "0.2"});
}

TEST_CASE("JSONLines, CheckpointEvery: a second run with the same file is refused before its first step",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  const train::CheckpointEvery checkpoint{folder / "checkpoint.pt"};
  {
    const auto lines = metrics.start(run_of(4));
    CHECK_THROWS_AS(metrics.start(run_of(4)), IOError);
    CHECK_THROWS_WITH(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), metrics),
                      Contains("JSONLines: ") && Contains("metrics.jsonl is being written by process "));
    const auto state = checkpoint.start(run_of(4));
    CHECK_THROWS_AS(checkpoint.start(run_of(4)), IOError);
    CHECK_THROWS_WITH(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), checkpoint),
                      Contains("CheckpointEvery: ") && Contains("checkpoint.pt is being written by process "));
  }
  CHECK(folder.entries() == 0);
  CHECK_NOTHROW(metrics.start(run_of(4)));
  CHECK_NOTHROW(checkpoint.start(run_of(4)));
}

TEST_CASE("JSONLines: an earlier log that can't be moved costs a warning in mid-run", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const std::string path = folder.write(long_name(), std::string("of an earlier run"));
  auto state = train::JSONLines{path}.start(run_of(2));
  CHECK_NOTHROW(state.after_step(record_of(1)));
  CHECK(log.contains("File name too long"));
  CHECK_THROWS_AS(state.finish(), IOError);
  CHECK(std::filesystem::file_size(path) == 17);
}

TEST_CASE("CheckpointEvery: an earlier checkpoint that can't be moved costs a warning in mid-run",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const std::string path = folder.write(long_name(), std::string("of an earlier run"));
  CHECK_THROWS_WITH(
      fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::CheckpointEvery{path}),
      Contains("File name too long") && Contains("trained weights are still in the trainer"));
  CHECK(log.contains("no checkpoint at step 8, training goes on"));
  CHECK(std::filesystem::file_size(path) == 17);
}

TEST_CASE("CheckpointEvery: a resumed run keeps the checkpoint of another run than its own", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  CHECK_THROWS(
      fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "a.pt"}, fixtures::StopAfter{5}));
  options.seed = 9;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "b.pt"});
  options.seed = 5;
  options.resume = folder / "a.pt";
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "b.pt"});
  CHECK(seed_of(folder / "b.pt") == 5);
  CHECK(seed_of(folder / "b.pt.previous") == 9);

  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "./a.pt"});  // its own, by another name
  CHECK(seed_of(folder / "a.pt") == 5);
  CHECK_FALSE(std::filesystem::exists(folder / "a.pt.previous"));
}

TEST_CASE("JSONLines: a place that cannot be written is known before the first step", "[train][callbacks]") {
  const fixtures::TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  CHECK_THROWS_AS(train::JSONLines{folder / "file/metrics.jsonl"}.start(run_of(1)), IOError);
  CHECK_THROWS_WITH(train::JSONLines{folder / "file/metrics.jsonl"}.start(run_of(1)),
                    Contains("cannot create") && Contains("folder that you may write to"));
}

TEST_CASE("CheckpointEvery: a place that cannot be written is known before the first step", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  CHECK_THROWS_AS(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(),
                                                train::CheckpointEvery{folder / "file/checkpoint.pt"}),
                  IOError);
  CHECK_THROWS_AS((train::CheckpointEvery{.path = folder / "x.pt", .epochs = -1}.start(run_of(1))), ConfigError);
}

TEST_CASE("CheckpointEvery: a disk that fills up costs a warning in mid-run and keeps the last good checkpoint",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  auto trainer = fixtures::small_trainer();
  // Three epochs of four steps: the checkpoint of step 4 is written, those of steps 8 and 12 are not.
  CHECK_THROWS_WITH(
      trainer.fit(data, fixtures::small_run(), train::CheckpointEvery{folder / "checkpoint.pt"}, DiskFullAfter{5}),
      Contains("Free some space") && Contains("trained weights are still in the trainer"));
  CHECK(log.contains("no checkpoint at step 8, training goes on"));
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt").record["steps_taken"] == 4);

  FitOptions options = fixtures::small_run();
  options.resume = folder / "checkpoint.pt";
  auto resumed = fixtures::small_trainer();
  CHECK(resumed.fit(data, options, CallbackArchetype{}).steps == 8);
  for (const auto& [name, tensor] : module_state(*resumed.backbone()))
    CHECK(torch::equal(tensor, module_state(*trainer.backbone()).at(name)));
}

TEST_CASE(
    "CheckpointEvery: a disk that fills up before the first checkpoint leaves that of an earlier run in its place",
    "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CheckpointEvery checkpoint{folder / "checkpoint.pt"};
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), checkpoint);
  FitOptions options = fixtures::small_run();
  options.seed = 9;
  CHECK_THROWS_AS(fixtures::small_trainer().fit(fixtures::stripes(), options, checkpoint, DiskFullAfter{1}), IOError);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt").record["configuration"]["run"]["seed"] == 5);
  CHECK_FALSE(std::filesystem::exists(folder / "checkpoint.pt.previous"));
  CHECK_FALSE(log.contains("is now"));
}

TEST_CASE(
    "CheckpointEvery: where its first checkpoint fails and a later one is written, it tells once of the earlier run's",
    "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CheckpointEvery checkpoint{folder / "checkpoint.pt"};
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), checkpoint);
  FitOptions options = fixtures::small_run();
  options.seed = 9;
  fixtures::small_trainer().fit(fixtures::stripes(), options, checkpoint, DiskFullBetween{3, 6});
  CHECK(log.contains("no checkpoint at step 4, training goes on"));
  CHECK(std::count_if(log.messages.begin(), log.messages.end(), [](const auto& message) {
          return message.find("the checkpoint of an earlier run is now") != std::string::npos;
        }) == 1);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt").record["configuration"]["run"]["seed"] == 9);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt.previous").record["configuration"]["run"]["seed"] == 5);
  CHECK_FALSE(std::filesystem::exists(folder / "checkpoint.pt.previous-2"));
}

TEST_CASE("CheckpointEvery: a disk without room for the weights is known before the first step", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  {
    const jessl::test::FileSizeLimit full(1024);
    CHECK_THROWS_WITH(
        trainer.fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "metrics.jsonl"},
                    train::CheckpointEvery{folder / "checkpoint.pt"}),
        Contains("cannot find room for") && Contains("Free some space"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "metrics.jsonl"));
  std::int64_t least = 0;
  trainer.fit(fixtures::stripes(), fixtures::small_run(), train::CheckpointEvery{folder / "checkpoint.pt"},
              LeastBytes{&least});
  std::size_t weights = 0;
  for (const auto& [group, tensors] : io::Checkpoint::load(folder / "checkpoint.pt").groups) {
    if (group == "optimizer") continue;
    for (const auto& [name, tensor] : tensors) weights += tensor.nbytes();
  }
  CHECK(least == static_cast<std::int64_t>(weights));
  CHECK(least > 1024);
}

TEST_CASE("JSONLines: lines that a full disk refuses are written when it has room again", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::JSONLines metrics{folder / "metrics.jsonl"};
  auto state = metrics.start(run_of(5));
  state.after_step(record_of(1));
  {
    const jessl::test::FileSizeLimit full(static_cast<rlim_t>(std::filesystem::file_size(metrics.path) + 20));
    for (std::int64_t step = 2; step <= 4; ++step) state.after_step(record_of(step));
    CHECK_THROWS_WITH(state.finish(), Contains("cannot write 3 lines to") && Contains("is the disk full?"));
  }
  CHECK(log.messages.size() == 1);
  CHECK(log.contains("Its lines are kept until it can be written"));
  state.after_step(record_of(5));
  CHECK_NOTHROW(state.finish());
  CHECK(fixtures::losses(metrics.path) == std::vector<std::string>{"1.0", "0.5", "0.3333333333333333", "0.25", "0.2"});
}

TEST_CASE("JSONLines: a run that does not come to its first step leaves the earlier log", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "metrics.jsonl"});
  CHECK_THROWS_AS(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(),
                                                train::JSONLines{folder / "metrics.jsonl"},
                                                train::CheckpointEvery{folder / "file/checkpoint.pt"}),
                  IOError);
  CHECK(fixtures::losses(folder / "metrics.jsonl").size() == 12);
}

TEST_CASE("CheckpointEvery: a full disk costs the log no line that it can still take, and the run no step",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  CHECK_THROWS_WITH(trainer.fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "metrics.jsonl"},
                                train::CheckpointEvery{folder / "checkpoint.pt"}, DiskFullAfter{5}),
                    Contains("save_weights() writes them elsewhere"));
  CHECK(log.contains("no checkpoint at step 8, training goes on"));
  CHECK(log.contains("Its lines are kept until it can be written"));
  CHECK_NOTHROW(trainer.save_weights(folder / "elsewhere.pt"));
}

TEST_CASE("CheckpointEvery: a new run keeps the checkpoint of an earlier one", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 2};
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), checkpoint);
  FitOptions options = fixtures::small_run();
  options.seed = 9;
  fixtures::small_trainer().fit(fixtures::stripes(), options, checkpoint);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt.previous").record["configuration"]["run"]["seed"] == 5);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt").record["configuration"]["run"]["seed"] == 9);
  options.seed = 10;
  fixtures::small_trainer().fit(fixtures::stripes(), options, checkpoint);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt.previous").record["configuration"]["run"]["seed"] == 5);
  CHECK(io::Checkpoint::load(folder / "checkpoint.pt.previous-2").record["configuration"]["run"]["seed"] == 9);
}

TEST_CASE("Callback: one of one's own embeds and saves between two epochs, and leaves the run as it is",
          "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  const FitOptions options = fixtures::small_run();
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "plain.jsonl"});

  std::vector<double> top1;
  const std::string best = folder / "best.pt";
  auto trainer = fixtures::small_trainer();
  // [own_run]
  trainer.fit(data, options, train::JSONLines{folder / "watched.jsonl"}, KNNEachEpoch{data, data, best, &top1});
  // [/own_run]
  CHECK(fixtures::losses(folder / "watched.jsonl") == fixtures::losses(folder / "plain.jsonl"));
  REQUIRE(top1.size() == 3);
  const auto highest = std::max_element(top1.begin(), top1.end());
  const Json record = io::load_json(best + ".json");
  CHECK(record["top1"] == *highest);
  CHECK(record["epoch"] == highest - top1.begin());
  CHECK(io::Checkpoint::load(best).record["steps_taken"] == 4 * (highest - top1.begin() + 1));
  CHECK(log.contains("; its weights are in " + best));

  // A resumed run knows what was best before it.
  CHECK_THROWS_WITH(
      fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "run.pt"}, fixtures::StopAfter{6}),
      Contains("stopped after step 6"));
  io::save_json(best + ".json", {{"epoch", 0}, {"top1", 1.0}});
  std::filesystem::remove(best);
  FitOptions rest = options;
  rest.resume = folder / "run.pt";
  top1.clear();
  auto resumed = fixtures::small_trainer();
  resumed.fit(data, rest, KNNEachEpoch{data, data, best, &top1});
  CHECK(top1.size() == 2);
  CHECK(!std::filesystem::exists(best));
}

// Runs only as the child of the next test case.
TEST_CASE("a run that is killed", "[.child]") {
  const std::filesystem::path folder = std::getenv("JESSL_TEST_FOLDER");
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "metrics.jsonl"},
                                train::CheckpointEvery{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 2},
                                KillAfter{7});
}

TEST_CASE("Trainer: a run killed with kill -9 resumes with the losses of the uninterrupted run", "[train][callbacks]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::JSONLines{folder / "whole.jsonl"});

  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("JESSL_TEST_FOLDER", folder.path().c_str(), 1);
    ::execl(self.c_str(), self.c_str(), "[.child]", static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(WTERMSIG(status) == SIGKILL);
  CHECK(fixtures::losses(folder / "metrics.jsonl").size() == 7);

  FitOptions options = fixtures::small_run();
  options.resume = folder / "checkpoint.pt";
  CHECK(fixtures::small_trainer().fit(fixtures::stripes(), options, train::JSONLines{folder / "metrics.jsonl"}).steps ==
        6);
  CHECK(fixtures::losses(folder / "metrics.jsonl") == fixtures::losses(folder / "whole.jsonl"));
}

TEST_CASE("Progress: an interval below 0 is refused before the first step", "[train][callbacks]") {
  CHECK_THROWS_AS(train::Progress{.interval = -1.0}.start(run_of(2)), ConfigError);
  CHECK_THROWS_WITH(train::Progress{.log_interval = -0.5}.start(run_of(2)),
                    "jessl::train::Progress: log_interval is -0.5, expected at least 0 seconds");
}

TEST_CASE("Progress: says where the run is in plain lines when the output is no terminal", "[train][callbacks]") {
  std::ostringstream caught;
  std::streambuf* const terminal = std::cerr.rdbuf(caught.rdbuf());
  {
    auto state = train::Progress{.log_interval = 0.0}.start(run_of(2));
    state.after_step(record_of(1));
    state.after_step(record_of(2));
  }
  std::cerr.rdbuf(terminal);
  CHECK_THAT(caught.str(), Contains("epoch 1/1  step 1/2  loss 1.0000") && Contains("step 2/2") &&
                               Contains("images/s") && Contains("left"));
  CHECK_THAT(caught.str(), !Contains("\r"));
}

TEST_CASE("Progress: a resumed run's smoothed loss starts from the checkpoint's", "[train][callbacks]") {
  std::ostringstream caught;
  std::streambuf* const terminal = std::cerr.rdbuf(caught.rdbuf());
  {
    train::Run run = run_of(2, 1);
    run.resumed_loss = 4.5;
    auto state = train::Progress{.log_interval = 0.0}.start(run);
    state.after_step(record_of(2));  // its loss is 0.5
  }
  std::cerr.rdbuf(terminal);
  CHECK_THAT(caught.str(), Contains("step 2/2  loss 4.3000"));
}
