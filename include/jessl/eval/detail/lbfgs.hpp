// SPDX-License-Identifier: Apache-2.0
// Limited-memory BFGS with a preconditioner, for smooth convex functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

#include <Eigen/Core>

namespace jessl::eval::detail {

/// How a minimisation ended.
struct Minimum {
  double objective = 0.0;
  double gradient_norm = 0.0;  ///< largest absolute entry of the gradient
  double goal = 0.0;           ///< what that had to come down to
  std::int64_t iterations = 0;
  bool converged = false;  ///< the gradient's goal was reached
};

/// Minimises a smooth convex function from `x` on, which becomes the place of the minimum.
///
/// `evaluate(x, gradient)` returns the value and fills the gradient. `precondition(v)` turns v into P^-1 v, where P
/// resembles the Hessian matrix; with P = identity this is the plain method. Ends when the largest entry of the
/// gradient is at most tolerance * max(1, its value at the start), or `goal` if that is more, after max_iterations, or
/// when rounding hides every improvement. A start near the minimum wants the goal of one far from it: its own gradient is
/// small.
///
/// Source     Nocedal, Wright: Numerical Optimization, 2nd edition, 2006, algorithms 7.4 and 7.5;
///            Lewis, Overton: Nonsmooth optimization via quasi-Newton methods, Mathematical Programming 141, 2013,
///            algorithm 2.6 (line search);
///            Hager, Zhang: A new conjugate gradient method with guaranteed descent and an efficient line search,
///            SIAM Journal on Optimization 16, 2005, section 4 (acceptance near the rounding error)
template <class Evaluate, class Precondition>
Minimum minimise(Eigen::VectorXd& x, Evaluate&& evaluate, Precondition&& precondition, std::int64_t max_iterations,
                 double tolerance, double goal = 0.0) {
  struct Pair {
    Eigen::VectorXd step;
    Eigen::VectorXd change;  // of the gradient over the step
    double inverse_product;  // 1 / <step, change>
    double scale;            // <step, change> / <change, P^-1 change>
  };
  constexpr std::size_t history_length = 10;
  constexpr double rounding = 1e-6;  // relative error of values that are means of float32 terms, generously

  std::deque<Pair> history;
  Eigen::VectorXd gradient(x.size());
  Eigen::VectorXd direction(x.size());
  Eigen::VectorXd next(x.size());
  Eigen::VectorXd next_gradient(x.size());

  const auto newton_direction = [&] {
    direction = -gradient;
    double along[history_length];
    for (std::size_t i = history.size(); i-- > 0;) {
      along[i] = history[i].inverse_product * history[i].step.dot(direction);
      direction -= along[i] * history[i].change;
    }
    precondition(direction);
    if (!history.empty()) direction *= history.back().scale;
    for (std::size_t i = 0; i < history.size(); ++i) {
      direction += (along[i] - history[i].inverse_product * history[i].change.dot(direction)) * history[i].step;
    }
  };

  Minimum result;
  result.objective = evaluate(x, gradient);
  result.gradient_norm = gradient.lpNorm<Eigen::Infinity>();
  result.goal = std::max(goal, tolerance * std::max(1.0, result.gradient_norm));

  // Finds a step along `direction` to `next`, with its value and gradient. False when rounding hides every improvement.
  const auto line_search = [&](double slope, double& next_value) {
    double low = 0.0;
    double high = std::numeric_limits<double>::infinity();
    double length = 1.0;
    for (int attempt = 0; attempt < 20; ++attempt) {
      next = x + length * direction;
      next_value = evaluate(next, next_gradient);
      const double next_slope = next_gradient.dot(direction);
      const bool falls = next_value <= result.objective + 1e-4 * length * slope;
      // Values that differ by rounding alone say nothing, but slopes still do: of a convex function, they suffice.
      const bool falls_but_for_rounding =
          next_value <= result.objective + rounding * std::max(1.0, std::abs(result.objective)) &&
          next_slope <= -0.9 * slope;
      if (!falls && !falls_but_for_rounding) {
        high = length;
      } else if (next_slope < 0.9 * slope) {
        low = length;
      } else {
        return true;
      }
      length = std::isinf(high) ? 2.0 * length : 0.5 * (low + high);
    }
    return false;
  };

  while (result.gradient_norm > result.goal && result.iterations < max_iterations) {
    newton_direction();
    double next_value = 0.0;
    const double slope = gradient.dot(direction);
    if (!(slope < 0.0) || !line_search(slope, next_value)) {
      if (history.empty()) break;
      history.clear();  // once more, along the preconditioned gradient
      continue;
    }
    Pair pair{next - x, next_gradient - gradient, 0.0, 0.0};
    const double product = pair.step.dot(pair.change);
    std::swap(x, next);
    std::swap(gradient, next_gradient);
    result.objective = next_value;
    result.gradient_norm = gradient.lpNorm<Eigen::Infinity>();
    ++result.iterations;
    if (product > 0.0) {
      next = pair.change;
      precondition(next);
      pair.inverse_product = 1.0 / product;
      pair.scale = product / pair.change.dot(next);
      history.push_back(std::move(pair));
      if (history.size() > history_length) history.pop_front();
    }
  }
  result.converged = result.gradient_norm <= result.goal;
  return result;
}

}  // namespace jessl::eval::detail
