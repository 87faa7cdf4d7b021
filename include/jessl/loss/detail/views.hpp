// SPDX-License-Identifier: Apache-2.0
// What the losses do alike with their views: check them, leave half precision, normalise, and go over pairs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss::detail {

/// Checks that each of `given`, which messages call `what`, is [N, D], floating, and of the shape, device and type of
/// `first`, views[0].
void check_embeddings(std::string_view loss, std::string_view what, const std::vector<torch::Tensor>& given,
                      const torch::Tensor& first);

/// Checks V x [N, D]: at least `least_views` views, floating, of one shape, one device and one type, with at least
/// `least_images` rows.
void check_views(std::string_view loss, const std::vector<torch::Tensor>& views, std::int64_t least_images,
                 std::size_t least_views = 2);

/// Checks V x [N, D] as above, with at least two images over all ranks.
template <class Group>
void check_views_of_two_images(std::string_view loss, const std::vector<torch::Tensor>& views, const Group& group) {
  check_views(loss, views, group.size() > 1 ? 1 : 2);
}

/// The type in which a loss is reduced: float64 stays, everything else becomes float32.
[[nodiscard]] std::vector<torch::Tensor> in_full_precision(const std::vector<torch::Tensor>& views);

/// Rows divided by their length; one shorter than 1e-12 becomes zero, without a gradient: it has no direction to be turned.
[[nodiscard]] torch::Tensor unit_rows(const torch::Tensor& z);

/// The same of every view, in the type in which a loss is reduced.
[[nodiscard]] std::vector<torch::Tensor> unit_rows(const std::vector<torch::Tensor>& views);

/// The rows of all ranks, [N, D] -> [W*N, D], checked to be N of each: losses tell an image's rows by that.
template <class Group>
[[nodiscard]] torch::Tensor gathered(const torch::Tensor& rows, const Group& group) {
  auto all = group.all_gather(rows);
  JESSL_CHECK(all.size(0) == group.size() * rows.size(0), ShapeError, "jessl::loss: ", group.size(), " ranks have ",
              all.size(0), " images, expected ", rows.size(0), " of each as on rank ", group.rank(),
              "; let all ranks' batches be of one size, as with drop_last");
  return all;
}

/// The same of every view, V x [N, D] -> V x [W*N, D].
template <class Group>
[[nodiscard]] std::vector<torch::Tensor> gathered(std::vector<torch::Tensor> views, const Group& group) {
  for (torch::Tensor& z : views) z = gathered(z, group);
  return views;
}

/// The mean of pair(a, b) over all pairs a < b of `count` views.
template <class Pair>
[[nodiscard]] torch::Tensor mean_over_pairs(std::size_t count, const Pair& pair) {
  torch::Tensor total;
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = a + 1; b < count; ++b) {
      const torch::Tensor value = pair(a, b);
      total = total.defined() ? total + value : value;
    }
  }
  return total / static_cast<double>(count * (count - 1) / 2);
}

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_embeddings(std::string_view loss, std::string_view what,
                                   const std::vector<torch::Tensor>& given, const torch::Tensor& first) {
  for (std::size_t v = 0; v < given.size(); ++v) {
    const torch::Tensor& view = given[v];
    JESSL_CHECK(view.defined(), ConfigError, "jessl::loss::", loss, ": ", what, "[", v, "] is undefined");
    JESSL_CHECK(view.dim() == 2 && view.size(1) >= 1, ShapeError, "jessl::loss::", loss, ": ", what, "[", v, "] is ",
                shape_of(view), ", expected [N, D]");
    JESSL_CHECK(view.is_floating_point(), ConfigError, "jessl::loss::", loss, ": ", what, "[", v, "] holds ",
                view.dtype().name(), ", expected a floating type");
    JESSL_CHECK(shape_of(view) == shape_of(first), ShapeError, "jessl::loss::", loss, ": ", what, "[", v, "] is ",
                shape_of(view), ", expected [N, D] = ", shape_of(first));
    JESSL_CHECK(view.device() == first.device(), ConfigError, "jessl::loss::", loss, ": ", what, "[", v, "] is on ",
                view.device(), ", expected ", first.device(), " as views[0]");
    JESSL_CHECK(view.scalar_type() == first.scalar_type(), ConfigError, "jessl::loss::", loss, ": ", what, "[", v,
                "] holds ", view.dtype().name(), ", expected ", first.dtype().name(), " as views[0]");
  }
}

JESSL_INLINE void check_views(std::string_view loss, const std::vector<torch::Tensor>& views, std::int64_t least_images,
                              std::size_t least_views) {
  JESSL_CHECK(views.size() >= least_views, ConfigError, "jessl::loss::", loss, ": there are ", views.size(),
              " views, expected at least ", least_views);
  check_embeddings(loss, "views", views, views[0]);
  JESSL_CHECK(views[0].size(0) >= least_images, ShapeError, "jessl::loss::", loss, ": views[0] is ", shape_of(views[0]),
              ", expected [N, D] with N >= ", least_images);
}

JESSL_INLINE std::vector<torch::Tensor> in_full_precision(const std::vector<torch::Tensor>& views) {
  std::vector<torch::Tensor> full;
  full.reserve(views.size());
  for (const torch::Tensor& view : views) {
    full.push_back(view.scalar_type() == torch::kFloat64 ? view : view.to(torch::kFloat32));
  }
  return full;
}

JESSL_INLINE torch::Tensor unit_rows(const torch::Tensor& z) {
  const auto length = z.norm(2, /*dim=*/1, /*keepdim=*/true);
  return z / length.masked_fill(length < 1e-12, std::numeric_limits<double>::infinity());
}

JESSL_INLINE std::vector<torch::Tensor> unit_rows(const std::vector<torch::Tensor>& views) {
  std::vector<torch::Tensor> unit = in_full_precision(views);
  for (torch::Tensor& z : unit) z = unit_rows(z);
  return unit;
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
