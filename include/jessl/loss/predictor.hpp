// SPDX-License-Identifier: Apache-2.0
// The setting by which a loss asks for a predictor.
#pragma once

#include <string>

#include <jessl/core/options.hpp>

namespace jessl::loss {

/// A second head after the projector, through which the online side alone goes: layers of these widths, then one as wide as
/// the embedding. A loss that has `Predictor predictor` among its settings is called with what the predictor makes.
///
/// Shapes     [N, D] -> [N, D]
/// Units      hidden: features, >= 1
/// Errors     ConfigError from the trainer for a text that is not widths joined by "-"
/// Models     jessl::Options
/// Source     Grill et al., BYOL, NeurIPS 2020, arXiv 2006.07733, section 3.1; Chen and He, SimSiam, CVPR 2021,
///            arXiv 2011.10566, section 4.2, for the constant learning rate
struct Predictor {
  std::string hidden = "4096";  ///< widths of the hidden layers, joined by "-"; "" for one linear layer
  bool constant_lr = false;     ///< its learning rate stays at the highest one after the warm-up
};

}  // namespace jessl::loss

BOOST_HANA_ADAPT_STRUCT(jessl::loss::Predictor, hidden, constant_lr);
