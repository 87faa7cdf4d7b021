// SPDX-License-Identifier: Apache-2.0
// Batches as LibTorch tensors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/element.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/data/batch.hpp>

namespace jessl::train {

/// LibTorch's name of a number format.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
[[nodiscard]] torch::ScalarType scalar_type(Element element);

/// A batch as tensors on the CPU: see to_tensors().
///
/// Shapes     views: V x [B, C, H, W]; parameters: V x [B, P] or none; indices, labels: [B]
/// Errors     none
/// Models     none
/// Source     none
struct BatchTensors {
  std::vector<torch::Tensor> views{};       ///< in the loader's number format; strides follow its order in memory
  std::vector<torch::Tensor> parameters{};  ///< float32; empty where the view maker says none
  torch::Tensor indices{};                  ///< int64, in the data set
  torch::Tensor labels{};                   ///< int64; -1 where there are none
};

namespace detail {

/// `release` is called when the last of the tensors goes.
template <class Release>
[[nodiscard]] BatchTensors tensors_of(const data::Batch& batch, const Release& release) {
  const std::int64_t rows = batch.size();
  const auto tensor = [&](const void* memory, const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides, torch::ScalarType type) {
    return torch::from_blob(const_cast<void*>(memory), sizes, strides, release, type);
  };
  BatchTensors result;
  const auto views = static_cast<std::int64_t>(batch.views.size());
  for (std::int64_t v = 0; v < views; ++v) {
    const auto [channels, height, width] = batch.shape(v);
    const std::int64_t count = channels * height * width;
    const std::vector<std::int64_t> strides = batch.layout() == Layout::channels_last
                                                  ? std::vector{count, std::int64_t{1}, width * channels, channels}
                                                  : std::vector{count, height * width, width, std::int64_t{1}};
    result.views.push_back(
        tensor(batch.bytes(v).data(), {rows, channels, height, width}, strides, scalar_type(batch.element())));
  }
  for (std::size_t v = 0; v < batch.parameters.size(); ++v) {
    const auto columns = static_cast<std::int64_t>(batch.parameter_names(static_cast<std::int64_t>(v)).size());
    result.parameters.push_back(tensor(batch.parameters[v].data(), {rows, columns}, {columns, 1}, torch::kFloat));
  }
  result.indices = tensor(batch.indices.data(), {rows}, {1}, torch::kLong);
  result.labels = tensor(batch.labels.data(), {rows}, {1}, torch::kLong);
  return result;
}

}  // namespace detail

/// The batch's own memory as tensors; nothing is copied. They are valid as long as the batch lives.
///
/// On its way to a GPU use `.to(device, /*non_blocking=*/true)`, and keep the batch until the copy is done: any wait for the
/// device's results, such as loss.item(), sees to that.
///
/// Shapes     as BatchTensors
/// Errors     none
/// Models     none
/// Source     none
[[nodiscard]] BatchTensors to_tensors(const data::Batch& batch);

/// As above, and the tensors own the batch: it goes back to the loader with the last of them.
[[nodiscard]] BatchTensors to_tensors(data::Batch&& batch);

}  // namespace jessl::train

#if JESSL_DEFINITIONS

namespace jessl::train {

JESSL_INLINE torch::ScalarType scalar_type(Element element) {
  switch (element) {
    case Element::float32:
      return torch::kFloat;
    case Element::bfloat16:
      return torch::kBFloat16;
    case Element::float16:
      return torch::kHalf;
  }
  fail<InternalError>("jessl::train::scalar_type: an unnamed element ", static_cast<int>(element));
}

JESSL_INLINE BatchTensors to_tensors(const data::Batch& batch) {
  return detail::tensors_of(batch, [](void*) {});
}

JESSL_INLINE BatchTensors to_tensors(data::Batch&& batch) {
  const auto lease = std::make_shared<const data::Batch>(std::move(batch));
  return detail::tensors_of(*lease, [lease](void*) {});
}

}  // namespace jessl::train

#endif  // JESSL_DEFINITIONS
