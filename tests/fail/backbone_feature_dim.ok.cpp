#include <jessl/backbone/concept.hpp>

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) { return images.mean({2, 3}); }
  void initialise(std::uint64_t) {}
  std::int64_t feature_dim = 3;
};
using Net = jessl::backbone::Holder<NetImpl>;

int main() { jessl::require_backbone<Net>(); }
