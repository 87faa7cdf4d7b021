// SPDX-License-Identifier: Apache-2.0
// The members of a tar file, by their headers alone.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/detail/stored_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/data/detail/tar_layout.hpp>

namespace jessl::data::detail {

/// A member of a tar file.
struct TarMember {
  std::string name{};
  char type = tar_type_of::file;
  std::uint64_t header = 0;  // where its header begins; that of itself, not of what says more about it
  std::uint64_t offset = 0;  // where its bytes begin
  std::uint64_t size = 0;    // their number

  [[nodiscard]] bool is_file() const {
    return type == tar_type_of::file || type == tar_type_of::contiguous_file ||
           (type == tar_type_of::old_file && !name.ends_with('/'));
  }
  [[nodiscard]] bool is_folder() const {
    return type == tar_type_of::folder || type == tar_type_of::gnu_folder ||
           (type == tar_type_of::old_file && name.ends_with('/'));
  }
};

/// Walks over a tar file from header to header: ustar, old, GNU and pax.
///
/// It reads pages that hold headers, and passes over the members' bytes.
///
/// Errors     DataError, with file, member, byte offset, expected and actual value: a header whose checksum is wrong or
///            whose numbers are none, a member that goes on after the file's end, a file that ends elsewhere than at the
///            end of a member or after two blocks of zeros, pax records that are none, sparse files and parts of
///            files, whose bytes are not all there; a compressed file; one tar file after another
class TarReader {
 public:
  TarReader(const jessl::detail::StoredFile& file, std::string_view who) : file_(file), who_(who) {}

  /// The next member that is not about another one; nothing at the end.
  [[nodiscard]] std::optional<TarMember> next();

  /// Ends with what is wrong with a member.
  template <class... Parts>
  [[noreturn]] void refuse(const TarMember& member, const Parts&... parts) const {
    fail<DataError>(who_, ": ", file_.path(), ": member ", printable(member.name), " at byte ", member.header, ' ',
                    parts...);
  }

  /// A name for messages, which may be any bytes.
  [[nodiscard]] static std::string printable(std::string_view name);

 private:
  static constexpr std::uint64_t page = 4096;
  static constexpr std::uint64_t text_most = std::uint64_t{1} << 20U;  // bytes of a long name or of pax records
  static constexpr std::uint64_t record = 20;                          // blocks that programs write at once

  /// What stands in members that are about others.
  struct About {
    std::optional<std::string> path{};
    std::optional<std::uint64_t> size{};
    bool sparse = false;
  };

  template <class... Parts>
  [[noreturn]] void damaged(std::uint64_t offset, const Parts&... parts) const {
    fail<DataError>(who_, ": ", file_.path(), " is damaged or no tar file: at byte ", offset, ", after ", count_,
                    count_ == 1 ? " header, " : " headers, ", parts...);
  }

  /// Bytes of the file, which must be there, with whatever is in the same pages.
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset, std::uint64_t size);

  /// Whether no member follows. The position is at a whole block, or at the end of the file.
  [[nodiscard]] bool at_end();

  /// Whoever puts tar files one after another means all of them, but a reader ends with the first.
  void refuse_another();

  [[nodiscard]] TarMember read_header();

  /// Whether a member of that type is followed by as many bytes as its size says: links, devices, folders and queues
  /// are not, whatever it says.
  [[nodiscard]] static bool has_bytes(char type) { return type < '1' || type > '6'; }

  /// Goes to the header after a member, which must be in the file with all of its bytes.
  void pass(const TarMember& member);

  void apply(const About& about, TarMember& member) const;

  /// The bytes of a member that is about another one.
  [[nodiscard]] std::string_view text_of(const TarMember& member);

  [[nodiscard]] std::string long_text(const TarMember& member) {
    const std::string_view text = text_of(member);
    return std::string(text.substr(0, text.find('\0')));
  }

  void read_pax(const TarMember& member, About& about);

  [[nodiscard]] std::optional<std::uint64_t> pax_size(std::uint64_t offset, std::string_view value) const;

  const jessl::detail::StoredFile& file_;
  std::string_view who_;
  std::uint64_t position_ = 0;
  std::uint64_t count_ = 0;  // of headers passed
  About global_{};
  std::uint64_t window_begin_ = 0;
  std::span<const std::byte> window_{};
  std::vector<std::byte> storage_{};
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE std::optional<TarMember> TarReader::next() {
  About about = global_;
  bool described = false;
  for (;;) {
    const std::uint64_t begin = position_;
    if (at_end()) {
      if (described) damaged(begin, "it ends, expected the member that the header before describes");
      return std::nullopt;
    }
    TarMember member = read_header();
    ++count_;
    if (member.type == tar_type_of::pax || member.type == tar_type_of::pax_old) {
      read_pax(member, about);
    } else if (member.type == tar_type_of::pax_global) {
      read_pax(member, global_);
      if (!described) about = global_;
    } else if (member.type == tar_type_of::gnu_long_name) {
      about.path = long_text(member);
    } else if (member.type == tar_type_of::gnu_long_link) {
      static_cast<void>(long_text(member));
    } else {
      apply(about, member);
      pass(member);
      return member;
    }
    described = described || member.type != tar_type_of::pax_global;
    pass(member);
  }
}

JESSL_INLINE std::string TarReader::printable(std::string_view name) {
  std::string text = "\"";
  for (const char c : name.substr(0, 200)) text += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  return text + (name.size() > 200 ? "...\"" : "\"");
}

JESSL_INLINE std::span<const std::byte> TarReader::at(std::uint64_t offset, std::uint64_t size) {
  if (offset < window_begin_ || offset + size > window_begin_ + window_.size()) {
    const std::uint64_t end = std::min((offset + size + page - 1) / page * page, file_.size());
    window_ = file_.read(offset, end - offset, storage_);
    window_begin_ = offset;
  }
  return window_.subspan(static_cast<std::size_t>(offset - window_begin_), static_cast<std::size_t>(size));
}

JESSL_INLINE bool TarReader::at_end() {
  const std::uint64_t room = file_.size() - position_;
  if (room == 0 && count_ > 0) return true;  // without the blocks that end it, but whole
  if (room < tar_block) {
    damaged(position_, "the file has ", room, " bytes more, expected a header of ", tar_block,
            "; was the file cut short?");
  }
  if (!TarHeader(at(position_, tar_block)).is_zero()) return false;
  if (room < 2 * tar_block || !TarHeader(at(position_ + tar_block, tar_block)).is_zero()) {
    damaged(position_, "there is one block of zeros, expected two at the end, or none");
  }
  refuse_another();
  return true;
}

JESSL_INLINE void TarReader::refuse_another() {
  for (std::uint64_t block = 2; block <= record; ++block) {
    const std::uint64_t begin = position_ + block * tar_block;
    if (begin > file_.size() || file_.size() - begin < tar_block) return;
    const TarHeader header(at(begin, tar_block));
    if (header.is_zero()) continue;
    JESSL_CHECK(!header.sum_is_right(), DataError, who_, ": ", file_.path(), " ends at byte ", position_,
                ", but another tar file begins at byte ", begin,
                "; join tar files with tar --concatenate, or give them one by one");
    return;
  }
}

JESSL_INLINE TarMember TarReader::read_header() {
  const TarHeader header(at(position_, tar_block));
  if (!header.sum_is_right()) {
    const std::string_view compression = position_ == 0 ? compression_of(at(0, tar_block)) : "";
    JESSL_CHECK(compression.empty(), DataError, who_, ": ", file_.path(), " is compressed (", compression,
                "), so that no member can be read without those before it; decompress it");
    const std::optional<std::uint64_t> stored = header.stored_sum();
    damaged(position_, "the checksum of header ", printable(header.name()), " is ",
            stored ? concat(*stored) : "no number", ", expected ", header.sum(), " (or ", header.signed_sum(),
            " of signed bytes)");
  }
  const std::optional<std::uint64_t> size = header.size();
  if (!size) damaged(position_, "the size of member ", printable(header.name()), " is no number of bytes");
  return {.name = header.name(),
          .type = header.type(),
          .header = position_,
          .offset = position_ + tar_block,
          .size = has_bytes(header.type()) ? *size : 0};
}

JESSL_INLINE void TarReader::pass(const TarMember& member) {
  const std::uint64_t room = file_.size() - member.offset;
  const std::uint64_t blocks = member.size / tar_block + (member.size % tar_block == 0 ? 0 : 1);
  if (member.size > room || blocks > room / tar_block) {
    damaged(member.header, "member ", printable(member.name), " has ", member.size, " bytes in ", blocks,
            " blocks from byte ", member.offset, " on, but the file ends at byte ", file_.size(),
            "; was it cut short?");
  }
  position_ = member.offset + blocks * tar_block;
}

JESSL_INLINE void TarReader::apply(const About& about, TarMember& member) const {
  if (about.path) member.name = *about.path;
  if (about.size && has_bytes(member.type)) member.size = *about.size;
  if (about.sparse || member.type == tar_type_of::gnu_sparse) {
    refuse(member, "is a sparse file; write the tar file without --sparse");
  }
  if (member.type == tar_type_of::gnu_continued) {
    refuse(member, "began in another file; write the tar file without --multi-volume");
  }
}

JESSL_INLINE std::string_view TarReader::text_of(const TarMember& member) {
  if (member.size > text_most) {
    damaged(member.header, "a member of type ", printable({&member.type, 1}), " has ", member.size,
            " bytes, expected at most ", text_most);
  }
  pass(member);  // are they there?
  const std::span<const std::byte> bytes = at(member.offset, member.size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

JESSL_INLINE void TarReader::read_pax(const TarMember& member, About& about) {
  const std::string_view text = text_of(member);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::optional<PaxRecord> found = read_pax_record(text.substr(begin));
    if (!found) {
      damaged(member.offset + begin, "there is no record of a pax header, expected \"<length> <key>=<value>\"");
    }
    const auto& [key, value, length] = *found;
    if (key == "path") {
      about.path = value.empty() ? std::optional<std::string>() : std::string(value);
    } else if (key == "size") {
      about.size = pax_size(member.offset + begin, value);
    } else if (key.starts_with("GNU.sparse.")) {
      about.sparse = true;
    }
    begin += length;
  }
}

JESSL_INLINE std::optional<std::uint64_t> TarReader::pax_size(std::uint64_t offset, std::string_view value) const {
  if (value.empty()) return std::nullopt;
  std::uint64_t size = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, size);
  if (error != std::errc() || stop != end) {
    damaged(offset, "the size in a pax header is ", printable(value), ", expected a number of bytes");
  }
  return size;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
