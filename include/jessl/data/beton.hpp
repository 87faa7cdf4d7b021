// SPDX-License-Identifier: Apache-2.0
// FFCV's .beton files.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/stored_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/beton_field.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/beton_layout.hpp>
#include <jessl/data/detail/jpeg_header.hpp>
#include <jessl/data/detail/little_endian.hpp>
#include <jessl/data/detail/raw_images.hpp>
#include <jessl/data/storage.hpp>

namespace jessl::data {

/// Settings of a Beton: which of its fields are the images and the classes of a data set, and where its bytes lie.
///
/// Shapes     none
/// Errors     Beton checks them
/// Models     jessl::Options
/// Source     none
struct BetonOptions {
  std::optional<std::string> image{};  ///< the field of the images; none: the first image field
  std::optional<std::string> label{};  ///< the field of the classes; none: the first int field if any; "": no labels
  std::int64_t channels = 3;           ///< 3: every image as RGB, 1: as grey
  Storage storage = Storage::mapped;   ///< where the bytes of the samples lie: mapped, in memory, or read one by one
};

/// An image as it is stored in a .beton file. The bytes lie in the file as it is mapped or held in memory, which lives as
/// long as a Beton of it, or in the storage that was given for them.
///
/// Shapes     raw: [height, width, 3]
/// Errors     none
/// Models     none
/// Source     none
struct BetonImage {
  std::string_view format{};           ///< "raw": 8-bit interleaved RGB, or "jpg": a JPEG file
  std::int64_t width = 0;              ///< pixels
  std::int64_t height = 0;             ///< pixels
  std::span<const std::byte> bytes{};  ///< as stored

  /// For decode().
  operator EncodedImage() const {  // NOLINT(google-explicit-constructor): it is an encoded image
    const bool raw = format == "raw";
    return {raw ? ImageFormat::raw : ImageFormat::jpg, width, height, raw ? 3 : 0, bytes};
  }
};

namespace detail {

/// The values of a .beton file by their place: the allocation table, sorted.
///
/// A table that is sorted already, as BetonWriter's is, is used where it lies; otherwise 8 bytes a value are taken.
class BetonAllocations {
 public:
  struct Allocation {
    std::uint64_t sample = 0;
    std::uint64_t pointer = 0;
    std::uint64_t size = 0;
  };

  BetonAllocations() = default;

  /// `complain(number, allocation, reason)` is called for, and must not return from, an entry that cannot be: one of a
  /// sample from `samples` on, one that leaves the bytes from `begin` to `end`, or one that overlaps another.
  template <class Complain>
  BetonAllocations(std::span<const std::byte> table, std::uint64_t samples, std::uint64_t begin, std::uint64_t end,
                   const Complain& complain)
      : table_(table), count_(table.size() / beton_allocation) {
    sorted_ = true;
    std::uint64_t before = 0;
    std::uint64_t values = 0;
    for (std::uint64_t number = 0; number < count_; ++number) {
      const Allocation entry = stored(number);
      // An empty value's pointer means nothing, and may equal another's.
      sorted_ = sorted_ && entry.size != 0 && entry.pointer > before;
      before = entry.pointer;
      if (entry.size == 0) continue;
      ++values;
      if (entry.sample >= samples) complain(number, entry, concat("expected a sample below ", samples));
      if (entry.pointer < begin || entry.pointer > end || entry.size > end - entry.pointer) {
        complain(number, entry, concat("expected it within bytes ", begin, " to ", end));
      }
    }
    if (!sorted_) {
      order_.reserve(static_cast<std::size_t>(values));
      for (std::uint64_t number = 0; number < count_; ++number) {
        if (stored(number).size != 0) order_.push_back(number);
      }
      std::sort(order_.begin(), order_.end(),
                [this](std::uint64_t a, std::uint64_t b) { return pointer(a) < pointer(b); });
      count_ = values;
    }
    for (std::uint64_t rank = 1; rank < count_; ++rank) {
      const Allocation earlier = stored(entry(rank - 1));
      const Allocation later = stored(entry(rank));
      if (later.pointer - earlier.pointer >= earlier.size) continue;
      complain(entry(rank), later,
               concat("entry ", entry(rank - 1), " covers ", earlier.size, " bytes from byte ", earlier.pointer,
                      ", some of them the same"));
    }
  }

  /// The value that begins at `pointer`.
  [[nodiscard]] std::optional<Allocation> find(std::uint64_t wanted) const;

 private:
  [[nodiscard]] std::uint64_t entry(std::uint64_t rank) const {
    return sorted_ ? rank : order_[static_cast<std::size_t>(rank)];
  }
  [[nodiscard]] const std::byte* place(std::uint64_t number) const { return table_.data() + number * beton_allocation; }
  [[nodiscard]] std::uint64_t pointer(std::uint64_t number) const { return load<std::uint64_t>(place(number) + 8); }
  [[nodiscard]] Allocation stored(std::uint64_t number) const {
    return {load<std::uint64_t>(place(number)), pointer(number), load<std::uint64_t>(place(number) + 16)};
  }

  std::span<const std::byte> table_{};
  std::uint64_t count_ = 0;
  bool sorted_ = true;
  std::vector<std::uint64_t> order_{};  // entries that are not empty, by pointer; unused where the table is sorted
};

/// An open .beton file, checked as far as that needs no look at the samples.
class BetonFile {
 public:
  BetonFile(std::string path, Storage storage, std::string_view who);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(samples_); }
  [[nodiscard]] std::int64_t page_size() const { return static_cast<std::int64_t>(page_); }
  [[nodiscard]] bool held() const { return file_.held(); }
  [[nodiscard]] const std::vector<BetonField>& fields() const { return fields_; }
  [[nodiscard]] const BetonColumn& column(std::size_t field) const { return columns_[field]; }

  /// The field of this name, which must be one of those kinds.
  [[nodiscard]] std::size_t find(std::string_view name, std::initializer_list<BetonType> kinds) const;

  /// Names and kinds of all fields, for messages.
  [[nodiscard]] std::string listed() const;

  /// Where the value of a field stands in the record of a sample.
  [[nodiscard]] const std::byte* record(std::int64_t sample, std::size_t field) const;

  [[nodiscard]] std::int64_t integer(std::int64_t sample, std::size_t field) const {
    return load<std::int64_t>(record(sample, field));
  }

  [[nodiscard]] double real(std::int64_t sample, std::size_t field) const {
    return std::bit_cast<double>(load<std::uint64_t>(record(sample, field)));
  }

  /// The page of a value that is stored in one; numbers of pages count from the start of the file. It is what the record
  /// says: whether that can be is found out when the value is read.
  [[nodiscard]] std::int64_t page(std::int64_t sample, std::size_t field) const {
    const std::byte* const place = record(sample, field) + (columns_[field].type == BetonType::image ? 5 : 0);
    return static_cast<std::int64_t>(load<std::uint64_t>(place) / page_);
  }

  void prefetch(std::int64_t page) const {
    if (page < 0 || static_cast<std::uint64_t>(page) > file_size() / page_) return;
    file_.prefetch(static_cast<std::uint64_t>(page) * page_, page_);
  }

  /// The stored bytes of a value of any other kind than image; in `storage` where the file is not held.
  [[nodiscard]] std::span<const std::byte> value(std::int64_t sample, std::size_t field,
                                                 std::vector<std::byte>& storage) const;

  [[nodiscard]] std::string_view text(std::int64_t sample, std::size_t field, std::vector<std::byte>& storage) const;

  [[nodiscard]] BetonImage image(std::int64_t sample, std::size_t field, std::vector<std::byte>& storage) const;

 private:
  [[nodiscard]] std::uint64_t file_size() const { return file_.size(); }
  [[nodiscard]] std::uint64_t records_begin() const { return beton_header + beton_descriptor * fields_.size(); }
  [[nodiscard]] std::uint64_t records_end() const { return records_begin() + samples_ * record_; }
  [[nodiscard]] std::uint64_t record_offset(std::int64_t sample, std::size_t field) const {
    return records_begin() + static_cast<std::uint64_t>(sample) * record_ + columns_[field].offset;
  }

  template <class... Parts>
  [[noreturn]] void damaged(const Parts&... parts) const {
    fail<DataError>(who_, ": ", path(), " is damaged or no .beton file: ", parts...);
  }

  [[nodiscard]] std::string named(std::int64_t sample, std::size_t field) const;

  /// Makes the file's bytes up to `end` the head, which is at hand wherever the others lie.
  void take_head(std::uint64_t end) { head_ = file_.read(0, end, head_storage_); }

  void read_header();

  void read_fields();

  [[nodiscard]] std::string read_name(std::size_t field, std::uint64_t offset) const;

  /// The shape and the type of an array's elements.
  void read_array(std::size_t field, std::uint64_t offset);

  [[nodiscard]] static std::string concat_shape(const std::vector<std::uint64_t>& shape);

  void find_records();

  /// The bytes of a value that its record says to begin at `pointer`; of `size` bytes, where that is known.
  [[nodiscard]] std::span<const std::byte> allocated(std::int64_t sample, std::size_t field, std::uint64_t pointer,
                                                     std::optional<std::uint64_t> size,
                                                     std::vector<std::byte>& storage) const;

  void check_jpeg(std::int64_t sample, std::size_t field, const BetonImage& image, std::uint64_t offset) const;

  std::string_view who_;
  jessl::detail::StoredFile file_;
  std::vector<std::byte> head_storage_{};   // where the file is not held
  std::vector<std::byte> table_storage_{};  // the same
  std::span<const std::byte> head_{};       // header, fields and records
  std::uint32_t page_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t table_ = 0;   // where the allocation table begins
  std::uint64_t record_ = 0;  // bytes
  std::vector<BetonField> fields_{};
  std::vector<BetonColumn> columns_{};
  BetonAllocations allocations_{};
};

}  // namespace detail

/// A .beton file, as FFCV writes it and as BetonWriter does.
///
/// The file is mapped into memory, not read: opening looks at its header, its fields and its allocation table; a sample
/// is read when it is asked for. Copies share the map, which lives as long as the last of them; so do the bytes that
/// are handed out. Every value is checked against the allocation table, so that a damaged file is an error and
/// never the pixels of another sample.
///
/// With storage = memory, opening reads all of the file instead. With storage = reads it reads all but the samples: a
/// sample's bytes come into the storage that is given for them.
///
/// As a data set it hands out the images of one field, with the classes of another.
///
/// Shapes     none
/// Cost       opening: one pass over the allocation table, 24 bytes a value; memory: none for a table that is sorted,
///            else 8 bytes a value; storage = memory: the file; storage = reads: records and table, 24 bytes a value
///            and what a sample's numbers take. classes(): one pass over the labels, at the first call
/// Errors     DataError, with file, field, sample, byte offset, expected and actual value, for a file that cannot be
///            mapped or is damaged, at opening or when the sample is read; for a field that is not there or of another
///            kind; for a negative label. ConfigError: channels; a value asked for without storage where storage = reads.
///            A mapped file must not be cut: the system ends the program that touches what is gone. With
///            storage = reads that is a DataError, and with memory nothing
/// Models     jessl::PrefetchingDataset (docs/data/README.md)
/// Source     the format of the Python package ffcv, version 2: Leclerc et al.: FFCV: Accelerating Training by Removing
///            Data Bottlenecks. CVPR 2023, arXiv 2306.12517
/// Differs    ffcv checks the version alone; types of a program's own (255) are refused
class Beton {
 public:
  static constexpr std::string_view name = "Beton";

  explicit Beton(const std::string& path, const BetonOptions& options = {})
      : state_(std::make_shared<const State>(path, options)) {}

  [[nodiscard]] std::int64_t size() const { return file().size(); }

  /// The columns, in their order.
  [[nodiscard]] const std::vector<BetonField>& fields() const { return file().fields(); }

  /// Bytes of a page, the unit in which samples lie together.
  [[nodiscard]] std::int64_t page_size() const { return file().page_size(); }

  /// The value of an "int" field.
  [[nodiscard]] std::int64_t integer(std::int64_t i, std::string_view field) const {
    return file().integer(i, file().find(field, {detail::BetonType::integer}));
  }

  /// The value of a "float" field.
  [[nodiscard]] double real(std::int64_t i, std::string_view field) const {
    return file().real(i, file().find(field, {detail::BetonType::real}));
  }

  /// The stored bytes of a "bytes", "array" or "tensor" field. They are not aligned: copy numbers out.
  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t i, std::string_view field) const {
    std::vector<std::byte> unused = no_storage();
    return bytes(i, field, unused);
  }

  /// The text of a "json" field, in UTF-8.
  [[nodiscard]] std::string_view json(std::int64_t i, std::string_view field) const {
    std::vector<std::byte> unused = no_storage();
    return json(i, field, unused);
  }

  /// The stored image of an "image" field, for decode().
  [[nodiscard]] BetonImage image(std::int64_t i, std::string_view field) const {
    std::vector<std::byte> unused = no_storage();
    return image(i, field, unused);
  }

  // The same for every storage of the file: where it is reads, the bytes lie in `storage`, whose memory is kept.

  [[nodiscard]] std::span<const std::byte> bytes(std::int64_t i, std::string_view field,
                                                 std::vector<std::byte>& storage) const {
    using enum detail::BetonType;
    return file().value(i, file().find(field, {detail::BetonType::bytes, array, tensor}), storage);
  }
  [[nodiscard]] std::string_view json(std::int64_t i, std::string_view field, std::vector<std::byte>& storage) const {
    return file().text(i, file().find(field, {detail::BetonType::json}), storage);
  }
  [[nodiscard]] BetonImage image(std::int64_t i, std::string_view field, std::vector<std::byte>& storage) const {
    return file().image(i, file().find(field, {detail::BetonType::image}), storage);
  }

  // ---- As a data set.

  [[nodiscard]] std::int64_t channels() const { return state_->channels; }

  /// One more than the largest label.
  [[nodiscard]] std::int64_t classes() const;

  [[nodiscard]] std::int64_t label(std::int64_t i) const;

  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    detail::check_index(i, size(), who);
    return file().image(i, image_field(), storage);
  }

  /// The page that the image lies in, for orders that go page by page.
  [[nodiscard]] std::int64_t page(std::int64_t i) const {
    detail::check_index(i, size(), who);
    return file().page(i, image_field());
  }

  /// Has the system read a page, without waiting for it.
  void prefetch(std::int64_t page) const { file().prefetch(page); }

  [[nodiscard]] std::string describe(std::int64_t i) const;

 private:
  static constexpr std::string_view who = "jessl::data::Beton";

  struct State {
    State(const std::string& path, const BetonOptions& options);

    /// The field that is named, or else the first of that type.
    [[nodiscard]] std::optional<std::size_t> choose(const std::optional<std::string>& named,
                                                    detail::BetonType type) const;

    detail::BetonFile file;
    std::int64_t channels;
    std::optional<std::size_t> image;
    std::optional<std::size_t> label;
    mutable std::once_flag counted{};
    mutable std::int64_t classes = 0;
  };

  [[nodiscard]] const detail::BetonFile& file() const { return state_->file; }

  /// For a file whose bytes are held, which nothing is read from.
  [[nodiscard]] std::vector<std::byte> no_storage() const;

  [[nodiscard]] std::size_t image_field() const;

  std::shared_ptr<const State> state_;
};

static_assert(PrefetchingDataset<Beton>);

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::BetonOptions, image, label, channels, storage);

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::optional<BetonAllocations::Allocation> BetonAllocations::find(std::uint64_t wanted) const {
  std::uint64_t low = 0;
  std::uint64_t high = count_;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (pointer(entry(middle)) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == count_) return std::nullopt;
  const Allocation found = stored(entry(low));
  return found.pointer == wanted ? std::optional(found) : std::nullopt;
}

JESSL_INLINE BetonFile::BetonFile(std::string path, Storage storage, std::string_view who)
    : who_(who), file_(std::move(path), storage, who) {
  read_header();
  read_fields();
  find_records();
  allocations_ = BetonAllocations(
      file_.read(table_, file_size() - table_, table_storage_), samples_, records_end(), table_,
      [this](std::uint64_t number, const BetonAllocations::Allocation& entry, const std::string& expected) {
        damaged("entry ", number, " of the allocation table, at byte ", table_ + number * beton_allocation,
                ", is of sample ", entry.sample, " and covers ", entry.size, " bytes from byte ", entry.pointer, "; ",
                expected);
      });
}

JESSL_INLINE std::size_t BetonFile::find(std::string_view name, std::initializer_list<BetonType> kinds) const {
  for (std::size_t field = 0; field < fields_.size(); ++field) {
    if (fields_[field].name != name) continue;
    if (std::find(kinds.begin(), kinds.end(), columns_[field].type) != kinds.end()) return field;
    std::string expected;
    for (const BetonType kind : kinds) {
      expected += concat(expected.empty() ? "" : " or ", '"', beton_kinds[static_cast<std::size_t>(kind)].name, '"');
    }
    fail<DataError>(who_, ": ", path(), ": the field \"", name, "\" is of kind \"", fields_[field].kind,
                    "\", expected ", expected);
  }
  fail<DataError>(who_, ": ", path(), ": there is no field \"", name, "\"; the fields are ", listed());
}

JESSL_INLINE std::string BetonFile::listed() const {
  std::vector<std::string> names;
  for (const BetonField& field : fields_) names.push_back(concat('"', field.name, "\" (", field.kind, ')'));
  return jessl::detail::joined(names);
}

JESSL_INLINE const std::byte* BetonFile::record(std::int64_t sample, std::size_t field) const {
  JESSL_CHECK(sample >= 0 && sample < size(), DataError, who_, ": ", path(), ": there is no sample ", sample,
              "; the samples are 0 to ", size() - 1);
  return head_.data() + record_offset(sample, field);
}

JESSL_INLINE std::span<const std::byte> BetonFile::value(std::int64_t sample, std::size_t field,
                                                         std::vector<std::byte>& storage) const {
  const std::byte* const place = record(sample, field);
  const auto pointer = load<std::uint64_t>(place);
  const bool is_array_field = is_array(columns_[field].type);
  const std::uint64_t size = is_array_field ? columns_[field].array_bytes : load<std::uint64_t>(place + 8);
  if (size == 0) return {};  // an empty value's pointer means nothing
  return allocated(sample, field, pointer, size, storage);
}

JESSL_INLINE std::string_view BetonFile::text(std::int64_t sample, std::size_t field,
                                              std::vector<std::byte>& storage) const {
  const std::span<const std::byte> stored = value(sample, field, storage);
  const std::string_view all{reinterpret_cast<const char*>(stored.data()), stored.size()};
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos && !all.empty()) {
    damaged(named(sample, field), " at byte ", load<std::uint64_t>(record(sample, field)), " has no zero byte in its ",
            stored.size(), " bytes, expected one at the end of the text");
  }
  return all.substr(0, end);
}

JESSL_INLINE BetonImage BetonFile::image(std::int64_t sample, std::size_t field,
                                         std::vector<std::byte>& storage) const {
  const std::byte* const place = record(sample, field);
  const auto mode = load<std::uint8_t>(place);
  const std::uint64_t width = load<std::uint16_t>(place + 1);
  const std::uint64_t height = load<std::uint16_t>(place + 3);
  const auto pointer = load<std::uint64_t>(place + 5);
  if (mode > 1) {
    damaged(named(sample, field), " has mode ", int{mode}, " at byte ", record_offset(sample, field),
            ", expected 0 (JPEG) or 1 (raw)");
  }
  if (width == 0 || height == 0) {
    damaged(named(sample, field), " is of ", width, " x ", height, " pixels at byte ", record_offset(sample, field) + 1,
            ", expected at least 1 x 1");
  }
  const bool raw = mode == 1;
  BetonImage image{
      .format = raw ? "raw" : "jpg",
      .width = static_cast<std::int64_t>(width),
      .height = static_cast<std::int64_t>(height),
      .bytes = allocated(sample, field, pointer,
                         raw ? std::optional(3 * width * height) : std::optional<std::uint64_t>(), storage)};
  // Before anybody takes memory for what the record or the JPEG claims.
  if (!raw) check_jpeg(sample, field, image, pointer);
  return image;
}

JESSL_INLINE std::string BetonFile::named(std::int64_t sample, std::size_t field) const {
  return concat("sample ", sample, ", field \"", fields_[field].name, '"');
}

JESSL_INLINE void BetonFile::read_header() {
  if (file_size() < beton_header) {
    damaged("it has ", file_size(), " bytes, expected at least ", beton_header, " for the header");
  }
  take_head(beton_header);
  const std::byte* const header = head_.data();
  const auto version = load<std::uint16_t>(header);
  if (version != beton_version) damaged("byte 0 says version ", version, ", expected ", beton_version);
  const auto fields = load<std::uint16_t>(header + 2);
  if (fields == 0) damaged("byte 2 says that it has 0 fields, expected at least 1");
  page_ = load<std::uint32_t>(header + 4);
  if (!std::has_single_bit(page_)) damaged("byte 4 says that pages have ", page_, " bytes, expected a power of two");
  samples_ = load<std::uint64_t>(header + 8);
  table_ = load<std::uint64_t>(header + 16);
  if (beton_header + beton_descriptor * fields > file_size()) {
    damaged("byte 2 says that it has ", fields, " fields, whose descriptors end at byte ",
            beton_header + beton_descriptor * fields, ", but the file ends at byte ", file_size());
  }
  fields_.resize(fields);
  columns_.resize(fields);
  take_head(records_begin());
}

JESSL_INLINE void BetonFile::read_fields() {
  for (std::size_t field = 0; field < fields_.size(); ++field) {
    const std::uint64_t offset = beton_header + field * beton_descriptor;
    const std::byte* const descriptor = head_.data() + offset;
    const auto type = load<std::uint8_t>(descriptor);
    if (type >= beton_kinds.size()) {
      damaged("field ", field, " is of type ", int{type}, " at byte ", offset, ", expected 0 to ",
              beton_kinds.size() - 1, type == 255 ? "; types of a program's own cannot be read" : "");
    }
    columns_[field].type = BetonType{type};
    fields_[field].kind = beton_kinds[type].name;
    fields_[field].name = read_name(field, offset + beton_name_at);
    if (is_array(columns_[field].type)) read_array(field, offset + beton_arguments_at);
  }
  std::vector<std::string_view> names(fields_.size());
  std::transform(fields_.begin(), fields_.end(), names.begin(),
                 [](const BetonField& field) { return std::string_view(field.name); });
  std::sort(names.begin(), names.end());
  const auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end()) damaged("two fields are called \"", *twin, "\", expected names of their own");
  record_ = lay_out(columns_);
}

JESSL_INLINE std::string BetonFile::read_name(std::size_t field, std::uint64_t offset) const {
  const char* const begin = reinterpret_cast<const char*>(head_.data() + offset);
  const char* const end = std::find(begin, begin + beton_name, '\0');
  if (begin == end) damaged("field ", field, " has no name at byte ", offset);
  const char* const strange = std::find_if(begin, end, [](char c) { return c < ' ' || c > '~'; });
  if (strange != end) {
    damaged("the name of field ", field, " has the byte ", int{static_cast<unsigned char>(*strange)}, " at byte ",
            offset + static_cast<std::uint64_t>(strange - begin), ", expected printable ASCII");
  }
  return {begin, end};
}

JESSL_INLINE void BetonFile::read_array(std::size_t field, std::uint64_t offset) {
  const std::byte* const arguments = head_.data() + offset;
  const std::string& name = fields_[field].name;
  std::vector<std::uint64_t> shape(beton_axes);
  for (std::size_t axis = 0; axis < beton_axes; ++axis) shape[axis] = load<std::uint64_t>(arguments + 8 * axis);
  while (!shape.empty() && shape.back() == 0) shape.pop_back();
  if (shape.empty()) damaged("field \"", name, "\" has no shape at byte ", offset, ", expected at least one extent");

  const auto length = load<std::uint64_t>(arguments + 8 * beton_axes);
  if (length > beton_dtype_most) {
    damaged("the type of field \"", name, "\" is a text of ", length, " bytes at byte ", offset + 8 * beton_axes,
            ", expected at most ", beton_dtype_most);
  }
  const std::string_view text(reinterpret_cast<const char*>(arguments + beton_dtype_at),
                              static_cast<std::size_t>(length));
  const Json type = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const bool plain = type.is_array() && type.size() == 1 && type[0].is_array() && type[0].size() == 2 &&
                     type[0][0] == "" && type[0][1].is_string();
  std::string dtype = plain ? type[0][1].get<std::string>() : "";
  const std::optional<std::uint64_t> item = dtype_bytes(dtype);
  if (!item) {
    damaged("the type of field \"", name, "\", at byte ", offset + beton_dtype_at, ", is ",
            Json(text).dump(-1, ' ', true, Json::error_handler_t::replace),
            ", expected a list of one pair like [[\"\", \"<f4\"]] of a boolean, integer, real, complex or text type");
  }
  const std::optional<std::uint64_t> size = array_bytes(shape, *item, page_);
  if (!size) {
    damaged("field \"", name, "\" has the shape ", concat_shape(shape), " of ", dtype, " at byte ", offset,
            ", expected extents of at least 1 and not more than a page of ", page_, " bytes");
  }
  columns_[field].array_bytes = *size;
  fields_[field].dtype = std::move(dtype);
  fields_[field].shape.assign(shape.begin(), shape.end());
}

JESSL_INLINE std::string BetonFile::concat_shape(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t extent : shape) text += concat(text.empty() ? "[" : ", ", extent);
  return text + "]";
}

JESSL_INLINE void BetonFile::find_records() {
  const std::uint64_t room = file_size() - records_begin();
  if (samples_ > room / record_) {
    damaged("byte 8 says that it has ", samples_, " samples of ", record_, " bytes, but only ", room / record_,
            " fit between byte ", records_begin(), " and its end at byte ", file_size());
  }
  if (table_ < records_end() || table_ > file_size()) {
    damaged("byte 16 says that the allocation table begins at byte ", table_, ", expected ", records_end(), " to ",
            file_size(), "; was the file cut short?");
  }
  if ((file_size() - table_) % beton_allocation != 0) {
    damaged("the allocation table, from byte ", table_, " to the end at byte ", file_size(), ", has ",
            file_size() - table_, " bytes, expected a multiple of ", beton_allocation, "; was the file cut short?");
  }
  take_head(records_end());
}

JESSL_INLINE std::span<const std::byte> BetonFile::allocated(std::int64_t sample, std::size_t field,
                                                             std::uint64_t pointer, std::optional<std::uint64_t> size,
                                                             std::vector<std::byte>& storage) const {
  const auto found = allocations_.find(pointer);
  if (!found) {
    damaged(named(sample, field), " should lie at byte ", pointer, ", as byte ", record_offset(sample, field),
            " says, but the allocation table has nothing there");
  }
  if (found->sample != static_cast<std::uint64_t>(sample)) {
    damaged(named(sample, field), " should lie at byte ", pointer, ", as byte ", record_offset(sample, field),
            " says, but the allocation table has sample ", found->sample, " there");
  }
  if (size && *size != found->size) {
    damaged(named(sample, field), " at byte ", pointer, " has ", found->size,
            " bytes in the allocation table, expected ", *size);
  }
  return file_.read(pointer, found->size, storage);
}

JESSL_INLINE void BetonFile::check_jpeg(std::int64_t sample, std::size_t field, const BetonImage& image,
                                        std::uint64_t offset) const {
  const std::optional<JPEGHeader> header = read_jpeg_header(image.bytes);
  if (!header) {
    damaged(named(sample, field), " should be a JPEG of ", image.bytes.size(), " bytes at byte ", offset,
            ", but has no JPEG header there");
  }
  if (header->width != image.width || header->height != image.height) {
    damaged(named(sample, field), " is a JPEG of ", header->width, " x ", header->height, " pixels at byte ", offset,
            ", expected ", image.width, " x ", image.height, " as its record says");
  }
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE std::int64_t Beton::classes() const {
  if (!state_->label) return 0;
  std::call_once(state_->counted, [this] {
    std::int64_t largest = -1;
    for (std::int64_t i = 0; i < size(); ++i) largest = std::max(largest, label(i));
    JESSL_CHECK(largest <= detail::most_label, DataError, who, ": ", file().path(), ": the largest label is ", largest,
                ", expected one that counts classes, at most ", detail::most_label, "; is \"",
                fields()[*state_->label].name, "\" the field of the labels?");
    state_->classes = largest + 1;
  });
  return state_->classes;
}

JESSL_INLINE std::int64_t Beton::label(std::int64_t i) const {
  detail::check_index(i, size(), who);
  if (!state_->label) return -1;
  const std::int64_t value = file().integer(i, *state_->label);
  JESSL_CHECK(value >= 0, DataError, who, ": ", describe(i), ": the label in field \"", fields()[*state_->label].name,
              "\" is ", value, ", expected 0 or more; name the field of the classes as label, or \"\" for none");
  return value;
}

JESSL_INLINE std::string Beton::describe(std::int64_t i) const {
  detail::check_index(i, size(), who);
  return concat(file().path(), ", sample ", i);
}

JESSL_INLINE Beton::State::State(const std::string& path, const BetonOptions& options)
    : file(path, options.storage, who),
      channels(options.channels),
      image(choose(options.image, detail::BetonType::image)),
      label(choose(options.label, detail::BetonType::integer)) {
  JESSL_CHECK(channels == 1 || channels == 3, ConfigError, who, ": channels is ", channels,
              ", expected 1 (grey) or 3 (RGB)");
}

JESSL_INLINE std::optional<std::size_t> Beton::State::choose(const std::optional<std::string>& named,
                                                             detail::BetonType type) const {
  if (named) return named->empty() ? std::nullopt : std::optional(file.find(*named, {type}));
  for (std::size_t field = 0; field < file.fields().size(); ++field) {
    if (file.column(field).type == type) return field;
  }
  return std::nullopt;
}

JESSL_INLINE std::vector<std::byte> Beton::no_storage() const {
  JESSL_CHECK(file().held(), ConfigError, who, ": ", file().path(),
              " is opened with storage = reads, which keeps no "
              "bytes: give a std::vector<std::byte> as the last argument, for those of this value");
  return {};
}

JESSL_INLINE std::size_t Beton::image_field() const {
  JESSL_CHECK(state_->image, DataError, who, ": ", file().path(), " has no field of images; its fields are ",
              file().listed());
  return *state_->image;
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
