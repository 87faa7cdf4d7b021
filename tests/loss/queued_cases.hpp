// SPDX-License-Identifier: Apache-2.0
// What the tests of losses with a queue do alike: reference cases of whole steps, and queues of given rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/core/communicator.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/concept.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <loss/reference.hpp>

namespace jessl::test {

/// Rows of unit length, [rows, width] in float64.
inline torch::Tensor unit_embeddings(std::int64_t rows, std::int64_t width, double phase) {
  const auto z = embeddings(rows, width, phase);
  return z / z.norm(2, 1, true);
}

/// The state of a loss with just these rows, in their type, the next of which to go is at `position`.
template <class L>
loss::EmbeddingQueue queue_of(const L& loss, const torch::Tensor& rows, std::int64_t position = 0) {
  auto queue = loss.make(rows.size(1));
  queue->rows.set_data(rows.clone());
  queue->position.fill_(position);
  return queue;
}

/// The steps of tests/reference/loss/<file>: value, gradients, and the queue afterwards; float64 to rounding, float32 to 1e-5.
template <class L>
void check_queued_cases(const std::string& file) {
  std::ifstream stream(JESSL_TEST_DATA "/reference/loss/" + file);
  REQUIRE(stream);
  for (const auto& entry : Json::parse(stream)) {
    INFO(entry["settings"]);
    const auto loss = from_json<L>(entry["settings"]);
    const auto shape = entry["shape"].get<std::vector<std::int64_t>>();
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-12}, std::pair{torch::kFloat32, 1e-5}}) {
      loss::Embedded given;
      for (const auto& view : entry["views"]) given.views.push_back(to_tensor(view, shape).to(type).requires_grad_());
      for (const auto& target : entry["targets"]) given.targets.push_back(to_tensor(target, shape).to(type));
      const auto queue =
          queue_of(loss, to_tensor(entry["queue"], {-1, shape[1]}).to(type), entry["position"].get<std::int64_t>());
      const auto value = loss::evaluate(loss, given, queue, SingleProcess{});
      CHECK(value.dim() == 0);
      CHECK(value.template item<double>() == Approx(entry["value"].get<double>()).epsilon(tolerance));
      CHECK(relative_error(queue->rows, to_tensor(entry["queue_after"], {-1, shape[1]})) < tolerance);
      CHECK(queue->position.template item<std::int64_t>() == entry["position_after"].get<std::int64_t>());
      value.backward();
      for (std::size_t v = 0; v < given.views.size(); ++v) {
        CHECK(relative_error(gradient_of(given.views[v]), to_tensor(entry["grads"][v], shape)) < tolerance);
      }
    }
  }
}

/// The largest difference between autograd's gradient and central differences: see finite_difference_error(). Each call of the
/// loss begins with the same queue.
template <class L>
double queued_gradient_error(const L& loss, loss::Embedded given, const torch::Tensor& rows) {
  return finite_difference_error(
      [&](const std::vector<torch::Tensor>& views) {
        given.views = views;
        return loss::evaluate(loss, given, queue_of(loss, rows), SingleProcess{});
      },
      given.views);
}

}  // namespace jessl::test
