// SPDX-License-Identifier: Apache-2.0
// The method family: published methods with their published settings.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/method/barlow_twins.hpp>
#include <jessl/method/byol.hpp>
#include <jessl/method/concept.hpp>
#include <jessl/method/dino.hpp>
#include <jessl/method/ffcv_ssl.hpp>
#include <jessl/method/lejepa.hpp>
#include <jessl/method/make_trainer.hpp>
#include <jessl/method/mmcr.hpp>
#include <jessl/method/moco.hpp>
#include <jessl/method/nnclr.hpp>
#include <jessl/method/sim_siam.hpp>
#include <jessl/method/simclr.hpp>
#include <jessl/method/supervised.hpp>
#include <jessl/method/swav.hpp>
#include <jessl/method/tico.hpp>
#include <jessl/method/vicreg.hpp>
#include <jessl/method/wmse.hpp>

namespace jessl::method {

/// Every method, as a Hana list of types.
inline constexpr auto All = boost::hana::tuple_t<SimCLR, VICReg, BarlowTwins, BYOL, SimSiam, MoCo, NNCLR, SwAV, DINO,
                                                 WMSE, TiCo, MMCR, LeJEPA, Supervised>;

}  // namespace jessl::method
