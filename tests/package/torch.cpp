// SPDX-License-Identifier: Apache-2.0
// A program of another project that uses all of jessl: a step of training, and a checkpoint written and read.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include <ATen/Parallel.h>
#include <torch/version.h>
#include <jessl/jessl.hpp>

#ifndef _OPENMP
#error "jessl::jessl must bring OpenMP: without it at::parallel_for is serial"
#endif

int main() {
  constexpr std::int64_t side = 16;
  std::vector<std::uint8_t> pixels(8 * side * side);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * i);
  const jessl::data::ArrayDataset data{{.pixels = pixels, .height = side, .width = side}};

  jessl::Trainer trainer{
      jessl::augment::simclr({.size = side, .blur = 0.0}),
      jessl::backbone::resnet(
          {.layers = {1, 1, 1, 1}, .width = 4, .stem = jessl::backbone::Stem::small, .in_channels = 1}),
      jessl::projector::MLP{"8-8"}, jessl::loss::NTXent{}, jessl::optim::SGD{.lr = 0.01}};
  const auto result = trainer.fit(data, {.epochs = 1, .batch_size = 4, .device = jessl::Device::cpu});

  const std::filesystem::path path = "jessl-package-test.pt";
  jessl::io::Checkpoint checkpoint;
  checkpoint.groups["a"]["b"] = torch::eye(3).mm(torch::ones({3, 2}));
  checkpoint.save(path);
  const double sum = jessl::io::Checkpoint::load(path).group("a").at("b").sum().item<double>();
  std::filesystem::remove(path);
  std::printf("jessl with LibTorch %s: %d steps, sum %g\n", TORCH_VERSION, static_cast<int>(result.steps), sum);
  return result.steps == 2 && sum == 6.0 ? 0 : 1;
}
