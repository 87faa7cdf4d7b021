// expect: jessl::backbone::wrap requires a function without arguments that makes a module, in a torch::nn::ModuleHolder or a std::shared_ptr
// torch
#include <jessl/backbone/wrap.hpp>

struct NetImpl : torch::nn::Module {
  torch::Tensor forward(const torch::Tensor& images) { return images.mean({2, 3}); }
};
TORCH_MODULE(Net);

int main() { jessl::backbone::wrap({.feature_dim = 3}, Net()); }
