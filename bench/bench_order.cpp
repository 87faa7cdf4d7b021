// SPDX-License-Identifier: Apache-2.0
// An epoch of a .beton file of 512 MiB with memory for a quarter of it, in the two random orders.
//
// A control group limits the memory: that of the program and the parts of the file that the system holds for it. With
// systemd:
//     systemd-run --scope -p MemoryMax=128M -p MemorySwapMax=0 jessl_bench --benchmark_filter=order/
// and by hand, as root, with control groups of version 1 (version 2: memory.max, in /sys/fs/cgroup/bench):
//     mkdir /sys/fs/cgroup/memory/bench && echo 128M > /sys/fs/cgroup/memory/bench/memory.limit_in_bytes
//     sh -c 'echo $$ > /sys/fs/cgroup/memory/bench/cgroup.procs; exec jessl_bench --benchmark_filter=order/'
// Without such a limit the file is read once and stays in memory, which the results then say. JESSL_BENCH_FOLDER is where
// the file is made, on a disk; without it that is the folder for temporary files. Counted is what the process has the
// disk read, and its faults that waited for the disk.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/beton_writer.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/order.hpp>

namespace {

namespace data = jessl::data;

constexpr std::int64_t page_size = std::int64_t{2} << 20U;
constexpr std::int64_t file_bytes = std::int64_t{512} << 20U;
constexpr std::int64_t window = file_bytes / 4 / page_size / 2;  // half the memory

/// A file of raw square images, which vanishes with the program.
class File {
 public:
  explicit File(std::int64_t side) : sample_bytes_(3 * side * side) {
    const char* const folder = std::getenv("JESSL_BENCH_FOLDER");
    path_ = (std::filesystem::path(folder == nullptr ? std::filesystem::temp_directory_path() : folder) /
             ("jessl_bench_order_" + std::to_string(::getpid()) + "_" + std::to_string(side) + ".beton"))
                .string();
    data::BetonWriter writer(path_, {{"image", "image"}, {"label", "int"}}, {.page_size = page_size});
    std::vector<std::byte> pixels(static_cast<std::size_t>(sample_bytes_));
    jessl::Draw draw({.purpose = jessl::Purpose::initialisation});
    for (std::int64_t i = 0; i < size(); ++i) {
      for (std::size_t at = 0; at < pixels.size(); at += 512) pixels[at] = static_cast<std::byte>(draw.bits());
      writer.append({jessl::EncodedImage{jessl::ImageFormat::raw, side, side, 3, pixels}, i % 1000});
    }
    writer.commit();
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t sample_bytes() const { return sample_bytes_; }
  [[nodiscard]] std::int64_t size() const { return file_bytes / page_size * (page_size / sample_bytes_); }

 private:
  std::int64_t sample_bytes_;
  std::string path_{};
};

/// The same file as a data set that cannot read ahead.
struct Unadvised {
  data::Beton file;
  [[nodiscard]] std::int64_t size() const { return file.size(); }
  [[nodiscard]] std::int64_t channels() const { return file.channels(); }
  [[nodiscard]] std::int64_t classes() const { return file.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return file.label(i); }
  [[nodiscard]] jessl::EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    return file.read(i, storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return file.describe(i); }
  [[nodiscard]] std::int64_t page(std::int64_t i) const { return file.page(i); }
};

/// As many images as ImageNet has, in as many pages, without the images.
struct Numbers {
  [[nodiscard]] std::int64_t size() const { return 1281167; }
  [[nodiscard]] std::int64_t channels() const { return 3; }
  [[nodiscard]] std::int64_t classes() const { return 0; }
  [[nodiscard]] std::int64_t label(std::int64_t) const { return -1; }
  [[nodiscard]] jessl::EncodedImage read(std::int64_t, std::vector<std::byte>&) const { return {}; }
  [[nodiscard]] std::string describe(std::int64_t) const { return "a number"; }
  [[nodiscard]] std::int64_t page(std::int64_t i) const { return i / 75; }
};

/// Touches every byte of an image.
struct Touch {
  struct Scratch {};
  static constexpr std::int64_t views = 1;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 1, 1}; }
  [[nodiscard]] jessl::Region region(const jessl::Extent& extent, const jessl::DrawKey&) const {
    return {.height = extent.height, .width = extent.width};
  }
  void make(const jessl::RegionView& part, const jessl::DrawKey&, Scratch&, std::span<float> out) const {
    out[0] = static_cast<float>(std::accumulate(part.pixels.begin(), part.pixels.end(), 0U));
  }
};

std::int64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string name;
  std::int64_t number = 0;
  while (file >> name >> number) {
    if (name == "read_bytes:") return number;
  }
  return 0;
}

std::int64_t major_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_majflt;
}

/// The memory that the control group leaves the process; 0 where it sets no limit.
std::int64_t memory_limit() {
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t path = line.find(':', line.find(':') + 1) + 1;
    const bool is_second = line.starts_with("0::");
    if (!is_second && line.find(":memory:") == std::string::npos) continue;
    std::ifstream file(is_second ? "/sys/fs/cgroup" + line.substr(path) + "/memory.max"
                                 : "/sys/fs/cgroup/memory" + line.substr(path) + "/memory.limit_in_bytes");
    std::int64_t bytes = 0;
    if (file >> bytes && bytes < std::int64_t{1} << 50U) return bytes;  // version 1 has a large number for none
  }
  return 0;
}

/// Has the system forget what it holds of a file.
void forget(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  JESSL_CHECK(descriptor >= 0, jessl::DataError, "cannot open ", path);
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor);
}

template <class D, class O>
void epoch(benchmark::State& state, std::type_identity<D>, const O& order, data::Storage storage) {
  const File file(state.range(0));
  forget(file.path());
  const D dataset{data::Beton(file.path(), {.storage = storage})};
  data::Loader loader{dataset, Touch{}, {.batch_size = 32, .workers = 2, .ahead = 0, .seed = 1}, order};
  const std::int64_t read = bytes_read();
  const std::int64_t faults = major_faults();
  std::int64_t number = 0;
  for (auto step : state) {
    for (const data::Batch& batch : loader.epoch(number++)) benchmark::DoNotOptimize(batch.views[0].data());
  }
  const auto epochs = static_cast<double>(number);
  state.counters["bytes_read_to_bytes"] = static_cast<double>(bytes_read() - read) / epochs / file_bytes;
  state.counters["faults"] = static_cast<double>(major_faults() - faults) / epochs;
  state.counters["images_per_second"] =
      benchmark::Counter(epochs * static_cast<double>(file.size()), benchmark::Counter::kIsRate);
  const std::int64_t limit = memory_limit();
  state.SetLabel(limit == 0 ? "no memory limit" : "memory for " + std::to_string(limit >> 20) + " MiB");
}

/// What an epoch's order costs.
template <class O>
void arrange(benchmark::State& state, const O& order) {
  const Numbers dataset;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(dataset.size()));
  std::uint32_t number = 0;
  for (auto step : state) {
    order.arrange(dataset, {.epoch = number++, .purpose = jessl::Purpose::order}, indices);
    benchmark::DoNotOptimize(indices.data());
  }
}

constexpr data::order::QuasiRandom by_page{.window = window};
constexpr data::order::Shuffled shuffled{};
constexpr std::type_identity<data::Beton> beton{};
constexpr std::type_identity<Unadvised> unadvised{};

void one_epoch(benchmark::internal::Benchmark* run) {
  run->ArgName("side")->Arg(64)->Arg(192)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(1);
}

}  // namespace

BENCHMARK_CAPTURE(epoch, quasi_random, beton, by_page, data::Storage::mapped)
    ->Name("order/quasi_random/mapped")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, quasi_random, beton, by_page, data::Storage::reads)
    ->Name("order/quasi_random/reads")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, quasi_random_unadvised, unadvised, by_page, data::Storage::mapped)
    ->Name("order/quasi_random_unadvised/mapped")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, quasi_random_unadvised, unadvised, by_page, data::Storage::reads)
    ->Name("order/quasi_random_unadvised/reads")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, sequential, beton, data::order::Sequential{}, data::Storage::mapped)
    ->Name("order/sequential/mapped")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, shuffled, beton, shuffled, data::Storage::mapped)
    ->Name("order/shuffled/mapped")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(epoch, shuffled, beton, shuffled, data::Storage::reads)
    ->Name("order/shuffled/reads")
    ->Apply(one_epoch);
BENCHMARK_CAPTURE(arrange, quasi_random, data::order::QuasiRandom{})
    ->Name("order/arrange/quasi_random")
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(arrange, shuffled, data::order::Shuffled{})
    ->Name("order/arrange/shuffled")
    ->Unit(benchmark::kMillisecond);
