// SPDX-License-Identifier: Apache-2.0
// Tar files: keys, suffixes and labels as webdataset has them, every form of header, and damage.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/tar_shards.hpp>

#include "data/beton_support.hpp"
#include "data/support.hpp"
#include "data/tar_support.hpp"
#include "support/sha256.hpp"
#include "support/skip.hpp"

using Catch::Contains;
using data_test::gnu_magic;
using data_test::pax_header;
using data_test::pax_record;
using data_test::picture;
using data_test::tar_end;
using data_test::tar_header;
using data_test::tar_long_name;
using data_test::tar_member;
using data_test::tar_sample;
using data_test::TemporaryFolder;
using data_test::to_png;
using jessl::DataError;
using jessl::data::Storage;
using jessl::data::TarShards;
using jessl::data::TarShardsOptions;
using Strings = std::vector<std::string>;

namespace {

std::string content(const TarShards& data, std::int64_t i) {
  std::vector<std::byte> storage;
  return data_test::as_text(data.read(i, storage).bytes);
}

Strings keys(const TarShards& data) {
  Strings all;
  for (std::int64_t i = 0; i < data.size(); ++i) all.push_back(data.key(i));
  return all;
}

/// Everything that a data set says, for comparing.
std::string read_all(const TarShards& data) {
  std::string all;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    all += jessl::concat(data.key(i), '|', data.describe(i), '|', data.label(i), '|', content(data, i), '\n');
  }
  return all + std::to_string(data.classes());
}

/// One tar file, written anew for each case.
class Shard {
 public:
  [[nodiscard]] TarShards open(const std::string& bytes, const TarShardsOptions& options = {}) const {
    return TarShards(write(bytes), options);
  }
  [[nodiscard]] std::string write(const std::string& bytes) const { return folder_.write("shard.tar", bytes); }

  /// Opening it must fail with this text, and the file's path.
  void refuses(const std::string& bytes, const std::string& text, const TarShardsOptions& options = {}) const {
    CHECK_THROWS_AS(open(bytes, options), DataError);
    CHECK_THROWS_WITH(open(bytes, options), Contains("jessl::data::TarShards: " + path()) && Contains(text));
  }
  [[nodiscard]] std::string path() const { return folder_ / "shard.tar"; }

 private:
  TemporaryFolder folder_;
};

/// Of many forms of header, for damaging it: six samples.
std::string mixed_shard() {
  const auto image = [](std::int64_t number) { return data_test::as_text(to_png(picture(4, 3, 3, number))); };
  std::string bytes = tar_member("train/", "", {.type = '5'}) + tar_sample("train/0", 0, 3);
  bytes += tar_member("1.jpg", data_test::to_jpeg(picture(8, 8, 3))) + tar_member("1.json", "{\"label\": 4}");
  bytes += tar_long_name(std::string(150, 'l') + ".png") + tar_member("short", image(2), {.magic = gnu_magic});
  bytes += tar_long_name(std::string(150, 'l') + ".cls") + tar_member("short", "1\n", {.magic = gnu_magic});
  bytes += pax_header(pax_record("path", "p/\xC3\xBC.png") + pax_record("mtime", "1.5")) + tar_member("x", image(3));
  bytes += pax_header(pax_record("path", "p/\xC3\xBC.cls")) + tar_member("x", "0");
  bytes += tar_member("4.png", image(4), {.prefix = "folder", .binary_size = true});
  bytes += tar_member("folder/4.cls", "2") + tar_member("notes.txt", "other suffixes are passed over");
  return bytes + tar_sample("5", 5, 3) + tar_end();
}

const jessl::data::TarShardsOptions& no_labels() {
  static const TarShardsOptions options{.label = ""};
  return options;
}

}  // namespace

TEST_CASE("TarShards: the example of the documentation runs", "[data][tar_shards]") {
  const TemporaryFolder folder;
  for (int shard = 0; shard < 12; ++shard) {
    const std::string number = (shard < 10 ? "0" : "") + std::to_string(shard);
    folder.write("train-" + number + ".tar", tar_sample("n/" + number, shard, shard) + tar_end());
  }
  // [tar_shards]
  const jessl::data::TarShards data{folder.path() + "/train-{00..11}.tar", {.channels = 3}};
  // [/tar_shards]
  REQUIRE(data.size() == 12);
  CHECK(data.channels() == 3);
  CHECK(data.classes() == 12);
  CHECK(data.label(10) == 10);
  CHECK(data.key(10) == "n/10");
  CHECK(data.describe(10) == folder / "train-10.tar" + ", n/10.png");
  std::vector<std::byte> storage;
  const jessl::EncodedImage stored = data.read(7, storage);
  CHECK(stored.format == jessl::ImageFormat::png);
  CHECK(jessl::data::decode(stored).pixels == picture(4, 3, 3, 7).pixels);
  CHECK(storage.empty());  // the bytes lie in the map

  // [paths]
  const std::vector<std::string> paths{folder / "train-03.tar", folder / "train-{10,01}.tar"};
  const jessl::data::TarShards chosen{paths, {.label = "", .storage = jessl::data::Storage::reads}};
  // [/paths]
  CHECK(keys(chosen) == Strings{"n/03", "n/10", "n/01"});
  CHECK(chosen.classes() == 0);
  CHECK(chosen.label(0) == -1);
  const auto bytes = chosen.read(1, storage).bytes;
  CHECK(bytes.data() == storage.data());
}

TEST_CASE("TarShards: it has the samples that webdataset finds", "[data][tar_shards]") {
  const std::string folder = JESSL_TEST_DATA "/reference/data";
  const nlohmann::json expected = data_test::read_json(folder + "/tar.json");
  CHECK(expected.size() == 7);
  for (const auto& [file, samples] : expected.items()) {
    INFO(file);
    const TarShards data(folder + "/tar/" + file);
    REQUIRE(data.size() == static_cast<std::int64_t>(samples.size()));
    for (std::int64_t i = 0; i < data.size(); ++i) {
      const auto& sample = samples[static_cast<std::size_t>(i)];
      std::vector<std::byte> storage;
      CHECK(data.key(i) == sample["key"].get<std::string>());
      CHECK(data.label(i) == sample["label"]);
      CHECK(test_support::sha256(data.read(i, storage).bytes) == sample["sha256"]);
      CHECK((data.read(i, storage).format == jessl::ImageFormat::png) == (sample["suffix"] == "png"));
    }
  }
}

TEST_CASE("TarShards: what tar and Python write here and now is read", "[data][tar_shards][outside]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) {
    folder.write("files/" + std::to_string(i) + ".png", to_png(picture(4, 3, 3, i)));
    folder.write("files/" + std::to_string(i) + ".cls", std::to_string(2 - i));
  }
  const auto runs = [](const std::string& command) { return std::system((command + " 2> /dev/null").c_str()) == 0; };
  const std::string files = "cd " + folder.path() + "/files && ";
  for (const std::string format : {"v7", "ustar", "gnu", "posix"}) {
    const std::string path = folder / (format + ".tar");
    if (!runs(files + "tar --create --sort=name --format=" + format + " --file=" + path + " .")) {
      JESSL_SKIP("there is no GNU tar that writes " << format);
      continue;
    }
    INFO(format);
    const TarShards data(path);
    CHECK(keys(data) == Strings{"./0", "./1", "./2"});
    CHECK(data.label(0) == 2);
    CHECK(content(data, 1) == data_test::as_text(to_png(picture(4, 3, 3, 1))));
  }
  const std::string path = folder / "python.tar";
  if (runs(files +
           "python3 -c \"import tarfile, sys; tar = tarfile.open(sys.argv[1], 'w'); tar.add('.'); tar.close()\" " +
           path)) {
    const TarShards data(path);
    CHECK(data.size() == 3);
    for (std::int64_t i = 0; i < 3; ++i) {  // in the order of the folder
      const std::int64_t number = 2 - data.label(i);
      CHECK(data.key(i) == "./" + std::to_string(number));
      CHECK(content(data, i) == data_test::as_text(to_png(picture(4, 3, 3, number))));
    }
  } else {
    JESSL_SKIP("there is no python3");
  }
}

TEST_CASE("TarShards: a key is the path up to the first dot of the base name", "[data][tar_shards]") {
  const Shard shard;
  const TarShards data = shard.open(
      tar_member("v1.2/a.jpg", "1") + tar_member("v1.2/a.seg.png", "a map") + tar_member("a.JPEG", "2") +
      tar_member("./b.Png", "3") + tar_member("c", "no suffix") + tar_member(".d.jpg", "hidden") +
      tar_member("e/._f.jpg", "hidden") + tar_member("g.", "empty suffix") + tar_member("h.jpg.txt", "text") +
      tar_member("__index__", "") + tar_member("__index__/0.jpg", "") + tar_member("__i.jpg", "4") + tar_end());
  CHECK(keys(data) == Strings{"v1.2/a", "a", "./b", "__i"});
  for (std::int64_t i = 0; i < 4; ++i) CHECK(content(data, i) == std::to_string(i + 1));
  CHECK(data.describe(1) == shard.path() + ", a.JPEG");
  CHECK(data.classes() == 0);
}

TEST_CASE("TarShards: samples come in the order of their keys' first members", "[data][tar_shards]") {
  const Shard shard;
  const TarShards data = shard.open(tar_member("b.cls", "1") + tar_member("a.cls", "0") + tar_member("a.png", "A") +
                                    tar_member("b.png", "B") + tar_end());
  CHECK(keys(data) == Strings{"b", "a"});
  CHECK(data.label(0) == 1);
  CHECK(content(data, 0) == "B");
}

TEST_CASE("TarShards: files may have the same keys, or no image", "[data][tar_shards]") {
  const TemporaryFolder folder;
  folder.write("0.tar", tar_sample("a", 0, 0) + tar_end());
  folder.write("1.tar", tar_member("a.txt", "nothing else") + tar_end());
  folder.write("2.tar", tar_end());
  folder.write("3.tar", tar_sample("a", 3, 1) + tar_sample("b", 4, 2) + tar_end());
  const TarShards data(folder / "{0..3}.tar");
  CHECK(keys(data) == Strings{"a", "a", "b"});
  CHECK(data.describe(1) == folder / "3.tar" + ", a.png");
  CHECK(data.label(2) == 2);
  CHECK_THROWS_WITH(TarShards(folder / "{1..2}.tar"),
                    "jessl::data::TarShards: no image in " + folder / "1.tar" +
                        " and 1 further files: expected members that end in .jpg, .jpeg or .png");
  CHECK_THROWS_WITH(TarShards(folder / "2.tar"), "jessl::data::TarShards: no image in " + folder / "2.tar" +
                                                     ": expected members that end in .jpg, .jpeg or .png");
}

TEST_CASE("TarShards: a label is a number in cls, or an integer member of json", "[data][tar_shards]") {
  const Shard shard;
  const std::string both = tar_member("a.jpg", "x") + tar_member("a.cls", " 7\r\n") +
                           tar_member("a.json", R"({"label": 1, "fine": 5, "text": "7", "real": 7.0})") + tar_end();
  CHECK(shard.open(both).label(0) == 7);
  CHECK(shard.open(both, {.label = "fine"}).label(0) == 5);
  CHECK(shard.open(both, {.label = "fine"}).classes() == 6);
  CHECK(shard.open(both, no_labels()).label(0) == -1);

  const std::string member = "member \"a.json\" at byte 2048 ";
  shard.refuses(both, member + "has no member \"coarse\", expected an integer, the label", {.label = "coarse"});
  shard.refuses(both, member + "has a string as its member \"text\", expected an integer", {.label = "text"});
  shard.refuses(both, member + "has a number as its member \"real\", expected an integer", {.label = "real"});
  shard.refuses(tar_member("a.jpg", "x") + tar_member("a.cls", "1") + tar_end(),
                "member \"a.jpg\" at byte 0 has no label: there is no json of its key, expected one with \"fine\"",
                {.label = "fine"});

  // Without being asked for, only an integer called "label" is one.
  const auto with_json = [](const std::string& json) {
    return tar_member("a.jpg", "x") + tar_member("a.json", json) + tar_end();
  };
  CHECK(shard.open(with_json("{\"label\": 3}")).label(0) == 3);
  for (const char* other : {"{\"label\": \"3\"}", "{\"label\": 3.0}", "{\"label\": true}", "{}", "[3]", "3"}) {
    CHECK(shard.open(with_json(other)).classes() == 0);
  }
  const std::string deep(100'000, '[');
  for (const std::string& damaged : {std::string("{\"label\": 3"), std::string(), std::string("\xff"), deep}) {
    shard.refuses(with_json(damaged), "member \"a.json\" at byte 1024 is no JSON; set label to \"\"");
    CHECK(shard.open(with_json(damaged), no_labels()).label(0) == -1);
  }
  shard.refuses(with_json(std::string(1'100'000, ' ')), "has 1100000 bytes, expected at most 1048576");
  CHECK(shard.open(with_json(std::string(100'000, '[') + std::string(100'000, ']'))).label(0) == -1);
}

TEST_CASE("TarShards: a label that counts no class is an error", "[data][tar_shards]") {
  const Shard shard;
  const auto with_number = [](const std::string& text) {
    return tar_member("a.jpg", "x") + tar_member("a.cls", text) + tar_end();
  };
  const std::string member = "member \"a.cls\" at byte 1024 ";
  for (const std::string text : {"", " ", "cat", "1.5", "1 2", "0x10", "+1", "-"}) {
    shard.refuses(with_number(text), member + "is \"" + text + "\", expected a label, a whole number in digits");
  }
  for (const std::string text : {"-1", "2147483649", "99999999999999999999"}) {
    shard.refuses(with_number(text), member + "has the label " + text + ", expected 0 to 2147483648");
  }
  shard.refuses(with_number(std::string(65, '1')), member + "has 65 bytes, expected at most 64");
  CHECK(shard.open(with_number("2147483648")).classes() == 2147483649);
  for (const std::string number : {"-1", "2147483649", "18446744073709551615"}) {
    const std::string bytes =
        tar_member("a.jpg", "x") + tar_member("a.json", "{\"label\": " + number + "}") + tar_end();
    shard.refuses(bytes, "member \"a.json\" at byte 1024 has the label " + number + ", expected 0 to 2147483648");
  }
}

TEST_CASE("TarShards: images with labels and others without are an error that names the first", "[data][tar_shards]") {
  const TemporaryFolder folder;
  folder.write("0.tar", tar_sample("a", 0, 0) + tar_sample("b", 0, 0) + tar_end());
  folder.write("1.tar", tar_sample("c", 0, 0) + tar_member("d.jpg", "x") + tar_member("e.jpg", "x") + tar_end());
  CHECK_THROWS_AS(TarShards(folder / "{0,1}.tar"), DataError);
  CHECK_THROWS_WITH(TarShards(folder / "{0,1}.tar"),
                    "jessl::data::TarShards: " + folder / "1.tar" + ", d.jpg has no label, but " + folder / "0.tar" +
                        ", a.png has one; give all of them labels, or set label to \"\"");
  CHECK(TarShards(folder / "{0,1}.tar", no_labels()).size() == 5);
  const Shard shard;
  shard.refuses(tar_sample("a", 0, 0) + tar_member("b.cls", "1") + tar_end(),
                "member \"b.cls\" at byte 2048 is the label of no image, expected one of its key");
}

TEST_CASE("TarShards: the number of classes can be given", "[data][tar_shards]") {
  const Shard shard;
  const std::string bytes = tar_sample("a", 0, 3) + tar_sample("b", 0, 1) + tar_end();
  CHECK(shard.open(bytes).classes() == 4);
  CHECK(shard.open(bytes, {.classes = 10}).classes() == 10);
  shard.refuses(bytes, "a.png: the label is 3, expected one below 3, as classes is set", {.classes = 3});
  CHECK_THROWS_AS(shard.open(bytes, {.classes = 0}), jessl::ConfigError);
  CHECK_THROWS_WITH(shard.open(bytes, {.classes = 0}), "jessl::data::TarShards: classes is 0, expected >= 1");
  CHECK_THROWS_AS(shard.open(bytes, {.label = "", .classes = 3}), jessl::ConfigError);
  CHECK_THROWS_WITH(shard.open(bytes, {.label = "", .classes = 3}), Contains("classes is 3, but no image has a label"));
  CHECK_THROWS_AS(shard.open(bytes, {.channels = 2}), jessl::ConfigError);
}

TEST_CASE("TarShards: two members for one purpose are an error", "[data][tar_shards]") {
  const Shard shard;
  const std::string first = tar_member("a.jpg", "x") + tar_member("a.cls", "1");
  shard.refuses(
      first + tar_member("a.jpg", "y") + tar_end(),
      "member \"a.jpg\" at byte 2048 is the second image of its key, after \"a.jpg\" at byte 0; expected one");
  shard.refuses(first + tar_member("a.PNG", "y") + tar_end(), "is the second image of its key, after \"a.jpg\"");
  shard.refuses(first + tar_member("b.jpg", "y") + tar_member("a.cls", "1") + tar_end(),
                "is the second cls of its key, after \"a.cls\" at byte 1024");
  CHECK(shard.open(first + tar_member("a.txt", "1") + tar_member("a.txt", "2") + tar_end()).size() == 1);
  CHECK(shard.open(first + tar_member("a.cls", "2") + tar_end(), no_labels()).size() == 1);
}

TEST_CASE("TarShards: braces stand for several paths, as in a shell", "[data][tar_shards]") {
  const auto expand = [](std::string_view pattern) {
    return jessl::data::detail::BracePattern::expand(pattern, "test");
  };
  CHECK(expand("a.tar") == Strings{"a.tar"});
  CHECK(expand("a-{008..011}.tar") == Strings{"a-008.tar", "a-009.tar", "a-010.tar", "a-011.tar"});
  CHECK(expand("{8..11}") == Strings{"8", "9", "10", "11"});
  CHECK(expand("{2..0}") == Strings{"2", "1", "0"});
  CHECK(expand("{0..0}") == Strings{"0"});
  CHECK(expand("{1..003}") == Strings{"001", "002", "003"});
  CHECK(expand("{x,y}/{0..1}") == Strings{"x/0", "x/1", "y/0", "y/1"});
  CHECK(expand("{a{1..2},b,}c") == Strings{"a1c", "a2c", "bc", "c"});
  for (const char* literal : {"{", "}", "a{b", "{}", "{a}", "{1..}", "{..2}", "{-1..2}", "{a..c}", "{1..2"}) {
    CHECK(expand(literal) == Strings{literal});
  }
  CHECK(expand("{a}{0..1}") == Strings{"{a}0", "{a}1"});
  CHECK(expand("{{0..1}") == Strings{"{0", "{1"});
  for (const char* many : {"{0..999999999999999999}", "{0..1000000}", "{0..9999}{0..9999}"}) {
    CHECK_THROWS_AS(expand(many), jessl::ConfigError);
    CHECK_THROWS_WITH(expand(many), "test: \"" + std::string(many) + "\" stands for more than 1000000 paths");
  }
  std::string deep;
  for (int i = 0; i < 1001; ++i) deep += "{a,b}";
  CHECK_THROWS_AS(expand(deep), jessl::ConfigError);
  CHECK_THROWS_WITH(expand(deep), Catch::Contains("the pattern has 1001 braces, expected at most 1000"));
  const TemporaryFolder folder;
  folder.write("{0..1}.tar", tar_sample("a", 0, 0) + tar_end());  // means itself where it is there
  CHECK(TarShards(folder / "{0..1}.tar").size() == 1);
  CHECK_THROWS_WITH(TarShards(folder / "{0..2}.tar"), Contains("cannot open " + folder / "0.tar"));
  CHECK_THROWS_AS(TarShards(Strings{}), jessl::ConfigError);
}

TEST_CASE("TarShards: of several damaged files the first is named", "[data][tar_shards]") {
  const TemporaryFolder folder;
  for (int i = 0; i < 40; ++i) {
    folder.write(std::to_string(i) + ".tar", i < 7 ? tar_sample("a", 0, 0) + tar_end() : std::string(600, 'x'));
  }
  for (int round = 0; round < 5; ++round) {
    CHECK_THROWS_WITH(TarShards(folder / "{0..39}.tar"), Contains(folder / "7.tar"));
  }
}

TEST_CASE("TarShards: every form of a name is read", "[data][tar_shards]") {
  const Shard shard;
  const std::string long_name = std::string(300, 'n') + ".jpg";
  const auto key = [&](const std::string& bytes) { return shard.open(bytes + tar_end()).key(0); };
  const std::string full = std::string(96, 'n') + ".jpg";  // 100 bytes, without a zero
  CHECK(key(tar_member(full, "x")) == std::string(96, 'n'));
  CHECK(key(tar_member("a.jpg", "x", {.magic = ""})) == "a");
  CHECK(key(tar_member("a.jpg", "x", {.prefix = "p/q"})) == "p/q/a");
  CHECK(key(tar_member("a.jpg", "x", {.prefix = std::string(155, 'p')})) == std::string(155, 'p') + "/a");
  // In GNU's headers times stand there, in old ones nothing known.
  CHECK(key(tar_member("a.jpg", "x", {.magic = gnu_magic, .prefix = "14741631250"})) == "a");
  CHECK(key(tar_member("a.jpg", "x", {.magic = "", .prefix = "junk"})) == "a");
  CHECK(key(tar_long_name(long_name) + tar_member("a", "x")) == std::string(300, 'n'));
  CHECK(key(tar_long_name("a link's end", 'K') + tar_long_name(long_name) + tar_member("a", "x")) ==
        std::string(300, 'n'));
  CHECK(key(pax_header(pax_record("path", long_name)) + tar_member("a", "x")) == std::string(300, 'n'));
  CHECK(key(pax_header(pax_record("path", long_name), 'X') + tar_member("a", "x")) == std::string(300, 'n'));
  CHECK(key(pax_header(pax_record("comment", "a=b\nc") + pax_record("path", "b=c\n.jpg")) + tar_member("a", "x")) ==
        "b=c\n");
  CHECK(key(pax_header(pax_record("path", "")) + tar_member("a.jpg", "x")) == "a");

  // A global header holds for all members after it that do not say otherwise.
  const TarShards data = shard.open(
      pax_header(pax_record("path", "g.jpg"), 'g') + pax_header(pax_record("path", "a.jpg")) + tar_member("x", "1") +
      tar_member("y", "2") + pax_header(pax_record("path", ""), 'g') + tar_member("b.jpg", "3") + tar_end());
  CHECK(keys(data) == Strings{"a", "g", "b"});
}

TEST_CASE("TarShards: every form of a size and a type of file is read", "[data][tar_shards]") {
  const Shard shard;
  const std::string next = tar_member("z.jpg", "next") + tar_end();
  const auto check = [&](const std::string& member, const std::string& expected) {
    const TarShards data = shard.open(member + next);
    REQUIRE(data.size() == 2);
    CHECK(content(data, 0) == expected);
    CHECK(content(data, 1) == "next");
  };
  check(tar_member("a.jpg", "x"), "x");
  check(tar_member("a.jpg", ""), "");
  check(tar_member("a.jpg", std::string(512, 'b')), std::string(512, 'b'));
  check(tar_member("a.jpg", std::string(513, 'b')), std::string(513, 'b'));
  check(tar_member("a.jpg", std::string(70'000, 'b'), {.binary_size = true}), std::string(70'000, 'b'));
  check(tar_member("a.jpg", "x", {.type = '\0'}), "x");
  check(tar_member("a.jpg", "x", {.type = '7'}), "x");
  check(tar_member("\xC3\xBC.jpg", "x", {.signed_sum = true}), "x");
  check(tar_member("\xC3\xBC.jpg", "x"), "x");
  // The number in the pax header counts, and that of the header may be too small for it.
  check(pax_header(pax_record("size", "3")) + tar_member("a.jpg", "abc", {.size = 0}), "abc");
  // What is no file and named like none is passed over, with its bytes where it has some; so are folders of any name.
  check(tar_member("dir/", "", {.type = '5', .size = 4096}) + tar_member("dir.jpg", "", {.type = '5'}) +
            tar_member("old.jpg/", "", {.type = '\0'}) + tar_member("dump/", "listing", {.type = 'D'}) +
            tar_member("volume.jpg", "", {.type = 'V'}) + tar_member("link", "", {.type = '2', .size = 77}) +
            tar_member("device", "", {.type = '3'}) + tar_member("vendor", "bytes", {.type = 'Z'}) +
            tar_member("a.jpg", "x"),
        "x");
}

TEST_CASE("TarShards: a link or a device in the place of an image or label is an error", "[data][tar_shards]") {
  const Shard shard;
  for (const char type : {'1', '2', '3', '4', '6', 'Z'}) {
    shard.refuses(tar_member("a.jpg", "", {.type = type}) + tar_end(),
                  std::string("member \"a.jpg\" at byte 0 is of type \"") + type +
                      "\", expected a file; write links as the files they lead to");
  }
  shard.refuses(tar_member("a.jpg", "x") + tar_member("a.cls", "", {.type = '1'}) + tar_end(), "is of type \"1\"");
  CHECK(shard.open(tar_member("a.jpg", "x") + tar_member("a.cls", "", {.type = '1'}) + tar_end(), no_labels()).size() ==
        1);
}

TEST_CASE("TarShards: bytes that are not all there are an error", "[data][tar_shards]") {
  const Shard shard;
  shard.refuses(tar_member("a.txt", "", {.type = 'S', .magic = gnu_magic}) + tar_end(),
                "member \"a.txt\" at byte 0 is a sparse file; write the tar file without --sparse");
  shard.refuses(pax_header(pax_record("GNU.sparse.major", "1")) + tar_member("a.txt", "") + tar_end(),
                "member \"a.txt\" at byte 1024 is a sparse file");
  shard.refuses(tar_member("a.txt", "x", {.type = 'M', .magic = gnu_magic}) + tar_end(),
                "member \"a.txt\" at byte 0 began in another file; write the tar file without --multi-volume");
}

TEST_CASE("TarShards: a header that cannot be is an error with its offset", "[data][tar_shards]") {
  const Shard shard;
  const std::string good = tar_member("a.jpg", "x");
  std::string changed = good + good + tar_end();
  changed[1024] = 'b';  // "a" became "b"
  const auto sum = [](const std::string& bytes, std::size_t at) {
    return std::stol(bytes.substr(at + 148, 6), nullptr, 8);
  };
  const std::string stored = std::to_string(sum(changed, 1024));
  const std::string actual = std::to_string(sum(changed, 1024) + 1);
  shard.refuses(changed,
                "is damaged or no tar file: at byte 1024, after 1 header, the checksum of header \"b.jpg\" is " +
                    stored + ", expected " + actual + " (or " + actual + " of signed bytes)");
  changed.replace(1024 + 148, 8, "no digit");
  shard.refuses(changed, "the checksum of header \"b.jpg\" is no number, expected " + actual);

  const auto sized = [](const std::string& size) {
    std::string header = tar_header("a.jpg", 0);
    header.replace(124, size.size(), size);
    data_test::sign_tar_header(header.data());
    return header + tar_end();
  };
  for (const std::string& size :
       {std::string(12, ' '), std::string(12, '\0'), std::string("12345678"), std::string("-1"), std::string("1x"),
        std::string(12, '\xff'), "\x80" + std::string(3, '\x01') + std::string(8, '\0'),
        "\x81" + std::string(11, '\0')}) {
    shard.refuses(sized(size), "at byte 0, after 0 headers, the size of member \"a.jpg\" is no number of bytes");
  }
  shard.refuses(sized("77777777777"),
                "member \"a.jpg\" has 8589934591 bytes in 16777216 blocks from byte 512 on, but the file ends at byte "
                "1536; was it cut short?");
  shard.refuses(sized("\x80" + std::string(3, '\0') + "\x7f" + std::string(7, '\xff')),
                "has 9223372036854775807 bytes");
  shard.refuses(std::string(5000, 'x'),
                "is damaged or no tar file: at byte 0, after 0 headers, the checksum of header");
}

TEST_CASE("TarShards: a header about another one must be what it says", "[data][tar_shards]") {
  const Shard shard;
  const std::string member = tar_member("a.jpg", "x") + tar_end();
  for (const std::string records : {"x", "5 a=b", "6 a=bc", "99 a=b\n", "5 ab\n\n", "5 =b\n", "4 =\n", "0 a=b\n",
                                    "-6 a=b\n", "99999999999999999999 a=b\n", "6 a=b\n6 a"}) {
    const std::size_t at = records.starts_with("6 a=b\n") ? 518 : 512;
    shard.refuses(pax_header(records) + member,
                  "at byte " + std::to_string(at) + ", after 1 header, there is no record of a pax header");
  }
  for (const std::string size : {"-1", "1.5", "x", "99999999999999999999"}) {
    shard.refuses(pax_header(pax_record("size", size)) + member,
                  "the size in a pax header is \"" + size + "\", expected a number of bytes");
  }
  shard.refuses(pax_header(pax_record("size", "18446744073709551615")) + member, "has 18446744073709551615 bytes");
  shard.refuses(tar_member("x", std::string(1'100'000, 'x'), {.type = 'L'}) + member,
                "a member of type \"L\" has 1100000 bytes, expected at most 1048576");
  for (const std::string& before : {tar_long_name("a.jpg"), pax_header(pax_record("path", "a.jpg"))}) {
    shard.refuses(tar_member("b.jpg", "x") + before + tar_end(),
                  "at byte 2048, after 2 headers, it ends, expected the member that the header before describes");
    shard.refuses(tar_member("b.jpg", "x") + before, "it ends, expected the member that the header before describes");
  }
}

TEST_CASE("TarShards: a file ends after two blocks of zeros, or after a member", "[data][tar_shards]") {
  const Shard shard;
  const std::string member = tar_member("a.jpg", "x");
  CHECK(shard.open(member).size() == 1);
  CHECK(shard.open(member + tar_end()).size() == 1);
  CHECK(shard.open(member + tar_end() + std::string(9000, '\0')).size() == 1);
  CHECK(shard.open(member + tar_end() + "what stood on the tape").size() == 1);
  CHECK(shard.open(member + tar_end() + std::string(2000, 'x')).size() == 1);
  const std::string lone =
      "at byte 1024, after 1 header, there is one block of zeros, expected two at the end, or none";
  shard.refuses(member + std::string(512, '\0'), lone);
  shard.refuses(member + std::string(1023, '\0'), lone);
  shard.refuses(member + std::string(512, '\0') + member, lone);
  shard.refuses(member + std::string(511, '\0'), "at byte 1024, after 1 header, the file has 511 bytes more");
  shard.refuses(member.substr(0, 1023), "has 1 bytes in 1 blocks from byte 512 on, but the file ends at byte 1023");
  shard.refuses("",
                "at byte 0, after 0 headers, the file has 0 bytes more, expected a header of 512; was the file cut");
  CHECK_THROWS_WITH(shard.open(tar_end()), Contains("no image in"));
  // Two tar files in one, as cat makes them of GNU tar's, which end in blocks of zeros up to a multiple of 10240.
  for (const std::size_t zeros : {1024U, 9216U}) {
    shard.refuses(member + std::string(zeros, '\0') + member + tar_end(),
                  "ends at byte 1024, but another tar file begins at byte " + std::to_string(1024 + zeros));
  }
}

TEST_CASE("TarShards: a compressed file is an error that says so", "[data][tar_shards]") {
  const Shard shard;
  const std::string rest(1000, 'x');
  shard.refuses("\x1f\x8b" + rest, "is compressed (gzip), so that no member can be read without those before it");
  shard.refuses("BZh9" + rest, "is compressed (bzip2)");
  shard.refuses(
      "\xfd"
      "7zXZ" +
          rest,
      "is compressed (xz)");
  shard.refuses("\x28\xb5\x2f\xfd" + rest, "is compressed (zstd)");
  CHECK(shard.open(tar_member("BZh.jpg", "x") + tar_end()).size() == 1);
}

TEST_CASE("TarShards: wherever its bytes lie, it has the same images", "[data][tar_shards]") {
  const Shard shard;
  const std::string path = shard.write(mixed_shard());
  const std::string all = read_all(TarShards(path));
  CHECK(TarShards(path).size() == 6);
  CHECK(TarShards(path).classes() == 5);
  auto mapped = std::make_unique<TarShards>(path);
  const TarShards copy = *mapped;
  const TarShards memory(path, {.storage = Storage::memory});
  const TarShards reads(path, {.storage = Storage::reads});
  CHECK(read_all(memory) == all);
  CHECK(read_all(reads) == all);
  std::vector<std::byte> storage;
  const auto bytes = mapped->read(1, storage).bytes;
  CHECK(copy.read(1, storage).bytes.data() == bytes.data());
  mapped.reset();
  std::filesystem::remove(path);  // map and descriptor keep it
  CHECK(read_all(copy) == all);
  CHECK(read_all(reads) == all);

  const std::string again = shard.write(mixed_shard());
  const TarShards cut(again, {.storage = Storage::reads});
  std::filesystem::resize_file(again, 600);
  CHECK_THROWS_AS(cut.read(5, storage), DataError);
  CHECK_THROWS_WITH(cut.read(5, storage), Contains(again + " has nothing at byte ") && Contains("it became shorter"));
  CHECK(cut.label(5) == 3);
}

TEST_CASE("TarShards: the loader reads it from several threads", "[data][tar_shards]") {
  const TemporaryFolder folder;
  for (int shard = 0; shard < 3; ++shard) {
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += tar_sample(std::to_string(i), 8 * shard + i, i);
    folder.write(std::to_string(shard) + ".tar", bytes + tar_end());
  }
  for (const Storage way : {Storage::mapped, Storage::memory, Storage::reads}) {
    const TarShards data(folder / "{0..2}.tar", {.storage = way});
    jessl::data::Loader loader{data, data_test::Stamp{.side = 3}, {.batch_size = 4, .workers = 2, .ahead = 2}};
    std::int64_t images = 0;
    for (const jessl::data::Batch& batch : loader.epoch(0)) images += batch.size();
    CHECK(images == 24);
  }
}

TEST_CASE("TarShards: a file cut off anywhere is an error or ends at a member", "[data][tar_shards]") {
  const Shard shard;
  const std::string good = mixed_shard();
  const std::string all = read_all(shard.open(good));
  const std::size_t end = good.size() - 1024;
  int shorter = 0;
  for (std::size_t size = 0; size < good.size(); size += size % 512 == 0 || size % 512 > 500 ? 1U : 37U) {
    INFO("cut to " << size);
    const auto way = static_cast<Storage>(size % 3);
    try {
      const TarShards data = shard.open(good.substr(0, size), {.storage = way});
      static_cast<void>(read_all(data));
      CHECK(size % 512 == 0);
      if (size == end) {
        CHECK(read_all(data) == all);
      } else {
        ++shorter;
        CHECK(size < end);
      }
    } catch (const DataError& error) {
      CHECK_THAT(error.what(), Contains("jessl::data::TarShards: ") && Contains(shard.path()));
    }
  }
  CHECK(shorter > 0);
}

TEST_CASE("TarShards: damaged bytes are an error or another image, never anything worse", "[data][tar_shards]") {
  const Shard shard;
  const std::string good = mixed_shard();
  const auto blocks = static_cast<std::int64_t>(good.size() / 512);
  std::vector<std::int64_t> headers;  // blocks that have a checksum
  for (std::int64_t block = 0; block < blocks; ++block) {
    const auto at = std::as_bytes(std::span(good)).subspan(static_cast<std::size_t>(512 * block), 512);
    if (jessl::data::detail::TarHeader(at).sum_is_right()) headers.push_back(block);
  }
  REQUIRE(headers.size() > 15);
  jessl::Draw draw({.seed = 11});
  int errors = 0;
  const auto attempt = [&](const std::string& bytes) {
    const auto way = static_cast<Storage>(draw.below(3));
    try {
      const TarShards data = shard.open(bytes, {.storage = way});
      static_cast<void>(read_all(data));
      std::vector<std::byte> storage;
      jessl::data::Image scratch;
      for (std::int64_t i = 0; i < data.size(); ++i) {
        static_cast<void>(jessl::data::decode(data.read(i, storage), 3, scratch));
      }
    } catch (const DataError& error) {
      ++errors;
      CHECK_THAT(error.what(), Contains("jessl::data::"));
    }
  };
  const auto size = static_cast<std::int64_t>(good.size());
  for (int round = 0; round < 800; ++round) {
    std::string bytes = good;
    for (std::int64_t k = draw.below(3); k >= 0; --k) {
      bytes[static_cast<std::size_t>(draw.below(size))] ^= static_cast<char>(1 << draw.below(8));
    }
    attempt(bytes);
  }
  // Headers whose checksum is right, but not what it vouches for.
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = good;
    for (std::int64_t k = draw.below(2); k >= 0; --k) {
      const std::int64_t block =
          headers[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(headers.size())))];
      char* const header = bytes.data() + 512 * block;
      static constexpr std::array<std::pair<int, int>, 5> fields{{{0, 100}, {124, 12}, {156, 1}, {257, 8}, {345, 155}}};
      const auto [offset, length] = fields[static_cast<std::size_t>(draw.below(5))];
      const std::string_view nasty = "\x80\xff\0 01787xgLKSMVD/.,pc";
      char& byte = header[offset + static_cast<int>(draw.below(length))];
      byte = draw.bernoulli(0.5) ? nasty[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(nasty.size())))]
                                 : static_cast<char>(draw.below(256));
      data_test::sign_tar_header(header);
    }
    attempt(bytes);
  }
  // What stands in names, records and labels.
  for (int round = 0; round < 800; ++round) {
    std::string bytes = good;
    const std::int64_t block = headers[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(headers.size())))];
    bytes[static_cast<std::size_t>(std::min(512 * (block + 1) + draw.below(40), size - 1))] =
        static_cast<char>(draw.below(256));
    attempt(bytes);
  }
  CHECK(errors > 1000);
}
