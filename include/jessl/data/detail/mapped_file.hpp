// SPDX-License-Identifier: Apache-2.0
// A whole file as memory, read when it is touched.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jessl/core/error.hpp>

namespace jessl::data::detail {

/// Maps a file read-only. The file must not become shorter while it is mapped: the system ends a program that touches
/// what is gone.
///
/// Errors     DataError when it cannot be opened or mapped, or is no regular file
class MappedFile {
 public:
  MappedFile(const std::string& path, std::string_view who) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    JESSL_CHECK(descriptor >= 0, DataError, who, ": cannot open ", path, ": ", std::strerror(errno));
    const Closer closer{descriptor};
    struct stat status {};
    JESSL_CHECK(::fstat(descriptor, &status) == 0, DataError, who, ": cannot tell the size of ", path, ": ",
                std::strerror(errno));
    JESSL_CHECK(S_ISREG(status.st_mode), DataError, who, ": ", path, " is no regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return;  // nothing can be mapped
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    JESSL_CHECK(memory != MAP_FAILED, DataError, who, ": cannot map ", path, " of ", size,
                " bytes: ", std::strerror(errno));
    bytes_ = {static_cast<const std::byte*>(memory), size};
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  };

  std::span<const std::byte> bytes_{};
};

}  // namespace jessl::data::detail
