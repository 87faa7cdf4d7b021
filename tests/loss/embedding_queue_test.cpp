// SPDX-License-Identifier: Apache-2.0
// Tests of EmbeddingQueue.
#include <cstdint>
#include <deque>
#include <memory>

#include <catch2/catch.hpp>

#include <jessl/core/module_state.hpp>
#include <jessl/loss/embedding_queue.hpp>
#include <loss/reference.hpp>
#include <support/peak_memory.hpp>

using jessl::loss::EmbeddingQueue;
using jessl::test::embeddings;

TEST_CASE("EmbeddingQueue: starts full with random directions, which are a function of the seed",
          "[loss][embedding_queue]") {
  EmbeddingQueue queue(1000, 3);
  CHECK(torch::allclose(queue->rows.norm(2, 1), torch::ones({1000}), 1e-6, 1e-6));
  // The mean of 1000 independent directions has the length 1 / sqrt(1000) = 0.03, or so.
  CHECK(queue->rows.mean(0).norm().item<double>() < 0.1);
  const auto first = queue->rows.clone();
  queue->initialise(7);
  CHECK(!torch::equal(queue->rows, first));
  queue->enqueue(embeddings(5, 3, 0));
  queue->initialise(0);  // that of a new one
  CHECK(torch::equal(queue->rows, first));
  CHECK(queue->position.item<std::int64_t>() == 0);
}

TEST_CASE("EmbeddingQueue: holds the last rows that were put in, whatever their numbers", "[loss][embedding_queue]") {
  EmbeddingQueue queue(7, 2);
  std::deque<double> expected;  // the oldest first
  const auto start = queue->rows.select(1, 0).contiguous();
  for (std::int64_t i = 0; i < 7; ++i) expected.push_back(start[i].item<double>());
  double next = 2;
  for (const std::int64_t count : {3, 3, 3, 7, 1, 0, 16, 2, 8, 14}) {  // across the end, all, none, more than fit
    const auto rows = torch::arange(next, next + static_cast<double>(count)).unsqueeze(1).expand({count, 2});
    queue->enqueue(rows);
    for (std::int64_t i = 0; i < count; ++i) {
      expected.push_back(next++);
      expected.pop_front();
    }
    const auto position = queue->position.item<std::int64_t>();
    REQUIRE((position >= 0 && position < 7));
    for (std::int64_t i = 0; i < 7; ++i)
      CHECK(queue->rows[(position + i) % 7][0].item<double>() == expected[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("EmbeddingQueue: is two buffers, and takes rows without their gradient", "[loss][embedding_queue]") {
  EmbeddingQueue queue(4, 3);
  const auto state = jessl::module_state(*queue);
  REQUIRE(state.size() == 2);
  CHECK(state.at("rows").is_same(queue->rows));
  CHECK(state.at("position").is_same(queue->position));
  CHECK(queue->parameters().empty());

  queue->enqueue(embeddings(2, 3, 0).requires_grad_() * 2);  // float64, into float32
  CHECK(queue->rows.scalar_type() == torch::kFloat32);
  CHECK(!queue->rows.requires_grad());
  CHECK(jessl::test::relative_error(queue->rows.narrow(0, 0, 2), 2 * embeddings(2, 3, 0)) < 1e-6);

  const auto copy = std::dynamic_pointer_cast<jessl::loss::EmbeddingQueueImpl>(queue->clone());
  CHECK(torch::equal(copy->rows, queue->rows));
  queue->enqueue(embeddings(1, 3, 0));
  CHECK(!torch::equal(copy->rows, queue->rows));
  CHECK(copy->position.item<std::int64_t>() == 2);
}

TEST_CASE("EmbeddingQueue: can be put back to what it was, at the cost of the rows that were replaced",
          "[loss][embedding_queue]") {
  EmbeddingQueue queue(1000, 64);
  queue->enqueue(embeddings(998, 64, 0));
  const auto rows = queue->rows.clone();
  {
    const jessl::test::PeakMemory peak;
    auto kept = queue->keep();
    for (int step = 0; step < 3; ++step) queue->enqueue(embeddings(4, 64, step).to(torch::kFloat32));  // across the end
    CHECK(peak.bytes() < 30'000);  // 12 rows of 256 bytes, and what makes them; the queue has 256,000 bytes
    kept.put_back();
    CHECK(torch::equal(queue->rows, rows));
    CHECK(queue->position.item<std::int64_t>() == 998);
    queue->enqueue(embeddings(700, 64, 1));
    queue->enqueue(embeddings(1500, 64, 2));  // replaces rows for the second time
    kept.put_back();
    CHECK(torch::equal(queue->rows, rows));
    CHECK(queue->position.item<std::int64_t>() == 998);
  }
  queue->enqueue(embeddings(4, 64, 0));  // nobody holds on to what this replaces
  CHECK(!torch::equal(queue->rows, rows));
}

TEST_CASE("EmbeddingQueue: goes on in another type that it was converted to", "[loss][embedding_queue]") {
  EmbeddingQueue queue(4, 3), same(4, 3);
  queue->enqueue(embeddings(3, 3, 0));
  same->enqueue(embeddings(3, 3, 0));
  queue->to(torch::kFloat64);
  queue->enqueue(embeddings(2, 3, 1));
  same->enqueue(embeddings(2, 3, 1));
  CHECK(queue->rows.scalar_type() == torch::kFloat64);
  CHECK(torch::equal(queue->rows.to(torch::kFloat32), same->rows));
  CHECK(queue->position.item<double>() == 1);
}

TEST_CASE("EmbeddingQueue: sizes and rows that don't fit are refused", "[loss][embedding_queue]") {
  CHECK_THROWS_WITH(EmbeddingQueue(0, 3), "jessl::loss::EmbeddingQueue: size is 0, expected >= 1");
  CHECK_THROWS_WITH(EmbeddingQueue(3, 0), "jessl::loss::EmbeddingQueue: the width of embeddings is 0, expected >= 1");
  CHECK_THROWS_AS(EmbeddingQueue(3, -1), jessl::ConfigError);
  EmbeddingQueue queue(4, 3);
  CHECK_THROWS_WITH(queue->enqueue(torch::zeros({2, 5})),
                    "jessl::loss::EmbeddingQueue.enqueue: the rows are [2, 5], expected [M, 3]");
  CHECK_THROWS_AS(queue->enqueue(torch::zeros({3})), jessl::ShapeError);
}
