// SPDX-License-Identifier: Apache-2.0
// Tests of NNCLR.
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/nnclr.hpp>
#include <loss/queued_cases.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::NNCLR;
using jessl::test::embeddings;
using jessl::test::queue_of;
using jessl::test::unit_embeddings;

TEST_CASE("NNCLR: value, gradients and queue agree with the formula written out in float64", "[loss][nnclr]") {
  jessl::test::check_queued_cases<NNCLR>("nnclr.json");
}

TEST_CASE("NNCLR: a value worked out by hand", "[loss][nnclr]") {
  // The nearest rows of the queue are e1 and e2, which the predictions are, too: log(e^(1/t) + 1) - 1/t, in both directions.
  // [first]
  const auto loss = jessl::loss::NNCLR{.temperature = 0.5, .queue_size = 3};
  const auto p1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();  // predictions
  const auto p2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}}).requires_grad_();
  const auto z1 = torch::tensor({{0.9, 0.1}, {0.2, 0.9}});  // what they were made of
  const auto z2 = torch::tensor({{0.8, 0.3}, {0.0, 0.5}});
  auto queue = loss.make(2);  // of earlier steps; at first random directions
  queue->enqueue(torch::tensor({{0.0, 1.0}, {1.0, 0.0}, {-1.0, 0.0}}));
  torch::Tensor value = loss({p1, p2}, {z1, z2}, queue);  // and z1 joins the queue
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(std::exp(2.0) + 1) - 2).epsilon(1e-6));
  const auto joined = torch::cat({z1 / z1.norm(2, 1, true), torch::tensor({{-1.0, 0.0}})});
  CHECK(jessl::test::relative_error(queue->rows, joined) < 1e-6);
}

TEST_CASE("NNCLR: the nearest of many tiles is the nearest of all, and the first of several", "[loss][nnclr]") {
  const auto rows = unit_embeddings(1300, 4, 3), z = unit_embeddings(700, 4, 0);
  const auto expected = rows.index_select(0, z.mm(rows.t()).argmax(1));
  CHECK(torch::equal(jessl::loss::detail::nearest_rows(z, rows), expected));
  // Rows 3 and 515, in two tiles, are equally near to e1 and differ elsewhere.
  auto several = torch::zeros({600, 2});
  several[3] = torch::tensor({1.0F, 0.25F});
  several[515] = torch::tensor({1.0F, 0.5F});
  CHECK(torch::equal(jessl::loss::detail::nearest_rows(torch::tensor({{1.0F, 0.0F}}), several),
                     torch::tensor({{1.0F, 0.25F}})));

  // 1000 targets among 20000 rows: the matrix would take 80 MB.
  const auto many = torch::randn({20000, 8}), targets = torch::randn({1000, 8});
  const jessl::test::PeakMemory peak;
  (void)jessl::loss::detail::nearest_rows(targets, many);
  CHECK(peak.bytes() < 4'000'000);
}

TEST_CASE("NNCLR: an image is its own neighbour only from the next step on", "[loss][nnclr]") {
  const NNCLR loss{.queue_size = 4};
  const auto z = unit_embeddings(4, 5, 0), p = embeddings(4, 5, 1), rows = unit_embeddings(4, 5, 3);
  const auto queue = queue_of(loss, rows);
  (void)loss({p, p}, {z, z}, queue);
  CHECK(jessl::test::relative_error(queue->rows, z) < 1e-12);
  CHECK(torch::equal(jessl::loss::detail::nearest_rows(z, queue->rows), queue->rows));
}

TEST_CASE("NNCLR: the gradient flows through predictions alone, and is that of finite differences", "[loss][nnclr]") {
  const NNCLR loss{.queue_size = 9};
  const auto target = embeddings(4, 3, 0.2).requires_grad_();
  const jessl::loss::Embedded given{.views = {embeddings(4, 3, 0), embeddings(4, 3, 0.7)},
                                    .targets = {target, embeddings(4, 3, 0.9)}};
  CHECK(jessl::test::queued_gradient_error(loss, given, unit_embeddings(9, 3, 3)) < 1e-7);
  CHECK(!target.grad().defined());
}

TEST_CASE("NNCLR: one image has nothing to be told apart from", "[loss][nnclr]") {
  const NNCLR loss{.queue_size = 3};
  const auto p = embeddings(1, 4, 0).requires_grad_();
  const auto value = loss({p, p}, {p, p}, loss.make(4));
  value.backward();
  CHECK(value.item<double>() == 0);
  CHECK(torch::equal(p.grad(), torch::zeros_like(p)));
}

TEST_CASE("NNCLR: settings and arguments that don't fit are refused", "[loss][nnclr]") {
  const auto z = embeddings(4, 3, 0);
  const auto queue = NNCLR{.queue_size = 2}.make(3);
  CHECK_THROWS_WITH((NNCLR{.temperature = -1}({z, z}, {z, z}, queue)),
                    "jessl::loss::NNCLR: temperature is -1, expected a finite number > 0");
  CHECK_THROWS_WITH(NNCLR{.queue_size = 0}.make(3),
                    "jessl::loss::NNCLR: queue_size is 0, expected a whole number >= 1");
  CHECK_THROWS_WITH((NNCLR{.queue_size = 2}({embeddings(4, 5, 0), embeddings(4, 5, 0)}, {embeddings(4, 5, 0)}, queue)),
                    "jessl::loss::NNCLR: the queue is [2, 3], expected rows of D = 5 as views[0]");
}
