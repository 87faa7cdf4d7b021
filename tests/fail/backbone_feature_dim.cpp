// expect: jessl::Trainer requires 'Backbone' to be a jessl::Backbone: a torch::nn::ModuleHolder with ->forward(images), .feature_dim
// torch
#include <jessl/backbone/concept.hpp>

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) { return images.mean({2, 3}); }
  void initialise(std::uint64_t) {}
};
TORCH_MODULE(Net);

int main() { jessl::require_backbone<Net>(); }
