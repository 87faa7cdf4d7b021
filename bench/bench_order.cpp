// SPDX-License-Identifier: Apache-2.0
// An epoch of a .beton file four times as large as the memory for it, in the two random orders.
//
// The memory is limited as a kernel would do it, without its privileges: after each batch the least recently used parts of
// the file beyond the limit are dropped from the page cache. JESSL_BENCH_FOLDER is where the file is made (on a disk,
// 512 MiB; without it the folder for temporary files). Counted is what the process reads from the disk.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
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
constexpr std::int64_t limit = file_bytes / 4;
constexpr std::int64_t window = limit / page_size / 2;

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

/// Holds the part of a mapped file that is in memory to a limit: what was used longest ago goes first.
class PageCache {
 public:
  PageCache(const data::Beton& dataset, const File& file)
      : descriptor_(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC)),
        bytes_(std::filesystem::file_size(file.path())) {
    JESSL_CHECK(descriptor_ >= 0, jessl::DataError, "cannot open ", file.path());
    std::vector<std::byte> storage;
    begin_ = dataset.read(0, storage).bytes.data() - dataset.page(0) * page_size;
    resident_.resize((bytes_ + system_page - 1) / system_page);
    used_.resize((bytes_ + unit - 1) / unit);
    for (std::size_t i = 0; i < used_.size(); ++i) drop(i);
  }
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;
  ~PageCache() { ::close(descriptor_); }

  void use(std::span<const std::byte> sample) {
    ++now_;
    const auto first = static_cast<std::size_t>(sample.data() - begin_);
    for (std::size_t i = first / unit; i <= (first + sample.size() - 1) / unit; ++i) used_[i] = now_;
  }

  void enforce() {
    std::vector<std::size_t> units;
    std::size_t total = 0;
    ::mincore(const_cast<std::byte*>(begin_), bytes_, resident_.data());
    for (std::size_t i = 0; i < used_.size(); ++i) {
      const std::size_t pages = count(i);
      total += pages * system_page;
      if (pages == 0) {
        used_[i] = 0;
        continue;
      }
      if (used_[i] == 0) used_[i] = now_;  // read ahead by the system
      units.push_back(i);
    }
    most_ = std::max(most_, total);
    if (total <= static_cast<std::size_t>(limit)) return;
    std::sort(units.begin(), units.end(), [this](std::size_t a, std::size_t b) { return used_[a] < used_[b]; });
    for (const std::size_t i : units) {
      if (total <= static_cast<std::size_t>(limit)) break;
      total -= count(i) * system_page;
      drop(i);
    }
  }

  /// The most bytes of it that were in memory before they were cut to the limit.
  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  static constexpr std::size_t unit = 65536;
  static constexpr std::size_t system_page = 4096;

  [[nodiscard]] std::size_t count(std::size_t i) const {
    const auto begin = resident_.begin() + static_cast<std::ptrdiff_t>(i * (unit / system_page));
    const auto end =
        resident_.begin() + static_cast<std::ptrdiff_t>(std::min((i + 1) * (unit / system_page), resident_.size()));
    return static_cast<std::size_t>(std::count_if(begin, end, [](unsigned char state) { return (state & 1U) != 0; }));
  }

  void drop(std::size_t i) {
    const std::size_t size = std::min(unit, bytes_ - i * unit);
    ::madvise(const_cast<std::byte*>(begin_) + i * unit, size, MADV_DONTNEED);  // what is mapped stays in the cache
    ::posix_fadvise(descriptor_, static_cast<off_t>(i * unit), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
    used_[i] = 0;
  }

  int descriptor_;
  std::size_t bytes_;
  const std::byte* begin_ = nullptr;
  std::vector<unsigned char> resident_{};
  std::vector<std::uint64_t> used_{};
  std::uint64_t now_ = 0;
  std::size_t most_ = 0;
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

template <class O>
void epoch(benchmark::State& state, const O& order) {
  const File file(state.range(0));
  const data::Beton dataset(file.path());
  PageCache cache(dataset, file);
  data::Loader loader{dataset, Touch{}, {.batch_size = 32, .workers = 2, .ahead = 0, .seed = 1}, order};
  std::vector<std::byte> storage;
  const std::int64_t read = bytes_read();
  const std::int64_t faults = major_faults();
  std::int64_t number = 0;
  for (auto step : state) {
    for (const data::Batch& batch : loader.epoch(number++)) {
      state.PauseTiming();
      for (const std::int64_t index : batch.indices) cache.use(dataset.read(index, storage).bytes);
      cache.enforce();
      state.ResumeTiming();
    }
  }
  const auto epochs = static_cast<double>(number);
  state.counters["bytes_read_to_bytes"] = static_cast<double>(bytes_read() - read) / epochs / file_bytes;
  state.counters["major_faults"] = static_cast<double>(major_faults() - faults) / epochs;
  state.counters["most_resident_to_bytes"] = static_cast<double>(cache.most()) / file_bytes;
  state.counters["images_per_second"] =
      benchmark::Counter(epochs * static_cast<double>(file.size()), benchmark::Counter::kIsRate);
}

}  // namespace

BENCHMARK_CAPTURE(epoch, quasi_random, data::order::QuasiRandom{.window = window})
    ->Name("order/quasi_random")
    ->ArgName("side")
    ->Arg(64)
    ->Arg(192)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(epoch, shuffled, data::order::Shuffled{})
    ->Name("order/shuffled")
    ->ArgName("side")
    ->Arg(64)
    ->Arg(192)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(1);
