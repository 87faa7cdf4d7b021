// SPDX-License-Identifier: Apache-2.0
// A program of another project with the header that needs umappp beside the plain part of jessl.
#include <cstdio>

#include <jessl/core/options.hpp>
#include <jessl/eval/umap.hpp>

int main() {  // that its header compiles says where umappp is; a map takes the compiler 20 s more
  std::printf("%s\n", jessl::describe(jessl::eval::UMAP{}).c_str());
}
