// SPDX-License-Identifier: Apache-2.0
// The one door through which LibTorch enters.
#pragma once

#include <map>
#include <string>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <jessl/core/shape.hpp>

namespace jessl {

/// Named tensors: what modules, optimizers and losses save and restore. Scalars are tensors of no dimension.
using StateDict = std::map<std::string, torch::Tensor>;

/// The shape of a tensor, for messages.
[[nodiscard]] inline Shape shape_of(const torch::Tensor& tensor) { return Shape(tensor.sizes()); }

}  // namespace jessl
