// SPDX-License-Identifier: Apache-2.0
// The setting by which a loss asks for a momentum teacher.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>
#include <utility>

#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/options.hpp>
#include <jessl/loss/progress.hpp>

namespace jessl::loss {

/// Which statistics a teacher's batch norms normalise with.
enum class TeacherStatistics : std::uint8_t {
  own,      ///< those of the batch that it sees, as in the published methods; its running statistics are its own
  followed  ///< running ones, which follow the student's as the weights do; no image's target depends on another image
};

/// A copy of backbone and projector that is not trained but follows the student's weights:
/// teacher <- momentum teacher + (1 - momentum) student after each step. It starts as the student does. A loss that has
/// `Teacher teacher` among its settings is called with the teacher's embeddings as targets.
///
/// Shapes     none
/// Units      momenta: dimensionless, in [0, 1]
/// Errors     ConfigError from check() for a momentum out of range
/// Models     jessl::Options
/// Source     He et al., MoCo, CVPR 2020, arXiv 1911.05722, equation 2; Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733,
///            section 3.2, for the cosine
struct Teacher {
  double momentum = 0.996;      ///< share of itself that the teacher keeps in the first step, in [0, 1]
  double final_momentum = 1.0;  ///< towards the end of the run, along half a cosine; equal: it is constant
  TeacherStatistics statistics = TeacherStatistics::own;  ///< of its batch norms

  /// The momentum after a step.
  [[nodiscard]] double at(const Progress& progress) const {
    return final_momentum - (final_momentum - momentum) * (std::cos(std::numbers::pi * progress.share()) + 1) / 2;
  }

  void check(std::string_view loss) const;
};

}  // namespace jessl::loss

template <>
struct jessl::EnumNames<jessl::loss::TeacherStatistics> {
  static constexpr std::array<std::pair<loss::TeacherStatistics, std::string_view>, 2> value{
      {{loss::TeacherStatistics::own, "own"}, {loss::TeacherStatistics::followed, "followed"}}};
};

JESSL_OPTIONS(jessl::loss::Teacher, momentum, final_momentum, statistics);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void Teacher::check(std::string_view loss) const {
  const auto require = [&](std::string_view setting, double value) {
    jessl::detail::check_setting(value >= 0 && value <= 1, "loss", loss, setting, value, "a number in [0, 1]");
  };
  require("teacher.momentum", momentum);
  require("teacher.final_momentum", final_momentum);
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
