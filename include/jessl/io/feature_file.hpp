// SPDX-License-Identifier: Apache-2.0
// Features, their labels and their targets as a file: written as they come, mapped to be evaluated, read by Python.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/stored_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/storage.hpp>
#include <jessl/io/detail/safetensors_header.hpp>

namespace jessl::io {

namespace detail {

// The tensors of a file of features.
inline constexpr std::string_view features_name = "features";
inline constexpr std::string_view labels_name = "labels";
inline constexpr std::string_view targets_name = "targets";

}  // namespace detail

/// Features with their labels and targets in a file, as memory: an evaluation of more of them than memory holds.
///
///     const io::FeatureFile train{"train.safetensors"};
///     const auto probe = eval::LogisticProbe{}.fit(train.features(), train.labels());
///
/// A safetensors file of "features" F32 [N, D] and, where there are labels, "labels" I64 [N], and where there are
/// targets (several labels an image, or quantities), "targets" F32 [N, T], by FeatureFileWriter, Trainer::embed_to or
/// another program; other tensors in it are passed over. Opening it reads its header alone. The system reads what is
/// touched, keeps it as long as it has room, and drops it without writing. Copies share the mapping, and what
/// features(), labels() and targets() give is valid as long as one of them lives.
///
/// The file must not become shorter while it is open: the system ends a program (SIGBUS) that touches what is gone, and
/// one whose disk fails. FeatureFileWriter replaces a file and leaves the one that is open as it was.
///
/// Shapes     features: [N, D]; labels: [N]; targets: [N, T]
/// Precision  float32, the bits of the file
/// Cost       none at opening; a pass over the features is one over the file
/// Errors     DataError, naming the file and the offset: as jessl::io::safetensors::load; no "features", or features,
///            labels or targets of another type or shape; a place in the file that is no multiple of their elements'
///            size
/// Models     none
/// Source     https://github.com/huggingface/safetensors (format description)
class FeatureFile {
 public:
  explicit FeatureFile(const std::filesystem::path& path);

  /// X [N, D], as the classifiers and metrics of eval take it.
  [[nodiscard]] Eigen::Map<const RowMatrix> features() const { return {features_, rows_, columns_}; }

  /// The labels, [N]; none where the file has none.
  [[nodiscard]] std::span<const std::int64_t> labels() const { return labels_; }

  /// The targets, [N, T]; none, [0, 0], where the file has none.
  [[nodiscard]] Eigen::Map<const RowMatrix> targets() const {
    return {targets_, target_columns_ == 0 ? 0 : rows_, target_columns_};
  }

  /// The texts beside them: which layer of which network, on which views.
  [[nodiscard]] const safetensors::Metadata& metadata() const { return metadata_; }

  [[nodiscard]] std::int64_t size() const { return rows_; }          ///< N
  [[nodiscard]] std::int64_t dimension() const { return columns_; }  ///< D

 private:
  using Entry = safetensors::detail::Entry;
  using Dtype = safetensors::detail::Dtype;

  static constexpr std::string_view who = "jessl::io::FeatureFile";
  static constexpr std::uint64_t header_offset = safetensors::detail::prefix_size;

  [[nodiscard]] std::string at(std::uint64_t offset) const {
    return safetensors::detail::place(who, file_->path(), offset);
  }

  [[nodiscard]] static const Entry* find(const safetensors::detail::Header& header, std::string_view name);

  [[nodiscard]] static std::string names_of(const safetensors::detail::Header& header);

  [[nodiscard]] static std::string described(const Entry& entry);

  /// A tensor's bytes; of none a null pointer.
  [[nodiscard]] const std::byte* bytes_of(const safetensors::detail::Header& header, const Entry& entry,
                                          std::uint64_t alignment) const;

  std::shared_ptr<const jessl::detail::StoredFile> file_;
  const float* features_ = nullptr;
  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::span<const std::int64_t> labels_{};
  const float* targets_ = nullptr;
  std::int64_t target_columns_ = 0;
  safetensors::Metadata metadata_{};
};

/// What is known of a file of features before its first row.
///
/// Shapes     none
/// Errors     FeatureFileWriter checks them
/// Models     none
/// Source     none
struct FeatureFileOptions {
  std::int64_t dimension = 0;          ///< D, >= 1
  std::optional<std::int64_t> rows{};  ///< N, where it is known: the room on the disk is then checked first
  bool labels = true;                  ///< whether rows have labels
  std::int64_t targets = 0;            ///< T, the targets of each row; 0: none
  safetensors::Metadata metadata{};    ///< texts: layer, model, protocol
};

/// Writes features, labels and targets as they come to a file that FeatureFile and Python's safetensors read.
///
///     io::FeatureFileWriter writer{"train.safetensors", {.dimension = 512, .rows = 50000}};
///     writer.append(features, labels);  // a block of rows, any number of times
///     writer.commit();
///
/// The file appears under its name at commit(), whole; without it nothing appears. Its bytes are a function of the
/// options' texts, the rows, labels and targets alone: not of the blocks, nor of whether the number of rows was told.
/// The header has spaces at its end so that the features begin at a multiple of 64 bytes; the labels stand before them,
/// the targets behind. A block that is refused leaves the writer as it was. One thread at a time may use a writer.
///
/// Shapes     append: X [n, D], y [n], targets [n, T]; at commit() [N, D], [N], [N, T]
/// Cost       memory: none of the rows. Where their number is not told, their labels, 8 bytes each, their targets, 4 T
///            bytes, and 4 MB at commit(), which then moves the features by so much as the labels take: the file is
///            read and written once more
/// Errors     ConfigError for a dimension, a number of rows or of targets out of range, and for texts that are not
///            UTF-8; ShapeError for a block of another D, as many labels or targets as rows are not, more rows than
///            were told, and at commit() fewer; IOError as AtomicFile, at once where the disk has no room for the rows
///            that were told
/// Models     none
/// Source     as FeatureFile
class FeatureFileWriter {
 public:
  FeatureFileWriter(const std::filesystem::path& path, FeatureFileOptions options);

  /// Rows so far.
  [[nodiscard]] std::int64_t size() const { return rows_; }

  /// Adds a block of rows and, where the file has them, their labels and their targets. All of it is copied.
  void append(const Eigen::Ref<const RowMatrix>& features, std::span<const std::int64_t> labels = {},
              const Eigen::Ref<const RowMatrix>& targets = RowMatrix());

  /// Puts the file into its place. Nothing can be added afterwards.
  void commit();

 private:
  static constexpr std::string_view who = "jessl::io::FeatureFileWriter";
  static constexpr std::int64_t label_size = sizeof(std::int64_t);
  static constexpr std::int64_t alignment = 64;  // of the features, bytes: a cache line, and the widest vector
  static constexpr std::int64_t most_bytes = std::int64_t{1} << 60U;
  // Numbers of rows and offsets, together two of the labels, three of the features and three of the targets, stand in a
  // header whose length must not depend on them.
  static constexpr std::size_t digits = 19;

  [[nodiscard]] static FeatureFileOptions checked(FeatureFileOptions options);

  [[nodiscard]] static Shape shape_of(const Eigen::Ref<const RowMatrix>& block) {
    return Shape(std::vector<std::int64_t>{block.rows(), block.cols()});
  }

  [[nodiscard]] static std::int64_t row_size(std::int64_t columns) {
    return columns * static_cast<std::int64_t>(sizeof(float));
  }

  // ---- The file: its header, the labels, whose elements are wider, the features, and the targets.

  [[nodiscard]] std::int64_t labels_size(std::int64_t rows) const { return options_.labels ? rows * label_size : 0; }

  [[nodiscard]] std::int64_t features_begin(std::int64_t rows) const {
    const auto before = safetensors::detail::prefix_size + header_room_ + static_cast<std::uint64_t>(labels_size(rows));
    return static_cast<std::int64_t>(safetensors::detail::round_up(before, alignment));
  }

  [[nodiscard]] std::int64_t labels_begin(std::int64_t rows) const { return features_begin(rows) - labels_size(rows); }

  [[nodiscard]] std::int64_t features_end(std::int64_t rows) const {
    return features_begin(rows) + rows * row_size(options_.dimension);
  }

  [[nodiscard]] std::int64_t file_size(std::int64_t rows) const {
    return features_end(rows) + rows * row_size(options_.targets);
  }

  [[nodiscard]] std::string header_text(std::int64_t rows) const;

  void write_rows(const Eigen::Ref<const RowMatrix>& block, std::int64_t offset);

  FeatureFileOptions options_;
  std::size_t header_room_;
  AtomicFile file_;
  std::int64_t begin_ = 0;              // of the features: until commit() without their labels, where rows are not told
  std::int64_t rows_ = 0;               // so far
  std::vector<std::int64_t> labels_{};  // where rows are not told
  std::vector<float> targets_{};        // the same, row by row
};

}  // namespace jessl::io

#if JESSL_DEFINITIONS

namespace jessl::io {

JESSL_INLINE FeatureFile::FeatureFile(const std::filesystem::path& path)
    : file_(std::make_shared<jessl::detail::StoredFile>(path.string(), Storage::mapped, who)) {
  std::vector<std::byte> unused;  // by a mapped file
  const safetensors::detail::HeaderReader reader(who, file_->path());
  safetensors::detail::Header header =
      reader.read(file_->size(), [&](void* target, std::size_t count, std::uint64_t offset) {
        const std::span<const std::byte> bytes = file_->read(offset, count, unused);
        std::copy(bytes.begin(), bytes.end(), static_cast<std::byte*>(target));
      });
  const Entry* const features = find(header, detail::features_name);
  JESSL_CHECK(features != nullptr, DataError, at(header_offset), "has no tensor 'features' but ", names_of(header),
              "; expected features F32 [N, D] and, where there are such, labels I64 [N] and targets F32 [N, T]");
  JESSL_CHECK(features->dtype == Dtype::f32 && features->extents.size() == 2 && features->extents[1] >= 1, DataError,
              at(header_offset), "has features ", described(*features), ", expected F32 [N, D]");
  rows_ = features->extents[0];
  columns_ = features->extents[1];
  features_ = reinterpret_cast<const float*>(bytes_of(header, *features, alignof(float)));
  if (const Entry* const labels = find(header, detail::labels_name)) {
    JESSL_CHECK(labels->dtype == Dtype::i64 && labels->extents == std::vector{rows_}, DataError, at(header_offset),
                "has labels ", described(*labels), ", expected I64 ", Shape(std::vector{rows_}),
                ", one for each row of the features");
    labels_ = {reinterpret_cast<const std::int64_t*>(bytes_of(header, *labels, alignof(std::int64_t))),
               static_cast<std::size_t>(rows_)};
  }
  if (const Entry* const targets = find(header, detail::targets_name)) {
    JESSL_CHECK(targets->dtype == Dtype::f32 && targets->extents.size() == 2 && targets->extents[0] == rows_ &&
                    targets->extents[1] >= 1,
                DataError, at(header_offset), "has targets ", described(*targets), ", expected F32 [N, T] = [", rows_,
                ", T], one row for each row of the features");
    target_columns_ = targets->extents[1];
    targets_ = reinterpret_cast<const float*>(bytes_of(header, *targets, alignof(float)));
  }
  metadata_ = std::move(header.metadata);
}

JESSL_INLINE const FeatureFile::Entry* FeatureFile::find(const safetensors::detail::Header& header,
                                                         std::string_view name) {
  const auto found = std::find_if(header.entries.begin(), header.entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == header.entries.end() ? nullptr : &*found;
}

JESSL_INLINE std::string FeatureFile::names_of(const safetensors::detail::Header& header) {
  constexpr std::size_t most = 8;
  std::string names;
  for (std::size_t i = 0; i < std::min(most, header.entries.size()); ++i)
    names += (i == 0 ? "'" : ", '") + header.entries[i].name + "'";
  if (header.entries.size() > most) names += ", ...";
  return names.empty() ? "none at all" : names;
}

JESSL_INLINE std::string FeatureFile::described(const Entry& entry) {
  return concat(safetensors::detail::name_of(entry.dtype), ' ', Shape(entry.extents));
}

JESSL_INLINE const std::byte* FeatureFile::bytes_of(const safetensors::detail::Header& header, const Entry& entry,
                                                    std::uint64_t alignment) const {
  const std::uint64_t offset = header.data_offset + entry.begin;  // the mapping itself begins with a page
  JESSL_CHECK(offset % alignment == 0, DataError, at(offset), "has ", entry.name, " at a place that is no multiple of ",
              alignment, " bytes; load it in Python and save it again, with safetensors 0.3 or later");
  std::vector<std::byte> unused;
  return file_->read(offset, entry.end - entry.begin, unused).data();
}

JESSL_INLINE FeatureFileWriter::FeatureFileWriter(const std::filesystem::path& path, FeatureFileOptions options)
    : options_(checked(std::move(options))),
      header_room_(header_text(0).size() + (options_.targets > 0 ? std::size_t{8} : std::size_t{5}) * digits),
      file_(path, std::string(who)) {
  begin_ = features_begin(options_.rows.value_or(0));
  if (options_.rows) file_.require_room(file_size(*options_.rows));
}

JESSL_INLINE void FeatureFileWriter::append(const Eigen::Ref<const RowMatrix>& features,
                                            std::span<const std::int64_t> labels,
                                            const Eigen::Ref<const RowMatrix>& targets) {
  JESSL_CHECK(features.cols() == options_.dimension, ShapeError, who, ": a block of ", file_.path().string(), " is ",
              shape_of(features), ", expected [n, D] = [n, ", options_.dimension, "]");
  const auto count = static_cast<std::int64_t>(features.rows());
  const std::int64_t labels_wanted = options_.labels ? count : 0;
  JESSL_CHECK(static_cast<std::int64_t>(labels.size()) == labels_wanted, ShapeError, who, ": a block of ",
              file_.path().string(), " is ", shape_of(features), " with ", labels.size(), " labels, expected ",
              labels_wanted, options_.labels ? ", one for each row" : ": the file has none by its options");
  JESSL_CHECK(targets.cols() == options_.targets && (options_.targets == 0 || targets.rows() == features.rows()),
              ShapeError, who, ": a block of ", file_.path().string(), " is ", shape_of(features), " with targets ",
              shape_of(targets), ", expected [n, T] = [", options_.targets == 0 ? 0 : count, ", ", options_.targets,
              "], as its options say");
  JESSL_CHECK(!options_.rows || count <= *options_.rows - rows_, ShapeError, who, ": ", file_.path().string(), " has ",
              rows_, " rows and gets ", count, " more, expected ", options_.rows.value_or(0),
              " in all, as its options say; leave rows unset where their number is not known");
  write_rows(features, begin_ + rows_ * row_size(options_.dimension));
  if (options_.rows) {
    file_.write_at(labels_begin(*options_.rows) + rows_ * label_size, std::as_bytes(labels));
    write_rows(targets, features_end(*options_.rows) + rows_ * row_size(options_.targets));
  } else {
    labels_.insert(labels_.end(), labels.begin(), labels.end());
    for (const auto row : targets.rowwise()) targets_.insert(targets_.end(), row.begin(), row.end());
  }
  rows_ += count;
}

JESSL_INLINE void FeatureFileWriter::commit() {
  JESSL_CHECK(!options_.rows || rows_ == *options_.rows, ShapeError, who, ": ", file_.path().string(), " has ", rows_,
              " rows, expected ", options_.rows.value_or(0),
              " as its options say; leave rows unset where their number is not known");
  if (!options_.rows) {
    file_.require_room(file_size(rows_));
    file_.move_tail(begin_, features_begin(rows_));
    begin_ = features_begin(rows_);
    file_.write_at(labels_begin(rows_), std::as_bytes(std::span(labels_)));
    file_.write_at(features_end(rows_), std::as_bytes(std::span(targets_)));
  }
  const auto header = safetensors::detail::framed(header_text(rows_), static_cast<std::uint64_t>(labels_begin(rows_)));
  file_.write_at(0, std::as_bytes(std::span(header)));
  file_.commit();
}

JESSL_INLINE FeatureFileOptions FeatureFileWriter::checked(FeatureFileOptions options) {
  constexpr std::int64_t most_columns = std::int64_t{1} << 32U;
  JESSL_CHECK(options.dimension >= 1 && options.dimension <= most_columns, ConfigError, who, ": dimension is ",
              options.dimension, ", expected 1 to ", most_columns, ", the columns of the features");
  JESSL_CHECK(options.targets >= 0 && options.targets <= most_columns, ConfigError, who, ": targets is ",
              options.targets, ", expected 0 to ", most_columns, ", the columns of the targets");
  const std::int64_t most_rows = most_bytes / (label_size + row_size(options.dimension) + row_size(options.targets));
  JESSL_CHECK(!options.rows || (*options.rows >= 0 && *options.rows <= most_rows), ConfigError, who, ": rows is ",
              options.rows.value_or(0), ", expected 0 to ", most_rows, ", or unset where it is not known");
  return options;
}

JESSL_INLINE std::string FeatureFileWriter::header_text(std::int64_t rows) const {
  using safetensors::detail::Dtype;
  using safetensors::detail::Entry;
  std::vector<Entry> entries;
  const auto labels_end = static_cast<std::uint64_t>(labels_size(rows));
  const auto bytes = static_cast<std::uint64_t>(rows * row_size(options_.dimension));
  if (options_.labels) entries.push_back({std::string(detail::labels_name), Dtype::i64, {rows}, 0, labels_end});
  entries.push_back(
      {std::string(detail::features_name), Dtype::f32, {rows, options_.dimension}, labels_end, labels_end + bytes});
  if (options_.targets > 0) {
    const auto more = static_cast<std::uint64_t>(rows * row_size(options_.targets));
    entries.push_back({std::string(detail::targets_name),
                       Dtype::f32,
                       {rows, options_.targets},
                       labels_end + bytes,
                       labels_end + bytes + more});
  }
  return safetensors::detail::header_text(who, entries, options_.metadata);
}

JESSL_INLINE void FeatureFileWriter::write_rows(const Eigen::Ref<const RowMatrix>& block, std::int64_t offset) {
  if (block.rows() <= 1 || block.outerStride() == block.cols()) {
    file_.write_at(offset, std::as_bytes(std::span(block.data(), static_cast<std::size_t>(block.size()))));
    return;
  }
  for (Eigen::Index row = 0; row < block.rows(); ++row) {
    const float* const values = block.data() + row * block.outerStride();
    file_.write_at(offset + row * row_size(block.cols()),
                   std::as_bytes(std::span(values, static_cast<std::size_t>(block.cols()))));
  }
}

}  // namespace jessl::io

#endif  // JESSL_DEFINITIONS
