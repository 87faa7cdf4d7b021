// SPDX-License-Identifier: Apache-2.0
// A data set from a path, its kind recognised by what is there.
#pragma once

#include <jessl/core/options.hpp>
#include <jessl/data/any_dataset.hpp>
#include <jessl/data/split.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// The kinds of data sets that --data-kind takes; "auto" is one of them.
[[nodiscard]] const std::vector<std::string>& data_kinds();

/// The value of --split: "train" or "test".
[[nodiscard]] jessl::data::Split split_of(const std::string& text);

struct Opened {
  jessl::data::AnyDataset images;
  std::string kind;  // "folder", "beton", ...
  std::string path{};
  bool split_chosen = false;               // whether `images` are one of the parts, train or test, that lie at the path
  std::vector<std::string> class_names{};  // of a folder
};

/// Opens the images at `path`; `flag` is the one that named it. Where train and test images lie side by side, `split` chooses.
[[nodiscard]] Opened open_data(const std::string& flag, const std::string& path, const std::string& kind,
                               jessl::data::Split split, std::int64_t channels);

/// Labels learned from `train` can be asked of `test`: there are some, of the same classes, and of other images.
void check_train_and_test(const std::string& train_flag, const Opened& train, const std::string& test_flag,
                          const Opened& test);

/// "60 images of 3 classes, RGB, from a folder".
[[nodiscard]] std::string in_words(const Opened& opened);

}  // namespace cli
