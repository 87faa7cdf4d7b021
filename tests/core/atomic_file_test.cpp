// SPDX-License-Identifier: Apache-2.0
// A file is replaced as a whole or not at all, whatever goes wrong on the way.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include <unistd.h>

#include <jessl/core/atomic_file.hpp>

#include "support/file_content.hpp"
#include "support/file_size_limit.hpp"
#include "support/temporary_folder.hpp"

namespace {

namespace fs = std::filesystem;
using jessl::AtomicFile;
using jessl::IOError;
using jessl::test::content;
using jessl::test::FileSizeLimit;
using jessl::test::TemporaryFolder;

using Catch::Matchers::Contains;

template <class E>
std::string message_of(const auto& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("AtomicFile: commit puts exactly the bytes written into place", "[core][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a.bin");
  file.write("one ");
  file.write(std::string(100000, 'x'));
  CHECK(file.size() == 100004);
  CHECK_FALSE(fs::exists(folder / "a.bin"));  // nothing to see before the commit
  file.commit();
  CHECK(content(folder / "a.bin") == "one " + std::string(100000, 'x'));
  CHECK(folder.entries() == 1);
}

TEST_CASE("AtomicFile: the example of the documentation runs", "[core][atomic_file]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.txt";
  // [example]
  jessl::AtomicFile file(path);
  file.write("any number of parts, ");
  file.write("texts or bytes");
  file.commit();  // without it, nothing of this ever happened
  // [/example]
  CHECK(content(path) == "any number of parts, texts or bytes");
}

TEST_CASE("AtomicFile: without commit the old file stays and nothing is left behind", "[core][atomic_file]") {
  const TemporaryFolder folder;
  jessl::write_file(folder / "a.txt", "old");
  {
    AtomicFile file(folder / "a.txt");
    file.write("new");
  }
  CHECK(content(folder / "a.txt") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("AtomicFile: a commit replaces the old file", "[core][atomic_file]") {
  const TemporaryFolder folder;
  jessl::write_file(folder / "a.txt", "a rather long old text");
  jessl::write_file(folder / "a.txt", "new");
  CHECK(content(folder / "a.txt") == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("AtomicFile: bytes at offsets go over what is there or beyond it, and gaps are zeros",
          "[core][atomic_file]") {
  const TemporaryFolder folder;
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  AtomicFile file(folder / "a.bin");
  file.write_at(6, bytes("world"));
  file.write_at(0, bytes("hall"));
  file.write_at(1, bytes("e"));
  file.start_flush(0, 6);  // advice
  CHECK(file.size() == 11);
  std::array<std::byte, 20> back{};
  CHECK(file.read_at(4, back) == 7);
  CHECK(std::equal(back.begin(), back.begin() + 7, bytes(std::string_view("\0\0world", 7)).begin()));
  file.resize(8);
  CHECK(file.size() == 8);
  file.commit();
  CHECK(content(folder / "a.bin") == std::string("hell\0\0wo", 8));
  CHECK_THROWS_AS(file.write_at(0, bytes("x")), IOError);
}

TEST_CASE("AtomicFile: the tail moves up and down, also by less than its length", "[core][atomic_file]") {
  const TemporaryFolder folder;
  std::string tail(9'000'000, '\0');  // more than two of the pieces in which it moves
  for (std::size_t i = 0; i < tail.size(); ++i) tail[i] = static_cast<char>(i * 31 % 251);
  for (const std::int64_t target : {0, 5, 1'000'000, 20'000'000}) {
    INFO(target);
    AtomicFile file(folder / "a.bin");
    file.write_at(5, std::as_bytes(std::span(tail)));
    file.move_tail(5, target);
    CHECK(file.size() == target + 9'000'000);
    file.commit();
    CHECK((content(folder / "a.bin").substr(static_cast<std::size_t>(target)) == tail));  // in brackets: not printed
  }
}

TEST_CASE("AtomicFile: a full disk is an IOError for bytes at offsets too", "[core][atomic_file]") {
  const TemporaryFolder folder;
  const std::string error = [&] {
    const FileSizeLimit full(4096);
    return message_of<IOError>([&] {
      AtomicFile file(folder / "a.bin");
      file.write_at(8192, std::as_bytes(std::span("text")));
    });
  }();
  CHECK_THAT(error, Contains("cannot write to") && Contains("File too large"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("AtomicFile: room that the disk has not is an IOError before anything is written", "[core][atomic_file]") {
  const TemporaryFolder folder;
  jessl::write_file(folder / "a.bin", "old");
  const std::string error = [&] {
    const FileSizeLimit full(4096);
    AtomicFile(folder / "b.bin").require_room(4096);
    return message_of<IOError>([&] { AtomicFile(folder / "a.bin").require_room(4097); });
  }();
  CHECK_THAT(error, Contains("cannot find room for 4097 bytes in") && Contains("Free some space"));
  CHECK(content(folder / "a.bin") == "old");
  CHECK(folder.entries() == 1);

  AtomicFile file(folder / "a.bin");
  file.write("ne");
  file.require_room(100);
  file.write("w");
  CHECK(file.size() == 3);
  file.commit();
  CHECK(content(folder / "a.bin") == "new");
}

TEST_CASE("AtomicFile: a name without a folder means the current folder", "[core][atomic_file]") {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder / "");
  jessl::write_file("a.txt", "here");
  fs::current_path(before);
  CHECK(content(folder / "a.txt") == "here");
}

TEST_CASE("AtomicFile: a full disk is an IOError that leaves the old file", "[core][atomic_file]") {
  const TemporaryFolder folder;
  jessl::write_file(folder / "a.txt", "old");
  const std::string error = [&] {
    const FileSizeLimit full(4096);
    return message_of<IOError>([&] { jessl::write_file(folder / "a.txt", std::string(1 << 20, 'x'), "jessl::test"); });
  }();
  CHECK_THAT(error, Contains("jessl::test: cannot write to") && Contains("a.txt.partial") &&
                        Contains("File too large") && Contains("was not changed") && Contains("Free some space"));
  CHECK(content(folder / "a.txt") == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("AtomicFile: a full disk that shows only when buffered bytes are flushed is an IOError too",
          "[core][atomic_file]") {
  const TemporaryFolder folder;
  const std::string error = [&] {
    const FileSizeLimit full(16);
    return message_of<IOError>([&] { jessl::write_file(folder / "a.txt", "more than sixteen bytes"); });
  }();
  CHECK_THAT(error, Contains("File too large"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("AtomicFile: after an error, writing and committing are errors as well", "[core][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a.txt");
  {
    const FileSizeLimit full(16);
    CHECK_THROWS_AS(file.write(std::string(1 << 20, 'x')), IOError);
  }
  CHECK_THAT(message_of<IOError>([&] { file.write("more"); }), Contains("no longer being written"));
  CHECK_THAT(message_of<IOError>([&] { file.commit(); }), Contains("cannot be committed"));
  CHECK(folder.entries() == 0);
}

TEST_CASE("AtomicFile: committing twice is an error", "[core][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a.txt");
  file.commit();
  CHECK_THROWS_AS(file.commit(), IOError);
  CHECK(content(folder / "a.txt").empty());
}

TEST_CASE("AtomicFile: the leftover of a killed writer is taken over", "[core][atomic_file]") {
  const TemporaryFolder folder;
  std::ofstream(folder / "a.txt.partial") << "half of something, longer than what comes next";
  jessl::write_file(folder / "a.txt", "new");
  CHECK(content(folder / "a.txt") == "new");
  CHECK(folder.entries() == 1);
}

TEST_CASE("AtomicFile: two writers of one path at a time are an error, and the first is not disturbed",
          "[core][atomic_file]") {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a.txt");
  first.write("first");
  CHECK_THAT(message_of<IOError>([&] { AtomicFile second(folder / "a.txt"); }),
             Contains("is being written by another"));
  first.commit();
  CHECK(content(folder / "a.txt") == "first");
}

TEST_CASE("AtomicFile: an absent folder, a folder in the file's place and a device are IOErrors",
          "[core][atomic_file]") {
  const TemporaryFolder folder;
  CHECK_THAT(message_of<IOError>([&] { AtomicFile file(folder / "absent/a.txt"); }),
             Contains("No such file or directory") && Contains("Create its folder first"));
  fs::create_directory(folder / "taken");
  CHECK_THAT(message_of<IOError>([&] { AtomicFile file(folder / "taken"); }), Contains("exists and is not a file"));
  CHECK_THAT(message_of<IOError>([&] { AtomicFile file(folder / "taken/"); }), Contains("does not name a file"));
  CHECK_THAT(message_of<IOError>([] { AtomicFile file("/dev/full"); }), Contains("exists and is not a file"));
}
