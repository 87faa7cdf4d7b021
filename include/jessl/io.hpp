// SPDX-License-Identifier: Apache-2.0
// The io family: what jessl writes to disk and reads back.
#pragma once

#include <jessl/io/checkpoint.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>
#include <jessl/io/safetensors.hpp>
#include <jessl/io/task_list.hpp>
