#include <jessl/projector/concept.hpp>

struct HeadImpl : torch::nn::LinearImpl {
  explicit HeadImpl(std::int64_t in_features) : LinearImpl(in_features, 8) {}
  std::vector<torch::Tensor> layers(const torch::Tensor& x) { return {forward(x)}; }
  void initialise(std::uint64_t) {}
  std::int64_t out_features = 8;
};
TORCH_MODULE(Head);

struct Linear {
  Head make(std::int64_t in_features) const { return Head(in_features); }
};

int main() { jessl::require_projector<Linear>(); }
