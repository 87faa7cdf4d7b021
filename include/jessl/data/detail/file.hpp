// SPDX-License-Identifier: Apache-2.0
// Files as bytes: whole, and through zlib.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <zlib.h>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>

namespace jessl::data::detail {

/// Reads a whole file into `storage`, whose memory is kept: nothing is allocated once it has held the largest file.
///
/// Errors     DataError when the file cannot be opened or read
void read_file(const std::string& path, std::vector<std::byte>& storage, std::string_view who);

/// A file read from front to back, decompressed on the way if it is a gzip file.
///
/// Errors     DataError when the file cannot be opened or read, or its compressed data are damaged or end early
class GzFile {
 public:
  GzFile(const std::string& path, std::string_view who);

  /// Up to `size` further bytes; fewer only at the end of the file.
  [[nodiscard]] std::size_t read(void* target, std::size_t size);

  /// How far it has been read, in bytes of the decompressed file.
  [[nodiscard]] std::int64_t offset() const { return offset_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  void check() const;

  std::string path_;
  std::string who_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::int64_t offset_ = 0;
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE void read_file(const std::string& path, std::vector<std::byte>& storage, std::string_view who) {
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"));
  JESSL_CHECK(file, DataError, who, ": cannot open ", path, ": ", std::strerror(errno));
  std::setvbuf(file.get(), nullptr, _IONBF, 0);  // one read straight into `storage`
  struct stat status {};
  JESSL_CHECK(fstat(fileno(file.get()), &status) == 0, DataError, who, ": cannot tell the size of ", path, ": ",
              std::strerror(errno));
  JESSL_CHECK(S_ISREG(status.st_mode), DataError, who, ": ", path, " is no regular file");
  storage.resize(static_cast<std::size_t>(status.st_size));
  errno = 0;
  const std::size_t got = std::fread(storage.data(), 1, storage.size(), file.get());
  JESSL_CHECK(got == storage.size(), DataError, who, ": ", path, ": got ", got, " bytes of ", storage.size(), ": ",
              errno != 0 ? std::strerror(errno) : "the file became shorter while it was read");
}

JESSL_INLINE GzFile::GzFile(const std::string& path, std::string_view who)
    : path_(path), who_(who), file_(gzopen(path.c_str(), "rb")) {
  JESSL_CHECK(file_, DataError, who_, ": cannot open ", path_, ": ", std::strerror(errno));
  gzbuffer(file_.get(), 1U << 17U);
}

JESSL_INLINE std::size_t GzFile::read(void* target, std::size_t size) {
  std::size_t got = 0;
  while (got < size) {
    const auto piece = static_cast<unsigned>(std::min<std::size_t>(size - got, 1U << 30U));
    const int count = std::max(gzread(file_.get(), static_cast<char*>(target) + got, piece), 0);
    got += static_cast<std::size_t>(count);
    offset_ += count;
    check();  // a stream that ends early gives the bytes it has, and tells only here
    if (count == 0) break;
  }
  return got;
}

JESSL_INLINE void GzFile::check() const {
  int code = Z_OK;
  const char* reason = gzerror(file_.get(), &code);
  if (code == Z_OK || code == Z_STREAM_END) return;
  const bool compressed = gzdirect(file_.get()) == 0;
  fail<DataError>(who_, ": ", path_, compressed ? " is damaged near byte " : " cannot be read near byte ", offset_,
                  compressed ? " (decompressed): " : ": ", code == Z_ERRNO ? std::strerror(errno) : reason,
                  compressed ? "; fetch it anew" : "");
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
