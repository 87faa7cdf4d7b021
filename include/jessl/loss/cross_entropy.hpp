// SPDX-License-Identifier: Apache-2.0
// Cross-entropy with labels, for the supervised baseline.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/labels.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// The cross-entropy of class scores and labels, as the supervised baseline of a comparison.
///
/// loss = mean_v,i ( log sum_k exp z_ivk - sum_k q_ik z_ivk ), q = 1 - smoothing at the label plus smoothing / K everywhere.
///
/// Shapes     views: V x [N, K], labels: [N], int64, in [0, K) -> []      N images per rank, K classes, V >= 1
/// Units      smoothing: dimensionless, in [0, 1]
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V N K) time and memory; communicates nothing
/// Randomness none
/// Errors     ConfigError for a setting out of range, no view, views of different devices or types, or labels that are not
///            int64, elsewhere or, on a CPU, not in [0, K); ShapeError for views of different shapes or not [N, K], or labels not [N]
/// Models     jessl::SupervisedLoss (docs/loss/README.md)
/// Source     Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, arXiv 1512.00567,
///            section 7, for the smoothing
struct CrossEntropy {
  static constexpr std::string_view name = "CrossEntropy";

  double smoothing = 0.0;  ///< share of the target that all classes get alike, in [0, 1]

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& labels,
                                         const Group& = {}) const {
    check();
    detail::check_views(name, views, 1, 1);
    detail::check_labels(name, labels, views[0]);
    check_range(labels, views[0].size(1));
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto scores = torch::cat(detail::in_full_precision(views));  // [V*N, K]
    const auto targets = labels.repeat({static_cast<std::int64_t>(views.size())});
    return at::cross_entropy_loss(scores, targets, /*weight=*/{}, at::Reduction::Mean, /*ignore_index=*/-100,
                                  smoothing);
  }

  /// Checks that there is a score for each class.
  void check_batch(const BatchShape& batch) const;

  void check() const {
    jessl::detail::check_setting(smoothing >= 0 && smoothing <= 1, "loss", name, "smoothing", smoothing,
                                 "a number in [0, 1]");
  }

 private:
  /// Checks that there is a score for each label. On a CPU alone: elsewhere it would wait for the device in each step, and LibTorch
  /// fails there for labels out of range.
  static void check_range(const torch::Tensor& labels, std::int64_t classes);
};
static_assert(SupervisedLoss<CrossEntropy>);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::CrossEntropy, smoothing);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void CrossEntropy::check_batch(const BatchShape& batch) const {
  JESSL_CHECK(batch.classes <= batch.width, ConfigError, "jessl::loss::CrossEntropy: the data have ", batch.classes,
              " classes, but the embedding, a score for each, is only ", batch.width,
              " wide; let the projector end in ", batch.classes);
}

JESSL_INLINE void CrossEntropy::check_range(const torch::Tensor& labels, std::int64_t classes) {
  if (!labels.is_cpu()) return;
  const auto [least, largest] = at::aminmax(labels);
  const auto low = least.item<std::int64_t>(), high = largest.item<std::int64_t>();
  JESSL_CHECK(low >= 0 && high < classes, ConfigError, "jessl::loss::CrossEntropy: labels are in [", low, ", ", high,
              "], expected in [0, K) for scores [N, K] = [", labels.size(0), ", ", classes,
              "]; leave images without a label out");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
