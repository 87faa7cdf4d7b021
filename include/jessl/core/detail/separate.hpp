// SPDX-License-Identifier: Apache-2.0
// Where functions that are no templates are compiled: in every source that includes them, or in one of the program.
#pragma once

// By default jessl is headers only, and its functions are inline. A program of several sources is built sooner when it defines
// JESSL_SEPARATE_COMPILATION for all of them and includes jessl/source.hpp (jessl/base_source.hpp without LibTorch) in one: the
// others then see declarations alone.
//
//   JESSL_DEFINITIONS        1 where the definitions are read; a header has them at its end, between #if and #endif
//   JESSL_INLINE             what a definition there begins with
//   JESSL_INSTANTIATE(...)   an instance of a template of jessl's that nobody else need compile: class X<void>, or a function
#if !defined(JESSL_SEPARATE_COMPILATION)
#define JESSL_DEFINITIONS 1
#define JESSL_INLINE inline
#define JESSL_INSTANTIATE(...) static_assert(true)
#elif defined(JESSL_SOURCE)  // by those two headers
#define JESSL_DEFINITIONS 1
#define JESSL_INLINE
#define JESSL_INSTANTIATE(...) template __VA_ARGS__
#else
#define JESSL_DEFINITIONS 0
#define JESSL_INSTANTIATE(...) extern template __VA_ARGS__
#endif
