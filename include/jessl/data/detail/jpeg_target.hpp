// SPDX-License-Identifier: Apache-2.0
// Where libjpeg writes a file: bytes of ours.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

#include <jessl/core/detail/separate.hpp>

namespace jessl::data::detail {

/// A destination of libjpeg's that writes into a vector, whose memory is used again.
class JPEGTarget {
 public:
  JPEGTarget();
  JPEGTarget(const JPEGTarget&) = delete;
  JPEGTarget& operator=(const JPEGTarget&) = delete;
  ~JPEGTarget() = default;

  /// Makes `info` write into `out`, which holds the file when it is finished.
  void take(jpeg_compress_struct& info, std::vector<std::byte>& out) {
    manager_.out = &out;
    info.dest = &manager_;
  }

 private:
  struct Manager : jpeg_destination_mgr {
    std::vector<std::byte>* out = nullptr;
  };

  [[nodiscard]] static std::vector<std::byte>& out_of(jpeg_compress_struct& info) {
    return *static_cast<Manager*>(info.dest)->out;
  }

  /// Has libjpeg write on behind the first `written` bytes. No exception may pass through it.
  static void go_on(jpeg_compress_struct& info, std::size_t written);

  Manager manager_{};
};

}  // namespace jessl::data::detail

#if JESSL_DEFINITIONS

namespace jessl::data::detail {

JESSL_INLINE JPEGTarget::JPEGTarget() {
  manager_.init_destination = [](j_compress_ptr info) { go_on(*info, 0); };
  manager_.empty_output_buffer = [](j_compress_ptr info) -> boolean {
    go_on(*info, out_of(*info).size());  // the count that libjpeg keeps is not to be trusted here, its manual says
    return TRUE;
  };
  manager_.term_destination = [](j_compress_ptr info) {
    out_of(*info).resize(out_of(*info).size() - info->dest->free_in_buffer);
  };
}

JESSL_INLINE void JPEGTarget::go_on(jpeg_compress_struct& info, std::size_t written) {
  constexpr std::size_t least = std::size_t{1} << 16U;
  std::vector<std::byte>& out = out_of(info);
  bool out_of_memory = false;
  try {
    out.resize(std::max({out.size(), 2 * written, least}));
  } catch (const std::exception&) {
    out_of_memory = true;
  }
  if (out_of_memory) {
    info.err->msg_code = JERR_OUT_OF_MEMORY;
    info.err->msg_parm.i[0] = 0;
    (*info.err->error_exit)(reinterpret_cast<j_common_ptr>(&info));
  }
  info.dest->next_output_byte = reinterpret_cast<JOCTET*>(out.data()) + written;
  info.dest->free_in_buffer = out.size() - written;
}

}  // namespace jessl::data::detail

#endif  // JESSL_DEFINITIONS
