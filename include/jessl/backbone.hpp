// SPDX-License-Identifier: Apache-2.0
// All backbones.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/backbone/concept.hpp>
#include <jessl/backbone/convnext.hpp>
#include <jessl/backbone/resnet.hpp>
#include <jessl/backbone/vgg.hpp>
#include <jessl/backbone/vit.hpp>
#include <jessl/backbone/wrap.hpp>

namespace jessl::backbone {

/// Every kind of backbone; tests, benchmarks and command lines loop over it. A Wrap is of a network that only its user knows.
inline constexpr auto All = boost::hana::tuple_t<ResNet, ViT, ConvNeXt, VGG>;

}  // namespace jessl::backbone
