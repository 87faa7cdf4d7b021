// SPDX-License-Identifier: Apache-2.0
// A stand-in: LibTorch's ProcessGroupGloo.hpp includes gloo's headers, which its wheel lacks, and uses no more of them than these
// declarations. The names and the order of virtual functions are those of the gloo inside LibTorch 2.11.
#pragma once
