// SPDX-License-Identifier: Apache-2.0
// Where a contrastive loss may take its negatives from.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <jessl/core/detail/check_setting.hpp>
#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss {

/// The rows of all other images in the batch, of all ranks: what a contrastive loss has by itself.
///
/// Shapes     none
/// Errors     none
/// Models     none; it is for Against (docs/loss/against.md)
/// Source     none
struct InBatch {
  static constexpr std::string_view name = "InBatch";

  void check() const {}
};

/// The rows of earlier steps, of all views and ranks.
///
/// Shapes     none
/// Units      size: rows, >= 1
/// Errors     ConfigError from check() for a size below 1
/// Models     none; it is for Against (docs/loss/against.md)
/// Source     Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018,
///            arXiv 1805.01978, for the memory; He et al., MoCo, CVPR 2020, arXiv 1911.05722, for the queue
/// Differs    the rows are the network's own, without a momentum teacher
struct Queue {
  static constexpr std::string_view name = "Queue";

  std::int64_t size = 4096;  ///< rows that are kept, >= 1; a step puts in one for each view of each image

  void check() const {
    jessl::detail::check_setting(size >= 1, "loss", name, "size", static_cast<double>(size), "a whole number >= 1");
  }
};

/// Images that are the same in each step and go through the network with each batch; one patch of an image will do.
///
/// Their pixels are given as the network gets those of views: floating, normalised, channels first.
///
/// Shapes     images: [M, C, H, W]
/// Units      as the network's input
/// Errors     ConfigError from check() for images that are undefined or not floating, ShapeError for others than
///            [M, C, H, W] with M >= 1
/// Models     none; it is for Against (docs/loss/against.md)
/// Source     Bordes, Balestriero and Vincent, Towards Democratizing Joint-Embedding Self-Supervised Learning, 2023,
///            arXiv 2303.01986: a single image patch as the only negative
struct Fixed {
  static constexpr std::string_view name = "Fixed";

  torch::Tensor images{};  ///< [M, C, H, W], M >= 1

  void check() const;

  /// The shape, and a number that tells pixels apart (FNV-1a of their float32 values).
  [[nodiscard]] Json to_json() const;
};

/// None at all: only the positives pull. Without negatives nothing keeps embeddings from becoming equal; it is for ablations.
///
/// Shapes     none
/// Errors     none
/// Models     none; it is for Against (docs/loss/against.md)
/// Source     none
struct None {
  static constexpr std::string_view name = "None";

  void check() const {}
};

/// Where a contrastive loss may take its negatives from: one of these four. What it is called with besides the views depends on
/// which it is.
///
/// Errors     none
/// Source     none
template <class N>
concept Negatives =
    std::same_as<N, InBatch> || std::same_as<N, Queue> || std::same_as<N, Fixed> || std::same_as<N, None>;

}  // namespace jessl::loss

JESSL_OPTIONS(jessl::loss::InBatch);
JESSL_OPTIONS(jessl::loss::Queue, size);
JESSL_OPTIONS(jessl::loss::None);

#if JESSL_DEFINITIONS

namespace jessl::loss {

JESSL_INLINE void Fixed::check() const {
  JESSL_CHECK(images.defined(), ConfigError, "jessl::loss::Fixed: images is undefined, expected [M, C, H, W]");
  JESSL_CHECK(images.dim() == 4 && images.numel() > 0, ShapeError, "jessl::loss::Fixed: images is ", shape_of(images),
              ", expected [M, C, H, W] with M >= 1");
  JESSL_CHECK(images.is_floating_point(), ConfigError, "jessl::loss::Fixed: images holds ", images.dtype().name(),
              ", expected a floating type");
}

JESSL_INLINE Json Fixed::to_json() const {
  check();
  const auto pixels = images.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto* const values = pixels.const_data_ptr<float>();
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, values + i, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xFFU)) * 0x100000001b3U;
  }
  return {{"name", name}, {"shape", images.sizes().vec()}, {"fingerprint", hash}};
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
