// SPDX-License-Identifier: Apache-2.0
// Safetensors files: what is saved is loaded, Python's files are read, and damaged ones are refused with their place.
#include <catch2/catch.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <jessl/io/safetensors.hpp>

#include "support/file_content.hpp"
#include "support/temporary_folder.hpp"

namespace {

namespace fs = std::filesystem;
namespace safetensors = jessl::io::safetensors;
using Catch::Matchers::Contains;
using jessl::test::content;
using jessl::test::TemporaryFolder;

std::string length_prefix(std::uint64_t length) {
  const auto bytes = std::bit_cast<std::array<char, 8>>(length);
  return {bytes.begin(), bytes.end()};
}

/// The bytes of a file with this header and this much data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  return length_prefix(header.size()) + header + std::string(data_bytes, '\0');
}

/// What load says about a file of these bytes.
std::string refusal(const std::string& bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder / "bad.safetensors", std::ios::binary) << bytes;
  try {
    (void)safetensors::load(folder / "bad.safetensors");
  } catch (const jessl::DataError& error) {
    CHECK_THAT(error.what(), Contains("jessl::io::safetensors: ") && Contains("bad.safetensors (offset "));
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("safetensors: every supported dtype, scalars and empty tensors come back bit for bit", "[io][safetensors]") {
  const TemporaryFolder folder;
  jessl::StateDict saved;
  const auto values = torch::arange(-6, 6).reshape({3, 4});
  for (const auto& [dtype, type] : safetensors::detail::scalar_types)
    saved[std::string(safetensors::detail::name_of(dtype))] = values.to(type);
  saved["scalar"] = torch::tensor(0.1, torch::kFloat64);
  saved["empty"] = torch::empty({0, 7});
  saved["transposed"] = torch::arange(6, torch::kFloat32).reshape({2, 3}).t();
  saved["needs \"grad\""] = torch::ones({2}, torch::requires_grad());
  safetensors::save(folder / "a.safetensors", saved);
  const auto loaded = safetensors::load(folder / "a.safetensors");
  REQUIRE(loaded.size() == saved.size());
  for (const auto& [name, tensor] : saved) {
    INFO(name);
    const auto& other = loaded.at(name);
    CHECK(other.scalar_type() == tensor.scalar_type());
    CHECK(other.sizes() == tensor.sizes());
    CHECK(torch::equal(other, tensor.detach()));
    CHECK_FALSE(other.requires_grad());
  }
}

TEST_CASE("safetensors: nothing at all can be saved, and texts come back", "[io][safetensors]") {
  const TemporaryFolder folder;
  safetensors::save(folder / "a.safetensors", {}, {{"format", "pt"}, {"epoch", "10"}});
  CHECK(safetensors::load(folder / "a.safetensors").empty());
  CHECK(safetensors::metadata(folder / "a.safetensors") == safetensors::Metadata{{"format", "pt"}, {"epoch", "10"}});
}

TEST_CASE("safetensors: the bytes are those that the format prescribes", "[io][safetensors]") {
  // Written by hand: wide elements first, the header padded with spaces to a multiple of 8.
  const TemporaryFolder folder;
  safetensors::save(folder / "a.safetensors",
                    {{"a", torch::tensor({1, 2}, torch::kUInt8)}, {"b", torch::tensor(258, torch::kInt64)}});
  std::string header =
      R"({"b":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  CHECK(content(folder / "a.safetensors") ==
        length_prefix(header.size()) + header + std::string("\x02\x01\0\0\0\0\0\0\x01\x02", 10));
}

TEST_CASE("safetensors: a file that Python wrote is read", "[io][safetensors]") {
  const auto loaded =
      safetensors::load(JESSL_TEST_DATA "/reference/io/python.safetensors");  // tests/reference/io/make.py
  REQUIRE(loaded.size() == 3);
  CHECK(torch::equal(loaded.at("half"), torch::tensor({1.5, -2.0, 65504.0}).to(torch::kFloat16)));
  CHECK(torch::equal(loaded.at("conv.weight"), torch::arange(24, torch::kFloat32).reshape({2, 3, 4})));
  CHECK(torch::equal(loaded.at("steps"), torch::tensor(std::int64_t{1} << 40U, torch::kInt64)));
  CHECK(safetensors::metadata(JESSL_TEST_DATA "/reference/io/python.safetensors").at("made by") ==
        "safetensors, \xC3\xBC");
}

TEST_CASE("safetensors: a file cut anywhere is refused", "[io][safetensors]") {
  const TemporaryFolder folder;
  safetensors::save(folder / "a.safetensors", {{"weight", torch::ones({3})}});
  const std::string whole = content(folder / "a.safetensors");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(refusal(whole.substr(0, length)) != "no error");
  }
  CHECK_THAT(refusal(whole.substr(0, 5)), Contains("has 5 bytes, expected at least the 8"));
  CHECK_THAT(refusal(whole.substr(0, 20)), Contains("but only 12 follow; is it truncated"));
  CHECK_THAT(refusal(whole.substr(0, whole.size() - 1)),
             Contains("holds 11 bytes of data, expected 12; it is truncated"));
  CHECK_THAT(refusal(whole + "x"), Contains("something follows the last tensor"));
}

TEST_CASE("safetensors: a header of the wrong length or form is refused", "[io][safetensors]") {
  CHECK_THAT(refusal(length_prefix(std::uint64_t(-1)) + "{}"), Contains("gives its header 18446744073709551615 bytes"));
  CHECK_THAT(refusal(file_of("[1, 2]", 0)), Contains("no JSON object"));
  CHECK_THAT(refusal(file_of("{\"a\": ", 0)), Contains("not JSON"));
  CHECK_THAT(refusal(file_of(R"({"a": 3})", 0)), Contains("expected an object of dtype, shape and data_offsets"));
  CHECK_THAT(refusal(file_of(R"({"__metadata__": {"epoch": 3}})", 0)),
             Contains("__metadata__[\"epoch\"] = 3, expected a text"));
  CHECK_THAT(refusal(file_of(R"({"__metadata__": 3})", 0)), Contains("no JSON object"));
}

TEST_CASE("safetensors: a header of a million brackets is refused and does not overflow the stack",
          "[io][safetensors]") {
  const std::string many(1'000'000, '[');
  CHECK_THAT(refusal(file_of("{\"a\":" + many, 0)), Contains("(offset 16) has a header that is nested deeper than 4"));
  const std::string closed = many + std::string(many.size(), ']');
  CHECK_THAT(refusal(file_of("{\"a\":" + closed + "}", 0)), Contains("nested deeper than 4 levels"));
  CHECK_THAT(refusal(file_of(R"({"[[[[[[{{{{{": "\"[[[[["})", 0)), Contains("expected an object of dtype"));
}

TEST_CASE("safetensors: tensors that do not fit their place are refused", "[io][safetensors]") {
  const auto tensor = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return refusal(file_of("{\"a\":" + tensor(dtype, shape, offsets) + "}", 8));
  };
  CHECK(one("\"F32\"", "[2]", "[0,8]") == "no error");
  CHECK_THAT(one("\"F8\"", "[2]", "[0,8]"), Contains("'a' of dtype \"F8\", expected one of F64, F32"));
  CHECK_THAT(one("7", "[2]", "[0,8]"), Contains("of dtype 7"));
  CHECK_THAT(one("\"F32\"", "[-2]", "[0,8]"), Contains("of shape [-2], expected whole numbers >= 0"));
  CHECK_THAT(one("\"F32\"", "[2.0]", "[0,8]"), Contains("of shape [2.0]"));
  CHECK_THAT(one("\"F32\"", "2", "[0,8]"), Contains("of shape 2"));
  CHECK_THAT(one("\"F32\"", "[3]", "[0,8]"), Contains("expected 12 bytes"));
  CHECK_THAT(one("\"F32\"", "[2]", "[8,0]"), Contains("expected 8 bytes"));
  CHECK_THAT(one("\"F32\"", "[2]", "[0,8,16]"), Contains("expected [begin, end]"));
  CHECK_THAT(one("\"F32\"", "[4294967296, 4294967296]", "[0,8]"), Contains("more than any memory holds"));
  CHECK_THAT(one("\"F32\"", "[0, 4294967296, 4294967296]", "[0,0]"), Contains("more than any memory holds"));
  CHECK_THAT(one("\"F32\"", "[18446744073709551615]", "[0,8]"), Contains("more than any memory holds"));
  CHECK_THAT(one("\"F32\"", "[2]", "[100,108]"), Contains("leaves a hole"));

  const auto two = [&](const std::string& first, const std::string& second, std::size_t bytes) {
    return refusal(file_of(
        "{\"a\":" + tensor("\"F32\"", "[2]", first) + ",\"b\":" + tensor("\"F32\"", "[2]", second) + "}", bytes));
  };
  CHECK(two("[8,16]", "[0,8]", 16) == "no error");
  CHECK_THAT(two("[0,8]", "[4,12]", 12),
             Contains("'b' that begins at byte 4 of the data, expected 8: it overlaps the one before"));
  CHECK_THAT(two("[0,8]", "[0,8]", 8), Contains("overlaps"));
  CHECK_THAT(two("[0,8]", "[12,20]", 20), Contains("leaves a hole"));
}

TEST_CASE("safetensors: an absent file and a folder are refused", "[io][safetensors]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(safetensors::load(folder / "absent"), Contains("cannot open") && Contains("absent"));
  CHECK_THROWS_AS(safetensors::load(folder / "."), jessl::DataError);
}

TEST_CASE("safetensors: what the format cannot hold is refused before the old file is touched", "[io][safetensors]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.safetensors";
  safetensors::save(path, {{"old", torch::ones({2})}});
  CHECK_THROWS_WITH(safetensors::save(path, {{"z", torch::ones({2}, torch::kComplexFloat)}}),
                    Contains("'z' is ComplexFloat, expected one of"));
  CHECK_THROWS_AS(safetensors::save(path, {{"z", torch::Tensor()}}), jessl::ConfigError);
  CHECK_THROWS_AS(safetensors::save(path, {{"z", torch::eye(3).to_sparse()}}), jessl::ConfigError);
  CHECK_THROWS_AS(safetensors::save(path, {{"__metadata__", torch::ones({2})}}), jessl::ConfigError);
  CHECK_THROWS_AS(safetensors::save(path, {{"\xff", torch::ones({2})}}), jessl::ConfigError);
  CHECK(safetensors::load(path).count("old") == 1);
}

TEST_CASE("safetensors: the example of the documentation runs", "[io][safetensors]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "encoder.safetensors";
  torch::nn::Linear module(4, 2);
  // [example]
  jessl::StateDict weights;
  for (const auto& item : module->named_parameters()) weights[item.key()] = item.value();
  jessl::io::safetensors::save(path, weights, {{"method", "SimCLR"}});

  const jessl::StateDict loaded = jessl::io::safetensors::load(path);
  const std::string method = jessl::io::safetensors::metadata(path).at("method");
  // [/example]
  CHECK(torch::equal(loaded.at("weight"), module->weight));
  CHECK(method == "SimCLR");
}
