// SPDX-License-Identifier: Apache-2.0
// A run that is cut off, and goes on from its checkpoint with the losses of one that was not.
//
// Run        build/release/examples/resume
// Ends with  how many steps were compared
// Writes     in out/resume: whole.jsonl, resumed.jsonl, checkpoint.pt
// Time       half a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: [1-9][0-9]* losses, equal to the last bit

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>

namespace own {

/// A power cut: a callback that ends the run after some steps.
struct PowerCut {
  std::int64_t steps = 0;

  struct State {
    std::int64_t steps;
    void after_step(const jessl::train::StepRecord& record) const {
      if (record.step == steps) jessl::fail<jessl::Error>("the power went off after step ", steps);
    }
  };
  [[nodiscard]] State start(const jessl::train::Run& /*run*/) const { return {steps}; }
};

}  // namespace own

int main() try {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 2000));
  const auto trainer = [] {  // a new process would make it anew
    return Trainer{augment::simclr({.size = 28}),
                   backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                   projector::MLP{"128-64"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 1e-3}};
  };
  FitOptions options{.epochs = 2, .batch_size = 128, .seed = 1};
  trainer().fit(train, options, train::Progress{}, train::JSONLines{"out/resume/whole.jsonl"});

  // A checkpoint every two steps holds all that the run is made of: weights, optimizer, schedule, place in the data, draws.
  const train::JSONLines log{"out/resume/resumed.jsonl"};
  const train::CheckpointEvery checkpoint{.path = "out/resume/checkpoint.pt", .epochs = 0, .steps = 2};
  try {
    trainer().fit(train, options, log, checkpoint, own::PowerCut{.steps = train.size() / 128 + 1});
  } catch (const Error& error) {
    std::cout << error.what() << '\n';
  }
  options.resume = checkpoint.path;
  trainer().fit(train, options, train::Progress{}, log, checkpoint);

  const eval::Curve whole = train::logged_curve("out/resume/whole.jsonl", "loss");
  const eval::Curve resumed = train::logged_curve("out/resume/resumed.jsonl", "loss");
  if (whole.x != resumed.x || whole.y != resumed.y) {
    std::cerr << "the losses differ\n";
    return EXIT_FAILURE;
  }
  std::cout << whole.y.size() << " losses, equal to the last bit\n";
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
