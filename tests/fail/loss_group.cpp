// expect: no match for call to
// torch
// What follows the views is a Communicator; labels are none.
#include <jessl/loss/nt_xent.hpp>

int main() {
  const auto z = torch::zeros({4, 3});
  (void)jessl::loss::NTXent{}(std::vector<torch::Tensor>{z, z}, torch::zeros({4}));
}
