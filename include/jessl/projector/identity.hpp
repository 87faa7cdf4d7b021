// SPDX-License-Identifier: Apache-2.0
// No projector: the loss sees the features themselves.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/projector/concept.hpp>

namespace jessl::projector {

/// The head that Identity makes.
///
/// Shapes     [N, D] -> [N, D]
/// Errors     none
/// Models     none; it is the module that jessl::Projector asks for
/// Source     none
class IdentityHeadImpl : public torch::nn::Cloneable<IdentityHeadImpl> {
 public:
  explicit IdentityHeadImpl(std::int64_t in_features);

  void reset() override {}
  void initialise(std::uint64_t /*seed*/) {}

  [[nodiscard]] torch::Tensor forward(const torch::Tensor& x) const { return x; }
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& x) const { return {x}; }

  std::int64_t out_features;
};
TORCH_MODULE(IdentityHead);

/// No projector: the loss sees the features themselves.
///
/// For ablations, and for methods that train the representation directly.
///
/// Shapes     [N, D] -> [N, D]
/// Units      none
/// Precision  as given
/// Cost       none
/// Randomness none
/// Errors     ConfigError from make() for a width below 1
/// Models     jessl::Projector (docs/projector/README.md)
/// Source     none
/// Differs    none
struct Identity {
  static constexpr std::string_view name = "Identity";

  [[nodiscard]] IdentityHead make(std::int64_t in_features) const;
};

}  // namespace jessl::projector

JESSL_OPTIONS(jessl::projector::Identity);

#if JESSL_DEFINITIONS

namespace jessl::projector {

JESSL_INLINE IdentityHeadImpl::IdentityHeadImpl(std::int64_t in_features) : out_features(in_features) {}

JESSL_INLINE IdentityHead Identity::make(std::int64_t in_features) const {
  JESSL_CHECK(in_features >= 1, ConfigError, "jessl::projector::Identity.make: in_features is ", in_features,
              ", expected >= 1");
  return IdentityHead(std::make_shared<IdentityHeadImpl>(in_features));
}

}  // namespace jessl::projector

#endif  // JESSL_DEFINITIONS
