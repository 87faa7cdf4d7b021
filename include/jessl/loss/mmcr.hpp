// SPDX-License-Identifier: Apache-2.0
// MMCR: maximum manifold capacity representations.
#pragma once

#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/nuclear_norm.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Centroids of the views that span all dimensions, by the sum of their singular values.
///
/// With y = z / |z| and the centroid c_i = mean_v y_iv of image i: loss = -|C|_* + lambda mean_i |Y_i|_*, C [W N, D] the
/// centroids of all ranks, Y_i [V, D] the views of one image, |.|_* the sum of the singular values. Gains with more views.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      lambda: dimensionless, >= 0
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(M D min(M, D)) time with M = W N, O(M D + min(M, D)^2) memory: the singular values are those of the smaller
///            Gram matrix; gathers W N D numbers
/// Randomness none
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes, not [N, D], or with fewer than two images over all ranks
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Yerxa et al., Learning Efficient Coding of Natural Images with Maximum Manifold Capacity Representations,
///            NeurIPS 2023, arXiv 2303.03307, equation 3
/// Differs    none from equation 3. The authors' code for ImageNet has another default, with centroids that are to one half those
///            of a momentum network's embeddings; its code for CIFAR-10 and STL-10 is this loss
struct MMCR {
  static constexpr std::string_view name = "MMCR";

  double lambda = 0.0;  ///< weight of each image's own singular values; the paper's experiments leave them out, >= 0

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const;

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(lambda >= 0, "loss", name, "lambda", lambda, "a finite number >= 0");
  }
};

template <Communicator<torch::Tensor> Group>
torch::Tensor MMCR::operator()(const std::vector<torch::Tensor>& views, const Group& group) const {
  check();
  detail::check_views_of_two_images(name, views, group);
  const Autocast full_precision(views[0].device().type(), Precision::float32);

  const auto stacked = torch::stack(detail::unit_rows(views), 1);                            // [N, V, D]
  const auto value = -detail::NuclearNorm::apply(detail::gathered(stacked.mean(1), group));  // of [W*N, D]
  tell_part("centroids", value);
  if (lambda == 0) return value;
  const auto images = lambda * detail::NuclearNorm::apply(stacked).mean();  // of N x [V, D]
  tell_part("images", images);
  return value + images;
}

JESSL_INSTANTIATE(torch::Tensor MMCR::operator()<SingleProcess>(const std::vector<torch::Tensor>& views,
                                                                const SingleProcess& group) const);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::MMCR, lambda);
