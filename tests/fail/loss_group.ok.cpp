// torch
#include <jessl/loss/nt_xent.hpp>

int main() {
  const auto z = torch::zeros({4, 3});
  (void)jessl::loss::NTXent{}(std::vector<torch::Tensor>{z, z}, jessl::SingleProcess{});
}
