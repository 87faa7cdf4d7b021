// SPDX-License-Identifier: Apache-2.0
// The setting by which a loss asks for a predictor.
#pragma once

#include <string>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

namespace jessl::loss {

/// A second head after the projector, through which the online side alone goes: layers of these widths, then one as wide as
/// the embedding. A loss that has `Predictor predictor` among its settings is called with what the predictor makes.
///
/// Shapes     [N, D] -> [N, D]
/// Units      hidden: features, >= 1
/// Errors     ConfigError from check() for a text that is not widths joined by "-"
/// Models     jessl::Options
/// Source     Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733, section 3.1; Chen and He, SimSiam, CVPR 2021,
///            arXiv 2011.10566, section 4.2, for the constant learning rate
struct Predictor {
  std::string hidden = "4096";  ///< widths of the hidden layers, joined by "-"; "" for one linear layer
  bool output_bias = false;     ///< its last layer has a bias
  bool constant_lr = false;     ///< its learning rate stays at the highest one after the warm-up

  void check(std::string_view loss) const;
};

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::Predictor, hidden, output_bias, constant_lr);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void Predictor::check(std::string_view loss) const {
  char before = '-';
  bool good = hidden.empty() || hidden.back() != '-';
  for (const char letter : hidden) {
    const bool digit = letter >= '0' && letter <= '9';
    good = good && (digit ? before != '-' || letter != '0' : letter == '-' && before != '-');
    before = letter;
  }
  JESSL_CHECK(good, ConfigError, "jessl::loss::", loss, ": predictor.hidden is \"", hidden,
              "\", expected whole numbers >= 1 joined by \"-\", like \"4096\", or nothing for one linear layer");
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
