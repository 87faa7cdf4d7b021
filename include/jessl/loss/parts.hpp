// SPDX-License-Identifier: Apache-2.0
// The terms of which a loss is the sum, for whoever watches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>

namespace jessl::loss {

/// A term of a loss.
///
/// Shapes     none
/// Errors     none
/// Models     none
/// Source     none
struct Part {
  std::string name;    ///< "invariance"
  double value = 0.0;  ///< with its weight, so that all terms add up to the loss
};

/// Hears the terms of the losses that are computed on the thread that made it, while it lives there: on the stack.
///
///     loss::Parts parts;
///     const torch::Tensor value = loss::VICReg{}(z1, z2);
///     for (const auto& [name, term] : parts.values()) std::cout << name << ' ' << term << '\n';
///
/// Trainer has one in each step and hands the terms to the callbacks (train::StepRecord::parts); another around Trainer::step
/// hears them, too.
///
/// Shapes     none
/// Cost       values(): a wait for the device
/// Errors     none
/// Models     none
/// Source     none
class Parts {
 public:
  Parts();
  ~Parts();
  Parts(const Parts&) = delete;
  Parts(Parts&&) = delete;
  Parts& operator=(const Parts&) = delete;
  Parts& operator=(Parts&&) = delete;

  /// What was told, in the order of the names' first mention; of a name that was told again the sum.
  [[nodiscard]] std::vector<Part> values() const;

 private:
  friend void tell_part(std::string_view name, const torch::Tensor& value, double weight);

  void add(std::string_view name, const torch::Tensor& term);

  Parts* outer_;
  std::vector<std::string> names_;
  std::vector<torch::Tensor> sums_;  // [] each
};

/// Tells a term of a loss that is being computed, `weight` times the sum of `value`, to every Parts on this thread. The terms of
/// a loss add up to it.
///
/// Shapes     value: any
/// Cost       a sum, where it is heard; else next to nothing
/// Errors     ConfigError for a name of other characters than a to z, digits and _, which logs write as it is
/// Source     none
void tell_part(std::string_view name, const torch::Tensor& value, double weight = 1.0);

}  // namespace jessl::loss

#if JESSL_DEFINITIONS

namespace jessl::loss {

namespace detail {

[[nodiscard]] JESSL_INLINE Parts*& hearing() {
  static thread_local Parts* parts = nullptr;
  return parts;
}

}  // namespace detail

JESSL_INLINE Parts::Parts() : outer_(detail::hearing()) { detail::hearing() = this; }

JESSL_INLINE Parts::~Parts() {
  Parts** place = &detail::hearing();
  while (*place != nullptr && *place != this) place = &(*place)->outer_;
  if (*place == this) *place = outer_;
}

JESSL_INLINE std::vector<Part> Parts::values() const {
  if (sums_.empty()) return {};
  std::vector<torch::Tensor> sums;
  for (const torch::Tensor& sum : sums_) sums.push_back(sum.to(sums_.front().device(), torch::kDouble));
  const torch::Tensor all = torch::stack(sums).to(torch::kCPU);
  std::vector<Part> parts;
  for (std::size_t i = 0; i < names_.size(); ++i) parts.push_back({names_[i], all.data_ptr<double>()[i]});
  return parts;
}

JESSL_INLINE void Parts::add(std::string_view name, const torch::Tensor& term) {
  const auto known = std::find(names_.begin(), names_.end(), name);
  if (known == names_.end()) {
    names_.emplace_back(name);
    sums_.push_back(term);
  } else {
    torch::Tensor& sum = sums_[static_cast<std::size_t>(known - names_.begin())];
    sum = sum + term;
  }
}

JESSL_INLINE void tell_part(std::string_view name, const torch::Tensor& value, double weight) {
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  JESSL_CHECK(!name.empty() && std::all_of(name.begin(), name.end(), allowed), ConfigError,
              "jessl::loss::tell_part: the name is \"", name, "\", expected letters a to z, digits and _");
  if (detail::hearing() == nullptr) return;
  const torch::Tensor term = value.detach().sum() * weight;
  for (Parts* parts = detail::hearing(); parts != nullptr; parts = parts->outer_) parts->add(name, term);
}

}  // namespace jessl::loss

#endif  // JESSL_DEFINITIONS
