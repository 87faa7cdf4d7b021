// SPDX-License-Identifier: Apache-2.0
// A program of another project that uses the plain part of jessl where LibTorch is at hand.
#include <cstdio>
#include <string>

#include <jessl/core/version.hpp>

#if __has_include(<torch/torch.h>)
#error "jessl::base must not bring LibTorch"
#endif

int main() { std::printf("jessl %s, without LibTorch\n", std::string(jessl::version).c_str()); }
