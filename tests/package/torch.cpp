// SPDX-License-Identifier: Apache-2.0
// A program of another project that uses jessl with LibTorch.
#include <cstdio>

#include <ATen/Parallel.h>
#include <jessl/core/tensor.hpp>

#ifndef _OPENMP
#error "jessl::jessl must bring OpenMP: without it at::parallel_for is serial"
#endif

int main() {
  const auto product = torch::eye(3).mm(torch::ones({3, 2}));
  std::printf("jessl with LibTorch %s, sum %g\n", TORCH_VERSION, product.sum().item<double>());
  return product.sum().item<double>() == 6.0 ? 0 : 1;
}
