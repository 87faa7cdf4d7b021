// SPDX-License-Identifier: Apache-2.0
// JSON files: what is saved is loaded, and files that hold something else are errors that name the place.
#include <catch2/catch.hpp>

#include <string>

#include <jessl/io/json.hpp>

#include "support/temporary_folder.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::Json;
using jessl::io::load_json;
using jessl::test::TemporaryFolder;

}  // namespace

TEST_CASE("save_json: what is saved is loaded, in its order", "[io][json]") {
  const TemporaryFolder folder;
  const Json document = {{"z", 1}, {"a", {1.5, "\"[[[\"", nullptr}}};
  jessl::io::save_json(folder / "a.json", document);
  CHECK(load_json(folder / "a.json").dump() == document.dump());
}

TEST_CASE("save_json: text that is not UTF-8 is a ConfigError, and the file that was there stays", "[io][json]") {
  const TemporaryFolder folder;
  jessl::io::save_json(folder / "a.json", {{"out", "good"}});
  const Json latin1 = {{"out", "caf\xE9"}};
  CHECK_THROWS_AS(jessl::io::save_json(folder / "a.json", latin1), jessl::ConfigError);
  CHECK_THROWS_WITH(jessl::io::save_json(folder / "a.json", latin1), Contains("a.json") && Contains("not UTF-8"));
  CHECK(load_json(folder / "a.json")["out"] == "good");
}

TEST_CASE("load_json: absent files and texts that are not JSON are DataErrors with the place", "[io][json]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(load_json(folder / "absent.json"), jessl::DataError);
  CHECK_THROWS_WITH(load_json(folder / "absent.json"), Contains("cannot open") && Contains("absent.json"));
  const std::string path = folder.write("bad.json", std::string(R"({"a": 1,})"));
  CHECK_THROWS_AS(load_json(path), jessl::DataError);
  CHECK_THROWS_WITH(load_json(path), Contains("bad.json") && Contains("(offset 9) is not JSON"));
}

TEST_CASE("load_json: 64 levels are read, and a million are refused without overflowing the stack", "[io][json]") {
  const TemporaryFolder folder;
  const auto nested = [&](std::size_t levels) {
    return folder.write("deep.json", std::string(levels, '[') + std::string(levels, ']'));
  };
  CHECK(load_json(nested(64)).is_array());
  CHECK_THROWS_AS(load_json(nested(65)), jessl::DataError);
  CHECK_THROWS_WITH(load_json(nested(1'000'000)), Contains("(offset 64) is nested deeper than 64 levels"));
}

TEST_CASE("make_folder: a file in the way is an IOError", "[io][json]") {
  const TemporaryFolder folder;
  jessl::io::make_folder(folder / "a/b/c");
  CHECK_NOTHROW(jessl::io::make_folder(folder / "a/b/c"));
  folder.write("file", std::string("x"));
  CHECK_THROWS_AS(jessl::io::make_folder(folder / "file"), jessl::IOError);
  CHECK_THROWS_AS(jessl::io::make_folder(folder / "file/below"), jessl::IOError);
}
