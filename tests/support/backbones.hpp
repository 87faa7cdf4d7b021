// SPDX-License-Identifier: Apache-2.0
// Compares backbones with what the scripts of tests/reference/backbone/ wrote of other programs' networks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <jessl/core/tensor.hpp>
#include <support/safetensors.hpp>

namespace jessl::test {

/// By the network's name the lines "parameter features.0.weight 64 3 3 3" of a file that record.py wrote, in its order.
inline std::map<std::string, std::vector<std::string>> reference_keys(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/backbone/" + file);
  REQUIRE(stream);
  std::map<std::string, std::vector<std::string>> keys;
  std::string name;
  for (std::string line; std::getline(stream, line);) {
    if (line[0] != ' ')
      name = line;
    else
      keys[name].push_back(line.substr(2));
  }
  return keys;
}

/// The same of a module here: parameters, then buffers, each in the module's order.
inline std::vector<std::string> module_keys(const torch::nn::Module& module) {
  std::vector<std::string> keys;
  const auto add = [&keys](const char* kind, const auto& entry) {
    std::string line = std::string(kind) + ' ' + entry.key();
    for (const auto extent : entry.value().sizes()) line += ' ' + std::to_string(extent);
    keys.push_back(line);
  };
  for (const auto& entry : module.named_parameters()) add("parameter", entry);
  for (const auto& entry : module.named_buffers()) add("buffer", entry);
  return keys;
}

/// Irregular numbers in [-1, 1), as record.py makes them.
inline torch::Tensor closed_noise(std::int64_t count, std::int64_t k) {
  const std::int64_t m = 2147483647;
  auto x = (torch::arange(count) * 48271 + 7919 * k + 12345) % m;
  x = (x * x + 1) % m;
  x = (x * x + k) % m;
  return x.to(torch::kFloat64) / 1073741824.0 - 1;
}

/// Fills a module's parameters as record.py does.
inline void fill_by_formula(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  std::int64_t k = 0;
  for (const auto& entry : module.named_parameters()) {
    auto parameter = entry.value();
    auto value = closed_noise(parameter.numel(), k++).view(parameter.sizes());
    if (parameter.dim() > 1) {
      value = value * std::sqrt(6.0 / static_cast<double>(parameter[0].numel()));
    } else {
      value = entry.key().ends_with("weight") ? 1 + 0.2 * value : 0.1 * value;
    }
    parameter.copy_(value);
  }
}

/// Whether features and gradients are those of a case of record.py's measure(): in float64, and in float32 with weights and
/// images in row order and channels last; `step` is the script's. The network is in the mode that the caller chose.
template <class Net>
void check_case(Net net, const nlohmann::json& wanted, std::int64_t step, double in_float64, double in_float32,
                std::optional<double> gradients_in_float32 = std::nullopt) {
  const auto shape = wanted["shape"].get<std::vector<std::int64_t>>();
  const auto filled = closed_noise(shape[0] * shape[1] * shape[2] * shape[3], 99).view(shape);
  for (const auto type : {torch::kFloat64, torch::kFloat32}) {
    for (const bool channels_last : {false, true}) {
      if (channels_last && type == torch::kFloat64) continue;
      INFO(type << (channels_last ? ", channels last" : ""));
      const double tolerance = type == torch::kFloat64 ? in_float64 : in_float32;
      const auto order = channels_last ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous;
      net->to(type);
      for (auto& p : net->parameters()) {
        if (p.dim() == 4) p.set_data(p.contiguous(order));
      }
      fill_by_formula(*net);
      net->zero_grad();
      auto images = filled.to(type).clone(order).requires_grad_();
      const auto features = net->forward(images);
      REQUIRE(features.sizes() == at::IntArrayRef{shape[0], wanted["width"].get<std::int64_t>()});
      const auto some = features.slice(1, 0, c10::nullopt, step);
      CHECK(relative_error(some, to_tensor(wanted["features"], some.sizes().vec())) < tolerance);

      (features * closed_noise(features.numel(), 77).view(features.sizes())).sum().backward();
      std::map<std::string, torch::Tensor> gradients{{"images", images.grad()}};
      std::vector<std::string> names{"images"};
      for (const auto& entry : net->named_parameters()) {
        gradients[entry.key()] = entry.value().grad();
        names.push_back(entry.key());
      }
      REQUIRE(wanted["gradients"].size() == names.size());
      const auto length_of = [&](const std::string& name) {
        return wanted["gradients"][name][1].template get<double>();
      };
      double longest = 0;
      for (const std::string& name : names) longest = std::max(longest, length_of(name));
      double largest = 0;
      std::string where;
      for (std::size_t k = 0; k < names.size(); ++k) {
        const auto gradient = gradients.at(names[k]).to(torch::kFloat64).contiguous().view(-1);
        const double length = gradient.norm().template item<double>();
        const double product =
            gradient.dot(closed_noise(gradient.numel(), 1000 + static_cast<std::int64_t>(k))).template item<double>();
        const auto expected = wanted["gradients"][names[k]][0].template get<double>();
        double error = std::max(std::abs(product - expected), std::abs(length - length_of(names[k])));
        // Shifts before a batch norm have no gradient but rounding's.
        const bool none = length_of(names[k]) < 1e-9 * longest;
        error /= none ? longest : length_of(names[k]);
        if (!(error <= largest)) {
          largest = error;
          where = names[k];
        }
      }
      INFO("the gradient of " << where);
      CHECK(largest < (type == torch::kFloat64 ? in_float64 : gradients_in_float32.value_or(in_float32)));
    }
  }
}

}  // namespace jessl::test
