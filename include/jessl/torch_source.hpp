// SPDX-License-Identifier: Apache-2.0
// The definitions of what needs LibTorch for a program that is compiled separately (docs/packaging.md): one of its sources
// includes this, and another one jessl/base_source.hpp.
#pragma once

#if !defined(JESSL_SEPARATE_COMPILATION)
#error "jessl/torch_source.hpp is for programs that define JESSL_SEPARATE_COMPILATION for all their sources"
#endif

// Declarations: the other source has what belongs to these.
#include <jessl/augment.hpp>
#include <jessl/data.hpp>
#include <jessl/eval.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>
#include <jessl/io/task_list.hpp>
#include <jessl/train/neighbour_sheet.hpp>
#include <jessl/train/view_grid.hpp>

#define JESSL_SOURCE
#include <jessl/jessl.hpp>
