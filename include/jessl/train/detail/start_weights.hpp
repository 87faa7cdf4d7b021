// SPDX-License-Identifier: Apache-2.0
// Where the weights that a run starts from come from: its seed, a file, or whoever trained before.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::train::detail {

/// Calls module->initialise(seed) while its tensors lie in the order of their indices, as they did when it was made: LibTorch's random
/// functions fill a tensor in the order of memory, which is another one in a network that runs channels last.
template <class Holder>
void initialise(Holder& module, std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> turned;
  for (const auto& tensors : {module->parameters(), module->buffers()}) {
    for (torch::Tensor tensor : tensors) {
      if (tensor.dim() != 4 || tensor.is_contiguous()) continue;
      tensor.set_data(tensor.contiguous());
      turned.push_back(tensor);
    }
  }
  module->initialise(seed);
  for (torch::Tensor& tensor : turned) tensor.set_data(tensor.contiguous(torch::MemoryFormat::ChannelsLast));
}

/// Whether a module's weights are those that initialise(seed) gives. They stay as they are.
template <class Holder>
[[nodiscard]] bool is_drawn_from(Holder module, std::uint64_t seed) {
  StateDict before;
  for (const auto& [name, tensor] : module_state(*module)) before[name] = tensor.detach().clone();
  initialise(module, seed);
  const StateDict drawn = module_state(*module);
  const bool equal = std::all_of(drawn.begin(), drawn.end(),
                                 [&](const auto& entry) { return torch::equal(entry.second, before.at(entry.first)); });
  if (!equal) load_module_state(*module, before, "jessl::Trainer");
  return equal;
}

/// Remembers of each module, by name, from what its weights were drawn and whether a run is to keep them.
class StartWeights {
 public:
  /// Draws all weights anew: those that a run with this seed starts from.
  template <class Network>
  void draw(const Network& network, std::uint64_t seed) {
    network.for_each_drawn([&](std::string_view name, auto module) {
      Start& start = of(name);
      start = {.seed = module_seed(name, seed), .kept = true};
      initialise(module, start.seed);
    });
  }

  /// The weights that the module has were loaded, drawn by hand or trained.
  void keep(std::string_view name) { of(name).kept = true; }

  template <class Network>
  void keep_all(const Network& network) {
    network.for_each_drawn([&](std::string_view name, const auto&) { keep(name); });
  }

  [[nodiscard]] bool keeps(std::string_view name) const {
    const auto found = starts_.find(name);
    return found != starts_.end() && found->second.kept;
  }

  /// Draws those weights from the run's seed that nobody has changed since they were drawn.
  template <class Network>
  void prepare(const Network& network, std::uint64_t seed) {
    if (keeps("backbone")) note("the run starts from the weights that the trainer has");
    network.for_each_drawn([&](std::string_view name, auto module) {
      Start& start = of(name);
      if (start.kept) return;
      if (is_drawn_from(module, start.seed)) {
        initialise(module, module_seed(name, seed));
      } else {
        note("the ", name, "'s weights are not those it was made with and are kept");
      }
      start.seed = module_seed(name, seed);
    });
  }

 private:
  struct Start {
    std::uint64_t seed = 0;  // a new module's weights are those of 0
    bool kept = false;
  };

  [[nodiscard]] Start& of(std::string_view name) { return starts_[std::string(name)]; }

  /// Start weights of different modules come from different streams of the run's seed.
  [[nodiscard]] static std::uint64_t module_seed(std::string_view name, std::uint64_t seed) {
    constexpr std::array<std::string_view, 4> streams{"backbone", "projector", "predictor", "loss"};
    const auto stream = static_cast<std::uint64_t>(std::find(streams.begin(), streams.end(), name) - streams.begin());
    return Draw({.seed = seed, .sample = stream, .purpose = Purpose::initialisation}).bits();
  }

  std::map<std::string, Start, std::less<>> starts_;
};

}  // namespace jessl::train::detail
