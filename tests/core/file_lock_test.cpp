// SPDX-License-Identifier: Apache-2.0
// The lock of a path, and the earlier file out of the way: one writer, and nothing lost.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <jessl/core/file_lock.hpp>

#include "support/temporary_folder.hpp"

namespace {

using Catch::Matchers::Contains;
using jessl::FileLock;
using jessl::keep_previous;
using jessl::test::TemporaryFolder;

}  // namespace

TEST_CASE("FileLock: a second holder is refused and told who has the path", "[core][file_lock]") {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  std::optional<FileLock> first(path);
  CHECK_THROWS_AS(FileLock(path), jessl::IOError);
  CHECK_THROWS_WITH(
      FileLock(path, "jessl::somebody"),
      Contains("jessl::somebody: " + path + " is being written by process " + std::to_string(::getpid())) &&
          Contains("write to another folder"));
  FileLock moved(std::move(*first));
  first.reset();
  CHECK_THROWS_AS(FileLock(path), jessl::IOError);
  CHECK_NOTHROW(FileLock(folder / "other"));
}

TEST_CASE("FileLock: leaves nothing behind, and what a killed holder left is taken over", "[core][file_lock]") {
  const TemporaryFolder folder;
  { const FileLock lock(folder / "log"); }
  CHECK(folder.entries() == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const FileLock lock(folder / "log");
    ::_exit(0);  // without destructors, as `kill -9`
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(folder.entries() == 1);
  { const FileLock lock(folder / "log"); }
  CHECK(folder.entries() == 0);
}

TEST_CASE("FileLock: a folder that cannot be written is an IOError with the reason", "[core][file_lock]") {
  const TemporaryFolder folder;
  folder.write("file", std::string("in the way"));
  CHECK_THROWS_AS(FileLock(folder / "file/log"), jessl::IOError);
  CHECK_THROWS_WITH(FileLock(folder / "file/log"),
                    Contains("Not a directory") && Contains("folder that you may write"));
}

TEST_CASE("keep_previous: takes the first free name and overwrites nothing", "[core][file_lock]") {
  const TemporaryFolder folder;
  const std::string path = folder / "log";
  CHECK_FALSE(keep_previous(path));
  CHECK_FALSE(keep_previous(folder / "absent/log"));
  for (const std::string text : {"a", "b", "c"}) {
    folder.write("log", text);
    CHECK(keep_previous(path));
  }
  const auto content = [&](const std::string& name) {
    std::string text;
    std::ifstream(folder / name) >> text;
    return text;
  };
  CHECK(content("log.previous") == "a");
  CHECK(content("log.previous-2") == "b");
  CHECK(content("log.previous-3") == "c");
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("keep_previous: what the system refuses is an IOError and leaves the file", "[core][file_lock]") {
  const TemporaryFolder folder;
  // The name is one that a file may have, but with ".previous" after it, it is too long.
  const std::string path = folder.write(std::string(250, 'x'), std::string("text"));
  CHECK_THROWS_AS(keep_previous(path), jessl::IOError);
  CHECK_THROWS_WITH(keep_previous(path), Contains("File name too long"));
  CHECK(std::filesystem::exists(path));
}
