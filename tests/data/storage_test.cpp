// SPDX-License-Identifier: Apache-2.0
// A file's bytes are the same wherever they lie, and what happens to the file afterwards is told or does not matter.
#include <catch2/catch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <jessl/core/detail/stored_file.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/storage.hpp>

#include "data/beton_support.hpp"
#include "data/support.hpp"

using Catch::Contains;
using data_test::Bytes;
using data_test::TemporaryFolder;
using jessl::DataError;
using jessl::data::Storage;
using jessl::detail::StoredFile;

namespace {

constexpr std::array storages{Storage::mapped, Storage::memory, Storage::reads};

/// Bytes that tell their place, more than a page of them.
Bytes numbered(std::size_t size = 100'000) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 % 251);
  return bytes;
}

}  // namespace

TEST_CASE("Storage: the example of the documentation runs", "[data][storage]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_mixed(folder);
  // [storage]
  const jessl::data::Beton data{path, {.storage = jessl::data::Storage::memory}};
  // [/storage]
  CHECK(data.size() == 5);
}

TEST_CASE("Storage: every way gives the same bytes", "[data][storage]") {
  const TemporaryFolder folder;
  const Bytes bytes = numbered();
  const std::string path = folder.write("file", bytes);
  for (const Storage way : storages) {
    INFO(jessl::to_json(way));
    const StoredFile file(path, way, "test");
    CHECK(file.size() == bytes.size());
    CHECK(file.held() == (way != Storage::reads));
    std::vector<std::byte> storage;
    for (const std::size_t begin : {0U, 1U, 4095U, 70'001U, 99'999U, 100'000U}) {
      for (const std::size_t size : {0U, 1U, 5000U, 100'000U}) {
        if (size > bytes.size() - begin) continue;
        const auto got = file.read(begin, size, storage);
        const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
        CHECK(Bytes(got.begin(), got.end()) == Bytes(place, place + static_cast<std::ptrdiff_t>(size)));
      }
    }
    CHECK(storage.empty() == file.held());
  }
}

TEST_CASE("Storage: what was read for mapping is what is mapped", "[data][storage]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", numbered());
  StoredFile file(path, Storage::reads, "test");
  std::filesystem::remove(path);
  folder.write("file", std::string("another file"));
  file.map();
  CHECK(file.held());
  std::vector<std::byte> storage;
  const auto got = file.read(0, file.size(), storage);
  CHECK(Bytes(got.begin(), got.end()) == numbered());
}

TEST_CASE("Storage: an empty file has no bytes", "[data][storage]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("empty", std::string());
  for (const Storage way : storages) {
    const StoredFile file(path, way, "test");
    std::vector<std::byte> storage;
    CHECK(file.size() == 0);
    CHECK(file.read(0, 0, storage).empty());
    CHECK_THROWS_AS(file.read(0, 1, storage), jessl::InternalError);
  }
}

TEST_CASE("Storage: a file that is absent or no file is an error", "[data][storage]") {
  const TemporaryFolder folder;
  for (const Storage way : storages) {
    CHECK_THROWS_AS(StoredFile(folder / "absent", way, "test"), DataError);
    CHECK_THROWS_WITH(StoredFile(folder / "absent", way, "test"),
                      "test: cannot open " + folder / "absent" + ": No such file or directory");
    CHECK_THROWS_WITH(StoredFile(folder.path(), way, "test"), "test: " + folder.path() + " is no regular file");
  }
}

TEST_CASE("Storage: a file cut after it was opened is an error of reads, and nothing to memory", "[data][storage]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", numbered());
  const StoredFile reads(path, Storage::reads, "test");
  const StoredFile memory(path, Storage::memory, "test");
  std::filesystem::resize_file(path, 60'000);
  std::vector<std::byte> storage;
  CHECK(reads.read(59'000, 1000, storage).size() == 1000);
  CHECK_THROWS_AS(reads.read(59'000, 1001, storage), DataError);
  CHECK_THROWS_WITH(
      reads.read(59'000, 1001, storage),
      "test: " + path + " has nothing at byte 60000, expected 100000 bytes as when it was opened: it became shorter");
  const auto got = memory.read(0, memory.size(), storage);
  CHECK(Bytes(got.begin(), got.end()) == numbered());
}

TEST_CASE("Storage: too many open files are an error that says what to do", "[data][storage]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("file", numbered(10));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::exception_ptr failure;  // looked at when files can be opened again, which sanitizers do to look at it
  try {
    const StoredFile file(path, Storage::reads, "test");
  } catch (...) {
    failure = std::current_exception();
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(failure);
  CHECK_THROWS_AS(std::rethrow_exception(failure), DataError);
  CHECK_THROWS_WITH(std::rethrow_exception(failure), Contains("cannot open " + path + ": Too many open files") &&
                                                         Contains("ulimit -n") && Contains("set storage to mapped"));
}

TEST_CASE("Storage: its values have names", "[data][storage]") {
  for (const char* name : {"mapped", "memory", "reads"}) {
    CHECK(jessl::to_json(jessl::from_json<Storage>(jessl::Json(name), "storage")) == name);
  }
  CHECK_THROWS_AS(jessl::from_json<Storage>(jessl::Json("disk"), "storage"), jessl::ConfigError);
}
