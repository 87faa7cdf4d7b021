// SPDX-License-Identifier: Apache-2.0
// Several processes that train one network, on one machine or many, and go on after a failure.
//
// Run        torchrun --no-python --nproc-per-node 2 build/release/examples/distributed
//            mpirun -np 2 build/release/examples/distributed
//            srun --ntasks 16 build/release/examples/distributed        (examples/distributed.sbatch)
//            build/release/examples/distributed                         one process
// Ends with  how well nearest neighbours know the classes
// Writes     in out/distributed: metrics.jsonl, checkpoint.pt, checkpoint.pt.before
// Time       half a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: k-NN top-1 0[.][0-9]+

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

int main() try {
  using namespace jessl;
  // [join]
  // Waits for the processes that were started with this one; no longer than the time-out, and in no step longer than that.
  const auto group = distributed::Group::from_environment({.timeout = 120.0});

  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 5000));
  Trainer trainer{augment::simclr({.size = 28}),
                  backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                  projector::MLP{"128-64"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  trainer.join(group);
  // [/join]

  // 128 images a step, of all processes together, so that their number changes nothing in what is computed. Only the first one writes.
  const train::CheckpointEvery checkpoint{.path = "out/distributed/checkpoint.pt", .epochs = 0, .steps = 10};
  FitOptions options{.epochs = 2, .batch_size = 128, .seed = 1};
  if (std::filesystem::exists(checkpoint.path)) options.resume = checkpoint.path;  // this is a restart
  trainer.fit(train, options, train::Progress{}, train::JSONLines{"out/distributed/metrics.jsonl"}, checkpoint);

  if (!group.is_first()) return EXIT_SUCCESS;
  const auto test = data::IDX::fashion_mnist(data::Split::test);
  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  std::cout << "k-NN top-1 "
            << eval::accuracy(eval::KNN{.k = 20}.fit(bank.features, bank.labels).predict(query.features), query.labels)
            << " after a run of " << group.size() << (group.size() == 1 ? " process\n" : " processes\n");
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';  // also on the others: their launcher starts all anew, or ends them
  return EXIT_FAILURE;
}
