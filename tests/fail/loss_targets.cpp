// expect: jessl::Trainer requires 'Loss' to be a jessl::Loss: loss(views, group), with the further arguments that its settings ask for
// torch
// A teacher asks for targets, and the call doesn't take any.
#include <jessl/loss/concept.hpp>

struct Distance {
  jessl::loss::Teacher teacher{};
  template <class Group>
  torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views[0] - views[1]).square().mean();
  }
};

int main() { jessl::require_loss<Distance>(); }
