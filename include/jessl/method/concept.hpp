// SPDX-License-Identifier: Apache-2.0
// What a published method is: the policies that it was published with, and how long and in which batches it trains.
#pragma once

#include <concepts>
#include <string_view>

#include <jessl/core/options.hpp>
#include <jessl/core/views.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/projector/concept.hpp>
#include <jessl/train/options.hpp>

namespace jessl {

/// A published method: everything of a run but the data and the backbone, as settings that can be read, printed and changed.
///
/// `M::name`         as the paper calls it
/// `.augmentation`   settings of the views; `.views()` makes the view maker from them
/// `.projector`, `.loss`, `.optimizer`   policies
/// `.fit`            epochs, batch size, warm-up
///
/// Errors     none
/// Source     none
template <class M>
concept Method = Options<M> && requires(const M& method) {
  { M::name } -> std::convertible_to<std::string_view>;
  { method.augmentation } -> Recorded;
  { method.views() } -> ViewMaker;
  { method.projector } -> Projector;
  { method.optimizer } -> Optimizer;
  { method.fit } -> std::convertible_to<FitOptions>;
  requires Loss<decltype(M::loss)> || SupervisedLoss<decltype(M::loss)>;
};

/// Says at compile time what `M` lacks to be a jessl::Method.
template <class M>
constexpr void require_method() {
  static_assert(Method<M>,
                "jessl::method::make_trainer requires 'Method' to be a jessl::Method: a name, adapted settings "
                "'augmentation', 'projector', 'loss', 'optimizer' and 'fit', and views(); see docs/method/README.md");
}

}  // namespace jessl
