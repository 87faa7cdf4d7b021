// SPDX-License-Identifier: Apache-2.0
// Tests of ReSSL.
#include <cmath>
#include <vector>

#include <catch2/catch.hpp>

#include <jessl/loss/ressl.hpp>
#include <loss/queued_cases.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::ReSSL;
using jessl::test::embeddings;
using jessl::test::queue_of;
using jessl::test::unit_embeddings;

TEST_CASE("ReSSL: value, gradients and queue agree with the formula written out in float64", "[loss][ressl]") {
  jessl::test::check_queued_cases<ReSSL>("ressl.json");
}

TEST_CASE("ReSSL: a value worked out by hand", "[loss][ressl]") {
  // The student is orthogonal to both rows of the queue: log softmax is -log 2 for each, whatever the teacher says.
  // [first]
  const auto loss = jessl::loss::ReSSL{.queue_size = 2};
  const auto weak = torch::tensor({{1.0, 0.0, 0.0}});                     // the teacher's embedding of the first view
  const auto strong = torch::tensor({{0.0, 2.0, 0.0}}).requires_grad_();  // the student's of the second
  auto queue = loss.make(3);  // of earlier steps; at first random directions
  queue->enqueue(torch::tensor({{1.0, 0.0, 0.0}, {0.0, 0.0, 1.0}}));
  torch::Tensor value = loss({weak, strong}, {weak}, queue);  // and the teacher's embedding joins the queue
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(2.0)).epsilon(1e-6));
  // The student is drawn to the row that the teacher knows: p = 1 / (1 + e^-25) for the first row, and the gradient to q is
  // sum_j (1/2 - p_j) r_j / 0.1, of which q = (0, 1, 0) has nothing along itself, over its length 2.
  const double p = 1 / (1 + std::exp(-25.0));
  CHECK(strong.grad()[0][0].item<double>() == Approx((0.5 - p) / 0.1 / 2).epsilon(1e-5));
  CHECK(strong.grad()[0][2].item<double>() == Approx((p - 0.5) / 0.1 / 2).epsilon(1e-5));
  CHECK(torch::equal(queue->rows[0], weak[0]));
}

TEST_CASE("ReSSL: students are all views but the first, of which the target alone counts", "[loss][ressl]") {
  const ReSSL loss{.queue_size = 6};
  const auto a = embeddings(4, 5, 0).requires_grad_(), b = embeddings(4, 5, 1), c = embeddings(4, 5, 2);
  const auto k = embeddings(4, 5, 0.1), rows = unit_embeddings(6, 5, 3);
  const auto of = [&](const std::vector<torch::Tensor>& views, const std::vector<torch::Tensor>& targets) {
    return loss(views, targets, queue_of(loss, rows));
  };
  const auto three = of({a, b, c}, {k, c});
  CHECK(three.item<double>() == Approx((of({c, b}, {k}) + of({a, c}, {k, b})).item<double>() / 2).epsilon(1e-12));
  CHECK(!three.requires_grad());
}

TEST_CASE("ReSSL: autograd's gradient is that of finite differences", "[loss][ressl]") {
  const ReSSL loss{.queue_size = 9};
  const jessl::loss::Embedded given{.views = {embeddings(4, 3, 0), embeddings(4, 3, 0.7), embeddings(4, 3, 1.1)},
                                    .targets = {embeddings(4, 3, 0.2)}};
  const auto students = [&](const std::vector<torch::Tensor>& views) {
    return loss({given.views[0], views[0], views[1]}, given.targets, queue_of(loss, unit_embeddings(9, 3, 3)));
  };
  CHECK(jessl::test::finite_difference_error(students, {given.views[1], given.views[2]}) < 1e-7);
}

TEST_CASE("ReSSL: many tiles give what one matrix gives, without holding it", "[loss][ressl]") {
  const ReSSL loss{.queue_size = 1300};
  const auto rows = unit_embeddings(1300, 6, 3), k = unit_embeddings(700, 6, 0.3);
  const auto q = embeddings(700, 6, 0).requires_grad_(), plain_q = q.detach().clone().requires_grad_();
  const auto value = loss({k, q}, {k}, queue_of(loss, rows));
  value.backward();
  const auto y = plain_q / plain_q.norm(2, 1, true);
  const auto plain = -((k.mm(rows.t()) / 0.04).softmax(1) * (y.mm(rows.t()) / 0.1).log_softmax(1)).sum(1).mean();
  plain.backward();
  CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
  CHECK(jessl::test::relative_error(q.grad(), plain_q.grad()) < 1e-11);

  // 1000 images against 20000 rows: each of the two matrices would take 80 MB.
  const ReSSL large{.queue_size = 20000};
  const auto queue = large.make(8);
  const auto z = embeddings(1000, 8, 0).to(torch::kFloat32).requires_grad_();
  const jessl::test::PeakMemory peak;
  large({z, z}, {z}, queue).backward();
  CHECK(peak.bytes() < 4'000'000);
}

TEST_CASE("ReSSL: settings and arguments that don't fit are refused", "[loss][ressl]") {
  const auto z = embeddings(4, 3, 0);
  const auto queue = ReSSL{.queue_size = 2}.make(3);
  CHECK_THROWS_WITH((ReSSL{.temperature = 0}({z, z}, {z}, queue)),
                    "jessl::loss::ReSSL: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_WITH((ReSSL{.teacher_temperature = 0}({z, z}, {z}, queue)),
                    "jessl::loss::ReSSL: teacher_temperature is 0, expected a finite number > 0");
  CHECK_THROWS_WITH(ReSSL{.queue_size = 0}.make(3),
                    "jessl::loss::ReSSL: queue_size is 0, expected a whole number >= 1");
  CHECK_THROWS_WITH(ReSSL{.teacher = {.final_momentum = -1}}.check(),
                    "jessl::loss::ReSSL: teacher.final_momentum is -1, expected a number in [0, 1]");
  CHECK_THROWS_WITH((ReSSL{.queue_size = 2}({embeddings(4, 5, 0), embeddings(4, 5, 0)}, {embeddings(4, 5, 0)}, queue)),
                    "jessl::loss::ReSSL: the queue is [2, 3], expected rows of D = 5 as views[0]");
}
