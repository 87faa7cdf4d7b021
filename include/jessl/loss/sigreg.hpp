// SPDX-License-Identifier: Apache-2.0
// SIGReg: the regulariser and the loss of LeJEPA.
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
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/characteristic.hpp>
#include <jessl/loss/detail/global_views.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/parts.hpp>

namespace jessl::loss {

/// Views that predict each other, embeddings whose every projection is a standard normal: no teacher, no heuristics.
///
/// loss = (1 - lambda) mean |z_v - m|^2 / D + lambda mean_v,a T(<z_v, a>), m the mean of an image's first `global_views`
/// views, a over `slices` random unit vectors. T is the Epps-Pulley statistic of a projection x: rows * integral over
/// [-limit, limit] of |mean exp(i t x) - exp(-t^2 / 2)|^2 exp(-t^2 / 2) dt, by the trapezoidal rule on `points` points of
/// [0, limit], over the images of all ranks.
///
/// Shapes     views: V x [N, D], the first global_views of them global -> []      N images per rank, D embedding width
/// Units      lambda in [0, 1]; slices >= 1; points >= 2; limit > 0: inverse embedding units; global_views >= 1
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(N (D + points) slices) time per view, O(N D + (D + points) slices) memory: projections are made block by
///            block, forward and again backward; reduces 2 points slices numbers per view, and D slices once
/// Randomness the directions of each call come from LibTorch's default CPU generator of rank 0: torch::manual_seed
/// Errors     ConfigError for a setting out of range, fewer than two or than global_views views, or views of different devices
///            or types; ShapeError for views of different shapes or not [N, D]
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Balestriero and LeCun, LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics, 2025,
///            arXiv 2511.08544, algorithms 1 and 2
/// Differs    the statistic is taken view by view
struct SIGReg {
  static constexpr std::string_view name = "SIGReg";

  double lambda = 0.05;           ///< weight of the regulariser; the distance of the views has the rest; in [0, 1]
  std::int64_t slices = 1024;     ///< random directions, >= 1
  std::int64_t points = 17;       ///< of the integral over [0, limit], >= 2
  double limit = 3.0;             ///< where the integral ends, > 0
  std::int64_t global_views = 2;  ///< the first so many views have the mean that all views are to predict, >= 1

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    return along(draw(views[0], group), views, group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  /// The loss along given directions, [D, S] of any S and any lengths > 0, the same on all ranks.
  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor along(const torch::Tensor& directions, const std::vector<torch::Tensor>& views,
                                    const Group& group = {}) const;

  /// Checks that the global views are large ones.
  void check_batch(const BatchShape& batch) const { detail::check_global_views(name, global_views, batch); }

  void check() const;

 private:
  /// The same on all ranks. [D, slices]
  template <class Group>
  [[nodiscard]] torch::Tensor draw(const torch::Tensor& like, const Group& group) const {
    const std::vector<std::int64_t> shape{like.size(-1), slices};
    // Drawn on the CPU in float32, so that devices and types have the same; the other ranks add zeros.
    const auto drawn = group.rank() == 0 ? torch::randn(shape) : torch::zeros(shape);
    return group.all_reduce_sum(drawn.to(like.device()));
  }

  /// The mean of the statistic of z [N, D] along the directions [D, S].
  template <class Group>
  [[nodiscard]] torch::Tensor epps_pulley(const torch::Tensor& z, const torch::Tensor& directions,
                                          const Group& group) const {
    const double step = limit / static_cast<double>(points - 1);
    const auto means =
        group.all_reduce_mean(detail::CharacteristicFunction::apply(z, directions, step, points));  // [2, points, S]
    const auto t = torch::arange(points, means.options().requires_grad(false)) * step;
    const auto normal = (t * t / -2).exp();  // [points]
    // Both halves of the even integrand: the inner points count twice over, as do the ends of the trapezoids.
    auto weights = 2 * step * normal;
    weights[0].div_(2);
    weights[-1].div_(2);
    const auto error = (means[0] - normal.unsqueeze(1)).square() + means[1].square();  // [points, S]
    return static_cast<double>(z.size(0) * group.size()) * weights.dot(error.mean(1));
  }
};

template <Communicator<torch::Tensor> Group>
torch::Tensor SIGReg::along(const torch::Tensor& directions, const std::vector<torch::Tensor>& views,
                            const Group& group) const {
  check();
  detail::check_views(name, views, 1);
  detail::check_global_views(name, global_views, views.size());
  JESSL_CHECK(directions.defined() && directions.dim() == 2 && directions.size(0) == views[0].size(1) &&
                  directions.size(1) >= 1,
              ShapeError, "jessl::loss::SIGReg: directions are ", shape_of(directions),
              ", expected [D, S] with D = ", views[0].size(1));
  const Autocast full_precision(views[0].device().type(), Precision::float32);

  const auto stacked = torch::stack(detail::in_full_precision(views));  // [V, N, D]
  const auto distance = (1 - lambda) * (stacked - stacked.narrow(0, 0, global_views).mean(0)).square().mean();
  const auto unit = detail::unit_rows(directions.to(stacked.options().requires_grad(false)).t()).t();  // [D, S]
  torch::Tensor statistic;
  for (const torch::Tensor& z : stacked.unbind(0)) {
    const auto value = epps_pulley(z, unit, group);
    statistic = statistic.defined() ? statistic + value : value;
  }
  statistic = lambda / static_cast<double>(views.size()) * statistic;
  tell_part("invariance", distance);
  tell_part("regularity", statistic);
  return distance + statistic;
}

JESSL_INSTANTIATE(torch::Tensor SIGReg::along<SingleProcess>(const torch::Tensor& directions,
                                                             const std::vector<torch::Tensor>& views,
                                                             const SingleProcess& group) const);

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::SIGReg, lambda, slices, points, limit, global_views);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void SIGReg::check() const {
  const auto require = [](bool in_range, std::string_view setting, auto value, std::string_view range) {
    jessl::detail::check_setting(in_range, "loss", name, setting, static_cast<double>(value), range);
  };
  require(lambda >= 0 && lambda <= 1, "lambda", lambda, "a number in [0, 1]");
  require(slices >= 1, "slices", slices, "an integer >= 1");
  require(points >= 2, "points", points, "an integer >= 2");
  require(limit > 0, "limit", limit, "a finite number > 0");
  require(global_views >= 1, "global_views", global_views, "an integer >= 1");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
