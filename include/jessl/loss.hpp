// SPDX-License-Identifier: Apache-2.0
// All losses.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/loss/against.hpp>
#include <jessl/loss/alignment_uniformity.hpp>
#include <jessl/loss/barlow_twins.hpp>
#include <jessl/loss/byol.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/cross_entropy.hpp>
#include <jessl/loss/dcl.hpp>
#include <jessl/loss/dclw.hpp>
#include <jessl/loss/dino.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <jessl/loss/koleo.hpp>
#include <jessl/loss/mmcr.hpp>
#include <jessl/loss/moco.hpp>
#include <jessl/loss/moco_v3.hpp>
#include <jessl/loss/negatives.hpp>
#include <jessl/loss/nnclr.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/parts.hpp>
#include <jessl/loss/ressl.hpp>
#include <jessl/loss/sigreg.hpp>
#include <jessl/loss/sim_siam.hpp>
#include <jessl/loss/spectral_contrastive.hpp>
#include <jessl/loss/sup_con.hpp>
#include <jessl/loss/swav.hpp>
#include <jessl/loss/tico.hpp>
#include <jessl/loss/vibcreg.hpp>
#include <jessl/loss/vicreg.hpp>
#include <jessl/loss/wmse.hpp>

namespace jessl::loss {

/// Every loss that needs no labels; tests, benchmarks and command lines loop over it.
inline constexpr auto All =
    boost::hana::tuple_t<Against<NTXent, Queue>, AlignmentUniformity, BarlowTwins, BYOL, DCL, DCLW, DINO, KoLeo, MMCR,
                         MoCo, MoCoV3, NNCLR, NTXent, ReSSL, SIGReg, SimSiam, SpectralContrastive, SupCon, SwAV, TiCo,
                         VIbCReg, VICReg, WMSE>;

}  // namespace jessl::loss
