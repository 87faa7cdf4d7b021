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

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/train/detail/network_base.hpp>

namespace jessl::train::detail {

/// Calls drawn.initialise(seed) while the module's tensors lie in the order of their indices, as they did when it was made: LibTorch's
/// random functions fill a tensor in the order of memory, which is another one in a network that runs channels last.
void initialise(const DrawnModule& drawn, std::uint64_t seed);

/// Whether a module's weights are those that initialise(seed) gives. They stay as they are.
[[nodiscard]] bool is_drawn_from(const DrawnModule& drawn, std::uint64_t seed);

/// Remembers of each module, by name, from what its weights were drawn and whether a run is to keep them.
class StartWeights {
 public:
  /// Draws all weights anew: those that a run with this seed starts from.
  void draw(const NetworkBase& network, std::uint64_t seed);

  /// The weights that the module has were loaded, drawn by hand or trained.
  void keep(std::string_view name);

  void keep_all(const NetworkBase& network);

  [[nodiscard]] bool keeps(std::string_view name) const;

  /// Draws those weights from the run's seed that nobody has changed since they were drawn.
  void prepare(const NetworkBase& network, std::uint64_t seed);

 private:
  struct Start {
    std::uint64_t seed = 0;  // a new module's weights are those of 0
    bool kept = false;
  };

  [[nodiscard]] Start& of(std::string_view name);

  /// Start weights of different modules come from different streams of the run's seed.
  [[nodiscard]] static std::uint64_t module_seed(std::string_view name, std::uint64_t seed);

  std::map<std::string, Start, std::less<>> starts_;
};

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE void initialise(const DrawnModule& drawn, std::uint64_t seed) {
  const torch::NoGradGuard no_gradient;
  std::vector<torch::Tensor> turned;
  for (const auto& tensors : {drawn.module->parameters(), drawn.module->buffers()}) {
    for (torch::Tensor tensor : tensors) {
      if (tensor.dim() != 4 || tensor.is_contiguous()) continue;
      tensor.set_data(tensor.contiguous());
      turned.push_back(tensor);
    }
  }
  drawn.initialise(seed);
  for (torch::Tensor& tensor : turned) tensor.set_data(tensor.contiguous(torch::MemoryFormat::ChannelsLast));
}

JESSL_INLINE bool is_drawn_from(const DrawnModule& drawn, std::uint64_t seed) {
  StateDict before;
  for (const auto& [name, tensor] : module_state(*drawn.module)) before[name] = tensor.detach().clone();
  initialise(drawn, seed);
  const StateDict now = module_state(*drawn.module);
  const bool equal = std::all_of(now.begin(), now.end(),
                                 [&](const auto& entry) { return torch::equal(entry.second, before.at(entry.first)); });
  if (!equal) load_module_state(*drawn.module, before, "jessl::Trainer");
  return equal;
}

JESSL_INLINE void StartWeights::draw(const NetworkBase& network, std::uint64_t seed) {
  for (const DrawnModule& drawn : network.drawn()) {
    Start& start = of(drawn.name);
    start = {.seed = module_seed(drawn.name, seed), .kept = true};
    initialise(drawn, start.seed);
  }
}

JESSL_INLINE void StartWeights::keep(std::string_view name) { of(name).kept = true; }

JESSL_INLINE void StartWeights::keep_all(const NetworkBase& network) {
  for (const DrawnModule& drawn : network.drawn()) keep(drawn.name);
}

JESSL_INLINE bool StartWeights::keeps(std::string_view name) const {
  const auto found = starts_.find(name);
  return found != starts_.end() && found->second.kept;
}

JESSL_INLINE void StartWeights::prepare(const NetworkBase& network, std::uint64_t seed) {
  if (keeps("backbone")) note("the run starts from the weights that the trainer has");
  for (const DrawnModule& drawn : network.drawn()) {
    Start& start = of(drawn.name);
    if (start.kept) continue;
    if (is_drawn_from(drawn, start.seed)) {
      initialise(drawn, module_seed(drawn.name, seed));
    } else {
      note("the ", drawn.name, "'s weights are not those it was made with and are kept");
    }
    start.seed = module_seed(drawn.name, seed);
  }
}

JESSL_INLINE StartWeights::Start& StartWeights::of(std::string_view name) { return starts_[std::string(name)]; }

JESSL_INLINE std::uint64_t StartWeights::module_seed(std::string_view name, std::uint64_t seed) {
  constexpr std::array<std::string_view, 4> streams{"backbone", "projector", "predictor", "loss"};
  const auto stream = static_cast<std::uint64_t>(std::find(streams.begin(), streams.end(), name) - streams.begin());
  return Draw({.seed = seed, .sample = stream, .purpose = Purpose::initialisation}).bits();
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
