// expect: jessl::Trainer requires 'Loss' to be a jessl::Loss: loss(views, group), with the further arguments that its settings ask for, must return a torch::Tensor and be const
// torch
#include <jessl/loss/concept.hpp>

struct Distance {
  template <class Group>
  double operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views[0] - views[1]).square().mean().template item<double>();
  }
};

int main() { jessl::require_loss<Distance>(); }
