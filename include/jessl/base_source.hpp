// SPDX-License-Identifier: Apache-2.0
// The definitions of jessl::base for a program that is compiled separately (docs/packaging.md): one of its sources includes this.
#pragma once

#if !defined(JESSL_SEPARATE_COMPILATION)
#error "jessl/base_source.hpp is for programs that define JESSL_SEPARATE_COMPILATION for all their sources"
#endif
#define JESSL_SOURCE

#include <jessl/augment.hpp>
#include <jessl/data.hpp>
#include <jessl/eval.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>
#include <jessl/io/task_list.hpp>
#include <jessl/train/neighbour_sheet.hpp>
#include <jessl/train/view_grid.hpp>
