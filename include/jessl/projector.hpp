// SPDX-License-Identifier: Apache-2.0
// All projectors.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/projector/concept.hpp>
#include <jessl/projector/identity.hpp>
#include <jessl/projector/mlp.hpp>

namespace jessl::projector {

/// Every projector; tests, benchmarks and command lines loop over it.
inline constexpr auto All = boost::hana::tuple_t<Identity, MLP>;

}  // namespace jessl::projector
