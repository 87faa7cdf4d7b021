// SPDX-License-Identifier: Apache-2.0
#include "data_sets.hpp"

#include <jessl/core/error.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/cifar10.hpp>
#include <jessl/data/idx.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/tar_shards.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <glob.h>

namespace cli {

namespace {

namespace data = jessl::data;
namespace fs = std::filesystem;
using data::AnyDataset;
using data::Split;
using jessl::DataError;

/// The files that a pattern with * or ? stands for, in order.
std::vector<std::string> matching(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> files;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return files;
}

/// The tar files that a path, a folder or a pattern stands for.
std::vector<std::string> shards(const std::string& path) {
  if (fs::is_directory(path)) return matching(path + "/*.tar");
  if (path.find_first_of("*?[") != std::string::npos) return matching(path);
  return {path};  // also one with braces
}

/// An IDX file of a split in a folder: "" where there is none.
std::string idx_file(const fs::path& folder, Split split, const std::string& rest) {
  const std::string name = (split == Split::train ? "train-" : "t10k-") + rest;
  for (const std::string& file : {name + ".gz", name}) {
    if (fs::exists(folder / file)) return (folder / file).string();
  }
  return "";
}

/// The folder of a split where a folder has nothing but those, as torchvision's users lay them out; else the folder itself.
fs::path folder_of(const fs::path& root, Split split) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && !name.starts_with('.')) names.insert(name);
  }
  const bool are_splits = names.contains("train") && names.size() >= 2 &&
                          std::all_of(names.begin(), names.end(), [](const std::string& name) {
                            return name == "train" || name == "test" || name == "val";
                          });
  if (!are_splits) return root;
  if (split == Split::train) return root / "train";
  return root / (names.contains("test") ? "test" : "val");
}

std::string kind_of_folder(const std::string& path) {
  const fs::path folder = path;
  for (const char* name : {"cifar-10-batches-bin", "data_batch_1.bin", "test_batch.bin"}) {
    if (fs::exists(folder / name)) return "cifar10";
  }
  for (const Split split : {Split::train, Split::test}) {
    if (!idx_file(folder, split, "images-idx3-ubyte").empty()) return "idx";
  }
  return shards(path).empty() ? "folder" : "tar";
}

std::string recognised(const std::string& flag, const std::string& path) {
  if (path == "fashion-mnist") return path;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return kind_of_folder(path);
  if (path.find_first_of("*?[{") != std::string::npos) return "tar";
  JESSL_CHECK(
      fs::exists(path, ignored), DataError, flag, ": there is nothing at ", path,
      "; expected a folder of images, a .beton file, tar shards, a folder of CIFAR-10's or of IDX files, or the "
      "name fashion-mnist");
  const std::string ending = fs::path(path).extension().string();
  if (ending == ".beton") return "beton";
  if (ending == ".tar") return "tar";
  jessl::fail<DataError>(flag, ": ", path, " is a file that ends in \"", ending,
                         "\", expected .beton or .tar; say what it is by --data-kind");
}

AnyDataset open_idx(const std::string& path, Split split) {
  const std::string images = idx_file(path, split, "images-idx3-ubyte");
  JESSL_CHECK(!images.empty(), DataError, path, " has no ", split == Split::train ? "train" : "t10k",
              "-images-idx3-ubyte, nor one that ends in .gz");
  return AnyDataset(data::IDX(images, idx_file(path, split, "labels-idx1-ubyte")));
}

AnyDataset open_tar(const std::string& flag, const std::string& path, std::int64_t channels) {
  const std::vector<std::string> files = shards(path);
  JESSL_CHECK(!files.empty(), DataError, flag, ": no file is called as ", path, "; expected tar files");
  return AnyDataset(data::TarShards(files, {.channels = channels}));
}

Opened open_new(const std::string& flag, const std::string& path, const std::string& kind, Split split,
                std::int64_t channels) {
  const std::string which = kind == "auto" ? recognised(flag, path) : kind;
  if (which == "fashion-mnist")
    return {AnyDataset(data::IDX::fashion_mnist(split, path == "fashion-mnist" ? "" : path)), which, path, true};
  if (which == "cifar10") return {AnyDataset(data::CIFAR10(path, split)), which, path, true};
  if (which == "idx") return {open_idx(path, split), which, path, true};
  if (which == "beton") return {AnyDataset(data::Beton(path, {.channels = channels})), which, path};
  if (which == "tar") return {open_tar(flag, path, channels), which, path};
  JESSL_CHECK(fs::is_directory(path), DataError, flag, ": ", path, " is no folder, as --data-kind folder wants it");
  const fs::path folder = folder_of(path, split);
  const data::ImageFolder images(folder.string(), {.channels = channels});
  return {AnyDataset(images), which, path, folder != fs::path(path), images.class_names()};
}

}  // namespace

const std::vector<std::string>& data_kinds() {
  static const std::vector<std::string> kinds{"auto", "folder", "beton", "tar", "cifar10", "idx", "fashion-mnist"};
  return kinds;
}

Split split_of(const std::string& text) {
  JESSL_CHECK(text == "train" || text == "test", jessl::ConfigError, "--split is ", text, ", expected train or test");
  return text == "train" ? Split::train : Split::test;
}

Opened open_data(const std::string& flag, const std::string& path, const std::string& kind, Split split,
                 std::int64_t channels) {
  JESSL_CHECK(!path.empty(), jessl::ConfigError, flag, " is not given: say where the images are, as ", flag,
              " photos or ", flag, " fashion-mnist");
  if (std::find(data_kinds().begin(), data_kinds().end(), kind) == data_kinds().end())
    jessl::detail::fail_unknown("--data-kind", kind, data_kinds());
  JESSL_CHECK(channels == 1 || channels == 3, jessl::ConfigError, "--channels is ", channels,
              ", expected 1 (grey) or 3 (RGB)");
  static std::map<std::tuple<std::string, std::string, Split, std::int64_t>, Opened> known;  // a sweep opens them often
  const std::tuple key{path, kind, split, channels};
  const auto found = known.find(key);
  return found != known.end() ? found->second
                              : known.emplace(key, open_new(flag, path, kind, split, channels)).first->second;
}

void check_train_and_test(const std::string& train_flag, const Opened& train, const std::string& test_flag,
                          const Opened& test) {
  for (const auto& [flag, opened] : {std::pair(&train_flag, &train), std::pair(&test_flag, &test)})
    JESSL_CHECK(opened->images.classes() > 0, jessl::ConfigError, *flag, ": the images at ", opened->path,
                " have no labels, expected some: a folder for each class");
  std::error_code ignored;
  JESSL_CHECK(test.split_chosen || !fs::equivalent(train.path, test.path, ignored), jessl::ConfigError, test_flag,
              " is ", test.path, ", as is ", train_flag,
              ", and has no parts train and test: the images would be judged by themselves; name others");
  const auto classes = [](const Opened& opened) {
    return opened.class_names.empty() ? jessl::concat(opened.images.classes(), " classes")
                                      : "the classes " + jessl::to_json(opened.class_names).dump();
  };
  const bool named = !train.class_names.empty() && !test.class_names.empty();
  JESSL_CHECK(named ? train.class_names == test.class_names : train.images.classes() == test.images.classes(),
              DataError, test_flag, ": ", test.path, " has ", classes(test), ", ", train_flag, ": ", train.path, " ",
              classes(train), "; expected the same, for labels are counted in each by itself");
}

std::string in_words(const Opened& opened) {
  const AnyDataset& images = opened.images;
  const std::string classes =
      images.classes() > 0 ? jessl::concat(" of ", images.classes(), " classes") : std::string(" without labels");
  return jessl::concat(images.size(), " images", classes, ", ", images.channels() == 1 ? "grey" : "RGB", ", ",
                       opened.kind);
}

}  // namespace cli
