// SPDX-License-Identifier: Apache-2.0
// Reads the reference numbers that lie in safetensors files; for tests alone, so it trusts the file.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <jessl/core/tensor.hpp>

namespace jessl::test {

/// Every tensor of the file, as float64.
inline std::map<std::string, torch::Tensor> read_safetensors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  char* const header = bytes.data() + sizeof header_size;
  std::map<std::string, torch::Tensor> tensors;
  const auto described = nlohmann::json::parse(header, header + header_size);
  for (const auto& [name, entry] : described.items()) {
    if (name == "__metadata__") continue;
    const std::map<std::string, torch::ScalarType> types{
        {"F64", torch::kFloat64}, {"F32", torch::kFloat32}, {"I64", torch::kInt64}};
    const auto type = types.at(entry["dtype"]);
    const auto shape = entry["shape"].get<std::vector<std::int64_t>>();
    char* const data = header + header_size + entry["data_offsets"][0].get<std::uint64_t>();
    tensors[name] = torch::from_blob(data, shape, type).clone().to(torch::kFloat64);
  }
  return tensors;
}

/// The numbers of a JSON list as a float64 tensor.
inline torch::Tensor to_tensor(const nlohmann::json& list, const std::vector<std::int64_t>& shape) {
  return torch::tensor(list.get<std::vector<double>>(), torch::kFloat64).reshape(shape);
}

/// The largest difference, as a share of the largest expected value.
inline double relative_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  const auto wanted = expected.detach().to(torch::kFloat64);
  const auto difference = (actual.detach().to(torch::kFloat64) - wanted).abs().max().item<double>();
  const auto scale = wanted.abs().max().item<double>();
  return scale > 0 ? difference / scale : difference;
}

}  // namespace jessl::test
