// SPDX-License-Identifier: Apache-2.0
// Tar files of samples, as WebDataset lays them out.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/stored_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/thread_pool.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/detail/brace_pattern.hpp>
#include <jessl/data/detail/raw_images.hpp>
#include <jessl/data/detail/tar_reader.hpp>
#include <jessl/data/storage.hpp>

namespace jessl::data {

/// Settings of TarShards.
///
/// Shapes     none
/// Errors     TarShards checks them
/// Models     jessl::Options
/// Source     none
struct TarShardsOptions {
  std::int64_t channels = 3;           ///< 3: every image as RGB, 1: as grey
  std::optional<std::string> label{};  ///< the member of key.json that is the class; none: the number in key.cls, else
                                       ///< the member "label" of key.json if it is an integer; "": no labels
  std::optional<std::int64_t> classes{};  ///< number of classes, >= 1; none: one more than the largest label
  Storage storage = Storage::mapped;      ///< where the bytes of the images lie: mapped, in memory, or read one by one
};

namespace detail {

/// The index of one tar file: its images with their labels, in order.
class TarShard {
 public:
  struct Image {
    ImageFormat format = ImageFormat::jpg;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::size_t name_end = 0;  // in names_, where it begins as the one before ends
  };

  TarShard(const std::string& path, const TarShardsOptions& options, std::string_view who);

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(images_.size()); }
  [[nodiscard]] const Image& image(std::int64_t i) const { return images_[static_cast<std::size_t>(i)]; }

  /// The label of image i, or -1 where it has none.
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return labels_[static_cast<std::size_t>(i)]; }

  [[nodiscard]] std::string_view name(std::int64_t i) const {
    const std::size_t begin = i == 0 ? 0 : image(i - 1).name_end;
    return std::string_view(names_).substr(begin, image(i).name_end - begin);
  }

  [[nodiscard]] std::span<const std::byte> read(std::int64_t i, std::vector<std::byte>& storage) const {
    return file_.read(image(i).offset, image(i).size, storage);
  }

  void prefetch(std::uint64_t offset, std::uint64_t size) const { file_.prefetch(offset, size); }

  /// A member's path up to the first dot of its base name; all of it where there is no such dot, or one in front.
  [[nodiscard]] static std::string_view key_of(std::string_view name);

 private:
  static constexpr std::uint64_t number_most = 64;  // bytes of a key.cls
  static constexpr std::uint64_t json_most = std::uint64_t{1} << 20U;

  /// A member of a sample.
  struct Part {
    std::string name{};
    std::uint64_t header = 0;
    std::uint64_t offset = 0;  // 0: there is none, since no member's bytes begin where its header might
    std::uint64_t size = 0;

    [[nodiscard]] explicit operator bool() const { return offset != 0; }
  };

  struct Sample {
    ImageFormat format = ImageFormat::jpg;
    Part image{};
    Part number{};
    Part json{};
  };

  template <class... Parts>
  [[noreturn]] void refuse(const Part& part, const Parts&... parts) const {
    fail<DataError>(who_, ": ", path(), ": member ", TarReader::printable(part.name), " at byte ", part.header, ' ',
                    parts...);
  }

  /// The suffix of a member in lower case, or "" where it belongs to no sample.
  [[nodiscard]] static std::string suffix_of(std::string_view name);

  /// The samples, in the order in which their keys first come.
  [[nodiscard]] std::vector<Sample> group(const TarShardsOptions& options) const;

  /// Takes the images over, and reads their labels.
  void keep(const std::vector<Sample>& samples, const TarShardsOptions& options);

  [[nodiscard]] std::int64_t read_label(const Sample& sample, const TarShardsOptions& options,
                                        std::vector<std::byte>& storage) const;

  [[nodiscard]] std::string_view text(const Part& part, std::uint64_t most, std::vector<std::byte>& storage) const;

  [[nodiscard]] std::int64_t read_number(const Part& part, std::vector<std::byte>& storage) const;

  [[noreturn]] void refuse_number(const Part& part, std::string_view number) const {
    refuse(part, "has the label ", number, ", expected 0 to ", most_label);
  }

  [[nodiscard]] std::int64_t read_json(const Part& part, const std::optional<std::string>& named,
                                       std::vector<std::byte>& storage) const;

  std::string_view who_;
  jessl::detail::StoredFile file_;
  std::vector<Image> images_{};
  std::vector<std::int64_t> labels_{};
  std::string names_{};
};

}  // namespace detail

/// The images in tar files laid out as WebDataset has it: members of one key are a sample.
///
/// A member's key is its path up to the first dot of its base name, its suffix what follows, in any case. A sample is an
/// image (key.jpg, key.jpeg or key.png) with its label in key.cls, the text of a number, or in a member of key.json;
/// members of other suffixes are passed over. The order is that of the files, then of the keys in a file.
///
/// Opening reads the headers and the labels, on several threads; an image is read when it is asked for. Copies share the
/// index and the files.
///
/// Shapes     none
/// Cost       opening: one pass over the headers, 512 bytes a member, and over the labels; all of the files with
///            storage = memory. Memory: 40 bytes an image and its name, and with storage = memory the files
/// Errors     DataError, with file, member, byte offset, expected and actual value: a file that cannot be opened or
///            read, is compressed, damaged, cut short or followed by another; a sparse or split member; a link or a
///            device in the place of an image or label; two images or two labels of one key; a label without an image,
///            that is no number, below 0 or above 2^31 or, where classes is set, not below it; images with labels and
///            others without; no image at all. ConfigError: channels, classes; a pattern for more than a million paths.
///            A mapped file must not be cut: see Storage
/// Models     jessl::PrefetchingDataset (docs/data/README.md)
/// Source     the layout of the Python package webdataset: Aizman, Maltby, Breuel: High Performance I/O For Large Scale
///            Deep Learning. IEEE Big Data 2019, arXiv 2001.01858. POSIX.1-2017, pax; GNU tar's manual
/// Differs    webdataset reads from front to back, makes samples of neighbours only (two of one key where another lies
///            between), and passes over links
class TarShards {
 public:
  static constexpr std::string_view name = "TarShards";

  /// `pattern` is a path, or one in which braces stand for several: "train-{000..015}.tar".
  explicit TarShards(const std::string& pattern, const TarShardsOptions& options = {})
      : TarShards(std::vector<std::string>{pattern}, options) {}

  /// Several of them, in this order.
  explicit TarShards(const std::vector<std::string>& patterns, const TarShardsOptions& options = {});

  [[nodiscard]] std::int64_t size() const { return state_->ends.back(); }
  [[nodiscard]] std::int64_t channels() const { return state_->channels; }
  [[nodiscard]] std::int64_t classes() const { return state_->classes; }

  [[nodiscard]] std::int64_t label(std::int64_t i) const {
    const auto [shard, place] = find(i);
    return state_->shards[shard]->label(place);
  }

  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    const auto [shard, place] = find(i);
    const detail::TarShard& file = *state_->shards[shard];
    return {file.image(place).format, 0, 0, 0, file.read(place, storage)};
  }

  [[nodiscard]] std::string describe(std::int64_t i) const;

  /// Bytes of a page: an image is of the page that it begins in, counted from the start of its file.
  static constexpr std::int64_t page_size = std::int64_t{8} << 20U;

  /// The page of image i, for orders that go by page: the number of its file times 2^32, and that of the page in it.
  [[nodiscard]] std::int64_t page(std::int64_t i) const {
    const auto [shard, place] = find(i);
    const std::uint64_t within = state_->shards[shard]->image(place).offset / page_size;
    return (static_cast<std::int64_t>(shard) << 32U) + static_cast<std::int64_t>(within);
  }

  /// Has the system read a page, without waiting for it.
  void prefetch(std::int64_t page) const;

  /// The key of image i: what its members have in common in their names.
  [[nodiscard]] std::string key(std::int64_t i) const {
    const auto [shard, place] = find(i);
    return std::string(detail::TarShard::key_of(state_->shards[shard]->name(place)));
  }

 private:
  static constexpr std::string_view who = "jessl::data::TarShards";

  struct State {
    std::vector<std::unique_ptr<const detail::TarShard>> shards{};
    std::vector<std::int64_t> ends{};  // shard s has the images from ends[s - 1] to ends[s]
    std::int64_t channels = 0;
    std::int64_t classes = 0;
  };

  struct Place {
    std::size_t shard;
    std::int64_t image;  // in it
  };

  /// A file whose name has braces is meant as it is called.
  [[nodiscard]] static std::vector<std::string> paths_of(const std::vector<std::string>& patterns);

  /// Indexes the files. Which of several errors is reported does not depend on the threads: that of the first file.
  static void open(const std::vector<std::string>& paths, const TarShardsOptions& options, State& state);

  /// How many classes the labels count; 0 where there are none.
  [[nodiscard]] static std::int64_t count_classes(const TarShardsOptions& options, const State& state);

  [[nodiscard]] Place find(std::int64_t i) const;

  std::shared_ptr<const State> state_;
};

static_assert(PrefetchingDataset<TarShards>);

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::TarShardsOptions, channels, label, classes, storage);

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE TarShard::TarShard(const std::string& path, const TarShardsOptions& options, std::string_view who)
    : who_(who),
      // Headers lie far apart: through a map, each would bring what stands around it.
      file_(path, options.storage == Storage::mapped ? Storage::reads : options.storage, who) {
  keep(group(options), options);
  if (options.storage == Storage::mapped) file_.map();
}

JESSL_INLINE std::string_view TarShard::key_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::size_t base = slash == std::string_view::npos ? 0 : slash + 1;
  const std::size_t dot = name.find('.', base);
  return dot == base ? name : name.substr(0, dot);
}

JESSL_INLINE std::string TarShard::suffix_of(std::string_view name) {
  const std::string_view key = key_of(name);
  if (key.size() == name.size()) return "";
  // What describes the file itself, in names like __index__ and folders of such names.
  const std::string_view first = name.substr(0, name.find('/'));
  if (first.size() >= 4 && first.starts_with("__") && first.ends_with("__")) return "";
  std::string suffix(name.substr(key.size() + 1));
  for (char& letter : suffix) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  return suffix;
}

JESSL_INLINE std::vector<TarShard::Sample> TarShard::group(const TarShardsOptions& options) const {
  const bool wants_number = !options.label;
  const bool wants_json = !options.label || !options.label->empty();
  TarReader reader(file_, who_);
  std::vector<Sample> samples;
  std::unordered_map<std::string, std::size_t> places;
  while (std::optional<TarMember> member = reader.next()) {
    const std::string suffix = suffix_of(member->name);
    const bool png = suffix == "png";
    const bool image = png || suffix == "jpg" || suffix == "jpeg";
    const bool number = wants_number && suffix == "cls";
    if (!image && !number && !(wants_json && suffix == "json")) continue;
    if (member->is_folder() || member->type == tar_type_of::gnu_volume) continue;
    if (!member->is_file()) {
      reader.refuse(*member, "is of type ", TarReader::printable({&member->type, 1}),
                    ", expected a file; write links as the files they lead to (tar --dereference --hard-dereference)");
    }
    const auto [place, is_new] = places.try_emplace(std::string(key_of(member->name)), samples.size());
    if (is_new) samples.emplace_back();
    Sample& sample = samples[place->second];
    Part& part = image ? sample.image : number ? sample.number : sample.json;
    if (part) {
      reader.refuse(*member, "is the second ",
                    image    ? "image"
                    : number ? "cls"
                             : "json",
                    " of its key, after ", TarReader::printable(part.name), " at byte ", part.header, "; expected one");
    }
    part = {std::move(member->name), member->header, member->offset, member->size};
    if (image) sample.format = png ? ImageFormat::png : ImageFormat::jpg;
  }
  return samples;
}

JESSL_INLINE void TarShard::keep(const std::vector<Sample>& samples, const TarShardsOptions& options) {
  std::vector<std::byte> storage;
  for (const Sample& sample : samples) {
    if (!sample.image) {
      if (!sample.number) continue;  // JSON may be about anything
      refuse(sample.number, "is the label of no image, expected one of its key that ends in .jpg, .jpeg or .png");
    }
    names_ += sample.image.name;
    images_.push_back({sample.format, sample.image.offset, sample.image.size, names_.size()});
    labels_.push_back(read_label(sample, options, storage));
  }
  images_.shrink_to_fit();
  labels_.shrink_to_fit();
  names_.shrink_to_fit();
}

JESSL_INLINE std::int64_t TarShard::read_label(const Sample& sample, const TarShardsOptions& options,
                                               std::vector<std::byte>& storage) const {
  if (sample.number) return read_number(sample.number, storage);
  if (options.label && options.label->empty()) return -1;
  if (!sample.json) {
    if (options.label) {
      refuse(sample.image, "has no label: there is no json of its key, expected one with \"", *options.label, '"');
    }
    return -1;
  }
  return read_json(sample.json, options.label, storage);
}

JESSL_INLINE std::string_view TarShard::text(const Part& part, std::uint64_t most,
                                             std::vector<std::byte>& storage) const {
  if (part.size > most) {
    refuse(part, "has ", part.size, " bytes, expected at most ", most, "; set label to \"\" to do without labels");
  }
  const std::span<const std::byte> bytes = file_.read(part.offset, part.size, storage);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

JESSL_INLINE std::int64_t TarShard::read_number(const Part& part, std::vector<std::byte>& storage) const {
  constexpr std::string_view blank = " \t\r\n";
  const std::string_view all = text(part, number_most, storage);
  const std::size_t begin = std::min(all.find_first_not_of(blank), all.size());
  const std::size_t end = all.find_last_not_of(blank) + 1;  // 0 where there is none
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(all.data() + begin, all.data() + std::max(begin, end), value);
  if (error == std::errc::invalid_argument || stop != all.data() + end) {
    refuse(part, "is ", TarReader::printable(all), ", expected a label, a whole number in digits");
  }
  if (error != std::errc() || value < 0 || value > most_label) refuse_number(part, all.substr(begin, end - begin));
  return value;
}

JESSL_INLINE std::int64_t TarShard::read_json(const Part& part, const std::optional<std::string>& named,
                                              std::vector<std::byte>& storage) const {
  const std::string wanted = named.value_or("label");
  const Json json = Json::parse(text(part, json_most, storage), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) refuse(part, "is no JSON; set label to \"\" to do without labels");
  const auto found = json.find(wanted);  // the end where it is no object
  if (found == json.end() || !found->is_number_integer()) {
    if (!named) return -1;  // it is about something else
    refuse(part, "has ", found == json.end() ? "no member" : concat("a ", found->type_name(), " as its member"), " \"",
           wanted, "\", expected an integer, the label");
  }
  const bool fits = found->is_number_unsigned() && found->get<std::uint64_t>() <= std::uint64_t{most_label};
  if (!fits) refuse_number(part, found->dump());
  return found->get<std::int64_t>();
}

}  // namespace jessl::data::detail

namespace jessl::data {

JESSL_INLINE TarShards::TarShards(const std::vector<std::string>& patterns, const TarShardsOptions& options) {
  JESSL_CHECK(options.channels == 1 || options.channels == 3, ConfigError, who, ": channels is ", options.channels,
              ", expected 1 (grey) or 3 (RGB)");
  JESSL_CHECK(options.classes.value_or(1) >= 1, ConfigError, who, ": classes is ", options.classes.value_or(1),
              ", expected >= 1");
  auto state = std::make_shared<State>();
  state->channels = options.channels;
  open(paths_of(patterns), options, *state);
  state->classes = count_classes(options, *state);
  state_ = std::move(state);
}

JESSL_INLINE std::string TarShards::describe(std::int64_t i) const {
  const auto [shard, place] = find(i);
  return concat(state_->shards[shard]->path(), ", ", state_->shards[shard]->name(place));
}

JESSL_INLINE void TarShards::prefetch(std::int64_t page) const {
  const std::int64_t shard = page >> 32U;
  if (shard < 0 || shard >= std::ssize(state_->shards)) return;
  const std::uint64_t within = static_cast<std::uint64_t>(page) & 0xFFFFFFFFU;
  state_->shards[static_cast<std::size_t>(shard)]->prefetch(within * page_size, page_size);
}

JESSL_INLINE std::vector<std::string> TarShards::paths_of(const std::vector<std::string>& patterns) {
  std::vector<std::string> paths;
  for (const std::string& pattern : patterns) {
    std::error_code ignored;
    if (std::filesystem::exists(pattern, ignored)) {
      paths.push_back(pattern);
    } else {
      for (std::string& path : detail::BracePattern::expand(pattern, who)) paths.push_back(std::move(path));
    }
  }
  JESSL_CHECK(!paths.empty(), ConfigError, who, ": there are no paths, expected one of a tar file at least");
  return paths;
}

JESSL_INLINE void TarShards::open(const std::vector<std::string>& paths, const TarShardsOptions& options,
                                  State& state) {
  const auto count = static_cast<std::int64_t>(paths.size());
  state.shards.resize(paths.size());
  std::vector<std::exception_ptr> errors(paths.size());
  std::atomic<std::int64_t> first_wrong{count};
  ThreadPool pool(std::min(hardware_threads(), count));
  pool.parallel_for(count, [&](std::int64_t s, std::int64_t) {
    if (s > first_wrong.load(std::memory_order_relaxed)) return;
    const auto shard = static_cast<std::size_t>(s);
    try {
      state.shards[shard] = std::make_unique<const detail::TarShard>(paths[shard], options, who);
    } catch (...) {
      errors[shard] = std::current_exception();
      std::int64_t before = first_wrong.load(std::memory_order_relaxed);
      while (s < before && !first_wrong.compare_exchange_weak(before, s, std::memory_order_relaxed)) {
      }
    }
  });
  if (first_wrong < count) std::rethrow_exception(errors[static_cast<std::size_t>(first_wrong)]);
  std::int64_t end = 0;
  for (const auto& shard : state.shards) state.ends.push_back(end += shard->size());
  JESSL_CHECK(end > 0, DataError, who, ": no image in ", paths.front(),
              count == 1 ? "" : concat(" and ", count - 1, " further files"),
              ": expected members that end in .jpg, .jpeg or .png");
}

JESSL_INLINE std::int64_t TarShards::count_classes(const TarShardsOptions& options, const State& state) {
  std::int64_t largest = -1;
  std::optional<std::string> labelled;
  std::optional<std::string> unlabelled;
  for (const auto& shard : state.shards) {
    for (std::int64_t i = 0; i < shard->size(); ++i) {
      const std::int64_t label = shard->label(i);
      std::optional<std::string>& first = label < 0 ? unlabelled : labelled;
      if (!first) first = concat(shard->path(), ", ", shard->name(i));
      largest = std::max(largest, label);
      JESSL_CHECK(!options.classes || label < *options.classes, DataError, who, ": ", shard->path(), ", ",
                  shard->name(i), ": the label is ", label, ", expected one below ", options.classes.value_or(0),
                  ", as classes is set");
    }
  }
  JESSL_CHECK(!labelled || !unlabelled, DataError, who, ": ", *unlabelled, " has no label, but ", *labelled,
              " has one; give all of them labels, or set label to \"\"");
  JESSL_CHECK(labelled || !options.classes, ConfigError, who, ": classes is ", options.classes.value_or(0),
              ", but no image has a label: expected a .cls or a .json of the same key");
  return labelled ? options.classes.value_or(largest + 1) : 0;
}

JESSL_INLINE TarShards::Place TarShards::find(std::int64_t i) const {
  detail::check_index(i, size(), who);
  const std::vector<std::int64_t>& ends = state_->ends;
  const auto shard = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), i) - ends.begin());
  return {shard, shard == 0 ? i : i - ends[shard - 1]};
}

}  // namespace jessl::data

#endif  // JESSL_DEFINITIONS
