// SPDX-License-Identifier: Apache-2.0
// jessl bench-data: where the time of a run goes, from the disk to the step.
#include "commands.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "training.hpp"

#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/image.hpp>
#include <jessl/data/decode.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace cli {

namespace {

using jessl::ConfigError;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

struct BenchArguments {
  RunFlags flags{};
  std::string config = "";
  double seconds = 2.0;  // a stage
  std::int64_t steps = 20;
};

struct Reading {
  double images_per_second = 0.0;
  double bytes_per_second = 0.0;
};

/// One thread over images far apart, as a shuffled epoch takes them; those that are damaged are passed over, as in a run. What
/// `use` does with the bytes belongs to it.
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
    try {
      const jessl::EncodedImage image =
          images.read(static_cast<std::int64_t>(index % static_cast<std::uint64_t>(images.size())), storage);
      use(image);
      bytes += static_cast<double>(image.bytes.size());
      ++count;
    } catch (const jessl::DataError&) {
    }
    elapsed = seconds_since(begin);
  }
  JESSL_CHECK(count > 0, jessl::DataError, "--data: no image of those looked at can be read; jessl inspect says more");
  return {static_cast<double>(count) / elapsed, bytes / elapsed};
}

/// What a run is stopped by when it has been watched for long enough.
struct Enough {};

/// Seconds of some steps together.
struct StepTimes {
  std::int64_t steps = 0;
  double network = 0.0;
  double loader = 0.0;
};

/// The first steps of the run, but for the two that warm up, without its log and checkpoints.
StepTimes time_steps(const Training& training, std::int64_t steps) {
  constexpr std::int64_t warming = 2;
  StepTimes times;
  std::int64_t taken = 0;
  Watch watch{.progress = false};
  watch.after_step = [&](double step_seconds, double loader_seconds) {
    if (++taken > warming) {
      ++times.steps;
      times.network += step_seconds;
      times.loader += loader_seconds;
    }
    if (times.steps == steps) throw Enough();
  };
  try {
    (void)training.network->fit(training.train.images, watch);
  } catch (const Enough&) {
  }
  JESSL_CHECK(times.steps > 0, ConfigError, "the run has only ", taken,
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
  const double step = times.network / static_cast<double>(times.steps);
  const double waited = times.loader / static_cast<double>(times.steps);
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
  with_settings(arguments.flags, command, arguments.config, [&](const Resolved& resolved) {
    const Training training = prepare(resolved);
    training.check();
    std::cout << training.run.method << " on " << in_words(training.train) << '\n' << std::endl;
    measure(arguments, training);
  });
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
      "Takes the settings of pretrain, as flags or in a file, and leaves nothing behind. Probes and monitors are not "
      "measured.\n"
      "Example:\n"
      "  jessl bench-data --method SimCLR --data photos --augmentation.size 96");
  command->callback([command, arguments] { bench_data(*command, *arguments); });
}

}  // namespace cli
