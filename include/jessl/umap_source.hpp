// SPDX-License-Identifier: Apache-2.0
// The definitions of jessl/eval/umap.hpp for a program that is compiled separately (docs/packaging.md): one of its sources
// includes this, and another one jessl/base_source.hpp.
#pragma once

#if !defined(JESSL_SEPARATE_COMPILATION)
#error "jessl/umap_source.hpp is for programs that define JESSL_SEPARATE_COMPILATION for all their sources"
#endif

// Declarations: the other source has what belongs to these.
#include <jessl/eval.hpp>

#define JESSL_SOURCE
#include <jessl/eval/umap.hpp>
