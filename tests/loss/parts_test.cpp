// SPDX-License-Identifier: Apache-2.0
// The terms that losses tell.
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <jessl/core/error.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/loss/parts.hpp>
#include <jessl/loss/vicreg.hpp>
#include <loss/reference.hpp>

using jessl::loss::Part;
using jessl::loss::Parts;
using jessl::loss::tell_part;

TEST_CASE("Parts: the terms of VICReg, by its paper's formulas", "[loss][parts]") {
  const torch::Tensor z1 = jessl::test::embeddings(6, 4, 0.0), z2 = jessl::test::embeddings(6, 4, 1.0);
  // [example]
  jessl::loss::Parts parts;
  const torch::Tensor value = jessl::loss::VICReg{}(z1, z2);
  double sum = 0.0;
  for (const auto& [name, term] : parts.values()) sum += term;  // "invariance", "variance", "covariance"
  // [/example]
  CHECK(sum == Approx(value.item<double>()).epsilon(1e-12));
  const std::vector<Part> terms = parts.values();
  REQUIRE(terms.size() == 3);
  CHECK(terms[0].name == "invariance");
  CHECK(terms[0].value == Approx(25 * (z1 - z2).square().mean().item<double>()).epsilon(1e-12));
  CHECK(terms[1].name == "variance");
  double hinge = 0.0, squares = 0.0;
  for (const torch::Tensor& z : {z1, z2}) {
    hinge += 25.0 / 2 * torch::relu(1 - (z.var(0) + 1e-4).sqrt()).mean().item<double>();
    const torch::Tensor covariance = z.t().cov();
    squares += (covariance.square().sum() - covariance.diagonal().square().sum()).item<double>() / 4;
  }
  CHECK(terms[1].value == Approx(hinge).epsilon(1e-10));
  CHECK(terms[2].name == "covariance");
  CHECK(terms[2].value == Approx(squares).epsilon(1e-10));
}

TEST_CASE("Parts: all on a thread hear what is told on it while they live", "[loss][parts]") {
  const torch::Tensor one = torch::ones({3});
  tell_part("unheard", one);
  Parts outer;
  CHECK(outer.values().empty());
  tell_part("first", torch::ones({3}).requires_grad_(), 0.5);
  {
    Parts inner;
    tell_part("second", one);
    CHECK(inner.values().size() == 1);
  }
  tell_part("last", torch::tensor(7, torch::kInt64));
  tell_part("first", torch::tensor(2.0, torch::kFloat64));
  std::thread([&] { tell_part("elsewhere", one); }).join();
  const std::vector<Part> heard = outer.values();
  REQUIRE(heard.size() == 3);
  CHECK(heard[0].name == "first");
  CHECK(heard[0].value == 3.5);
  CHECK(heard[1].name == "second");
  CHECK(heard[1].value == 3.0);
  CHECK(heard[2].name == "last");
  CHECK(heard[2].value == 7.0);
}

TEST_CASE("Parts: one that ends before a later one leaves that hearing", "[loss][parts]") {
  auto first = std::make_unique<Parts>();
  auto second = std::make_unique<Parts>();
  first.reset();
  tell_part("a", torch::ones({}));
  CHECK(second->values().size() == 1);
  second.reset();
  tell_part("a", torch::ones({}));  // to nobody
}

TEST_CASE("tell_part: a name is one that every log can write, whether it is heard or not", "[loss][parts]") {
  for (const char* name : {"", "a b", "a,b", "Alignment", "loss/a"}) {
    CHECK_THROWS_AS(tell_part(name, torch::ones({})), jessl::ConfigError);
    CHECK_THROWS_WITH(tell_part(name, torch::ones({})), Catch::Contains('"' + std::string(name) + "\", expected"));
  }
}
