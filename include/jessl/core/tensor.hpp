// SPDX-License-Identifier: Apache-2.0
// The one door through which LibTorch enters: tensors, and the layers that the backbones and projectors are made of. All of
// <torch/torch.h> would take a third longer to compile; who wants more of it includes more.
#pragma once

#include <map>
#include <string>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/cpu/Utils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/cuda.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <jessl/core/shape.hpp>

namespace jessl {

/// Named tensors: what modules, optimizers and losses save and restore. Scalars are tensors of no dimension.
using StateDict = std::map<std::string, torch::Tensor>;

/// The shape of a tensor, for messages.
[[nodiscard]] inline Shape shape_of(const torch::Tensor& tensor) { return Shape(tensor.sizes()); }

}  // namespace jessl
