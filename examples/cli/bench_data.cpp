// SPDX-License-Identifier: Apache-2.0
// jessl bench-data: where the time of a run goes, from the disk to the step.
#include "commands.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "settings.hpp"
#include "training.hpp"

#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/decode.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <stdlib.h>

namespace cli {

namespace {

namespace fs = std::filesystem;
using jessl::ConfigError;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct BenchArguments {
  RunFlags flags{};
  std::string config = "";
  double seconds = 2.0;  // a stage
  std::int64_t steps = 20;
};

/// A folder that goes when its owner does.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "jessl_bench_data_XXXXXX").string();
    JESSL_CHECK(::mkdtemp(name.data()) != nullptr, jessl::IOError, "no folder can be made in ",
                fs::temp_directory_path().string(), "; choose another by TMPDIR");
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

struct Reading {
  double images_per_second = 0.0;
  double bytes_per_second = 0.0;
};

/// One thread over images far apart, as a shuffled epoch takes them. What `use` does with the bytes belongs to it.
template <class Use>
Reading read_images(const AnyDataset& images, double seconds, const Use& use) {
  std::vector<std::byte> storage;
  std::int64_t count = 0;
  double bytes = 0.0;
  std::uint64_t index = 0;
  constexpr std::uint64_t stride = 0x9E3779B97F4A7C15U;  // golden ratio: every image comes before long
  const auto begin = Clock::now();
  double elapsed = 0.0;
  while (elapsed < seconds) {
    index += stride;
    const jessl::EncodedImage image =
        images.read(static_cast<std::int64_t>(index % static_cast<std::uint64_t>(images.size())), storage);
    use(image);
    bytes += static_cast<double>(image.bytes.size());
    ++count;
    elapsed = seconds_since(begin);
  }
  return {static_cast<double>(count) / elapsed, bytes / elapsed};
}

/// What a run is stopped by when it has been watched for long enough.
struct Enough {};

struct StepTimes {
  std::vector<double> steps{};
  std::vector<double> loader{};
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The first steps of the run, as pretrain takes them, but for the two that warm up.
StepTimes time_steps(const Training& training, std::int64_t steps) {
  constexpr std::int64_t warming = 2;
  const TemporaryFolder folder;
  StepTimes times;
  std::int64_t taken = 0;
  Watch watch{
      .log = folder.path() / "metrics.jsonl", .checkpoint = folder.path() / "checkpoint.pt", .checkpoint_epochs = 0};
  watch.after_step = [&](double step_seconds, double loader_seconds) {
    if (++taken > warming) {
      times.steps.push_back(step_seconds);
      times.loader.push_back(loader_seconds);
    }
    if (taken == warming + steps) throw Enough();
  };
  try {
    (void)training.network->fit(training.train.images, watch);
  } catch (const Enough&) {
  }
  JESSL_CHECK(!times.steps.empty(), ConfigError, "the run has only ", taken,
              " steps, expected at least 3; take more --epochs, or a smaller --batch-size");
  return times;
}

void row(const std::string& stage, double images_per_second, const std::string& remark) {
  std::printf("%-34s %12.0f   %s\n", stage.c_str(), images_per_second, remark.c_str());
  std::fflush(stdout);
}

std::string rounded(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void measure(const BenchArguments& arguments, const Training& training) {
  const AnyDataset& images = training.train.images;
  const Json& fit = training.resolved.settings.at("fit");
  const auto batch = static_cast<double>(fit.at("batch_size").get<std::int64_t>());
  std::printf("%-34s %12s\n", "stage", "images/s");
  const Reading read = read_images(images, arguments.seconds, [](const jessl::EncodedImage& image) {
    volatile std::byte touched{};  // of a file that is mapped, each page
    for (std::size_t i = 0; i < image.bytes.size(); i += 4096) touched = image.bytes[i];
    (void)touched;
  });
  row("read, 1 thread", read.images_per_second,
      rounded(read.bytes_per_second / 1e6, 0) + " MB/s, " +
          rounded(read.bytes_per_second / read.images_per_second / 1e3, 1) +
          " kB an image; what is cached counts, too");
  jessl::Image decoded;
  const Reading whole = read_images(images, arguments.seconds, [&](const jessl::EncodedImage& image) {
    (void)jessl::data::decode(image, images.channels(), decoded);
  });
  row("read and decode whole, 1 thread", whole.images_per_second,
      rounded(1e3 / whole.images_per_second, 2) + " ms an image");
  const double one = training.network->loading_rate(images, 1, arguments.seconds);
  row("all views by the loader, 1 thread", one,
      rounded(1e3 / one, 2) + " ms an image; only the pixels that are used are decoded");
  const std::int64_t threads = jessl::hardware_threads();
  if (threads > 1) {
    const double all = training.network->loading_rate(images, threads, arguments.seconds);
    row(jessl::concat("all views by the loader, ", threads, " threads"), all,
        rounded(all / one, 2) + " times one thread");
  }
  const StepTimes times = time_steps(training, arguments.steps);
  const double step = median(times.steps);
  const double waited = median(times.loader);
  row("steps of the network alone", batch / step,
      rounded(1e3 * step, 1) + " ms a step of " + rounded(batch, 0) + " images");
  row("the run", batch / (step + waited), rounded(100 * waited / (step + waited), 1) + " % of it on the loader");

  constexpr double much = 0.1;
  std::cout
      << (waited > much * (step + waited)
              ? "\nThe data path is worth work: it takes " + rounded(100 * waited / (step + waited), 0) +
                    " % of the run. Where reading is slow, a .beton file or tar shards (jessl pack) are read in larger "
                    "pieces; where decoding is, smaller images (jessl pack --max-resolution); on a GPU, more "
                    "--workers.\n"
              : "\nThe network is what takes the time: a faster data path would save at most " +
                    rounded(100 * waited / (step + waited), 1) +
                    " %. --precision auto, a smaller backbone or smaller views "
                    "make the steps faster.\n");
}

void bench_data(const CLI::App& command, const BenchArguments& arguments) {
  JESSL_CHECK(std::isfinite(arguments.seconds) && arguments.seconds > 0, ConfigError, "--seconds is ",
              arguments.seconds, ", expected more than 0");
  JESSL_CHECK(arguments.steps >= 1, ConfigError, "--steps is ", arguments.steps, ", expected at least 1");
  const std::vector<Given> given = arguments.flags.given(command);
  Resolved resolved;
  try {
    resolved = resolve_settings(arguments.config, given, flags_of(command));
    const Training training = prepare(resolved);
    training.check();
    std::cout << training.run.method << " on " << in_words(training.train) << '\n' << std::endl;
    measure(arguments, training);
  } catch (const ConfigError& error) {
    jessl::fail<ConfigError>(in_flags(error.what(), given, resolved.settings));
  }
}

}  // namespace

void add_bench_data(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("bench-data", "Measures where the time of a run goes, from the disk to the step.");
  const auto arguments = std::make_shared<BenchArguments>();
  arguments->flags.add_to(*command);
  command->add_option("--config", arguments->config, "TOML or .json file of settings; flags win over it");
  command->add_option("--seconds", arguments->seconds, "For each stage before the step; 2");
  command->add_option("--steps", arguments->steps, "Of the run, besides two to warm up; 20");
  command->footer(
      "Takes the settings of pretrain, as flags or in a file, and leaves nothing behind.\n"
      "Example:\n"
      "  jessl bench-data --method SimCLR --data photos --augmentation.size 96");
  command->callback([command, arguments] { bench_data(*command, *arguments); });
}

}  // namespace cli
