// SPDX-License-Identifier: Apache-2.0
// A loss of one's own: equal views, and dimensions that are as spread as those of noise, told from each other in the log.
//
// Run        build/release/examples/own_loss
// Ends with  how well nearest neighbours know the classes, and the last terms of the loss
// Writes     out/own_loss/metrics.jsonl
// Time       a minute on 2 cores
// Wants     Fashion-MNIST (apt-get install dataset-fashion-mnist)
// taught
// expect: k-NN top-1 0[.][0-9]+, of the last loss [-+.e0-9]+ agreement and [-+.e0-9]+ spread

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace own {

/// The squared distance of unit embeddings of two views, plus the squared difference of their second moments from those of
/// directions drawn at random, I / D.
struct RoundCloud {
  static constexpr std::string_view name = "RoundCloud";

  double spread = 8.0;  ///< weight of the second term, >= 0

  void check() const {
    JESSL_CHECK(spread >= 0.0, jessl::ConfigError, name, ": spread is ", spread, ", expected a number >= 0");
  }

  /// views: V x [N, D]. The group reaches the other processes of a run; sums over it have the right gradients.
  template <jessl::Communicator<torch::Tensor> Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group) const {
    JESSL_CHECK(views.size() == 2, jessl::ShapeError, name, ": got ", views.size(), " views, expected two");
    const auto unit = [](const torch::Tensor& z) { return z / z.norm(2, 1, true).clamp_min(1e-6); };
    const torch::Tensor a = unit(views[0]), b = unit(views[1]);  // [N, D]
    const torch::Tensor agreement = (a - b).square().sum(1).mean();
    const torch::Tensor all = torch::cat({a, b});
    const torch::Tensor moments = group.all_reduce_mean(all.t().mm(all) / all.size(0));  // [D, D]
    const torch::Tensor round = torch::eye(all.size(1), all.options()) / all.size(1);
    const torch::Tensor cloud = spread * (moments - round).square().sum();
    jessl::loss::tell_part("agreement", agreement);
    jessl::loss::tell_part("spread", cloud);
    return agreement + cloud;
  }
};
static_assert(jessl::Loss<RoundCloud>);

}  // namespace own
JESSL_OPTIONS(own::RoundCloud, spread);

int main() try {
  using namespace jessl;
  const auto images = data::IDX::fashion_mnist(data::Split::train);
  const auto train = data::subset(images, 0, std::min<std::int64_t>(images.size(), 5000));
  const auto test = data::IDX::fashion_mnist(data::Split::test);
  const std::string log = "out/own_loss/metrics.jsonl";

  Trainer trainer{augment::simclr({.size = 28}),
                  backbone::resnet18({.stem = backbone::Stem::small, .in_channels = 1, .width = 16}),
                  projector::MLP{"128-64"}, own::RoundCloud{.spread = 8.0}, optim::AdamW{.lr = 1e-3}};
  trainer.fit(train, {.epochs = 2, .batch_size = 128, .seed = 1}, train::Progress{}, train::JSONLines{log});

  const Embedding bank = trainer.embed(train), query = trainer.embed(test);
  const auto knn = eval::KNN{.k = 20}.fit(bank.features, bank.labels);
  std::cout << "k-NN top-1 " << eval::accuracy(knn.predict(query.features), query.labels) << ", of the last loss "
            << train::logged_curve(log, "loss/agreement").y.back() << " agreement and "
            << train::logged_curve(log, "loss/spread").y.back() << " spread\n";
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
