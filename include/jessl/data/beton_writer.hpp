// SPDX-License-Identifier: Apache-2.0
// Writing FFCV's .beton files, sample by sample.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/beton_field.hpp>
#include <jessl/data/detail/beton_layout.hpp>
#include <jessl/data/detail/jpeg_header.hpp>
#include <jessl/data/detail/little_endian.hpp>

namespace jessl::data {

/// Settings of a BetonWriter.
///
/// Shapes     none
/// Errors     BetonWriter checks them
/// Models     jessl::Options
/// Source     none
struct BetonWriterOptions {
  std::int64_t page_size = std::int64_t{8} << 20U;  ///< bytes, a power of two; ffcv itself writes 2^21 to 2^31
  std::int64_t expected_samples = 0;  ///< room is left for so many; with another number the data are moved at the end
};

/// A value of a sample: an int, a float, a JSON text, the bytes of a bytes, array or tensor field, or an image.
using BetonValue = std::variant<std::int64_t, double, std::string_view, std::span<const std::byte>, EncodedImage>;

/// Writes a .beton file that ffcv, FFCV-SSL and Beton read.
///
///     data::BetonWriter writer{"train.beton", {{"image", "image"}, {"label", "int"}}};
///     writer.append({image, std::int64_t{3}});
///     writer.commit();
///
/// The file appears under its name at commit(), whole; without it nothing appears. Its bytes are a function of the
/// fields, the page size and the samples alone. What ffcv could not read is refused, and a sample that is refused
/// leaves the writer as it was. One thread at a time may use a writer.
///
/// Shapes     none
/// Units      page_size: bytes
/// Cost       memory: a record a sample and 24 bytes a value of the pages, until commit()
/// Errors     ConfigError for fields or a page size that ffcv could not read; DataError, with field and sample, for a
///            value of another kind or size than its field, an empty value, an image that is neither RGB pixels nor a
///            JPEG that ffcv decodes, a sample larger than a page, and at commit() for a file without samples; IOError
///            as AtomicFile
/// Models     none
/// Source     the format of the Python package ffcv, version 2 (arXiv 2306.12517)
/// Differs    ffcv's writer hangs on a sample larger than a page, and writes empty values that it cannot read
class BetonWriter {
 public:
  static constexpr std::string_view name = "BetonWriter";

  BetonWriter(const std::filesystem::path& path, std::vector<BetonField> fields,
              const BetonWriterOptions& options = {});

  /// The columns, in the order of the values.
  [[nodiscard]] const std::vector<BetonField>& fields() const { return fields_; }

  /// Samples so far.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(samples_); }

  /// Adds a sample: a value a field, in the order of the fields. The values are copied.
  void append(std::initializer_list<BetonValue> values) { append(std::span(values.begin(), values.size())); }

  void append(std::span<const BetonValue> values);

  /// Puts the file into its place. Nothing can be added afterwards.
  void commit();

 private:
  static constexpr std::string_view who = "jessl::data::BetonWriter";
  static constexpr std::size_t chunk = std::size_t{4} << 20U;  // what is written at once

  /// A checked value, as it will stand in the file.
  struct Part {
    std::uint64_t number = 0;            // an int, or a float's bits
    std::span<const std::byte> bytes{};  // what goes into a page
    bool terminated = false;             // by a zero byte, as JSON is
    EncodedImage image{};

    [[nodiscard]] std::uint64_t size() const { return bytes.size() + (terminated ? 1 : 0); }
  };

  /// A value in the pages, by its place from the beginning of the first page.
  struct Allocation {
    std::uint64_t sample;
    std::uint64_t place;
    std::uint64_t size;
  };

  [[nodiscard]] static std::uint64_t as_unsigned(std::int64_t number) { return static_cast<std::uint64_t>(number); }

  // ---- Fields.

  [[nodiscard]] static std::vector<BetonField> checked(std::vector<BetonField> fields,
                                                       const BetonWriterOptions& options);

  static void check_name(const std::vector<BetonField>& fields, std::size_t field);

  static void check_type(const BetonField& field, std::uint64_t page);

  [[nodiscard]] static std::optional<std::uint64_t> size_of_array(const BetonField& field, std::uint64_t most);

  [[nodiscard]] detail::BetonColumn column_of(const BetonField& field) const;

  // ---- Values.

  template <class... Parts>
  [[noreturn]] void refuse(std::size_t field, const Parts&... parts) const {
    fail<DataError>(who, ": ", path_, ": sample ", samples_, ", field \"", fields_[field].name, "\" (",
                    fields_[field].kind, "): ", parts...);
  }

  /// The value as an `Expected`; `words` say what that is.
  template <class Expected>
  [[nodiscard]] const Expected& as(std::size_t field, const BetonValue& value, std::string_view words) const {
    constexpr std::array<std::string_view, 5> held{"an integer", "a real number", "a text", "bytes", "an image"};
    if (!std::holds_alternative<Expected>(value)) {
      refuse(field, "the value is ", held[value.index()], ", expected ", words);
    }
    return std::get<Expected>(value);
  }

  [[nodiscard]] Part part_of(std::size_t field, const BetonValue& value) const;

  [[nodiscard]] Part bytes_part(std::size_t field, std::span<const std::byte> bytes) const;

  [[nodiscard]] Part json_part(std::size_t field, std::string_view text) const;

  [[nodiscard]] Part image_part(std::size_t field, const EncodedImage& image) const;

  /// Takes the extents from the file itself.
  void measure_jpeg(std::size_t field, EncodedImage& image) const;

  void place(const Part& part, const detail::BetonColumn& column, std::byte* record);

  [[nodiscard]] static std::uint64_t pointer_offset(detail::BetonType type) {
    return type == detail::BetonType::image ? 5 : 0;
  }

  // ---- Pages. What is not written reads as zeros.

  void next_page() {
    flush();
    ++pages_;
    used_ = 0;
  }

  void put(std::span<const std::byte> bytes);

  /// Writes the bytes that end at the place reached in the page.
  void flush();

  [[nodiscard]] std::uint64_t records_begin() const {
    return detail::beton_header + detail::beton_descriptor * fields_.size();
  }

  [[nodiscard]] std::uint64_t data_begin(std::uint64_t samples) const {
    return detail::round_up(records_begin() + samples * record_, page_);
  }

  /// Moves the pages so that they begin at `target`, and clears what lies between the records and them.
  void move_data(std::uint64_t target, std::uint64_t records_end);

  // ---- What stands around the pages.

  void write_head(std::uint64_t table);

  static void copy_text(std::string_view text, std::byte* target) {
    std::transform(text.begin(), text.end(), target, [](char c) { return static_cast<std::byte>(c); });
  }

  void write_records();

  void write_table(std::uint64_t begin);

  std::string path_;
  std::vector<BetonField> fields_;
  std::uint64_t page_;
  AtomicFile file_;
  std::vector<detail::BetonColumn> columns_{};
  std::uint64_t record_ = 0;  // bytes
  std::uint64_t data_ = 0;    // where the first page begins
  std::uint64_t samples_ = 0;
  std::uint64_t pages_ = 0;  // those begun
  std::uint64_t used_ = 0;   // bytes of the last one
  std::vector<std::byte> records_{};
  std::vector<Allocation> table_{};
  std::vector<std::byte> pending_{};  // the bytes before the place reached, not yet written
  bool committed_ = false;
  std::vector<Part> parts_{};  // of the sample being added
};

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::BetonWriterOptions, page_size, expected_samples);

#if JESSL_DEFINITIONS

namespace jessl::data {

JESSL_INLINE BetonWriter::BetonWriter(const std::filesystem::path& path, std::vector<BetonField> fields,
                                      const BetonWriterOptions& options)
    : path_(path.string()),
      fields_(checked(std::move(fields), options)),
      page_(as_unsigned(options.page_size)),
      file_(path, std::string(who)) {
  for (const BetonField& field : fields_) columns_.push_back(column_of(field));
  record_ = detail::lay_out(columns_);
  data_ = data_begin(std::max<std::uint64_t>(1, as_unsigned(options.expected_samples)));
}

JESSL_INLINE void BetonWriter::append(std::span<const BetonValue> values) {
  JESSL_CHECK(!committed_, DataError, who, ": ", path_, " is committed; no sample can be added");
  JESSL_CHECK(values.size() == fields_.size(), DataError, who, ": ", path_, ": sample ", samples_, " has ",
              values.size(), " values, expected ", fields_.size(), ", one for each field");
  parts_.clear();
  std::uint64_t total = 0;
  for (std::size_t field = 0; field < values.size(); ++field) {
    parts_.push_back(part_of(field, values[field]));
    total += parts_.back().size();
  }
  JESSL_CHECK(total <= page_, DataError, who, ": ", path_, ": sample ", samples_, " has ", total,
              " bytes, more than a page of ", page_, "; a sample must fit into one: set page_size to at least ",
              std::bit_ceil(total));
  if (total > 0 && (pages_ == 0 || total > page_ - used_)) next_page();
  records_.resize(records_.size() + record_);
  std::byte* const record = records_.data() + samples_ * record_;
  for (std::size_t field = 0; field < parts_.size(); ++field) place(parts_[field], columns_[field], record);
  ++samples_;
}

JESSL_INLINE void BetonWriter::commit() {
  JESSL_CHECK(!committed_, DataError, who, ": ", path_, " is committed already");
  JESSL_CHECK(samples_ > 0, DataError, who, ": ", path_, " would have no samples, which ffcv cannot read");
  flush();
  const std::uint64_t records_end = records_begin() + samples_ * record_;
  std::uint64_t table = records_end;  // without values in pages there is not even padding
  if (pages_ > 0) {
    move_data(data_begin(samples_), records_end);
    table = data_ + pages_ * page_;
  }
  write_head(table);
  write_records();
  write_table(table);
  file_.commit();
  committed_ = true;
}

JESSL_INLINE std::vector<BetonField> BetonWriter::checked(std::vector<BetonField> fields,
                                                          const BetonWriterOptions& options) {
  JESSL_CHECK(options.page_size >= 512 && options.page_size <= std::int64_t{1} << 31U &&
                  std::has_single_bit(as_unsigned(options.page_size)),
              ConfigError, who, ": page_size is ", options.page_size,
              ", expected a power of two from 2^9 to 2^31 bytes, for data sets from 2^21");
  JESSL_CHECK(options.expected_samples >= 0, ConfigError, who, ": expected_samples is ", options.expected_samples,
              ", expected >= 0");
  JESSL_CHECK(!fields.empty() && fields.size() <= UINT16_MAX, ConfigError, who, ": there are ", fields.size(),
              " fields, expected 1 to ", UINT16_MAX);
  for (std::size_t field = 0; field < fields.size(); ++field) {
    check_name(fields, field);
    check_type(fields[field], as_unsigned(options.page_size));
  }
  return fields;
}

JESSL_INLINE void BetonWriter::check_name(const std::vector<BetonField>& fields, std::size_t field) {
  const std::string& text = fields[field].name;
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  JESSL_CHECK(!text.empty() && text.size() <= detail::beton_name && letters.find(text[0]) != std::string_view::npos &&
                  text.find_first_not_of(concat(letters, "0123456789")) == std::string::npos,
              ConfigError, who, ": field ", field, " is called \"", text, "\", expected an identifier of 1 to ",
              detail::beton_name, " letters, digits and underscores");
  const auto twin = std::find_if(fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(field),
                                 [&text](const BetonField& other) { return other.name == text; });
  JESSL_CHECK(twin == fields.begin() + static_cast<std::ptrdiff_t>(field), ConfigError, who, ": fields ",
              twin - fields.begin(), " and ", field, " are both called \"", text, '"');
}

JESSL_INLINE void BetonWriter::check_type(const BetonField& field, std::uint64_t page) {
  const detail::BetonKind* const kind = detail::find_beton_kind(field.kind);
  JESSL_CHECK(kind != nullptr, ConfigError, who, ": the field \"", field.name, "\" is of kind \"", field.kind,
              "\", expected image, int, float, bytes, json, array or tensor");
  if (!detail::is_array(kind->type)) {
    JESSL_CHECK(field.dtype.empty() && field.shape.empty(), ConfigError, who, ": the field \"", field.name,
                "\" of kind \"", field.kind, "\" has a dtype or a shape, which arrays and tensors have alone");
    return;
  }
  constexpr std::array<std::string_view, 14> known{"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4",
                                                   "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16"};
  JESSL_CHECK(std::find(known.begin(), known.end(), field.dtype) != known.end(), ConfigError, who, ": the field \"",
              field.name, "\" has the dtype \"", field.dtype,
              "\", expected one of |b1 |i1 |u1 <i2 <u2 <i4 <u4 <i8 <u8 <f2 <f4 <f8 <c8 <c16");
  JESSL_CHECK(!field.shape.empty() && field.shape.size() <= detail::beton_axes, ConfigError, who, ": the field \"",
              field.name, "\" has ", field.shape.size(), " axes, expected 1 to ", detail::beton_axes);
  for (const std::int64_t extent : field.shape) {
    JESSL_CHECK(extent >= 1, ConfigError, who, ": the field \"", field.name, "\" has the extent ", extent,
                " in its shape, expected >= 1");
  }
  JESSL_CHECK(size_of_array(field, page), ConfigError, who, ": a value of the field \"", field.name,
              "\" is larger than a page of ", page, " bytes; set page_size to more");
}

JESSL_INLINE std::optional<std::uint64_t> BetonWriter::size_of_array(const BetonField& field, std::uint64_t most) {
  std::vector<std::uint64_t> shape;
  for (const std::int64_t extent : field.shape) shape.push_back(as_unsigned(extent));
  return detail::array_bytes(shape, detail::dtype_bytes(field.dtype).value_or(0), most);
}

JESSL_INLINE detail::BetonColumn BetonWriter::column_of(const BetonField& field) const {
  detail::BetonColumn column{.type = detail::find_beton_kind(field.kind)->type};
  if (detail::is_array(column.type)) column.array_bytes = size_of_array(field, page_).value_or(0);
  return column;
}

JESSL_INLINE BetonWriter::Part BetonWriter::part_of(std::size_t field, const BetonValue& value) const {
  switch (columns_[field].type) {
    case detail::BetonType::integer:
      return {.number = as_unsigned(as<std::int64_t>(field, value, "an integer"))};
    case detail::BetonType::real:
      return {.number = std::bit_cast<std::uint64_t>(as<double>(field, value, "a real number"))};
    case detail::BetonType::image:
      return image_part(field, as<EncodedImage>(field, value, "an image"));
    case detail::BetonType::json:
      return json_part(field, as<std::string_view>(field, value, "a text"));
    default:
      return bytes_part(field, as<std::span<const std::byte>>(field, value, "bytes"));
  }
}

JESSL_INLINE BetonWriter::Part BetonWriter::bytes_part(std::size_t field, std::span<const std::byte> bytes) const {
  if (detail::is_array(columns_[field].type)) {
    if (bytes.size() != columns_[field].array_bytes) {
      refuse(field, "the value has ", bytes.size(), " bytes, expected ", columns_[field].array_bytes, " for its shape");
    }
  } else if (bytes.empty()) {
    refuse(field, "the value is empty, which ffcv cannot read");
  }
  return {.bytes = bytes};
}

JESSL_INLINE BetonWriter::Part BetonWriter::json_part(std::size_t field, std::string_view text) const {
  if (text.empty()) refuse(field, "the text is empty, which is no JSON; for nothing, write null");
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) refuse(field, "the text has a zero byte at ", zero, ", where it would end");
  return {.bytes = std::as_bytes(std::span(text)), .terminated = true};
}

JESSL_INLINE BetonWriter::Part BetonWriter::image_part(std::size_t field, const EncodedImage& image) const {
  Part part{.bytes = image.bytes, .image = image};
  switch (image.format) {
    case ImageFormat::raw:
      break;
    case ImageFormat::jpg:
      measure_jpeg(field, part.image);
      break;
    default:
      refuse(field, "the image is a PNG file; a .beton file holds raw pixels and JPEG files: decode it");
  }
  const std::int64_t width = part.image.width;
  const std::int64_t height = part.image.height;
  if (width < 1 || width > UINT16_MAX || height < 1 || height > UINT16_MAX) {
    refuse(field, "the image is of ", width, " x ", height, " pixels, expected 1 to ", UINT16_MAX, " each");
  }
  if (image.format == ImageFormat::raw) {
    const std::uint64_t expected = 3 * as_unsigned(width) * as_unsigned(height);
    if ((image.channels != 3 && image.channels != 0) || image.bytes.size() != expected) {
      refuse(field, "the image is of ", width, " x ", height, " pixels in ", image.bytes.size(), " bytes, expected ",
             expected, " bytes of interleaved RGB");
    }
  }
  return part;
}

JESSL_INLINE void BetonWriter::measure_jpeg(std::size_t field, EncodedImage& image) const {
  const std::optional<detail::JPEGHeader> header = detail::read_jpeg_header(image.bytes);
  if (!header) refuse(field, "the ", image.bytes.size(), " bytes of the image are no JPEG file");
  if (!detail::ffcv_decodes(*header)) {
    refuse(field, "the image is a JPEG of ", header->components, " components of ", header->bits,
           " bits, coded by process ", int{header->process} - 0xC0,
           "; ffcv decodes grey and colour of 8 bits by the processes 0, 1 and 2: encode it anew");
  }
  if ((image.width != 0 && image.width != header->width) || (image.height != 0 && image.height != header->height)) {
    refuse(field, "the image is a JPEG of ", header->width, " x ", header->height, " pixels, but was said to have ",
           image.width, " x ", image.height);
  }
  image.width = header->width;
  image.height = header->height;
}

JESSL_INLINE void BetonWriter::place(const Part& part, const detail::BetonColumn& column, std::byte* record) {
  std::byte* const target = record + column.offset;
  if (!detail::is_stored(column.type)) return detail::store(target, part.number);
  const std::uint64_t where = (pages_ - 1) * page_ + used_;
  table_.push_back({samples_, where, part.size()});
  put(part.bytes);
  if (part.terminated) put(std::array{std::byte{0}});
  // The place is counted from the first page until commit() knows where that begins.
  if (column.type == detail::BetonType::image) {
    detail::store(target, static_cast<std::uint8_t>(part.image.format == ImageFormat::raw ? 1 : 0));
    detail::store(target + 1, static_cast<std::uint16_t>(part.image.width));
    detail::store(target + 3, static_cast<std::uint16_t>(part.image.height));
  }
  detail::store(target + pointer_offset(column.type), where);
  if (column.type == detail::BetonType::bytes || column.type == detail::BetonType::json) {
    detail::store(target + 8, part.size());
  }
}

JESSL_INLINE void BetonWriter::put(std::span<const std::byte> bytes) {
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  used_ += bytes.size();
  if (pending_.size() >= chunk) flush();
}

JESSL_INLINE void BetonWriter::flush() {
  if (pending_.empty()) return;
  const auto end = static_cast<std::int64_t>(data_ + (pages_ - 1) * page_ + used_);
  const auto size = static_cast<std::int64_t>(pending_.size());
  file_.write_at(end - size, pending_);
  file_.start_flush(end - size, size);
  pending_.clear();
}

JESSL_INLINE void BetonWriter::move_data(std::uint64_t target, std::uint64_t records_end) {
  if (target == data_) return;
  file_.move_tail(static_cast<std::int64_t>(data_), static_cast<std::int64_t>(target));
  const std::vector<std::byte> zeros(chunk);
  for (std::uint64_t at = records_end; at < target;) {
    const std::uint64_t step = std::min<std::uint64_t>(chunk, target - at);
    file_.write_at(static_cast<std::int64_t>(at), std::span(zeros).first(static_cast<std::size_t>(step)));
    at += step;
  }
  data_ = target;
}

JESSL_INLINE void BetonWriter::write_head(std::uint64_t table) {
  std::vector<std::byte> head(static_cast<std::size_t>(records_begin()));
  detail::store(head.data(), detail::beton_version);
  detail::store(head.data() + 2, static_cast<std::uint16_t>(fields_.size()));
  detail::store(head.data() + 4, static_cast<std::uint32_t>(page_));
  detail::store(head.data() + 8, samples_);
  detail::store(head.data() + 16, table);
  for (std::size_t field = 0; field < fields_.size(); ++field) {
    std::byte* const descriptor = head.data() + detail::beton_header + field * detail::beton_descriptor;
    detail::store(descriptor, static_cast<std::uint8_t>(columns_[field].type));
    copy_text(fields_[field].name, descriptor + detail::beton_name_at);
    if (!detail::is_array(columns_[field].type)) continue;
    std::byte* const arguments = descriptor + detail::beton_arguments_at;
    for (std::size_t axis = 0; axis < fields_[field].shape.size(); ++axis) {
      detail::store(arguments + 8 * axis, fields_[field].shape[axis]);
    }
    const std::string dtype = concat("[[\"\", \"", fields_[field].dtype, "\"]]");
    detail::store(arguments + 8 * detail::beton_axes, std::uint64_t{dtype.size()});
    copy_text(dtype, arguments + detail::beton_dtype_at);
  }
  file_.write_at(0, head);
}

JESSL_INLINE void BetonWriter::write_records() {
  for (const detail::BetonColumn& column : columns_) {
    if (!detail::is_stored(column.type)) continue;
    for (std::uint64_t sample = 0; sample < samples_; ++sample) {
      std::byte* const pointer = records_.data() + sample * record_ + column.offset + pointer_offset(column.type);
      detail::store(pointer, data_ + detail::load<std::uint64_t>(pointer));
    }
  }
  file_.write_at(static_cast<std::int64_t>(records_begin()), records_);
}

JESSL_INLINE void BetonWriter::write_table(std::uint64_t begin) {
  std::vector<std::byte> block;
  auto at = static_cast<std::int64_t>(begin);
  for (std::size_t entry = 0; entry < table_.size(); ++entry) {
    block.resize(block.size() + detail::beton_allocation);
    std::byte* const target = block.data() + block.size() - detail::beton_allocation;
    detail::store(target, table_[entry].sample);
    detail::store(target + 8, data_ + table_[entry].place);
    detail::store(target + 16, table_[entry].size);
    if (block.size() < chunk && entry + 1 < table_.size()) continue;
    file_.write_at(at, block);
    at += static_cast<std::int64_t>(block.size());
    block.clear();
  }
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
