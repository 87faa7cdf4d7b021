// SPDX-License-Identifier: Apache-2.0
// Tests of SpectralContrastive.
#include <cmath>

#include <catch2/catch.hpp>

#include <jessl/loss/spectral_contrastive.hpp>
#include <loss/reference.hpp>

using jessl::loss::SpectralContrastive;
using jessl::test::embeddings;

TEST_CASE("SpectralContrastive: value and gradients agree with the formula written out in float64",
          "[loss][spectral_contrastive]") {
  jessl::test::check_own_cases<SpectralContrastive>("spectral_contrastive.json");
}

TEST_CASE("SpectralContrastive: value and gradients agree with the reference collection",
          "[loss][spectral_contrastive][outside]") {
  jessl::test::check_collection<SpectralContrastive>("spectral_contrastive", JESSL_REFERENCE_DIR "/reference/losses/",
                                                     5);
}

TEST_CASE("SpectralContrastive: a value worked out by hand", "[loss][spectral_contrastive]") {
  // Unit rows e1, e2 in both views: positives 1, everything else orthogonal, so -2 + 0.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::SpectralContrastive{.mu = 1};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(-2).epsilon(1e-6));
  // Squared length 4 instead: positives 4.
  CHECK(jessl::loss::SpectralContrastive{.mu = 4}(z1, z2).item<double>() == Approx(-8).epsilon(1e-6));
}

TEST_CASE("SpectralContrastive: three views are the mean over their pairs", "[loss][spectral_contrastive]") {
  const SpectralContrastive loss{.mu = 2};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("SpectralContrastive: settings out of range are refused", "[loss][spectral_contrastive]") {
  const auto z = embeddings(6, 3, 0);
  CHECK_THROWS_WITH(SpectralContrastive{.mu = 0}(z, z),
                    "jessl::loss::SpectralContrastive: mu is 0, expected a finite number > 0");
  CHECK_THROWS_AS(SpectralContrastive{.mu = 0}(z, z), jessl::ConfigError);
}
