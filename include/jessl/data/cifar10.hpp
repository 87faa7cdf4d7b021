// SPDX-License-Identifier: Apache-2.0
// CIFAR-10 in its binary form.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/file.hpp>
#include <jessl/data/detail/raw_images.hpp>
#include <jessl/data/split.hpp>

namespace jessl::data {

/// Settings of CIFAR10.
///
/// Shapes     none
/// Errors     none
/// Models     jessl::Options
/// Source     none
struct CIFAR10Options {
  bool allow_part = false;  ///< whether files with fewer records than the data set's 10,000 each are accepted
};

/// CIFAR-10 from the files of cifar-10-binary.tar.gz: data_batch_1.bin to data_batch_5.bin, or test_batch.bin.
///
/// 50,000 and 10,000 RGB images of 32 x 32 pixels in 10 classes. All pixels are held in memory; copies share them.
///
/// Shapes     an image is [32, 32, 3]
/// Errors     DataError, with file, byte offset, expected and actual value: a file that is absent, or not of 10,000
///            records (with allow_part: empty, or not a whole number of records long); a label above 9
/// Models     jessl::Dataset (docs/data/README.md)
/// Source     Krizhevsky: Learning Multiple Layers of Features from Tiny Images. 2009
class CIFAR10 {
 public:
  static constexpr std::string_view name = "CIFAR10";

  /// `root` is the folder of the files, or the one above it (in which cifar-10-batches-bin lies).
  CIFAR10(const std::string& root, Split split, const CIFAR10Options& options = {});

  [[nodiscard]] std::int64_t size() const { return stored_->images.count; }
  [[nodiscard]] std::int64_t channels() const { return stored_->images.channels; }
  [[nodiscard]] std::int64_t classes() const { return stored_->images.classes; }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return stored_->images.label(i, who); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>&) const {
    return stored_->images.read(i, who);
  }

  [[nodiscard]] std::string describe(std::int64_t i) const;

 private:
  static constexpr std::string_view who = "jessl::data::CIFAR10";
  static constexpr std::int64_t side = 32;
  static constexpr std::int64_t classes_count = 10;
  static constexpr std::size_t records = 10'000;  // a file
  static constexpr std::size_t plane = static_cast<std::size_t>(side * side);
  static constexpr std::size_t record = 1 + 3 * plane;  // label, then a plane each of red, green and blue

  struct File {
    std::string path;
    std::int64_t first = 0;  // its first image
  };

  struct Stored {
    detail::RawImages images{};
    std::vector<File> files{};
  };

  static void append(const std::filesystem::path& path, const CIFAR10Options& options, Stored& stored);

  std::shared_ptr<const Stored> stored_;
};

static_assert(Dataset<CIFAR10>);

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::CIFAR10Options, allow_part);

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE CIFAR10::CIFAR10(const std::string& root, Split split, const CIFAR10Options& options) {
  const std::filesystem::path inner = std::filesystem::path(root) / "cifar-10-batches-bin";
  std::error_code ignored;
  const std::filesystem::path folder =
      std::filesystem::is_directory(inner, ignored) ? inner : std::filesystem::path(root);
  auto stored = std::make_shared<Stored>();
  stored->images.height = stored->images.width = side;
  stored->images.channels = 3;
  stored->images.classes = classes_count;
  if (split == Split::test) {
    append(folder / "test_batch.bin", options, *stored);
  } else {
    for (int batch = 1; batch <= 5; ++batch) append(folder / concat("data_batch_", batch, ".bin"), options, *stored);
  }
  stored_ = std::move(stored);
}

JESSL_INLINE std::string CIFAR10::describe(std::int64_t i) const {
  detail::check_index(i, size(), who);
  const auto after = std::upper_bound(stored_->files.begin(), stored_->files.end(), i,
                                      [](std::int64_t image, const File& file) { return image < file.first; });
  const File& file = *std::prev(after);
  return concat(file.path, ", image ", i - file.first);
}

JESSL_INLINE void CIFAR10::append(const std::filesystem::path& path, const CIFAR10Options& options, Stored& stored) {
  std::error_code ignored;
  JESSL_CHECK(std::filesystem::exists(path, ignored), DataError, who, ": ", path.string(),
              " does not exist. Unpack "
              "cifar-10-binary.tar.gz (the binary version of CIFAR-10, not the Python one) and name the folder of "
              "its files as root");
  std::vector<std::byte> bytes;
  detail::read_file(path.string(), bytes, who);
  JESSL_CHECK(!bytes.empty() && bytes.size() % record == 0, DataError, who, ": ", path.string(), " has ", bytes.size(),
              " bytes, expected a multiple of ", record, " above 0; the last whole record ends at byte ",
              bytes.size() / record * record);
  JESSL_CHECK(bytes.size() <= records * record, DataError, who, ": ", path.string(), " has ", bytes.size() / record,
              " records, expected at most ", records, "; this is no file of CIFAR-10");
  JESSL_CHECK(options.allow_part || bytes.size() == records * record, DataError, who, ": ", path.string(), " has ",
              bytes.size() / record, " records, expected ", records,
              "; was it copied to its end? If it is meant to be a part of CIFAR-10, set allow_part");
  stored.files.push_back({path.string(), stored.images.count});
  for (std::size_t start = 0; start < bytes.size(); start += record) {
    const auto label = std::to_integer<std::int64_t>(bytes[start]);
    JESSL_CHECK(label < classes_count, DataError, who, ": ", path.string(), ": the label at byte ", start, " is ",
                label, ", expected 0 to ", classes_count - 1);
    stored.images.labels.push_back(label);
    for (std::size_t pixel = 0; pixel < plane; ++pixel) {
      for (std::size_t colour = 0; colour < 3; ++colour) {
        stored.images.pixels.push_back(std::to_integer<std::uint8_t>(bytes[start + 1 + colour * plane + pixel]));
      }
    }
  }
  stored.images.count = static_cast<std::int64_t>(stored.images.labels.size());
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
