// SPDX-License-Identifier: Apache-2.0
// A training task that takes a fraction of a second: striped 16 x 16 images and a tiny residual network.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <jessl/augment.hpp>
#include <jessl/backbone.hpp>
#include <jessl/data.hpp>
#include <jessl/loss.hpp>
#include <jessl/optim.hpp>
#include <jessl/projector.hpp>
#include <jessl/train.hpp>

#include "support/captured_log.hpp"
#include "support/temporary_folder.hpp"

namespace fixtures {

using jessl::test::CapturedLog;
using jessl::test::TemporaryFolder;

/// Grey images of four classes: stripes of two orientations and two widths, each with its own phase.
inline jessl::data::ArrayDataset stripes(std::int64_t count = 96) {
  constexpr std::int64_t side = 16;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % 4;
    const double frequency = label < 2 ? 0.8 : 1.7;
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        const auto position = static_cast<double>(label % 2 == 0 ? x : y);
        pixels.push_back(
            static_cast<std::uint8_t>(127.5 + 120.0 * std::sin(frequency * position + static_cast<double>(i))));
      }
    }
    labels.push_back(label);
  }
  return jessl::data::ArrayDataset{
      {.pixels = std::move(pixels), .height = side, .width = side, .labels = std::move(labels)}};
}

inline auto small_trainer(double temperature = 0.2) {
  return jessl::Trainer{
      jessl::augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}),
      jessl::backbone::resnet(
          {.layers = {1, 1, 1, 1}, .width = 8, .stem = jessl::backbone::Stem::small, .in_channels = 1}),
      jessl::projector::MLP{"32-16"}, jessl::loss::NTXent{.temperature = temperature}, jessl::optim::AdamW{.lr = 1e-2}};
}

/// A state as it is now.
inline jessl::StateDict copy_of(const jessl::StateDict& state) {
  jessl::StateDict copy;
  for (const auto& [name, tensor] : state) copy[name] = tensor.detach().clone();
  return copy;
}

/// Whether two states have the same tensors, to the last bit.
inline bool equal_states(const jessl::StateDict& a, const jessl::StateDict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    if (!b.contains(name) || !torch::equal(tensor, b.at(name))) return false;
  }
  return true;
}

inline jessl::FitOptions small_run() {
  return {.epochs = 3, .batch_size = 24, .seed = 5, .device = jessl::Device::cpu, .threads = 1};
}

/// The "loss" of every line of a metrics file, as text, so that equal means equal to the last bit.
inline std::vector<std::string> losses(const std::filesystem::path& path) {
  std::vector<std::string> values;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) values.push_back(jessl::Json::parse(line)["loss"].dump());
  return values;
}

/// Stops a run after some steps, as a crash in user code would.
struct StopAfter {
  std::int64_t steps = 0;
  struct State {
    std::int64_t steps;
    void after_step(const jessl::train::StepRecord& record) const {
      if (record.step == steps) jessl::fail<jessl::Error>("stopped after step ", record.step);
    }
  };
  [[nodiscard]] State start(const jessl::train::Run&) const { return {steps}; }
};

}  // namespace fixtures
