// SPDX-License-Identifier: Apache-2.0
// Weights and features for Python: a file that torchvision's ResNet-18 loads, and one of features for NumPy.
//
// Run        build/release/examples/export_to_python
// Ends with  the lines of Python that read the files
// Writes     in out/export: backbone.safetensors, features.safetensors
// Time       a few seconds
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: features .256, 512. and weights are in out/export

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>

int main() try {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 256));

  // As torchvision builds it, but for `fc` and the one channel of these images.
  Trainer trainer{augment::simclr({.size = 28}), backbone::resnet18({.stem = backbone::Stem::large, .in_channels = 1}),
                  projector::MLP{"128-64"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  trainer.fit(train, {.epochs = 1, .batch_size = 128, .seed = 1});

  io::make_folder("out/export");
  io::safetensors::save("out/export/backbone.safetensors", module_state(*trainer.backbone()), {{"method", "SimCLR"}});
  trainer.embed_to(train, "out/export/features.safetensors");

  const io::FeatureFile features{"out/export/features.safetensors"};
  std::cout << "features [" << features.size() << ", " << features.dimension() << "] and weights are in out/export\n\n"
            << "import torch, torchvision, safetensors.torch, safetensors.numpy\n"
            << "net = torchvision.models.resnet18()\n"
            << "net.fc, net.conv1 = torch.nn.Identity(), torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)\n"
            << "net.load_state_dict(safetensors.torch.load_file('out/export/backbone.safetensors'))\n"
            << "X = safetensors.numpy.load_file('out/export/features.safetensors')['features']\n";
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
