// torch
#include <jessl/loss/concept.hpp>

struct Distance {
  jessl::loss::Teacher teacher{};
  template <class Group>
  torch::Tensor operator()(const std::vector<torch::Tensor>& views, const std::vector<torch::Tensor>& targets,
                           const Group&) const {
    return (views[0] - targets[1]).square().mean();
  }
};

int main() { jessl::require_loss<Distance>(); }
