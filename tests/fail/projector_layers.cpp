// expect: jessl::Trainer requires 'Projector' to be a jessl::Projector: make(in_features) must return a torch::nn::ModuleHolder
// torch
#include <jessl/projector/concept.hpp>

struct Linear {
  torch::nn::Linear make(std::int64_t in_features) const { return torch::nn::Linear(in_features, 8); }
};

int main() { jessl::require_projector<Linear>(); }
