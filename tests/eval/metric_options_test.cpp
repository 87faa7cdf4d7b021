// SPDX-License-Identifier: Apache-2.0
// The settings of metrics, which are printed and stored as those of policies are.
#include <catch2/catch.hpp>

#include <jessl/core/options.hpp>
#include <jessl/eval.hpp>

namespace {

/// Settings other than the defaults survive JSON.
template <class Settings>
void survives(const Settings& settings) {
  static_assert(jessl::Options<Settings>);
  CHECK_FALSE(jessl::same_options(settings, Settings{}));
  CHECK(jessl::same_options(jessl::from_json<Settings>(jessl::to_json(settings)), settings));
}

}  // namespace

TEST_CASE("MetricOptions: settings of metrics survive JSON", "[eval][metric_options]") {
  survives(jessl::eval::MetricOptions{.threads = 3});
  survives(jessl::eval::AlphaReQOptions{.first = 2, .last = 30, .threads = 3});
  survives(jessl::eval::LiDAROptions{.delta = 0.5, .threads = 3});
  survives(jessl::eval::UniformityOptions{.t = 0.1, .threads = 3});
  survives(jessl::eval::AlignmentOptions{.alpha = 1.5, .threads = 3});
  survives(jessl::eval::IntrinsicDimensionOptions{.discard = 0.2, .threads = 3});
  survives(jessl::eval::ClusterLearnabilityOptions{.clusters = 9, .k = 3, .iterations = 7, .seed = 5, .threads = 2});
}
