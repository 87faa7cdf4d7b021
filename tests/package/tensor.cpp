// SPDX-License-Identifier: Apache-2.0
// The least of a program of another project that uses jessl with LibTorch.
#include <cstdio>

#include <torch/version.h>
#include <jessl/core/tensor.hpp>

#ifndef _OPENMP
#error "jessl::jessl must bring OpenMP: without it at::parallel_for is serial"
#endif

int main() {
  const double sum = torch::eye(3).mm(torch::ones({3, 2})).sum().item<double>();
  std::printf("jessl with LibTorch %s: sum %g\n", TORCH_VERSION, sum);
  return sum == 6.0 ? 0 : 1;
}
