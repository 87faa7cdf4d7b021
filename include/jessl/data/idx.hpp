// SPDX-License-Identifier: Apache-2.0
// IDX files, the format of MNIST and its kin.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/detail/file.hpp>
#include <jessl/data/detail/raw_images.hpp>
#include <jessl/data/split.hpp>

namespace jessl::data {

namespace detail {

/// An array of bytes as an IDX file holds it.
struct IDXArray {
  std::vector<std::int64_t> extents{};
  std::vector<std::uint8_t> values{};
};

}  // namespace detail

/// The images of an IDX file, with the labels of a second one.
///
/// MNIST, Fashion-MNIST, KMNIST, EMNIST come so. The files may be gzipped. All pixels are held in memory; copies share
/// them.
///
/// Shapes     images [N, H, W], labels [N], unsigned bytes; an image is [H, W, 1]
/// Errors     DataError, with file, byte offset, expected and actual value: a file that is absent, no IDX file, of
///            another type or number of axes, truncated or too long; another number of labels than of images
/// Models     jessl::Dataset (docs/data/README.md)
/// Source     LeCun, Cortes, Burges: the MNIST database, "the IDX file format"
class IDX {
 public:
  static constexpr std::string_view name = "IDX";

  /// Without `labels_path` the images have no labels.
  explicit IDX(const std::string& images_path, const std::string& labels_path = "")
      : IDX(images_path, read(images_path, labels_path)) {}

  /// Fashion-MNIST: 60,000 or 10,000 grey images of 28 x 28 pixels in 10 classes.
  ///
  /// `root` is the folder of the four files, plain or .gz. If it is "": $JESSL_DATA_DIR/fashion-mnist where that
  /// variable is set, else /usr/share/datasets/fashion-mnist, where the Debian package dataset-fashion-mnist puts it.
  /// In a folder that was named, by `root` or the variable, the files may hold a part of the images.
  ///
  /// Shapes     as IDX
  /// Errors     as IDX; DataError for images of another size, a label above 9, more images than there are, or fewer in
  ///            the package's folder
  /// Models     jessl::Dataset (docs/data/README.md)
  /// Source     Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
  ///            Algorithms. arXiv 1708.07747
  [[nodiscard]] static IDX fashion_mnist(Split split, const std::string& root = "");

  [[nodiscard]] std::int64_t size() const { return images_->count; }
  [[nodiscard]] std::int64_t channels() const { return images_->channels; }
  [[nodiscard]] std::int64_t classes() const { return images_->classes; }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return images_->label(i, "jessl::data::IDX"); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>&) const {
    return images_->read(i, "jessl::data::IDX");
  }
  [[nodiscard]] std::string describe(std::int64_t i) const;

 private:
  static constexpr std::int64_t fashion_mnist_classes = 10;

  IDX(const std::string& images_path, std::shared_ptr<const detail::RawImages> images)
      : file_(std::filesystem::path(images_path).filename().string()), images_(std::move(images)) {}

  [[nodiscard]] static std::shared_ptr<detail::RawImages> read(const std::string& images_path,
                                                               const std::string& labels_path);

  /// Other data sets come in files of the same names: MNIST itself, for one.
  static void check_fashion_mnist(const detail::RawImages& images, const std::string& images_path,
                                  const std::string& labels_path, std::int64_t count, bool part_allowed);

  std::string file_;
  std::shared_ptr<const detail::RawImages> images_;
};

static_assert(Dataset<IDX>);

}  // namespace jessl::data

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

/// Reads an IDX file of unsigned bytes with that many axes, all of it and nothing but it.
JESSL_INLINE IDXArray read_idx(const std::string& path, std::size_t axes) {
  constexpr std::string_view who = "jessl::data::IDX";
  constexpr unsigned unsigned_bytes = 0x08;
  GzFile file(path, who);

  std::array<std::uint8_t, 4> magic{};
  const std::size_t magic_got = file.read(magic.data(), magic.size());
  JESSL_CHECK(magic_got == magic.size(), DataError, who, ": ", path, " ends at byte ", magic_got,
              ", inside its header of ", 4 + 4 * axes, " bytes; fetch it anew");
  JESSL_CHECK(magic[0] == 0 && magic[1] == 0, DataError, who, ": ", path, " is no IDX file: bytes 0 and 1 are ",
              int{magic[0]}, " and ", int{magic[1]},
              ", expected 0 and 0; name a file in that format, plain or gzipped");
  JESSL_CHECK(magic[2] == unsigned_bytes, DataError, who, ": ", path, " has elements of type ", int{magic[2]},
              " (byte 2), expected ", unsigned_bytes, ": unsigned bytes; write it as these");
  JESSL_CHECK(
      magic[3] == axes, DataError, who, ": ", path, " has ", int{magic[3]}, " axes (byte 3), expected ", axes,
      axes == 1 ? ": [N] labels" : ": [N, H, W] images",
      magic[3] + axes == 4 ? "; images and labels are swapped" : "; write grey images, and whole numbers as labels");

  IDXArray array;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::array<std::uint8_t, 4> big_endian{};
    JESSL_CHECK(file.read(big_endian.data(), 4) == 4, DataError, who, ": ", path, " ends at byte ", file.offset(),
                ", inside its header of ", 4 + 4 * axes, " bytes; fetch it anew");
    std::int64_t extent = 0;
    for (const std::uint8_t byte : big_endian) extent = extent * 256 + byte;
    array.extents.push_back(extent);
  }
  // Three extents of 32 bits may be more than 64 bits together: the image first, then their number.
  if (axes == 3) check_image_size(array.extents[2], array.extents[1], path);
  std::int64_t expected = 1;
  for (const std::int64_t extent : array.extents) expected *= extent;

  // In pieces, so that a damaged header cannot ask for more memory than the file fills.
  constexpr std::int64_t piece = std::int64_t{1} << 24U;
  std::int64_t got = 0;
  while (got < expected) {
    const std::int64_t wanted = std::min(piece, expected - got);
    array.values.resize(static_cast<std::size_t>(got + wanted));
    const auto count =
        static_cast<std::int64_t>(file.read(array.values.data() + got, static_cast<std::size_t>(wanted)));
    got += count;
    JESSL_CHECK(count == wanted, DataError, who, ": ", path, " is truncated: it ends at byte ", file.offset(),
                " (decompressed), ", Shape(array.extents), " needs ",
                static_cast<std::int64_t>(4 + 4 * axes) + expected, "; fetch it anew");
  }
  std::uint8_t beyond = 0;
  JESSL_CHECK(file.read(&beyond, 1) == 0, DataError, who, ": ", path, " goes on after byte ", file.offset() - 1,
              " (decompressed), where ", Shape(array.extents), " ends; fetch it anew");
  return array;
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE IDX IDX::fashion_mnist(Split split, const std::string& root) {
  const char* variable = std::getenv("JESSL_DATA_DIR");
  const std::string data_dir = variable != nullptr ? variable : "";
  const bool named = !root.empty() || !data_dir.empty();
  const std::filesystem::path folder = !root.empty()       ? std::filesystem::path(root)
                                       : !data_dir.empty() ? std::filesystem::path(data_dir) / "fashion-mnist"
                                                           : "/usr/share/datasets/fashion-mnist";
  const auto file = [&](std::string_view kind) {
    const std::filesystem::path plain = folder / concat(split == Split::train ? "train" : "t10k", kind);
    const std::filesystem::path packed = plain.string() + ".gz";
    std::error_code ignored;
    if (std::filesystem::exists(packed, ignored)) return packed.string();
    JESSL_CHECK(std::filesystem::exists(plain, ignored), DataError,
                "jessl::data::IDX::fashion_mnist: there is neither ", packed.string(), " nor ",
                plain.filename().string(),
                ". Install the Debian package: apt-get install "
                "dataset-fashion-mnist; or name the folder of the files as root; or set JESSL_DATA_DIR to the folder "
                "above it");
    return plain.string();
  };
  const std::string images = file("-images-idx3-ubyte");
  const std::string labels = file("-labels-idx1-ubyte");
  const std::shared_ptr<detail::RawImages> stored = read(images, labels);
  check_fashion_mnist(*stored, images, labels, split == Split::train ? 60'000 : 10'000, named);
  stored->classes = fashion_mnist_classes;  // also where a part has no image of the last ones
  return IDX(images, stored);
}

JESSL_INLINE std::string IDX::describe(std::int64_t i) const { return concat(file_, ", image ", i); }

JESSL_INLINE std::shared_ptr<detail::RawImages> IDX::read(const std::string& images_path,
                                                          const std::string& labels_path) {
  detail::IDXArray images = detail::read_idx(images_path, 3);
  auto stored = std::make_shared<detail::RawImages>();
  stored->pixels = std::move(images.values);
  stored->count = images.extents[0];
  stored->height = images.extents[1];
  stored->width = images.extents[2];
  stored->channels = 1;
  if (!labels_path.empty()) {
    const detail::IDXArray labels = detail::read_idx(labels_path, 1);
    JESSL_CHECK(labels.extents[0] == stored->count, DataError, "jessl::data::IDX: ", labels_path, " has ",
                labels.extents[0], " labels, expected ", stored->count, ", one for each image of ", images_path,
                "; name the labels of the same images");
    stored->labels.assign(labels.values.begin(), labels.values.end());
    stored->classes = detail::count_classes(stored->labels);
  }
  return stored;
}

JESSL_INLINE void IDX::check_fashion_mnist(const detail::RawImages& images, const std::string& images_path,
                                           const std::string& labels_path, std::int64_t count, bool part_allowed) {
  constexpr std::string_view who = "jessl::data::IDX::fashion_mnist: ";
  constexpr std::int64_t side = 28;
  JESSL_CHECK(images.height == side && images.width == side, DataError, who, images_path, " has images of ",
              images.height, " x ", images.width, " pixels (bytes 8 to 15), expected ", side, " x ", side,
              "; is it Fashion-MNIST?");
  JESSL_CHECK(images.count == count || (part_allowed && images.count < count), DataError, who, images_path, " has ",
              images.count, " images (bytes 4 to 7), expected ", part_allowed ? "at most " : "", count,
              "; is it Fashion-MNIST, and whole?");
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    JESSL_CHECK(images.labels[i] < fashion_mnist_classes, DataError, who, labels_path, ": the label of image ", i,
                " (byte ", 8 + i, ", decompressed) is ", images.labels[i], ", expected 0 to ",
                fashion_mnist_classes - 1);
  }
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
