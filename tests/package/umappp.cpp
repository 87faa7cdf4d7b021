// SPDX-License-Identifier: Apache-2.0
// A program of another project that asked for umappp beside the plain part of jessl. What jessl makes of it takes the compiler
// 20 s, and is tested elsewhere.
#include <jessl/core/version.hpp>

#if !__has_include(<umappp/umappp.hpp>)
#error "jessl::umappp must bring the headers of umappp"
#endif

int main() { return jessl::version.empty() ? 1 : 0; }
