// SPDX-License-Identifier: Apache-2.0
// SIGReg: the regulariser and the loss of LeJEPA.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/views.hpp>

namespace jessl::loss {

/// Views that predict each other, embeddings whose every projection is a standard normal: no teacher, no heuristics.
///
/// loss = (1 - lambda) mean |z_v - mean_v z|^2 / D + lambda mean_v,a T(<z_v, a>), a over `slices` random unit vectors. T is
/// the Epps-Pulley statistic of a projection x: rows * integral over [-limit, limit] of |mean exp(i t x) - exp(-t^2 / 2)|^2
/// exp(-t^2 / 2) dt, by the trapezoidal rule on `points` points of [0, limit], over the images of all ranks.
///
/// Shapes     views: V x [N, D] -> []      N images per rank, D embedding width
/// Units      lambda in [0, 1]; slices >= 1; points >= 2; limit > 0: inverse embedding units
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(N (D + points) slices) time per view; O(N slices) memory beyond what backward keeps, N slices numbers for each
///            of the points; reduces 2 points slices numbers per view, and D slices once
/// Randomness the directions of each call come from LibTorch's default CPU generator of rank 0: torch::manual_seed
/// Errors     ConfigError for a setting out of range, fewer than two views, or views of different devices or types;
///            ShapeError for views of different shapes or not [N, D]
/// Models     jessl::Loss (docs/loss/README.md)
/// Source     Balestriero and LeCun, LeJEPA: Provable and Scalable Self-Supervised Learning Without the Heuristics, 2025,
///            arXiv 2511.08544, algorithms 1 and 2
/// Differs    every view is a global one; the statistic is taken view by view
struct SIGReg {
  static constexpr std::string_view name = "SIGReg";

  double lambda = 0.05;        ///< weight of the regulariser; the distance of the views has the rest; in [0, 1]
  std::int64_t slices = 1024;  ///< random directions, >= 1
  std::int64_t points = 17;    ///< of the integral over [0, limit], >= 2
  double limit = 3.0;          ///< where the integral ends, > 0

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group& group = {}) const {
    check();
    detail::check_views(name, views, 1);
    const Autocast full_precision(views[0].device().type(), Precision::float32);

    const auto stacked = torch::stack(detail::in_full_precision(views));  // [V, N, D]
    const auto distance = (stacked - stacked.mean(0)).square().mean();
    const auto directions = draw(stacked, group);  // [D, slices]
    torch::Tensor statistic;
    for (const torch::Tensor& z : stacked.unbind(0)) {
      const auto value = epps_pulley(z.mm(directions), group);
      statistic = statistic.defined() ? statistic + value : value;
    }
    return (1 - lambda) * distance + lambda / static_cast<double>(views.size()) * statistic;
  }

  template <class Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& z1, const torch::Tensor& z2,
                                         const Group& group = {}) const {
    return (*this)({z1, z2}, group);
  }

  void check() const {
    jessl::detail::check_setting(lambda >= 0 && lambda <= 1, "loss", name, "lambda", lambda, "a number in [0, 1]");
    jessl::detail::check_setting(slices >= 1, "loss", name, "slices", static_cast<double>(slices), "an integer >= 1");
    jessl::detail::check_setting(points >= 2, "loss", name, "points", static_cast<double>(points), "an integer >= 2");
    jessl::detail::check_setting(limit > 0, "loss", name, "limit", limit, "a finite number > 0");
  }

 private:
  /// Unit vectors, the same on all ranks. [D, slices]
  template <class Group>
  [[nodiscard]] torch::Tensor draw(const torch::Tensor& like, const Group& group) const {
    const std::vector<std::int64_t> shape{like.size(-1), slices};
    // Drawn on the CPU in float32, so that devices and types have the same; the other ranks add zeros.
    const auto drawn = group.rank() == 0 ? torch::randn(shape) : torch::zeros(shape);
    const auto same = group.all_reduce_sum(drawn.to(like.device(), like.scalar_type()));
    return same / same.norm(2, /*dim=*/0, /*keepdim=*/true);
  }

  /// The mean over the slices of the statistic of x [N, slices].
  template <class Group>
  [[nodiscard]] torch::Tensor epps_pulley(const torch::Tensor& x, const Group& group) const {
    torch::Tensor total;
    const double step = limit / static_cast<double>(points - 1);
    for (std::int64_t k = 0; k < points; ++k) {
      const double t = step * static_cast<double>(k);
      const double normal = std::exp(-t * t / 2);
      // Both halves of the even integrand: the inner points count twice over, as do the ends of the trapezoids.
      const double weight = (k == 0 || k == points - 1 ? step : 2 * step) * normal;
      const auto real = group.all_reduce_mean((t * x).cos().mean(0));  // [slices]
      const auto imaginary = group.all_reduce_mean((t * x).sin().mean(0));
      const auto part = weight * ((real - normal).square() + imaginary.square()).mean();
      total = total.defined() ? total + part : part;
    }
    return total * static_cast<double>(x.size(0) * group.size());
  }
};

}  // namespace jessl::loss

BOOST_HANA_ADAPT_STRUCT(jessl::loss::SIGReg, lambda, slices, points, limit);
