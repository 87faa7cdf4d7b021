// SPDX-License-Identifier: Apache-2.0
// A program of another project that makes a map by UMAP, and so needs umappp beside the plain part of jessl.
#include <cstdio>

#include <jessl/core/matrix.hpp>
#include <jessl/eval/umap.hpp>

int main() {
  const jessl::RowMatrix map = jessl::eval::UMAP{.neighbours = 4}.embed(jessl::RowMatrix::Random(50, 8));
  const bool right = map.rows() == 50 && map.cols() == 2 && map.allFinite();
  std::printf("a map of umappp: %s\n", right ? "all works" : "is wrong");
  return right ? 0 : 1;
}
