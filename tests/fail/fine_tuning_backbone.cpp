// expect: jessl::train::FineTuning requires a backbone that holds a torch::nn::Cloneable
// torch
// What is fine-tuned is a copy of the backbone.
#include <jessl/train/detail/classifiers.hpp>

struct NetImpl : torch::nn::Module {
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const { return images.mean({2, 3}); }
  void initialise(std::uint64_t) {}
  std::int64_t feature_dim = 3;
};
using Net = jessl::backbone::Holder<NetImpl>;

Net copied(const Net& net) { return jessl::train::detail::copy_of(net); }
