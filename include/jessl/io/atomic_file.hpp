// SPDX-License-Identifier: Apache-2.0
// core's atomic file under io's name.
#pragma once

#include <jessl/core/atomic_file.hpp>

namespace jessl::io {

using jessl::AtomicFile;
using jessl::write_file;

}  // namespace jessl::io
