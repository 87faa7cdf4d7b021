// SPDX-License-Identifier: Apache-2.0
// A trained network in a program that does no training: features of the pictures in a folder, and which two are most alike.
//
// Run        build/release/examples/feature_extractor out/export/backbone.safetensors photos
//            (weights of a ResNet-18 for grey images, as examples/11_export_to_python.cpp writes them)
// Ends with  the pair of pictures whose features are nearest to each other
// Time       a moment for a few hundred pictures
// taught
// after: export_to_python
// photos
// test: out/export/backbone.safetensors photos
// expect: cosine (1|0[.][0-9]+): .*[.]jpg and .*[.]jpg

#include <jessl/augment/eval.hpp>
#include <jessl/backbone/resnet.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/io/safetensors.hpp>
#include <jessl/train/tensors.hpp>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

int run(const std::string& weights, const std::string& folder) {
  using namespace jessl;
  auto network = backbone::resnet18({.stem = backbone::Stem::large, .in_channels = 1});
  load_module_state(*network, io::safetensors::load(weights), weights);
  network->eval();
  const torch::InferenceMode no_gradient;

  // Decoded and scaled as the network saw its images, on all cores, in the order of the folder.
  const data::ImageFolder pictures(folder, {.channels = 1});
  JESSL_CHECK(pictures.size() >= 2, DataError, folder, " has ", pictures.size(), " pictures, expected two at least");
  // A damaged one is an error: its features would be those of another picture, which it would seem to be like.
  data::Loader loader(pictures, augment::eval({.size = 28}),
                      {.batch_size = 64, .drop_last = false, .on_corrupt = data::OnCorrupt::error},
                      data::order::Sequential{});
  std::vector<torch::Tensor> rows;
  for (const data::Batch& batch : loader.epoch(0)) {
    const torch::Tensor features = network->forward(train::to_tensors(batch).views[0]);  // [B, 512]
    rows.push_back(features / features.norm(2, 1, true));
  }
  const torch::Tensor all = torch::cat(rows);                          // [N, 512]
  const torch::Tensor cosines = all.mm(all.t()).fill_diagonal_(-1.0);  // [N, N]
  const auto best = cosines.argmax().item<std::int64_t>();
  std::cout << "cosine " << cosines.max().item<float>() << ": " << pictures.describe(best / pictures.size()) << " and "
            << pictures.describe(best % pictures.size()) << '\n';
  return EXIT_SUCCESS;
}

int main(int argc, char** argv) {
  try {
    JESSL_CHECK(argc == 3, jessl::ConfigError, "expected a file of weights and a folder of pictures");
    return run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
