#include <jessl/backbone/wrap.hpp>

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) { return images.mean({2, 3}); }
};
TORCH_MODULE(Net);

int main() {
  auto net = jessl::backbone::wrap({.feature_dim = 3}, [] { return Net(); });
  jessl::require_backbone<decltype(net)>();
}
