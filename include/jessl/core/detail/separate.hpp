// SPDX-License-Identifier: Apache-2.0
// Where functions that are no templates are compiled: in every source that includes them, or in one of the program.
//
// By default jessl is headers only, and its functions are inline. A program of several sources is built sooner when it defines
// JESSL_SEPARATE_COMPILATION for all of them: they see declarations alone, and sources more, which include
// jessl/base_source.hpp, jessl/torch_source.hpp and jessl/umap_source.hpp, have the definitions. Those read this file again,
// with JESSL_SOURCE, so that there is no include guard here.
//
//   JESSL_DEFINITIONS        1 where definitions are read; a header has them at its end, between #if and #endif
//   JESSL_INLINE             what a definition there begins with, and in its class the first virtual function that is
//                            defined there: where that one is not inline, it decides who has the table of them all
//   JESSL_INSTANTIATE(...)   an instance of a template that others need not compile: class X<void>, or a function

#undef JESSL_DEFINITIONS
#undef JESSL_INLINE
#undef JESSL_INSTANTIATE

#if !defined(JESSL_SEPARATE_COMPILATION)
#define JESSL_DEFINITIONS 1
#define JESSL_INLINE inline
#define JESSL_INSTANTIATE(...) static_assert(true)
#elif defined(JESSL_SOURCE)
#define JESSL_DEFINITIONS 1
#define JESSL_INLINE
#define JESSL_INSTANTIATE(...) template __VA_ARGS__
#else
#define JESSL_DEFINITIONS 0
#define JESSL_INLINE
#define JESSL_INSTANTIATE(...) extern template __VA_ARGS__
#endif
