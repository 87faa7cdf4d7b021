// SPDX-License-Identifier: Apache-2.0
// SupCon: contrast with labels.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/labels.hpp>
#include <jessl/loss/detail/log_sum_exp.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// Where SupCon's mean over an anchor's positives is taken. The paper finds `out` better: `in` is content with one near positive.
enum class PositiveMean : std::uint8_t {
  out,  ///< of the logarithms, L_out
  in    ///< inside of the logarithm, L_in
};

}  // namespace jessl::loss

template <>
struct jessl::EnumNames<jessl::loss::PositiveMean> {
  static constexpr std::array<std::pair<loss::PositiveMean, std::string_view>, 2> value{
      {{loss::PositiveMean::out, "out"}, {loss::PositiveMean::in, "in"}}};
};

namespace jessl::loss {

/// Supervised contrast: every embedding must find all embeddings of its class in the whole batch.
///
/// With y = z / |z| and s_ij = <y_i, y_j> / temperature over the V W N embeddings of all views:
/// loss = mean_i ( log sum_{j != i} exp s_ij - mean_{p in P(i)} s_ip ), P(i) the others with the label of i, its other views
/// among them. With `positives = PositiveMean::in`: loss = mean_i ( log sum_{j != i} exp s_ij - log mean_{p in P(i)} exp s_ip ).
/// Called without labels, each image is a class of its own: for two views that is NTXent.
///
/// Shapes     views: V x [N, D], labels: [N], int64 -> []      N images per rank, D embedding width
/// Units      temperature: dimensionless, > 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V^2 W N^2 D) time, O(V W N D) memory: similarities to a class are one with the sum of its embeddings, but
///            for PositiveMean::in, which takes the time twice; gathers W N D numbers per view and W N labels
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, views of different devices or types, or labels
///            that are not int64 or elsewhere; ShapeError for views of different shapes or not [N, D], or labels not [N]
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, arXiv 2004.11362, equations 2 (L_out)
///            and 3 (L_in)
/// Differs    the authors' code multiplies by temperature / base_temperature = 1 for its defaults; solo-learn has L_in with the
///            sum over P(i) in place of the mean, which has the same gradient
struct SupCon {
  static constexpr std::string_view name = "SupCon";

  double temperature = 0.1;                    ///< divides the cosine similarities; dimensionless, > 0
  PositiveMean positives = PositiveMean::out;  ///< where the mean over an anchor's positives is taken

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                         const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    detail::check_labels(name, labels, views[0]);
    // A class's number is the place of its first label among all, sorted: below the number of images, and no device is waited for.
    const auto all = detail::gathered(labels, group);  // [W*N]
    return loss(views, at::searchsorted(std::get<0>(all.sort()), all), group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    const auto images = group.size() * views[0].size(0);
    return loss(views, torch::arange(images, views[0].options().dtype(torch::kInt64).requires_grad(false)), group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(temperature > 0, "loss", name, "temperature", temperature, "a finite number > 0");
  }

 private:
  /// `classes` [W*N]: of all images, numbers from 0 on below the number of images.
  template <class Group>
  [[nodiscard]] torch::Tensor loss(const std::vector<torch::Tensor>& views, const torch::Tensor& classes,
                                   const Group& group) const {
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto local = detail::unit_rows(views);      // V x [N, D]
    const auto all = detail::gathered(local, group);  // V x [W*N, D]
    const auto any = detail::log_sum_exp(local, all, 1 / temperature, group.rank(), detail::Excluded::itself)
                         .logsumexp(1);  // [V, N]
    const auto class_sizes =
        torch::zeros_like(classes).index_add(0, classes, torch::ones_like(classes)) * static_cast<int>(views.size());
    const auto own = classes.narrow(0, group.rank() * local[0].size(0), local[0].size(0));
    const auto others = class_sizes.index_select(0, own) - 1;  // [N]
    if (positives == PositiveMean::in) {
      const auto sums =
          detail::log_sum_exp(local, all, 1 / temperature, group.rank(), detail::Excluded::itself, classes)
              .logsumexp(1);  // [V, N]
      return (any - sums + others.to(any.scalar_type()).log()).mean();
    }
    torch::Tensor image_sums = all[0];  // [W*N, D]
    for (std::size_t v = 1; v < all.size(); ++v) image_sums = image_sums + all[v];
    const auto class_sums = torch::zeros_like(image_sums).index_add(0, classes, image_sums);
    const auto sums = class_sums.index_select(0, own);                     // [N, D]
    const auto y = torch::stack(local);                                    // [V, N, D]
    const auto positive = (y * (sums - y)).sum(2) / others / temperature;  // [V, N]
    return (any - positive).mean();
  }
};
static_assert(SupervisedLoss<SupCon>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::SupCon, temperature, positives);
