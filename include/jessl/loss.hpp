// SPDX-License-Identifier: Apache-2.0
// All losses.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/loss/concept.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/vicreg.hpp>

namespace jessl::loss {

/// Every loss; tests, benchmarks and command lines loop over it.
inline constexpr auto All = boost::hana::tuple_t<NTXent, VICReg>;

}  // namespace jessl::loss
