// SPDX-License-Identifier: Apache-2.0
// From a method and a backbone to a trainer.
#pragma once

#include <utility>

#include <jessl/method/concept.hpp>
#include <jessl/train/trainer.hpp>

namespace jessl::method {

/// A trainer of the method's policies and a backbone, on other views than the method's own, whose `augmentation` is not read.
///
///     jessl::method::SwAV swav;
///     auto trainer = jessl::method::make_trainer(swav, jessl::backbone::resnet18(), jessl::augment::swav<0>(swav.augmentation));
///     trainer.fit(train, swav.fit);
///
/// Errors     as Trainer's constructor
template <class M, class B, class A>
[[nodiscard]] auto make_trainer(const M& method, B backbone, A views) {
  require_method<M>();
  if constexpr (Method<M>)  // so that the members that it lacks are not missed one by one
    return Trainer{std::move(views), std::move(backbone), method.projector, method.loss, method.optimizer};
}

/// A trainer of the method's policies and a backbone.
///
///     jessl::method::SimCLR simclr;
///     simclr.fit.epochs = 200;
///     auto trainer = jessl::method::make_trainer(simclr, jessl::backbone::resnet18());
///     trainer.fit(train, simclr.fit);
///
/// Errors     as Trainer's constructor; those of the augmentation's settings
template <class M, class B>
[[nodiscard]] auto make_trainer(const M& method, B backbone) {
  require_method<M>();
  if constexpr (Method<M>) return make_trainer(method, std::move(backbone), method.views());
}

}  // namespace jessl::method
