// SPDX-License-Identifier: Apache-2.0
// Tests of NTXent.
#include <array>
#include <cmath>
#include <cstddef>

#include <catch2/catch.hpp>

#include <jessl/core/autocast.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/loss/sup_con.hpp>
#include <loss/pair_of_ranks.hpp>
#include <loss/reference.hpp>

using jessl::loss::NTXent;
using jessl::test::embeddings;

TEST_CASE("NTXent: value and gradients agree with the formula written out in float64", "[loss][nt_xent]") {
  jessl::test::check_own_cases<NTXent>("nt_xent.json");
}

TEST_CASE("NTXent: value and gradients agree with PyTorch and lightly", "[loss][nt_xent]") {
  jessl::test::check_collection<NTXent>("nt_xent", JESSL_TEST_DATA "/reference/loss/collection/", 1);
}

TEST_CASE("NTXent: value and gradients agree with PyTorch and lightly on larger batches", "[loss][nt_xent][outside]") {
  jessl::test::check_collection<NTXent>("nt_xent", JESSL_REFERENCE_DIR "/reference/losses/", 5);
}

TEST_CASE("NTXent: a value worked out by hand", "[loss][nt_xent]") {
  // z1 = rows (1, 0) and (0, 1), z2 = (2, 0) and (0, 3): lengths don't count, each row equals its other view and is
  // orthogonal to the two others. Per row: positive e^(1/t), negatives e^0 + e^0, so loss = log(e^(1/t) + 2) - 1/t.
  // [first]
  const auto z1 = torch::tensor({{1.0, 0.0}, {0.0, 1.0}}).requires_grad_();
  const auto z2 = torch::tensor({{2.0, 0.0}, {0.0, 3.0}});
  const auto loss = jessl::loss::NTXent{.temperature = 0.5};
  torch::Tensor value = loss(z1, z2);
  value.backward();
  // [/first]
  CHECK(value.item<double>() == Approx(std::log(std::exp(2.0) + 2) - 2).epsilon(1e-6));
  // With one image there is no negative: the loss and its gradient are 0 whatever the embeddings.
  const auto alone = torch::tensor({{3.0, 1.0}}).requires_grad_();
  const auto nothing = NTXent{}(alone, torch::tensor({{-1.0, 2.0}}));
  nothing.backward();
  CHECK(nothing.item<double>() == 0);
  CHECK(torch::equal(alone.grad(), torch::zeros({1, 2})));
}

TEST_CASE("NTXent: three views are the mean over their pairs", "[loss][nt_xent]") {
  const NTXent loss{.temperature = 0.3};
  const auto a = embeddings(5, 4, 0), b = embeddings(5, 4, 1), c = embeddings(5, 4, 2);
  const auto pairs = (loss(a, b) + loss(a, c) + loss(b, c)) / 3;
  CHECK(loss({a, b, c}).item<double>() == Approx(pairs.item<double>()).epsilon(1e-12));
}

TEST_CASE("NTXent: stays finite and exact where exp would overflow", "[loss][nt_xent]") {
  // At temperature 0.01 the logits reach 100 and exp(100) is beyond float32; in bfloat16 the embeddings carry 8 bits.
  const NTXent loss{.temperature = 0.01};
  const auto a = embeddings(16, 8, 0), b = embeddings(16, 8, 0.1);
  const auto exact = loss(a, b).item<double>();
  const auto single = a.to(torch::kFloat32).requires_grad_();
  const auto value = loss(single, b.to(torch::kFloat32));
  CHECK(value.item<double>() == Approx(exact).epsilon(1e-4));  // float32 rounds logits of 100 by 8e-6
  const auto reduced = a.to(torch::kBFloat16).requires_grad_();
  const auto rounded = loss(reduced, b.to(torch::kBFloat16));
  CHECK(rounded.scalar_type() == torch::kFloat32);
  // The same embeddings, rounded to bfloat16 first, in float64: only the arithmetic differs, so the tolerance stays.
  const auto same =
      loss(a.to(torch::kBFloat16).to(torch::kFloat64), b.to(torch::kBFloat16).to(torch::kFloat64)).item<double>();
  CHECK(rounded.item<double>() == Approx(same).epsilon(1e-4));
  rounded.backward();
  CHECK(reduced.grad().isfinite().all().item<bool>());
}

TEST_CASE("NTXent: many tiles give what one matrix gives", "[loss][nt_xent]") {
  // 700 images make three tiles a view, of 256, 256 and 188 rows; the plain form is one matrix [1400, 1400]. At temperature
  // 1/64 the exponentials are summed as they are for the last time, beyond that with a running maximum.
  for (const double temperature : {0.1, 1.0 / 64, 1.0 / 65}) {
    const auto a = embeddings(700, 6, 0).requires_grad_(), b = embeddings(700, 6, 0.5).requires_grad_();
    const auto value = NTXent{.temperature = temperature}(a, b);
    value.backward();

    const auto plain_a = a.detach().clone().requires_grad_(), plain_b = b.detach().clone().requires_grad_();
    const auto z = torch::cat({plain_a, plain_b});
    const auto y = z / z.norm(2, 1, true);
    auto logits = y.mm(y.t()) / temperature;
    logits = logits.masked_fill(torch::eye(1400, torch::kBool), -INFINITY);
    const auto plain = (logits.logsumexp(1) - (y * y.roll(700, 0)).sum(1) / temperature).mean();
    plain.backward();
    CHECK(value.item<double>() == Approx(plain.item<double>()).epsilon(1e-12));
    CHECK(jessl::test::relative_error(a.grad(), plain_a.grad()) < 1e-11);
    CHECK(jessl::test::relative_error(b.grad(), plain_b.grad()) < 1e-11);
  }
}

TEST_CASE("NTXent: opposite embeddings at the lowest temperature of plain exponentials stay exact in float32",
          "[loss][nt_xent]") {
  // The two views of an image agree and the images are opposite: all logits are +-64. exp(-64) is all there is in the sum of
  // negatives, and the loss is log(1 + 2 exp(-128)), 0 to rounding, with a finite gradient.
  const auto a = torch::tensor({{1.0F, 0.0F}, {-1.0F, 0.0F}}).requires_grad_();
  const auto value = NTXent{.temperature = 1.0 / 64}(a, a.detach());
  value.backward();
  CHECK(value.item<double>() < 1e-30);
  CHECK(a.grad().isfinite().all().item<bool>());
  // The other way round the positive is -64 and one of the two negatives 64: the loss is 128.
  const auto swapped = NTXent{.temperature = 1.0 / 64}(a, -a.detach());
  swapped.backward();
  CHECK(swapped.item<double>() == Approx(128).epsilon(1e-5));
  CHECK(a.grad().isfinite().all().item<bool>());
}

TEST_CASE("NTXent: a gradient taken under autocast is that of float32", "[loss][nt_xent]") {
  const auto gradient = [](jessl::Precision precision) {
    const auto a = embeddings(40, 6, 0).to(torch::kFloat32).requires_grad_();
    const auto value = NTXent{}(a, embeddings(40, 6, 0.5).to(torch::kFloat32));
    const jessl::Autocast autocast(torch::kCPU, precision);
    value.backward();
    return a.grad();
  };
  CHECK(jessl::test::relative_error(gradient(jessl::Precision::bfloat16), gradient(jessl::Precision::float32)) < 1e-6);
}

TEST_CASE("NTXent: tiles of two ranks give what one rank gives", "[loss][nt_xent]") {
  const NTXent loss{.temperature = 0.1};
  const auto leaf = [](double phase) { return embeddings(1200, 3, phase).requires_grad_(); };
  const auto a = leaf(0), b = leaf(1), split_a = leaf(0), split_b = leaf(1);
  const auto joint = loss(a, b);
  joint.backward();
  std::array<torch::Tensor, 2> values;
  jessl::test::PairOfRanks pair;
  pair.run([&](const auto& rank) {
    const auto rows = [&](const torch::Tensor& z) { return z.narrow(0, 600 * rank.rank(), 600); };
    values[static_cast<std::size_t>(rank.rank())] = loss(rows(split_a), rows(split_b), rank);
  });
  ((values[0] + values[1]) / 2).backward();
  CHECK(jessl::test::relative_error(split_a.grad(), a.grad()) < 1e-11);
  CHECK(jessl::test::relative_error(split_b.grad(), b.grad()) < 1e-11);
}

TEST_CASE("NTXent: a temperature that is not positive is refused", "[loss][nt_xent]") {
  const auto z = embeddings(4, 3, 0);
  CHECK_THROWS_WITH(NTXent{.temperature = 0}(z, z),
                    "jessl::loss::NTXent: temperature is 0, expected a finite number > 0");
  CHECK_THROWS_AS(NTXent{.temperature = NAN}(z, z), jessl::ConfigError);
}

TEST_CASE("NTXent: any number of threads share the similarities, with the same result each time", "[loss][nt_xent]") {
  struct Threads {
    explicit Threads(int count) { at::set_num_threads(count); }
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;
    ~Threads() { at::set_num_threads(before); }
    int before = at::get_num_threads();
  };
  // Three views of 700 rows are nine blocks, of which four parts and more are made; 1300 negatives with a gradient are six.
  const std::vector<torch::Tensor> views{embeddings(700, 5, 0), embeddings(700, 5, 1), embeddings(700, 5, 2)};
  const auto rows = embeddings(1300, 5, 3);
  const auto labels = torch::arange(700) % 9;
  const auto results_of = [&](double temperature) {
    std::vector<torch::Tensor> results;
    const auto add = [&](const auto& value_of) {
      std::vector<torch::Tensor> leaves;
      for (const torch::Tensor& view : views) leaves.push_back(view.clone().requires_grad_());
      const auto negatives = rows.clone().requires_grad_();
      const torch::Tensor value = value_of(leaves, negatives);
      value.backward();
      results.push_back(value.detach());
      for (const torch::Tensor& leaf : leaves) results.push_back(leaf.grad());
      if (negatives.grad().defined()) results.push_back(negatives.grad());
    };
    const NTXent loss{.temperature = temperature};
    add([&](const auto& leaves, const torch::Tensor&) { return loss(leaves); });
    add([&](const auto& leaves, const torch::Tensor& negatives) {
      return loss.against(jessl::loss::Fixed{.images = torch::zeros({1, 1, 1, 1})})(leaves, negatives);
    });
    add([&](const auto& leaves, const torch::Tensor&) {
      return jessl::loss::SupCon{.temperature = temperature, .positives = jessl::loss::PositiveMean::in}(leaves,
                                                                                                         labels);
    });
    return results;
  };
  for (const double temperature : {0.2, 0.01}) {  // the second has a running maximum
    const auto expected = [&] {
      const Threads one(1);
      return results_of(temperature);
    }();
    for (const int count : {2, 3, 4, 6}) {
      CAPTURE(temperature, count);
      const Threads several(count);
      const auto results = results_of(temperature), again = results_of(temperature);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(jessl::test::relative_error(results[i], expected[i]) < 1e-12);
        CHECK(torch::equal(results[i], again[i]));
      }
    }
  }
}
