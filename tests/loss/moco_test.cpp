// SPDX-License-Identifier: Apache-2.0
// Tests of MoCo.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/moco.hpp>
#include <loss/queued_cases.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::MoCo;
using jessl::test::embeddings;
using jessl::test::queue_of;
using jessl::test::unit_embeddings;

TEST_CASE("MoCo: value, gradients and queue agree with the formula written out in float64", "[loss][moco]") {
  jessl::test::check_queued_cases<MoCo>("moco.json");
}

TEST_CASE("MoCo: value and gradients, also of the queue, agree with the reference collection",
          "[loss][moco][outside]") {
  const std::string folder = JESSL_REFERENCE_DIR "/reference/losses/";
  if (!std::filesystem::exists(folder + "index.json")) {
    JESSL_SKIP("the collection of reference numbers is not there: no " << folder << "index.json");
    return;
  }
  std::ifstream stream(folder + "index.json");
  int cases = 0;
  for (const auto& entry : jessl::Json::parse(stream)) {
    if (entry["loss"] != "moco") continue;
    ++cases;
    INFO(entry["file"]);
    auto tensors = jessl::test::read_safetensors(folder + entry["file"].get<std::string>());
    for (const auto& [type, tolerance] : {std::pair{torch::kFloat64, 1e-10}, std::pair{torch::kFloat32, 1e-5}}) {
      const auto q = tensors["q"].to(type).detach().clone().requires_grad_();
      const auto queue = tensors["queue"].to(type).detach().clone().requires_grad_();
      const auto value = jessl::from_json<MoCo>(entry["params"])(q, tensors["k"].to(type), queue);
      CHECK(value.item<double>() == Approx(entry["value"].get<double>()).epsilon(tolerance));
      value.backward();
      CHECK(jessl::test::relative_error(q.grad(), tensors["grad_q"]) < tolerance);
      CHECK(jessl::test::relative_error(queue.grad(), tensors["grad_queue"]) < tolerance);
    }
  }
  CHECK(cases >= 5);
}

TEST_CASE("MoCo: a value worked out by hand", "[loss][moco]") {
  // Each query equals its key and is orthogonal to all three rows of the queue: log(e^(1/t) + 3) - 1/t.
  // [first]
  const auto loss = jessl::loss::MoCo{.temperature = 0.5, .queue_size = 3};
  const auto z1 = torch::tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0, 0.0}, {0.0, 3.0, 0.0}});
  const auto keys = std::vector{z1.detach(), z2};  // the teacher's embeddings of the same views
  auto queue = loss.make(3);                       // of earlier steps; at first random directions
  queue->enqueue(torch::tensor({{0.0, 0.0, 1.0}, {0.0, 0.0, 1.0}, {0.0, 0.0, 1.0}}));
  torch::Tensor value = loss({z1, z2}, keys, queue);  // and the keys join the queue
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(std::exp(2.0) + 3) - 2).epsilon(1e-6));
  CHECK(torch::equal(queue->rows, torch::tensor({{0.0, 1.0, 0.0}, {0.0, 1.0, 0.0}, {1.0, 0.0, 0.0}})));
}

TEST_CASE("MoCo: a query does not meet its own key among the negatives", "[loss][moco]") {
  // The queue has room for this step's keys alone: were they put in first, the value would be that of the second step.
  const auto a = embeddings(4, 5, 0), b = embeddings(4, 5, 1), k = embeddings(4, 5, 2);
  const MoCo loss{.queue_size = 4, .symmetric = false};
  const auto rows = unit_embeddings(4, 5, 3);
  const auto queue = queue_of(loss, rows);
  const double first = loss({a, b}, {k, k}, queue).item<double>();
  CHECK(first == Approx(loss(a, k, rows).item<double>()).epsilon(1e-12));
  const double second = loss({a, b}, {k, k}, queue).item<double>();
  CHECK(second == Approx(loss(a, k, k).item<double>()).epsilon(1e-12));
  CHECK(std::abs(first - second) > 0.1);
}

TEST_CASE("MoCo: symmetric, it is the mean of all queries against the keys of other views", "[loss][moco]") {
  const MoCo loss{.queue_size = 6};
  const auto a = embeddings(4, 5, 0), b = embeddings(4, 5, 1), c = embeddings(4, 5, 2);
  const auto ka = embeddings(4, 5, 0.1), kb = embeddings(4, 5, 1.1);
  const auto rows = unit_embeddings(6, 5, 3);
  const auto mean = (loss(a, kb, rows) + loss(b, ka, rows) + loss(c, ka, rows) + loss(c, kb, rows)) / 4;
  CHECK(loss({a, b, c}, {ka, kb}, queue_of(loss, rows)).item<double>() == Approx(mean.item<double>()).epsilon(1e-12));
  // Of one target alone, the first view is no query.
  const auto one = (loss(b, ka, rows) + loss(c, ka, rows)) / 2;
  CHECK(loss({a, b, c}, {ka}, queue_of(loss, rows)).item<double>() == Approx(one.item<double>()).epsilon(1e-12));
}

TEST_CASE("MoCo: the gradient of a step does not change when the queue goes on", "[loss][moco]") {
  const MoCo loss{.queue_size = 6};
  const auto gradient = [&](int steps_before_backward) {
    const auto a = embeddings(4, 5, 0).requires_grad_(), b = embeddings(4, 5, 1);
    const auto queue = queue_of(loss, unit_embeddings(6, 5, 3));
    const auto value = loss({a, b}, {a, b}, queue);
    for (int i = 0; i < steps_before_backward; ++i) (void)loss({b, b}, {b, b}, queue);
    value.backward();
    return a.grad();
  };
  CHECK(torch::equal(gradient(0), gradient(2)));
}

TEST_CASE("MoCo: autograd's gradient is that of finite differences", "[loss][moco]") {
  const jessl::loss::Embedded given{.views = {embeddings(4, 3, 0), embeddings(4, 3, 0.7)},
                                    .targets = {embeddings(4, 3, 0.2), embeddings(4, 3, 0.9)}};
  CHECK(jessl::test::queued_gradient_error(MoCo{.queue_size = 9}, given, unit_embeddings(9, 3, 3)) < 1e-7);
  // Against rows that are given, which have a gradient where they want one.
  const auto direct = [](const std::vector<torch::Tensor>& z) { return MoCo{}(z[0], z[1], z[2]); };
  CHECK(jessl::test::finite_difference_error(
            direct, {embeddings(4, 3, 0), embeddings(4, 3, 0.7), embeddings(9, 3, 1.2)}) < 1e-7);
}

TEST_CASE("MoCo: many tiles give what one matrix gives, without holding it", "[loss][moco]") {
  // 700 queries and 1300 rows make two and three tiles.
  const MoCo loss{.temperature = 0.07, .queue_size = 1300, .symmetric = false};
  const auto rows = unit_embeddings(1300, 6, 3), k = unit_embeddings(700, 6, 0.3);
  const auto q = embeddings(700, 6, 0).requires_grad_(), plain_q = q.detach().clone().requires_grad_();
  const auto value = loss({q, q}, {k, k}, queue_of(loss, rows));
  value.backward();
  const auto y = plain_q / plain_q.norm(2, 1, true);
  const auto logits = torch::cat({(y * k).sum(1, true), y.mm(rows.t())}, 1) / 0.07;
  const auto plain = -logits.log_softmax(1).select(1, 0).mean();
  plain.backward();
  CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  CHECK(jessl::test::relative_error(q.grad(), plain_q.grad()) < 1e-11);

  // 1000 queries against 20000 rows: the matrix would take 80 MB in float32.
  const MoCo large{.queue_size = 20000};
  const auto queue = large.make(8);
  const auto z = embeddings(1000, 8, 0).to(torch::kFloat32).requires_grad_();
  const jessl::test::PeakMemory peak;
  large({z, z}, {z, z}, queue).backward();
  CHECK(peak.bytes() < 4'000'000);
}

TEST_CASE("MoCo: stays finite where exp would overflow", "[loss][moco]") {
  // At temperature 0.01 the logits reach 100, and exp(100) is beyond float32.
  const MoCo loss{.temperature = 0.01, .queue_size = 9};
  const auto a = embeddings(16, 8, 0), b = embeddings(16, 8, 0.1), rows = unit_embeddings(9, 8, 0.05);
  const double exact = loss({a, b}, {a, b}, queue_of(loss, rows)).item<double>();
  const auto single = a.to(torch::kFloat32).requires_grad_();
  const auto value = loss({single, b.to(torch::kFloat32)}, {single, b.to(torch::kFloat32)}, queue_of(loss, rows));
  CHECK(value.item<double>() == Approx(exact).epsilon(1e-4));  // float32 rounds logits of 100 by 8e-6
  value.backward();
  CHECK(single.grad().isfinite().all().item<bool>());
}

TEST_CASE("MoCo: settings and arguments that don't fit are refused", "[loss][moco]") {
  const auto z = embeddings(4, 3, 0);
  const auto queue = MoCo{}.make(3);
  CHECK_THROWS_WITH((MoCo{.temperature = 0}({z, z}, {z, z}, queue)),
                    "jessl::loss::MoCo: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_WITH(MoCo{.queue_size = 0}.make(3), "jessl::loss::MoCo: queue_size is 0, expected a whole number >= 1");
  CHECK_THROWS_WITH(MoCo{.teacher = {.momentum = 2}}.check(),
                    "jessl::loss::MoCo: teacher.momentum is 2, expected a number in [0, 1]");
  CHECK_THROWS_WITH((MoCo{.symmetric = false}({z, z}, {z}, queue)),
                    "jessl::loss::MoCo: there is a target of the first view alone, expected one of the second, which "
                    "is the key where "
                    "symmetric is false");
  CHECK_THROWS_WITH((MoCo{.queue_size = 2}({embeddings(4, 5, 0), embeddings(4, 5, 0)}, {embeddings(4, 5, 0)},
                                           MoCo{.queue_size = 2}.make(3))),
                    "jessl::loss::MoCo: the queue is [2, 3], expected rows of D = 5 as views[0]");
  CHECK_THROWS_WITH(
      MoCo{}({z, z}, {z}, MoCo{.queue_size = 2}.make(3)),
      "jessl::loss::MoCo: the queue has 2 rows, expected 65536 as in the settings; let make() of this loss "
      "make the queue");
  CHECK_THROWS_AS(MoCo{}({z, z}, {z}, MoCo{.queue_size = 2}.make(3)), jessl::ConfigError);
  CHECK_THROWS_WITH(MoCo{}(z, z, torch::zeros({0, 3}, torch::kFloat64)),
                    "jessl::loss::MoCo: the negatives are [0, 3], expected [M, D] with M >= 1 and D = 3 as views[0]");
  CHECK_THROWS_AS(MoCo{}(z, z, torch::zeros({2, 3})), jessl::ConfigError);
}
