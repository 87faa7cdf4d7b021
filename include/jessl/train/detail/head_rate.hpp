// SPDX-License-Identifier: Apache-2.0
// SGD with a learning rate of its own for the projector.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/optim/concept.hpp>
#include <jessl/optim/sgd.hpp>

namespace jessl::train::detail {

/// SGD in which the projector learns at a rate of its own. Schedules move both alike: lr() is the backbone's.
struct HeadRate {
  static constexpr std::string_view name = "HeadRate";

  optim::SGD sgd{};      ///< its lr is the backbone's
  double head_lr = 0.1;  ///< the projector's learning rate

  class State {
   public:
    State(const HeadRate& settings, const optim::NamedParameters& body, const optim::NamedParameters& head);

    void step() {
      body_.step();
      head_.step();
    }
    void zero_grad() {
      body_.zero_grad();
      head_.zero_grad();
    }
    void set_lr(double lr) {
      body_.set_lr(lr);
      head_.set_lr(lr * ratio_);
    }
    [[nodiscard]] double lr() const { return body_.lr(); }

    [[nodiscard]] StateDict state_dict() const;

    /// Nothing is changed when it throws: the body's part is checked on a copy.
    void load_state_dict(const StateDict& state);

   private:
    inline static const std::string body_prefix = "body/";
    inline static const std::string head_prefix = "head/";

    optim::StateOf<optim::SGD> body_;
    optim::StateOf<optim::SGD> head_;
    double ratio_;
  };

  [[nodiscard]] State attach(const optim::NamedParameters& parameters) const;
};
static_assert(Optimizer<HeadRate>);

}  // namespace jessl::train::detail

JESSL_OPTIONS(jessl::train::detail::HeadRate, sgd, head_lr);

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE HeadRate::State::State(const HeadRate& settings, const optim::NamedParameters& body,
                                    const optim::NamedParameters& head)
    : body_(settings.sgd.attach(body)), head_(settings.sgd.attach(head)), ratio_(settings.head_lr / settings.sgd.lr) {
  set_lr(settings.sgd.lr);
}

JESSL_INLINE StateDict HeadRate::State::state_dict() const {
  StateDict state;
  for (const auto& [entry, tensor] : body_.state_dict()) state[body_prefix + entry] = tensor;
  for (const auto& [entry, tensor] : head_.state_dict()) state[head_prefix + entry] = tensor;
  return state;
}

JESSL_INLINE void HeadRate::State::load_state_dict(const StateDict& state) {
  StateDict body, head;
  for (const auto& [entry, tensor] : state) {
    const bool of_head = entry.starts_with(head_prefix);
    JESSL_CHECK(of_head || entry.starts_with(body_prefix), ConfigError, "jessl::train::FineTuning: the state has \"",
                entry, "\", which this optimizer does not know; it belongs to another optimizer");
    (of_head ? head : body)[entry.substr((of_head ? head_prefix : body_prefix).size())] = tensor;
  }
  const StateDict before = body_.state_dict();
  body_.load_state_dict(body);
  try {
    head_.load_state_dict(head);
  } catch (...) {
    body_.load_state_dict(before);
    throw;
  }
}

JESSL_INLINE HeadRate::State HeadRate::attach(const optim::NamedParameters& parameters) const {
  JESSL_CHECK(std::isfinite(sgd.lr) && sgd.lr > 0, ConfigError, "jessl::train::FineTuning: optimizer.lr is ", sgd.lr,
              ", expected a finite number > 0; for a frozen backbone there is train::LinearEvaluation");
  JESSL_CHECK(std::isfinite(head_lr) && head_lr >= 0, ConfigError, "jessl::train::FineTuning: head_lr is ", head_lr,
              ", expected a finite number >= 0");
  optim::NamedParameters all = parameters;
  const auto head = std::stable_partition(
      all.begin(), all.end(), [](const auto& parameter) { return !parameter.first.starts_with("projector."); });
  return {*this, {all.begin(), head}, {head, all.end()}};
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
