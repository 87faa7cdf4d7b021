// SPDX-License-Identifier: Apache-2.0
// The minimiser on functions whose minimum is known.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>

#include <jessl/eval/detail/lbfgs.hpp>

using Eigen::VectorXd;
using jessl::eval::detail::minimise;

namespace {

const auto plain = [](VectorXd&) {};

}  // namespace

TEST_CASE("L-BFGS: finds the minimum of a quadratic", "[eval][lbfgs]") {
  // f = 1/2 sum d_i (x_i - i)^2 with curvatures from 1 to 100.
  const VectorXd curvature = VectorXd::LinSpaced(20, 1.0, 100.0);
  const VectorXd minimum = VectorXd::LinSpaced(20, 0.0, 19.0);
  const auto quadratic = [&](const VectorXd& x, VectorXd& gradient) {
    gradient = curvature.cwiseProduct(x - minimum);
    return 0.5 * gradient.dot(x - minimum);
  };
  VectorXd x = VectorXd::Zero(20);
  const auto result = minimise(x, quadratic, plain, 200, 1e-12);
  CHECK(result.converged);
  CHECK(x.isApprox(minimum, 1e-8));
  CHECK(result.objective == Approx(0.0).margin(1e-14));

  // With the Hessian matrix as the preconditioner the first step is Newton's and arrives.
  x.setZero();
  const auto exact = minimise(
      x, quadratic, [&](VectorXd& v) { v = v.cwiseQuotient(curvature); }, 200, 1e-12);
  CHECK(exact.iterations == 1);
}

TEST_CASE("L-BFGS: a first step far too long or too short is corrected", "[eval][lbfgs]") {
  for (const double scale : {1e-4, 1e4}) {
    const auto steep = [&](const VectorXd& x, VectorXd& gradient) {  // log cosh has its minimum at 3
      double value = 0.0;
      for (Eigen::Index i = 0; i < x.size(); ++i) {
        gradient(i) = scale * std::tanh(x(i) - 3.0);
        value += scale * std::log(std::cosh(x(i) - 3.0));
      }
      return value;
    };
    VectorXd x = VectorXd::Zero(2);
    const auto result = minimise(x, steep, plain, 200, 1e-10);
    CHECK(result.converged);
    CHECK((x.array() - 3.0).abs().maxCoeff() < 1e-5);
  }
}

TEST_CASE("L-BFGS: values that are all rounding do not stop it while slopes are clear", "[eval][lbfgs]") {
  // The values carry an error of 1e-7, as means over float32 terms may; near the minimum nothing else is left of them.
  std::int64_t calls = 0;
  const auto noisy = [&](const VectorXd& x, VectorXd& gradient) {
    gradient = x.array() - 1.0;
    gradient(0) *= 50.0;
    return 0.5 * gradient.dot((x.array() - 1.0).matrix()) + (++calls % 2 == 0 ? 1e-7 : -1e-7);
  };
  VectorXd x = VectorXd::Zero(5);
  const auto result = minimise(x, noisy, plain, 100, 1e-9);
  CHECK(result.converged);
  CHECK(calls < 40);
}

TEST_CASE("L-BFGS: a start at the minimum takes no step, and the limit of steps is kept", "[eval][lbfgs]") {
  const auto bowl = [](const VectorXd& x, VectorXd& gradient) {
    gradient = 4.0 * x.array().cube();
    return x.array().square().square().sum();
  };
  VectorXd x = VectorXd::Zero(3);
  CHECK(minimise(x, bowl, plain, 10, 1e-6).iterations == 0);
  x.setConstant(5.0);
  const auto result = minimise(x, bowl, plain, 3, 1e-12);
  CHECK(result.iterations == 3);
  CHECK_FALSE(result.converged);
}

TEST_CASE("L-BFGS: the goal is relative to the gradient at the start, unless one is given that is easier",
          "[eval][lbfgs]") {
  const auto bowl = [](const VectorXd& x, VectorXd& gradient) {
    gradient = 4.0 * x.array().cube();
    return x.array().square().square().sum();
  };
  VectorXd x = VectorXd::Constant(3, 5.0);
  const auto far = minimise(x, bowl, plain, 200, 1e-6);
  CHECK(far.goal == 1e-6 * 500.0);
  // From where the gradient is below 1, a relative goal is that of 1.
  x.setConstant(0.1);
  VectorXd again = x;
  CHECK(minimise(x, bowl, plain, 200, 1e-6).goal == 1e-6);
  const auto near = minimise(again, bowl, plain, 200, 1e-6, far.goal);
  CHECK(near.goal == far.goal);
  CHECK(near.converged);
  CHECK(near.gradient_norm > 1e-6);
}
