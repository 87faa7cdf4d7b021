// SPDX-License-Identifier: Apache-2.0
// Numbers that other programs found: tests/reference/eval/, and a larger collection where it is there.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <jessl/core/draw.hpp>
#include <jessl/core/matrix.hpp>
#include <support/skip.hpp>

namespace reference {

using Json = nlohmann::json;

/// tests/reference/eval/<name>.json.
inline Json open(const std::string& name) {
  std::ifstream file(JESSL_TEST_DATA "/reference/eval/" + name + ".json");
  REQUIRE(file.is_open());
  return Json::parse(file);
}

inline const Json& numbers() {
  static const Json document = open("eval");
  return document;
}

inline const Json& probes() {
  static const Json document = open("probes");
  return document;
}

template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Scalar = float>
MatrixOf<Scalar> matrix(const Json& rows) {
  MatrixOf<Scalar> result(static_cast<Eigen::Index>(rows.size()), static_cast<Eigen::Index>(rows.at(0).size()));
  for (Eigen::Index i = 0; i < result.rows(); ++i) {
    for (Eigen::Index j = 0; j < result.cols(); ++j) {
      result(i, j) = rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)].get<Scalar>();
    }
  }
  return result;
}

inline std::vector<std::int64_t> labels(const Json& list) { return list.get<std::vector<std::int64_t>>(); }

/// The file of clustered features that other programs have evaluated, or nothing where it is absent.
class Collection {
 public:
  static std::optional<Collection> open() {
    const std::filesystem::path folder = JESSL_REFERENCE_DIR "/reference/eval";
    if (std::filesystem::exists(folder / "eval.safetensors")) return Collection(folder);
    JESSL_SKIP("the collection of reference numbers is not there: JESSL_REFERENCE_DIR has no reference/eval");
    return std::nullopt;
  }

  [[nodiscard]] const Json& expected() const { return expected_; }

  [[nodiscard]] jessl::RowMatrix features(const std::string& name) const { return read<float>(name, "F32"); }
  [[nodiscard]] MatrixOf<double> values(const std::string& name) const { return read<double>(name, "F64"); }

  [[nodiscard]] std::vector<std::int64_t> labels(const std::string& name) const {
    std::vector<std::int64_t> result(header_.at(name).at("shape")[0].get<std::size_t>());
    copy(name, "I64", result.data(), result.size() * sizeof(std::int64_t));
    return result;
  }

 private:
  explicit Collection(const std::filesystem::path& folder) {
    std::ifstream file(folder / "eval.safetensors", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    std::uint64_t length = 0;  // of the JSON header, little-endian, in front of it
    std::memcpy(&length, bytes_.data(), sizeof length);
    header_ = Json::parse(bytes_.substr(8, length));
    data_ = 8 + length;
    std::ifstream json(folder / "eval.json");
    expected_ = Json::parse(json);
  }

  template <class Scalar>
  [[nodiscard]] MatrixOf<Scalar> read(const std::string& name, const std::string& dtype) const {
    const auto& shape = header_.at(name).at("shape");
    MatrixOf<Scalar> result(shape[0].get<Eigen::Index>(), shape[1].get<Eigen::Index>());
    copy(name, dtype, result.data(), static_cast<std::size_t>(result.size()) * sizeof(Scalar));
    return result;
  }

  void copy(const std::string& name, const std::string& dtype, void* target, std::size_t count) const {
    REQUIRE(header_.at(name).at("dtype") == dtype);
    std::memcpy(target, bytes_.data() + data_ + header_.at(name).at("data_offsets")[0].get<std::size_t>(), count);
  }

  std::string bytes_;
  std::size_t data_ = 0;
  Json header_;
  Json expected_;
};

/// Features of `classes` overlapping clusters, with their labels; a pure function of the seed. The clusters' centres do
/// not depend on the seed, so that two seeds give training and test rows.
struct Clusters {
  jessl::RowMatrix x;
  std::vector<std::int64_t> y;

  Clusters(std::uint64_t seed, Eigen::Index rows, Eigen::Index columns, std::int64_t classes)
      : x(rows, columns), y(static_cast<std::size_t>(rows)) {
    jessl::RowMatrix centres(classes, columns);
    for (Eigen::Index c = 0; c < classes; ++c) {
      jessl::Draw draw({.sample = static_cast<std::uint64_t>(c)});
      for (Eigen::Index j = 0; j < columns; ++j) centres(c, j) = static_cast<float>(0.75 * draw.normal());
    }
    jessl::Draw draw({.seed = seed});
    for (Eigen::Index i = 0; i < rows; ++i) {
      const std::int64_t label = i < classes ? i : draw.below(classes);  // each class at least once
      y[static_cast<std::size_t>(i)] = label;
      for (Eigen::Index j = 0; j < columns; ++j) x(i, j) = centres(label, j) + static_cast<float>(draw.normal());
    }
  }
};

}  // namespace reference
