// SPDX-License-Identifier: Apache-2.0
// All optimizers, and the learning rate's schedule.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/optim/adamw.hpp>
#include <jessl/optim/attached.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/optim/lamb.hpp>
#include <jessl/optim/lars.hpp>
#include <jessl/optim/sgd.hpp>
#include <jessl/optim/warmup_cosine.hpp>
#include <jessl/optim/warmup_multi_step.hpp>

namespace jessl::optim {

/// Every optimizer; tests, benchmarks and command lines loop over it.
inline constexpr auto All = boost::hana::tuple_t<SGD, AdamW, LARS, LAMB>;

}  // namespace jessl::optim
