// SPDX-License-Identifier: Apache-2.0
// A contrastive loss with negatives from elsewhere than its batch.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/hana/define_struct.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/core/communicator.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/detail/attend.hpp>
#include <jessl/loss/detail/contrastive.hpp>
#include <jessl/loss/detail/views.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <jessl/loss/negatives.hpp>

namespace jessl::loss {

namespace detail {

/// "NTXent against Queue".
template <class L, class N>
inline constexpr auto against_name = [] {
  constexpr std::string_view parts[] = {L::name, " against ", N::name};
  std::array<char, parts[0].size() + parts[1].size() + parts[2].size()> text{};
  std::size_t end = 0;
  for (const std::string_view part : parts) {
    for (const char letter : part) text[end++] = letter;
  }
  return text;
}();

}  // namespace detail

/// A contrastive loss whose negatives come from elsewhere than its batch: a queue, images that never change, or nowhere.
///
/// Made by `loss::NTXent{}.against(loss::Queue{.size = 4096})`; likewise DCL and DCLW, InBatch, Fixed and None. All rows of
/// all views have the same negatives; log sum exp s_ij goes over these where the loss's own page says "all other images".
/// `loss(views, group)`          against InBatch (the loss itself, to the last bit) and None
/// `loss(views, queue, group)`   against Queue: with the rows of earlier steps; then this step's are put in
/// `loss(views, images, group)`  against Fixed: with the embeddings [M, D] of the images, which have a gradient
///
/// Shapes     views: V x [N, D], images: [M, D] -> []      N images per rank, D embedding width
/// Units      the loss's and the negatives'
/// Precision  reduced in float32 under autocast; float64 stays
/// Cost       O(V N M D) time for M negatives, O(V N D) memory beside them. Queue gathers W N D numbers per view, without
///            gradient; Fixed and None gather nothing, but for DCLW's weights
/// Randomness none; a queue starts with random directions
/// Errors     ConfigError for a setting out of range, fewer than two views, views, queue or images of different devices or
///            types; ShapeError for views of different shapes or not [N, D], a queue or images of another width
/// Models     jessl::Loss (docs/loss/README.md); against Queue jessl::StatefulLoss, against Fixed jessl::ImagesLoss
/// Source     as the loss and the negatives
/// Differs    none
template <class L, class N>
struct Against {
  static_assert(
      Negatives<N>,
      "jessl::loss::Against requires 'Negatives' to be jessl::loss::Negatives: InBatch, Queue, Fixed or None; see "
      "docs/loss/against.md");
  static_assert(
      !(std::same_as<N, None> && requires { requires L::needs_negatives; }),
      "jessl::loss::Against: without negatives this loss is 0 for any embeddings, and learns nothing; take DCL; "
      "see docs/loss/against.md");

  static constexpr std::string_view name{detail::against_name<L, N>.data(), detail::against_name<L, N>.size()};

  // loss: its own settings; negatives: theirs
  BOOST_HANA_DEFINE_STRUCT(Against, (L, loss), (N, negatives));

  /// The queue.
  [[nodiscard]] EmbeddingQueue make(std::int64_t width) const requires std::same_as<N, Queue> {
    negatives.check();
    return EmbeddingQueue(negatives.size, width);
  }

  /// The images that are the negatives.
  [[nodiscard]] torch::Tensor images() const requires std::same_as<N, Fixed> {
    negatives.check();
    return negatives.images;
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const Group& group = {}) const requires std::same_as<N, InBatch> {
    return loss(views, group);
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views,
                                         const Group& group = {}) const requires std::same_as<N, None> {
    check();
    detail::check_views(name, views, 1);
    const Autocast full_precision(views[0].device().type(), Precision::float32);
    const std::vector<torch::Tensor> rows = detail::unit_rows(views);
    // The term is left out, which a log sum of 0 does where the loss is a difference.
    const auto left_out = torch::zeros({2, rows[0].size(0)}, rows[0].options().requires_grad(false));
    return detail::contrast(loss, rows, group, [&](std::size_t, std::size_t) { return left_out; });
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const EmbeddingQueue& queue,
                                         const Group& group = {}) const requires std::same_as<N, Queue> {
    check();
    detail::check_views(name, views, 1);
    const auto others = detail::rows_of(name, queue, negatives.size, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);
    const std::vector<torch::Tensor> rows = detail::unit_rows(views);
    const torch::Tensor value = contrast_with(others, rows, group);
    for (const torch::Tensor& newest : rows) queue.ptr()->enqueue(detail::gathered(newest.detach(), group));
    return value;
  }

  template <Communicator<torch::Tensor> Group = SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& images,
                                         const Group& group = {}) const requires std::same_as<N, Fixed> {
    check();
    detail::check_views(name, views, 1);
    detail::check_rows(name, images, views[0]);
    const Autocast full_precision(views[0].device().type(), Precision::float32);
    return contrast_with(detail::unit_rows(std::vector{images})[0], detail::unit_rows(views), group);
  }

  void check() const {
    loss.check();
    negatives.check();
  }

 private:
  /// All rows V x [N, D] against the same others [M, D].
  template <class Group>
  [[nodiscard]] torch::Tensor contrast_with(const torch::Tensor& others, const std::vector<torch::Tensor>& rows,
                                            const Group& group) const {
    const auto sums = detail::log_sum_exp_of(torch::cat(rows), others, 1 / loss.temperature)
                          .view({static_cast<std::int64_t>(rows.size()), -1});  // [V, N]
    return detail::contrast(loss, rows, group, [&](std::size_t a, std::size_t b) {
      return torch::stack({sums[static_cast<std::int64_t>(a)], sums[static_cast<std::int64_t>(b)]});
    });
  }
};

}  // namespace jessl::loss
