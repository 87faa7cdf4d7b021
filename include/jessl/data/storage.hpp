// SPDX-License-Identifier: Apache-2.0
// How a data set's bytes come from its files.
#pragma once

#include <jessl/core/storage.hpp>

namespace jessl::data {

using jessl::Storage;

}  // namespace jessl::data
