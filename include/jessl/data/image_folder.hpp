// SPDX-License-Identifier: Apache-2.0
// Folders of JPEG and PNG files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/file.hpp>
#include <jessl/data/detail/raw_images.hpp>

namespace jessl::data {

/// Settings of an ImageFolder.
///
/// Shapes     none
/// Errors     none; ImageFolder checks them
/// Models     jessl::Options
/// Source     none
struct ImageFolderOptions {
  std::int64_t channels = 3;  ///< 3: every image as RGB, 1: as grey
  bool allow_empty = false;   ///< whether class folders without an image are accepted
};

/// The images below a folder: a folder a class, or all in one folder and without labels.
///
/// With folders inside `root`, each is a class, numbered by name in byte order, and its images are searched for at any
/// depth. Without, the images in `root` itself are taken, unlabelled. Files count that end in .jpg, .jpeg or .png (in
/// any case); names that start with a dot are passed over. The order is that of the classes, then of the paths, byte by
/// byte, on every machine. The folder is listed once; a file is opened when its image is read.
///
/// Shapes     none
/// Errors     DataError: no such folder; no image in it; images beside class folders; a class without images (unless
///            allow_empty), as torchvision's ImageFolder has it; a file that cannot be read. ConfigError: channels
/// Models     jessl::Dataset (docs/data/README.md)
/// Source     the layout of torchvision.datasets.ImageFolder
/// Differs    torchvision walks each folder's files before its folders and passes over images beside the class folders
class ImageFolder {
 public:
  static constexpr std::string_view name = "ImageFolder";

  explicit ImageFolder(const std::string& root, const ImageFolderOptions& options = {});

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(listing_->paths.size()); }
  [[nodiscard]] std::int64_t channels() const { return options_.channels; }
  [[nodiscard]] std::int64_t classes() const { return static_cast<std::int64_t>(listing_->classes.size()); }

  [[nodiscard]] std::int64_t label(std::int64_t i) const {
    detail::check_index(i, size(), who);
    const std::vector<std::int64_t>& ends = listing_->class_ends;
    return ends.empty() ? -1 : std::upper_bound(ends.begin(), ends.end(), i) - ends.begin();
  }

  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    const std::string& path = file(i);
    detail::read_file(path, storage, who);
    return {format_of(path).value_or(ImageFormat::jpg), 0, 0, 0, storage};
  }

  [[nodiscard]] std::string describe(std::int64_t i) const { return file(i); }

  /// The names of the classes, by number; empty where there are none.
  [[nodiscard]] const std::vector<std::string>& class_names() const { return listing_->classes; }

 private:
  static constexpr std::string_view who = "jessl::data::ImageFolder";
  static constexpr int deepest =
      32;  // less than the 40 links after which the system stops, and the listing with it, silently

  struct Listing {
    std::vector<std::string> paths{};        // by class, then in byte order
    std::vector<std::string> classes{};      // in byte order
    std::vector<std::int64_t> class_ends{};  // class c has the paths from class_ends[c - 1] to class_ends[c]
  };

  [[nodiscard]] const std::string& file(std::int64_t i) const {
    detail::check_index(i, size(), who);
    return listing_->paths[static_cast<std::size_t>(i)];
  }

  /// Whether a path ends so, in any case. No std::filesystem::path: this is asked for each image that is read.
  [[nodiscard]] static bool ends_in(std::string_view path, std::string_view ending);

  [[nodiscard]] static std::optional<ImageFormat> format_of(std::string_view path);

  [[nodiscard]] static bool hidden(const std::filesystem::path& path) {
    return path.filename().string().starts_with('.');
  }

  void list(const std::filesystem::path& root, Listing& listing) const;

  static void list_class(const std::filesystem::path& folder, Listing& listing);

  void check_classes(const std::filesystem::path& root, const Listing& listing) const;

  ImageFolderOptions options_;
  std::shared_ptr<const Listing> listing_;
};

static_assert(Dataset<ImageFolder>);

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::ImageFolderOptions, channels, allow_empty);

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE ImageFolder::ImageFolder(const std::string& root, const ImageFolderOptions& options) : options_(options) {
  JESSL_CHECK(options.channels == 1 || options.channels == 3, ConfigError, who, ": channels is ", options.channels,
              ", expected 1 (grey) or 3 (RGB)");
  auto listing = std::make_shared<Listing>();
  try {
    list(root, *listing);
  } catch (const std::filesystem::filesystem_error& error) {
    fail<DataError>(who, ": cannot list ", root, ": ", error.what());
  }
  listing_ = std::move(listing);
}

JESSL_INLINE bool ImageFolder::ends_in(std::string_view path, std::string_view ending) {
  const auto lower = [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  };
  return path.size() >= ending.size() &&
         std::equal(ending.begin(), ending.end(), path.end() - static_cast<std::ptrdiff_t>(ending.size()),
                    [&](char expected, char letter) { return lower(letter) == expected; });
}

JESSL_INLINE std::optional<ImageFormat> ImageFolder::format_of(std::string_view path) {
  if (ends_in(path, ".jpg") || ends_in(path, ".jpeg")) return ImageFormat::jpg;
  if (ends_in(path, ".png")) return ImageFormat::png;
  return std::nullopt;
}

JESSL_INLINE void ImageFolder::list(const std::filesystem::path& root, Listing& listing) const {
  JESSL_CHECK(std::filesystem::is_directory(root), DataError, who, ": ", root.string(), " is no folder",
              std::filesystem::exists(root) ? "" : ": it does not exist");
  std::vector<std::string> beside;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (hidden(entry.path())) continue;
    if (entry.is_directory()) {
      listing.classes.push_back(entry.path().filename().string());
    } else if (format_of(entry.path().native())) {
      beside.push_back(entry.path().string());
    }
  }
  JESSL_CHECK(listing.classes.empty() || beside.empty(), DataError, who, ": ", root.string(), " has class folders (",
              listing.classes.front(), ") and images beside them (", beside.front(),
              "): move the images into a class folder, or the folders away");
  std::sort(listing.classes.begin(), listing.classes.end());
  if (listing.classes.empty()) listing.paths = std::move(beside);
  for (const std::string& folder : listing.classes) {
    list_class(root / folder, listing);
  }
  if (listing.classes.empty()) std::sort(listing.paths.begin(), listing.paths.end());
  JESSL_CHECK(!listing.paths.empty(), DataError, who, ": no image in ", root.string(),
              ": expected files that end in .jpg, .jpeg or .png, in a folder for each class or all in this one");
  check_classes(root, listing);
}

JESSL_INLINE void ImageFolder::list_class(const std::filesystem::path& folder, Listing& listing) {
  const auto first = static_cast<std::ptrdiff_t>(listing.paths.size());
  constexpr auto follow = std::filesystem::directory_options::follow_directory_symlink;
  const std::filesystem::recursive_directory_iterator end;
  for (auto entry = std::filesystem::recursive_directory_iterator(folder, follow); entry != end; ++entry) {
    if (hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_directory()) {
      JESSL_CHECK(entry.depth() < deepest, DataError, who, ": ", entry->path().string(), " lies more than ", deepest,
                  " folders deep; is there a circle of symbolic links?");
    } else if (format_of(entry->path().native())) {
      listing.paths.push_back(entry->path().string());
    }
  }
  std::sort(listing.paths.begin() + first, listing.paths.end());
  listing.class_ends.push_back(static_cast<std::int64_t>(listing.paths.size()));
}

JESSL_INLINE void ImageFolder::check_classes(const std::filesystem::path& root, const Listing& listing) const {
  if (options_.allow_empty) return;
  std::vector<std::string> empty;
  std::int64_t first = 0;
  for (std::size_t c = 0; c < listing.classes.size(); ++c) {
    if (std::exchange(first, listing.class_ends[c]) == listing.class_ends[c]) empty.push_back(listing.classes[c]);
  }
  JESSL_CHECK(empty.empty(), DataError, who, ": no image in ", empty.size(), " of the ", listing.classes.size(),
              " class folders of ", root.string(), ": ", jessl::detail::joined(empty),
              "; remove them, or set allow_empty to keep their numbers");
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
