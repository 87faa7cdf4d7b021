// SPDX-License-Identifier: Apache-2.0
// Files of features: what is appended is read, by Python too, evaluated without a copy, or refused with its place.
// Compiled without LibTorch, which an evaluation of a file does not need.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/eval.hpp>
#include <jessl/io/feature_file.hpp>

#include "support/data_limit.hpp"
#include "support/file_content.hpp"
#include "support/file_size_limit.hpp"
#include "support/skip.hpp"
#include "support/temporary_folder.hpp"

namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using jessl::ConfigError;
using jessl::DataError;
using jessl::IOError;
using jessl::RowMatrix;
using jessl::ShapeError;
using jessl::io::FeatureFile;
using jessl::io::FeatureFileWriter;
using jessl::test::content;
using jessl::test::TemporaryFolder;

/// Gaussian clusters, one a class.
jessl::Embedding clusters(std::int64_t rows, std::int64_t columns, std::int64_t classes = 3) {
  jessl::Draw draw({.seed = 1, .purpose = jessl::Purpose::initialisation});
  jessl::Embedding made{RowMatrix(rows, columns), {}};
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t label = i % classes;
    for (std::int64_t j = 0; j < columns; ++j)
      made.features(i, j) = static_cast<float>(draw.normal() + (j % classes == label ? 1.5 : 0.0));
    made.labels.push_back(label);
  }
  return made;
}

/// Writes all rows in blocks of so many.
void write(const std::string& path, const jessl::Embedding& rows, std::int64_t block, bool told = true,
           const jessl::io::safetensors::Metadata& metadata = {}) {
  const auto count = static_cast<std::int64_t>(rows.features.rows());
  FeatureFileWriter writer{path,
                           {.dimension = rows.features.cols(),
                            .rows = told ? std::optional(count) : std::nullopt,
                            .labels = !rows.labels.empty(),
                            .metadata = metadata}};
  for (std::int64_t first = 0; first < count; first += block) {
    const std::int64_t size = std::min(block, count - first);
    writer.append(
        rows.features.middleRows(first, size),
        rows.labels.empty()
            ? std::span<const std::int64_t>()
            : std::span(rows.labels).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size)));
  }
  CHECK(writer.size() == count);
  writer.commit();
}

bool holds(const FeatureFile& file, const jessl::Embedding& rows) {
  return file.features() == rows.features && std::ranges::equal(file.labels(), rows.labels);
}

/// The bytes of a file with this header and this much data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const auto length = std::bit_cast<std::array<char, 8>>(std::uint64_t{header.size()});
  return std::string(length.begin(), length.end()) + header + std::string(data_bytes, '\0');
}

/// What opening a file of these bytes says.
std::string refusal(const std::string& bytes) {
  const TemporaryFolder folder;
  try {
    (void)FeatureFile(folder.write("bad.safetensors", bytes));
  } catch (const DataError& error) {
    CHECK_THAT(error.what(), Contains("jessl::io::FeatureFile: ") && Contains("bad.safetensors (offset "));
    return error.what();
  }
  return "no error";
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

/// The interpreter for tests of what Python reads.
std::string python() {
  const char* const chosen = std::getenv("JESSL_PYTHON");
  return chosen != nullptr ? chosen : "python3";
}

}  // namespace

TEST_CASE("FeatureFile: the example of the documentation runs", "[io][feature_file]") {
  const TemporaryFolder folder;
  const std::string path = folder / "train.safetensors";
  const jessl::Embedding bank = clusters(60, 8);
  const RowMatrix& features = bank.features;
  const std::span<const std::int64_t> labels = bank.labels;
  // [example]
  jessl::io::FeatureFileWriter writer{path, {.dimension = 8, .rows = 60, .metadata = {{"layer", "representation"}}}};
  writer.append(features.topRows(20), labels.first(20));  // blocks of any size, as they come
  writer.append(features.bottomRows(40), labels.last(40));
  writer.commit();

  const jessl::io::FeatureFile train{path};
  const auto probe = jessl::eval::LogisticProbe{}.fit(train.features(), train.labels());
  const double rank = jessl::eval::rank_me(train.features());
  const std::string layer = train.metadata().at("layer");
  // [/example]
  CHECK(holds(train, bank));
  CHECK(probe.dimension() == 8);
  CHECK(rank > 1.0);
  CHECK(layer == "representation");
}

TEST_CASE("FeatureFile: any blocks give the same bytes, whether the number of rows was told or not",
          "[io][feature_file]") {
  const TemporaryFolder folder;
  // With and without a remainder in the features' alignment, an odd number of values, a single one; the last is moved by
  // more than a piece of 4 MB.
  for (const auto& [rows, columns] : {std::pair{64, 16}, std::pair{37, 5}, std::pair{1, 1}, std::pair{8, 1},
                                      std::pair{9, 2}, std::pair{20'000, 131}}) {
    INFO(rows << " x " << columns);
    const jessl::Embedding all = clusters(rows, columns);
    write(folder / "whole", all, rows, true, {{"model", "ResNet-18, \xC3\xBC"}});
    const std::string whole = content(folder / "whole");
    for (const bool told : {true, false}) {
      for (const int block : {rows / 3 + 1, rows / 2 + 1, rows}) {
        write(folder / "blocks", all, block, told, {{"model", "ResNet-18, \xC3\xBC"}});
        CHECK((content(folder / "blocks") == whole));  // in brackets: not to be printed
      }
    }
    const FeatureFile file(folder / "whole");
    CHECK(holds(file, all));
    CHECK(file.size() == rows);
    CHECK(file.dimension() == columns);
    CHECK(file.metadata() == jessl::io::safetensors::Metadata{{"model", "ResNet-18, \xC3\xBC"}});
    CHECK(reinterpret_cast<std::uintptr_t>(file.features().data()) % 64 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(file.labels().data()) % 8 == 0);
  }
}

TEST_CASE("FeatureFile: the header is that of the format, with spaces up to the features' place",
          "[io][feature_file]") {
  const TemporaryFolder folder;
  write(folder / "a", {(RowMatrix(2, 1) << 1.0F, -2.0F).finished(), {7, -1}}, 1);
  const std::string bytes = content(folder / "a");
  const std::string header =
      R"({"labels":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},"features":{"dtype":"F32","shape":[2,1],"data_offsets":[16,24]}})";
  // From labels [2] and features [2, 1] in little-endian order: 7, -1, and 1 = 0x3F800000, -2 = 0xC0000000.
  const std::string data("\x07\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\x80\x3F\0\0\0\xC0", 24);
  REQUIRE(bytes.size() > 8 + header.size() + data.size());
  const std::size_t begin = bytes.size() - data.size();
  CHECK((begin + 16) % 64 == 0);
  CHECK(bytes == file_of(header + std::string(begin - 8 - header.size(), ' '), 0) + data);
}

TEST_CASE("FeatureFile: features without labels, no rows, and any bits come back", "[io][feature_file]") {
  const TemporaryFolder folder;
  jessl::Embedding bare = clusters(7, 3);
  bare.labels.clear();
  bare.features(2, 1) = -std::numeric_limits<float>::infinity();
  for (const bool told : {true, false}) {
    write(folder / "bare", bare, 2, told);
    CHECK(holds(FeatureFile(folder / "bare"), bare));
    FeatureFileWriter(folder / "none", {.dimension = 4, .rows = told ? std::optional(std::int64_t{0}) : std::nullopt})
        .commit();
    const FeatureFile none(folder / "none");
    CHECK(none.size() == 0);
    CHECK(none.dimension() == 4);
    CHECK(none.labels().empty());
    CHECK_THROWS_AS(jessl::eval::rank_me(none.features()), DataError);
  }
}

TEST_CASE("FeatureFile: targets stand behind the features, whatever the blocks", "[io][feature_file]") {
  const TemporaryFolder folder;
  for (const auto& [rows, columns, targets] :
       {std::tuple{64, 16, 2}, std::tuple{37, 5, 3}, std::tuple{1, 1, 1}, std::tuple{5, 3, 40}}) {
    for (const bool labels : {true, false}) {
      INFO(rows << " x " << columns << ", targets " << targets << ", labels " << labels);
      const jessl::Embedding all = clusters(rows, columns);
      const RowMatrix answers = clusters(rows, targets + 1).features.rightCols(targets);
      const std::span<const std::int64_t> known = labels ? std::span(all.labels) : std::span<const std::int64_t>();
      const auto write_in = [&](const std::string& name, Eigen::Index block, bool told) {
        FeatureFileWriter writer{folder / name,
                                 {.dimension = columns,
                                  .rows = told ? std::optional<std::int64_t>(rows) : std::nullopt,
                                  .labels = labels,
                                  .targets = targets}};
        const RowMatrix wide = clusters(rows, targets + 1).features;  // whose rows are longer than the targets
        for (Eigen::Index first = 0; first < rows; first += block) {
          const Eigen::Index count = std::min<Eigen::Index>(block, rows - first);
          writer.append(
              all.features.middleRows(first, count),
              labels ? known.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count)) : known,
              wide.block(first, 1, count, targets));
        }
        writer.commit();
        return content(folder / name);
      };
      const std::string whole = write_in("whole", rows, true);
      for (const bool told : {true, false}) {
        for (const Eigen::Index block : {1, rows / 3 + 1, rows}) CHECK((write_in("blocks", block, told) == whole));
      }
      const FeatureFile file(folder / "whole");
      CHECK(file.features() == all.features);
      CHECK(std::ranges::equal(file.labels(), known));
      CHECK(file.targets() == answers);
      CHECK(reinterpret_cast<std::uintptr_t>(file.features().data()) % 64 == 0);
    }
  }
  write(folder / "bare", clusters(4, 2), 4);
  CHECK(FeatureFile(folder / "bare").targets().size() == 0);
}

TEST_CASE("FeatureFile: the header with targets is that of the format", "[io][feature_file]") {
  const TemporaryFolder folder;
  FeatureFileWriter writer(folder / "a", {.dimension = 1, .rows = 2, .targets = 3});
  writer.append((RowMatrix(2, 1) << 1.0F, -2.0F).finished(), std::vector<std::int64_t>{7, -1}, RowMatrix::Ones(2, 3));
  writer.commit();
  const std::string header =
      R"({"labels":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},"features":{"dtype":"F32","shape":[2,1],"data_offsets":[16,24]},"targets":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}})";
  const std::string bytes = content(folder / "a");
  CHECK(bytes.substr(8, header.size()) == header);
  CHECK(bytes.substr(bytes.size() - 4) == std::string("\0\0\x80\x3F", 4));
}

TEST_CASE("FeatureFile: a block may be a part of a wider matrix", "[io][feature_file]") {
  const TemporaryFolder folder;
  const jessl::Embedding wide = clusters(12, 9);
  FeatureFileWriter writer(folder / "a", {.dimension = 4, .rows = 12});
  writer.append(wide.features.block(0, 2, 5, 4), std::span(wide.labels).first(5));
  writer.append(wide.features.block(5, 2, 0, 4));
  writer.append(wide.features.block(5, 2, 7, 4), std::span(wide.labels).last(7));
  writer.commit();
  CHECK(holds(FeatureFile(folder / "a"), {wide.features.middleCols(2, 4), wide.labels}));
}

TEST_CASE("FeatureFile: copies share the file, which may be replaced or removed meanwhile", "[io][feature_file]") {
  const TemporaryFolder folder;
  const jessl::Embedding old = clusters(30, 4);
  write(folder / "a", old, 30);
  std::optional<FeatureFile> first(folder / "a");
  const FeatureFile copy = *first;
  const float* const place = first->features().data();
  first.reset();
  write(folder / "a", clusters(10, 2), 10);
  CHECK(copy.features().data() == place);
  CHECK(holds(copy, old));
  fs::remove(folder / "a");
  CHECK(holds(copy, old));
}

TEST_CASE("FeatureFile: an evaluation of a file gives the bits of one in memory", "[io][feature_file]") {
  namespace eval = jessl::eval;
  const TemporaryFolder folder;
  for (const auto& [rows, columns] :
       {std::pair{1500, 24}, std::pair{1100, 67}, std::pair{40, 75}}) {  // more rows than columns, and fewer
    INFO(rows << " x " << columns);
    const jessl::Embedding memory = clusters(rows, columns);
    write(folder / "a", memory, 100);
    const FeatureFile file(folder / "a");
    const auto x = file.features();
    const RowMatrix& expected = memory.features;

    const auto standard = eval::Standardize{}.fit(x);
    CHECK(standard.mean() == eval::Standardize{}.fit(expected).mean());
    CHECK(standard.deviation() == eval::Standardize{}.fit(expected).deviation());
    CHECK(eval::rank_me(x) == eval::rank_me(expected));
    for (const std::int64_t threads : {1, 2}) {
      const eval::LogisticProbe logistic{.l2 = 1e-3, .threads = threads};
      const auto probe = logistic.fit(x, file.labels());
      const auto other_probe = logistic.fit(expected, memory.labels);
      CHECK(probe.weights() == other_probe.weights());
      CHECK(probe.scores(x) == other_probe.scores(expected));
      const eval::RidgeProbe ridge{.lambda = 0.5, .threads = threads};
      CHECK(ridge.fit(x, file.labels()).weights() == ridge.fit(expected, memory.labels).weights());
      CHECK(ridge.fit(x, file.labels()).scores(x) == ridge.fit(expected, memory.labels).scores(expected));
      const eval::NearestCentroid centroid{.threads = threads};
      CHECK(centroid.fit(x, file.labels()).centroids() == centroid.fit(expected, memory.labels).centroids());
      const eval::NearestNeighbours nearest{.threads = threads};
      const auto found = nearest.fit(x).find(x, 5);
      const auto other_found = nearest.fit(expected).find(expected, 5);
      CHECK(found.rows == other_found.rows);
      CHECK(found.distances == other_found.distances);
    }
  }
}

#ifndef __SANITIZE_ADDRESS__  // which ends a program that has no memory left
TEST_CASE("FeatureFile: writing and evaluating take memory that does not depend on the rows", "[io][feature_file]") {
  constexpr std::int64_t columns = 64;
  constexpr std::int64_t rows = 400'000;  // 102 MB
  constexpr std::int64_t block = 4'000;
  const TemporaryFolder folder;
  const jessl::Embedding part = clusters(block, columns);
  const jessl::test::DataLimit limit(32U << 20U);
  CHECK_THROWS_AS(RowMatrix::Ones(rows, columns).eval().sum(), std::bad_alloc);  // what all of them would take
  for (const bool told : {true, false}) {  // where it is not told, the labels are held: 3 MB
    FeatureFileWriter writer(folder / "a", {.dimension = columns, .rows = told ? std::optional(rows) : std::nullopt});
    for (std::int64_t first = 0; first < rows; first += block) writer.append(part.features, part.labels);
    writer.commit();
  }
  const FeatureFile file(folder / "a");
  CHECK(file.size() == rows);
  // All blocks are equal, so that their mean is that of one but for rounding in float64.
  const auto mean = jessl::eval::Standardize{}.fit(part.features).mean();
  CHECK((jessl::eval::Standardize{}.fit(file.features()).mean() - mean).cwiseAbs().maxCoeff() < 1e-10);
  const auto ridge = jessl::eval::RidgeProbe{.lambda = 1.0, .threads = 1}.fit(file.features(), file.labels());
  CHECK(ridge.dimension() == columns);
  CHECK(jessl::eval::rank_me(file.features(), {.threads = 1}) > 1.0);
}
#endif

TEST_CASE("FeatureFile: a file cut anywhere is refused", "[io][feature_file]") {
  const TemporaryFolder folder;
  write(folder / "a", clusters(3, 2), 3);
  const std::string whole = content(folder / "a");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO(length);
    CHECK(refusal(whole.substr(0, length)) != "no error");
  }
  CHECK_THAT(refusal(whole.substr(0, 5)), Contains("(offset 0) has 5 bytes, expected at least the 8"));
  CHECK_THAT(refusal(whole.substr(0, whole.size() - 1)), Contains("it is truncated"));
  CHECK_THAT(refusal(whole + "x"), Contains("something follows the last tensor"));
  CHECK_THAT(refusal(file_of("{\"a\":" + std::string(1'000'000, '['), 0)),
             Contains("(offset 16)") && Contains("deeper"));
  CHECK_THROWS_AS(FeatureFile(folder / "absent"), DataError);
  CHECK_THROWS_WITH(FeatureFile(folder / "absent"),
                    Contains("jessl::io::FeatureFile: cannot open ") && Contains("absent"));
  CHECK_THROWS_WITH(FeatureFile(folder.path()), Contains("no regular file"));
}

TEST_CASE("FeatureFile: tensors that are no features and labels are refused", "[io][feature_file]") {
  const std::string features = R"("features":)" + tensor("F32", "[2,2]", "[16,32]");
  const auto labelled = [&](const std::string& dtype, const std::string& shape) {
    // A header of a multiple of 8 bytes, as a file's should be.
    std::string header = "{" + features + R"(,"labels":)" + tensor(dtype, shape, "[0,16]") + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return refusal(file_of(header, 32));
  };
  CHECK(labelled("I64", "[2]") == "no error");
  const auto targeted = [&](const std::string& dtype, const std::string& shape) {
    std::string header = "{" + features + R"(,"targets":)" + tensor(dtype, shape, "[0,16]") + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return refusal(file_of(header, 32));
  };
  CHECK(targeted("F32", "[2,2]") == "no error");
  CHECK_THAT(targeted("F32", "[4]"), Contains("(offset 8) has targets F32 [4], expected F32 [N, T] = [2, T]"));
  CHECK_THAT(targeted("F32", "[1,4]"), Contains("has targets F32 [1, 4], expected F32 [N, T] = [2, T]"));
  CHECK_THAT(targeted("F64", "[2,1]"), Contains("has targets F64 [2, 1]"));
  CHECK_THAT(targeted("I64", "[2,1]"), Contains("has targets I64 [2, 1]"));
  CHECK_THAT(labelled("F64", "[2]"), Contains("(offset 8) has labels F64 [2], expected I64 [2], one for each row"));
  CHECK_THAT(labelled("I64", "[2,1]"), Contains("has labels I64 [2, 1], expected I64 [2]"));
  CHECK_THAT(labelled("I32", "[4]"), Contains("has labels I32 [4], expected I64 [2]"));

  const auto alone = [](const std::string& name, const std::string& dtype, const std::string& shape) {
    std::string header = R"({")" + name + R"(":)" + tensor(dtype, shape, shape == "[4,0]" ? "[0,0]" : "[0,16]") + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return refusal(file_of(header, shape == "[4,0]" ? 0 : 16));
  };
  CHECK(alone("features", "F32", "[2,2]") == "no error");
  CHECK_THAT(alone("features", "F16", "[4,2]"), Contains("has features F16 [4, 2], expected F32 [N, D]"));
  CHECK_THAT(alone("features", "F32", "[4]"), Contains("has features F32 [4], expected F32 [N, D]"));
  CHECK_THAT(alone("features", "F32", "[2,2,1]"), Contains("has features F32 [2, 2, 1]"));
  CHECK_THAT(alone("features", "F32", "[4,0]"), Contains("has features F32 [4, 0]"));
  CHECK_THAT(alone("embeddings", "F32", "[2,2]"), Contains("has no tensor 'features' but 'embeddings'"));
  CHECK_THAT(refusal(file_of("{}", 0)), Contains("has no tensor 'features' but none at all"));
}

TEST_CASE("FeatureFile: values whose place no processor must read from are refused", "[io][feature_file]") {
  const auto moved = [](std::size_t header_size) {
    std::string header =
        R"({"features":)" + tensor("F32", "[1,1]", "[8,12]") + R"(,"labels":)" + tensor("I64", "[1]", "[0,8]") + "}";
    header.resize(header_size, ' ');
    return refusal(file_of(header, 12));
  };
  CHECK(moved(160) == "no error");
  CHECK_THAT(moved(161), Contains("(offset 177) has features at a place that is no multiple of 4 bytes"));
  CHECK_THAT(moved(164), Contains("(offset 172) has labels at a place that is no multiple of 8 bytes"));
}

TEST_CASE("FeatureFileWriter: settings out of range are refused before a file is made", "[io][feature_file]") {
  const TemporaryFolder folder;
  const auto refused = [&](const jessl::io::FeatureFileOptions& options, const std::string& text) {
    CHECK_THROWS_AS(FeatureFileWriter(folder / "a", options), ConfigError);
    CHECK_THROWS_WITH(FeatureFileWriter(folder / "a", options), Contains("jessl::io::FeatureFileWriter: " + text));
  };
  refused({}, "dimension is 0, expected 1 to");
  refused({.dimension = -3}, "dimension is -3");
  refused({.dimension = std::numeric_limits<std::int64_t>::max()}, "dimension is 9223372036854775807");
  refused({.dimension = 2, .rows = -1}, "rows is -1, expected 0 to");
  refused({.dimension = 2, .targets = -1}, "targets is -1, expected 0 to");
  refused({.dimension = 2, .targets = std::numeric_limits<std::int64_t>::max()}, "targets is 9223372036854775807");
  refused({.dimension = 2, .rows = std::numeric_limits<std::int64_t>::max()}, "rows is 9223372036854775807");
  refused({.dimension = 2, .metadata = {{"model", "\xFF"}}}, "a tensor's name or a metadata text is not UTF-8");
  CHECK(folder.entries() == 0);
  CHECK_THROWS_AS(FeatureFileWriter(folder / "absent/a", {.dimension = 2}), IOError);
}

TEST_CASE("FeatureFileWriter: a block that does not fit is refused, and leaves the writer as it was",
          "[io][feature_file]") {
  const TemporaryFolder folder;
  const jessl::Embedding rows = clusters(5, 3);
  FeatureFileWriter writer(folder / "a", {.dimension = 3, .rows = 5});
  const auto refused = [&](const RowMatrix& block, std::span<const std::int64_t> labels, const std::string& text) {
    CHECK_THROWS_AS(writer.append(block, labels), ShapeError);
    CHECK_THROWS_WITH(writer.append(block, labels), Contains("jessl::io::FeatureFileWriter: ") && Contains(text));
  };
  writer.append(rows.features.topRows(4), std::span(rows.labels).first(4));
  refused(RowMatrix::Zero(1, 2), std::span(rows.labels).first(1), "is [1, 2], expected [n, D] = [n, 3]");
  refused(RowMatrix::Zero(1, 3), {}, "is [1, 3] with 0 labels, expected 1, one for each row");
  refused(RowMatrix::Zero(2, 3), std::span(rows.labels).first(2), "has 4 rows and gets 2 more, expected 5 in all");
  CHECK_THROWS_AS(writer.commit(), ShapeError);
  CHECK_THROWS_WITH(writer.commit(), Contains("has 4 rows, expected 5 as its options say"));
  CHECK(writer.size() == 4);
  writer.append(rows.features.bottomRows(1), std::span(rows.labels).last(1));
  writer.commit();
  CHECK(holds(FeatureFile(folder / "a"), rows));
  CHECK_THROWS_AS(writer.commit(), IOError);
  CHECK_THROWS_AS(writer.append(RowMatrix::Zero(0, 3)), IOError);

  FeatureFileWriter targeted(folder / "c", {.dimension = 3, .labels = false, .targets = 2});
  CHECK_THROWS_AS(targeted.append(rows.features), ShapeError);
  CHECK_THROWS_WITH(targeted.append(rows.features),
                    Contains("is [5, 3] with targets [0, 0], expected [n, T] = [5, 2]"));
  CHECK_THROWS_WITH(targeted.append(rows.features, {}, RowMatrix::Zero(4, 2)),
                    Contains("with targets [4, 2], expected"));
  CHECK(targeted.size() == 0);

  FeatureFileWriter bare(folder / "b", {.dimension = 3, .labels = false});
  CHECK_THROWS_WITH(bare.append(rows.features, {}, RowMatrix::Zero(5, 2)),
                    Contains("with targets [5, 2], expected [n, T] = [0, 0]"));
  CHECK_THROWS_WITH(bare.append(rows.features, rows.labels), Contains("with 5 labels, expected 0: the file has none"));
}

TEST_CASE("FeatureFileWriter: without commit nothing is left behind, and the old file stays", "[io][feature_file]") {
  const TemporaryFolder folder;
  const jessl::Embedding old = clusters(5, 3);
  write(folder / "a", old, 5);
  {
    FeatureFileWriter writer(folder / "a", {.dimension = 2});
    writer.append(RowMatrix::Ones(100, 2), std::vector<std::int64_t>(100));
    CHECK(folder.entries() == 2);
    CHECK_THROWS_WITH(FeatureFileWriter(folder / "a", {.dimension = 2}), Contains("being written by another"));
  }
  CHECK(folder.entries() == 1);
  CHECK(holds(FeatureFile(folder / "a"), old));
}

TEST_CASE("FeatureFileWriter: a disk without room is an error at once where the rows are told, else in time",
          "[io][feature_file]") {
  const TemporaryFolder folder;
  const jessl::Embedding old = clusters(5, 3);
  write(folder / "a", old, 5);
  const auto message_of = [&](const std::optional<std::int64_t>& rows, std::int64_t given) -> std::string {
    const jessl::test::FileSizeLimit full(16'384);
    try {
      FeatureFileWriter writer(folder / "a", {.dimension = 4, .rows = rows});
      if (rows) return "it began";
      writer.append(RowMatrix::Ones(given, 4), std::vector<std::int64_t>(static_cast<std::size_t>(given)));
      writer.commit();
    } catch (const IOError& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK_THAT(message_of(1000, 0), Contains("cannot find room for ") && Contains("Free some space"));
  CHECK_THAT(message_of({}, 2000), Contains("cannot write to ") && Contains("Free some space"));
  CHECK_THAT(message_of({}, 1000), Contains("cannot find room for "));  // the features fit, the labels do not
  CHECK(message_of({}, 600) == "no error");
  CHECK(message_of(600, 0) == "it began");
  CHECK(folder.entries() == 1);
}

TEST_CASE("FeatureFile: a file that Python wrote is read", "[io][feature_file]") {
  const FeatureFile file(JESSL_TEST_DATA "/reference/io/features.safetensors");  // tests/reference/io/make.py
  // features[i, j] = i - j / 8, labels[i] = 10 i
  REQUIRE(file.size() == 5);
  REQUIRE(file.dimension() == 3);
  for (Eigen::Index i = 0; i < 5; ++i) {
    for (Eigen::Index j = 0; j < 3; ++j)
      CHECK(file.features()(i, j) == static_cast<float>(i) - static_cast<float>(j) / 8.0F);
  }
  CHECK(std::ranges::equal(file.labels(), std::vector<std::int64_t>{0, 10, 20, 30, 40}));
  CHECK(file.metadata().at("layer") == "projector.1");
}

TEST_CASE("FeatureFile: Python's safetensors reads it", "[io][feature_file][outside]") {
  if (std::system((python() + " -c 'import safetensors.numpy' > /dev/null 2>&1").c_str()) != 0) {
    JESSL_SKIP(python() << " has no safetensors with numpy; name one that has in JESSL_PYTHON");
    return;
  }
  const TemporaryFolder folder;
  jessl::Embedding rows = clusters(5, 3);  // odd both: the labels are aligned all the same
  for (Eigen::Index i = 0; i < 5; ++i) {
    for (Eigen::Index j = 0; j < 3; ++j) rows.features(i, j) = static_cast<float>(i) - static_cast<float>(j) / 8.0F;
  }
  write(folder / "told", rows, 2, true, {{"layer", "representation"}, {"model", "\xC3\xBC"}});
  write(folder / "untold", rows, 2, false, {{"layer", "representation"}, {"model", "\xC3\xBC"}});
  const std::string program =
      "import sys, numpy as np; from safetensors import safe_open; from safetensors.numpy import load_file; "
      "d = load_file(sys.argv[1]); x, y = d.pop('features'), d.pop('labels'); assert not d; "
      "assert x.dtype == np.float32 and y.dtype == np.int64; "
      "assert (x == np.arange(5.)[:, None] - np.arange(3.) / 8).all() and y.tolist() == [0, 1, 2, 0, 1]; "
      "assert safe_open(sys.argv[1], 'np').metadata() == {'layer': 'representation', 'model': chr(252)}";
  for (const bool told : {true, false}) {
    FeatureFileWriter writer(
        folder / (told ? "told_targets" : "untold_targets"),
        {.dimension = 3, .rows = told ? std::optional(std::int64_t{5}) : std::nullopt, .targets = 3});
    writer.append(rows.features, rows.labels, 2.0F * rows.features);
    writer.commit();
  }
  const std::string with_targets =
      "import sys, numpy as np; from safetensors.numpy import load_file; d = load_file(sys.argv[1]); "
      "assert sorted(d) == ['features', 'labels', 'targets'] and d['targets'].dtype == np.float32; "
      "assert (d['targets'] == 2 * d['features']).all() and d['labels'].tolist() == [0, 1, 2, 0, 1]; "
      "assert (d['features'] == np.arange(5.)[:, None] - np.arange(3.) / 8).all()";
  for (const std::string file : {"told_targets", "untold_targets"})
    CHECK(std::system((python() + " -c \"" + with_targets + "\" " + folder / file).c_str()) == 0);
  for (const std::string file : {"told", "untold"})
    CHECK(std::system((python() + " -c \"" + program + "\" " + folder / file).c_str()) == 0);
}
