#include <jessl/loss/concept.hpp>

struct Distance {
  template <class Group>
  torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views[0] - views[1]).square().mean();
  }
};

int main() { jessl::require_loss<Distance>(); }
