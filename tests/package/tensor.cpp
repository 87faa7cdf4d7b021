// SPDX-License-Identifier: Apache-2.0
// The least of a program of another project that uses jessl with LibTorch: a tensor by a checkpoint.
#include <cstdio>
#include <filesystem>

#include <torch/version.h>
#include <jessl/core/tensor.hpp>
#include <jessl/io/checkpoint.hpp>

#ifndef _OPENMP
#error "jessl::jessl must bring OpenMP: without it at::parallel_for is serial"
#endif

int main() {
  const std::filesystem::path path = "jessl-package-test.pt";  // in the working folder, which no other test shares
  jessl::io::Checkpoint checkpoint;
  checkpoint.groups["a"]["b"] = torch::eye(3).mm(torch::ones({3, 2}));
  checkpoint.save(path);
  const double sum = jessl::io::Checkpoint::load(path).group("a").at("b").sum().item<double>();
  std::filesystem::remove(path);
  std::printf("jessl with LibTorch %s: sum %g\n", TORCH_VERSION, sum);
  return sum == 6.0 ? 0 : 1;
}
