// SPDX-License-Identifier: Apache-2.0
// Reading .beton files: those of ffcv, those of our own writer, and damaged ones.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <jessl/core/draw.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/decode.hpp>

#include "data/beton_support.hpp"
#include "support/sha256.hpp"

using Catch::Contains;
using data_test::Bytes;
using data_test::TemporaryFolder;
using data_test::with;
using jessl::DataError;
using jessl::data::Beton;
using test_support::sha256;

namespace {

// Where things stand in the worked example: 4 fields, 2 samples of 48 bytes, one page of 4096, 6 allocations.
constexpr std::size_t records = 4188;
constexpr std::size_t page = 8192;
constexpr std::size_t table = 12288;

/// The worked example, for damaging it.
class Example {
 public:
  Example() : bytes(data_test::read_bytes(data_test::write_example(folder_))) {}

  [[nodiscard]] std::string write(const Bytes& changed) const { return folder_.write("changed.beton", changed); }

  /// Opening the changed file, or reading all of it, must fail with this text.
  void check(const Bytes& changed, const std::string& text) const {
    const std::string path = write(changed);
    CHECK_THROWS_AS(data_test::read_all(Beton(path)), DataError);
    CHECK_THROWS_WITH(data_test::read_all(Beton(path)), Contains(path) && Contains(text));
  }

 private:
  TemporaryFolder folder_;

 public:
  Bytes bytes;
};

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4U];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}

void check_image(const jessl::data::BetonImage& image, const nlohmann::json& expected) {
  CHECK(image.format == expected["mode"].get<std::string>());
  CHECK(image.width == expected["width"]);
  CHECK(image.height == expected["height"]);
  CHECK(image.bytes.size() == expected["stored_bytes"]);
  CHECK(sha256(image.bytes) == expected["stored_sha256"]);
  const jessl::data::Image decoded = jessl::data::decode(image);
  const char* const key = image.format == "raw" ? "rgb_sha256" : "rgb_sha256_islow";  // libjpeg's accurate method
  CHECK(sha256(std::as_bytes(std::span(decoded.pixels))) == expected[key]);
}

void check_value(const Beton& file, std::int64_t i, const jessl::data::BetonField& field, const nlohmann::json& value) {
  if (field.kind == "int") {
    CHECK(file.integer(i, field.name) == value);
  } else if (field.kind == "float") {
    const auto bits = std::stoull(value["bits"].get<std::string>(), nullptr, 16);
    CHECK(std::bit_cast<std::uint64_t>(file.real(i, field.name)) == bits);
  } else if (field.kind == "json") {
    CHECK(file.json(i, field.name) == value["text"].get<std::string>());
  } else if (field.kind == "image") {
    check_image(file.image(i, field.name), value);
  } else {
    CHECK(sha256(file.bytes(i, field.name)) == value["sha256"]);
    if (value.contains("hex")) CHECK(hex(file.bytes(i, field.name)) == value["hex"]);
    if (field.kind == "bytes") CHECK(file.bytes(i, field.name).size() == value["stored_bytes"]);
  }
}

}  // namespace

TEST_CASE("Beton: the files of ffcv have the values that went into them", "[data][beton][outside]") {
  const std::string folder = data_test::ffcv_betons();
  if (folder.empty()) return;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".beton") continue;
    INFO(entry.path());
    ++files;
    const nlohmann::json expected = data_test::read_json(entry.path().string() + ".json");
    const Beton file{entry.path().string()};
    REQUIRE(file.size() == expected["header"]["num_samples"]);
    CHECK(file.page_size() == expected["header"]["page_size"]);
    REQUIRE(file.fields().size() == expected["fields"].size());
    for (std::size_t k = 0; k < file.fields().size(); ++k) {
      const auto& field = file.fields()[k];
      const auto& wanted = expected["fields"][k];
      CHECK(field.name == wanted["name"]);
      CHECK(field.kind == (wanted["type"] == "ndarray" ? "array" : wanted["type"]));
      if (wanted.contains("dtype")) {
        CHECK(field.dtype == wanted["dtype"]);
        CHECK(field.shape == wanted["shape"].get<std::vector<std::int64_t>>());
      } else {
        CHECK((field.dtype.empty() && field.shape.empty()));
      }
      for (std::int64_t i = 0; i < file.size(); ++i) {
        INFO(field.name << " of sample " << i);
        check_value(file, i, field, expected["samples"][static_cast<std::size_t>(i)][field.name]);
      }
    }
  }
  CHECK(files == 7);
}

TEST_CASE("Beton: the example of the documentation runs", "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_example(folder);
  // [beton]
  const jessl::data::Beton file{path};
  const jessl::data::Image image = jessl::data::decode(file.image(0, "image"));
  const std::int64_t label = file.integer(0, "label");
  const std::string_view meta = file.json(0, "meta");
  const std::span<const std::byte> vec = file.bytes(0, "vec");  // not aligned: copy the numbers out
  // [/beton]
  CHECK(file.size() == 2);
  CHECK(image.pixels == std::vector<std::uint8_t>{255, 0, 0, 0, 255, 0});
  CHECK(label == 7);
  CHECK(meta == "{\"k\": 0}");
  CHECK(hex(vec) == "0000803f0000004000004040");
  CHECK(file.integer(1, "label") == -1);
  CHECK(file.json(1, "meta") == "{\"k\": \"\\u00e9\"}");
  CHECK(hex(file.bytes(1, "vec")) == "0000003f000000bf00000000");
  CHECK(file.fields() ==
        std::vector<jessl::data::BetonField>{{"image", "image"},
                                             {"label", "int"},
                                             {.name = "vec", .kind = "array", .dtype = "<f4", .shape = {3}},
                                             {"meta", "json"}});
  CHECK(file.image(1, "image").format == "raw");
  CHECK(file.image(1, "image").width == 1);
  CHECK(file.image(1, "image").height == 2);
}

TEST_CASE("Beton: the first image and int fields make it a data set, unless others are named", "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_mixed(folder);
  std::vector<std::byte> storage;
  const Beton plain{path};
  CHECK(plain.size() == 5);
  CHECK(plain.channels() == 3);
  CHECK(plain.classes() == 3);
  CHECK(plain.label(4) == 1);
  CHECK(plain.describe(4) == path + ", sample 4");
  CHECK(jessl::data::decode(plain.read(2, storage)).pixels == data_test::picture(6, 5, 3, 2).pixels);

  // [options]
  const jessl::data::Beton second{path, {.image = "second", .label = "", .channels = 1}};
  // [/options]
  CHECK(second.channels() == 1);
  CHECK(second.classes() == 0);
  CHECK(second.label(4) == -1);
  CHECK(second.read(0, storage).format == jessl::ImageFormat::jpg);
  CHECK(second.read(0, storage).height == 3);

  CHECK_THROWS_WITH(Beton(path, {.image = "left"}),
                    "jessl::data::Beton: " + path +
                        ": there is no field \"left\"; the fields are \"label\" (int), \"image\" (image), \"blob\" "
                        "(bytes), \"score\" (float), \"meta\" (json), \"box\" (array), \"mask\" (tensor), \"second\" "
                        "(image)");
  CHECK_THROWS_WITH(Beton(path, {.label = "score"}), Contains("is of kind \"float\", expected \"int\""));
  CHECK_THROWS_AS(Beton(path, {.channels = 2}), jessl::ConfigError);
}

TEST_CASE("Beton: a field that is not there, of another kind, or a sample beyond the end is an error",
          "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_example(folder);
  const Beton file{path};
  const std::string who = "jessl::data::Beton: " + path + ": ";
  CHECK_THROWS_AS(file.integer(0, "labels"), DataError);
  CHECK_THROWS_WITH(file.integer(0, "labels"), Contains(who + "there is no field \"labels\""));
  CHECK_THROWS_WITH(file.real(0, "label"), who + "the field \"label\" is of kind \"int\", expected \"float\"");
  CHECK_THROWS_WITH(file.bytes(0, "image"),
                    who + "the field \"image\" is of kind \"image\", expected \"bytes\" or \"array\" or \"tensor\"");
  CHECK_THROWS_WITH(file.json(2, "meta"), who + "there is no sample 2; the samples are 0 to 1");
  CHECK_THROWS_AS(file.image(-1, "image"), DataError);
}

TEST_CASE("Beton: labels must count classes", "[data][beton]") {
  const Example example;
  const Beton file{example.write(example.bytes)};
  CHECK(file.label(0) == 7);
  CHECK_THROWS_AS(file.label(1), DataError);
  CHECK_THROWS_WITH(file.label(1), Contains(", sample 1: the label in field \"label\" is -1, expected 0 or more"));
  CHECK_THROWS_WITH(file.classes(), Contains("sample 1"));
  CHECK_THROWS_WITH(file.classes(), Contains("sample 1"));  // the second time too
  const auto largest = std::numeric_limits<std::int64_t>::max();
  const Beton large{example.write(with(example.bytes, records + 48 + 16, largest))};
  CHECK(large.label(1) == largest);
  CHECK_THROWS_WITH(large.classes(), Contains("the largest label is 9223372036854775807"));
  CHECK_THROWS_AS(Beton(example.write(with(example.bytes, records + 48 + 16, (std::int64_t{1} << 31U) + 1))).classes(),
                  DataError);
  CHECK(Beton(example.write(with(example.bytes, records + 48 + 16, std::int64_t{2}))).classes() == 8);
}

TEST_CASE("Beton: without a field of images it can be read, but is no data set", "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = folder / "numbers.beton";
  jessl::data::BetonWriter writer(path, {{"x", "float"}});
  writer.append({0.25});
  writer.commit();
  const Beton file{path};
  CHECK(file.real(0, "x") == 0.25);
  CHECK(file.classes() == 0);
  CHECK(file.label(0) == -1);
  std::vector<std::byte> storage;
  CHECK_THROWS_WITH(file.read(0, storage),
                    "jessl::data::Beton: " + path + " has no field of images; its fields are \"x\" (float)");
}

TEST_CASE("Beton: copies share the mapped file, which lives as long as one of them", "[data][beton]") {
  const TemporaryFolder folder;
  auto first = std::make_unique<Beton>(data_test::write_mixed(folder));
  const std::string all = data_test::read_all(*first);
  const Beton copy = *first;
  const auto bytes = first->bytes(1, "blob");
  CHECK(copy.bytes(1, "blob").data() == bytes.data());
  first.reset();
  std::filesystem::remove(folder / "mixed.beton");  // the map keeps the file
  CHECK(hex(bytes) == "abababab");
  CHECK(data_test::read_all(copy) == all);
}

TEST_CASE("Beton: wherever its bytes lie, it has the same values", "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_mixed(folder);
  const Beton mapped{path};
  const std::string all = data_test::read_all(mapped);
  const Beton memory{path, {.storage = jessl::data::Storage::memory}};
  // [storage]
  const jessl::data::Beton file{path, {.storage = jessl::data::Storage::reads}};
  std::vector<std::byte> storage;  // its memory is kept from value to value
  const jessl::data::Image image = jessl::data::decode(file.image(2, "image", storage));
  const std::string meta{file.json(2, "meta", storage)};
  // [/storage]
  CHECK(image.pixels == data_test::picture(6, 5, 3, 2).pixels);
  CHECK(meta == "{\"id\": 2}");
  CHECK(data_test::read_all(memory) == all);
  CHECK(data_test::read_all(file) == all);
  const auto blob = file.bytes(1, "blob", storage);
  CHECK(blob.data() == storage.data());
  CHECK(file.classes() == 3);
  CHECK(memory.bytes(1, "blob").data() == memory.bytes(1, "blob").data());

  CHECK_THROWS_AS(file.bytes(1, "blob"), jessl::ConfigError);
  CHECK_THROWS_WITH(file.json(1, "meta"),
                    "jessl::data::Beton: " + path +
                        " is opened with storage = reads, which keeps no bytes: give a std::vector<std::byte> as the "
                        "last argument, for those of this value");
  CHECK_THROWS_AS(file.image(1, "image"), jessl::ConfigError);
}

TEST_CASE("Beton: a file cut while it is open is an error where samples are read one by one", "[data][beton]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_mixed(folder);
  const std::string all = data_test::read_all(Beton(path));
  const Beton reads{path, {.storage = jessl::data::Storage::reads}};
  const Beton memory{path, {.storage = jessl::data::Storage::memory}};
  std::filesystem::resize_file(path, 24);
  CHECK_THROWS_AS(data_test::read_all(reads), DataError);
  CHECK_THROWS_WITH(data_test::read_all(reads),
                    Contains(path + " has nothing at byte ") && Contains("it became shorter"));
  CHECK(reads.label(4) == 1);
  CHECK(data_test::read_all(memory) == all);
}

TEST_CASE("Beton: a file that is absent, a folder or empty is an error", "[data][beton]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(Beton(folder / "absent"),
                    "jessl::data::Beton: cannot open " + folder / "absent" + ": No such file or directory");
  CHECK_THROWS_WITH(Beton(folder.path()), Contains("is no regular file"));
  CHECK_THROWS_AS(Beton(folder.write("empty", std::string())), DataError);
  CHECK_THROWS_WITH(Beton(folder.write("empty", std::string())),
                    "jessl::data::Beton: " + folder / "empty" +
                        " is damaged or no .beton file: it has 0 bytes, expected at least 24 for the header");
}

TEST_CASE("Beton: a header that cannot be is an error with its offset", "[data][beton]") {
  const Example example;
  const Bytes& good = example.bytes;
  example.check(with(good, 0, std::uint16_t{1}), "byte 0 says version 1, expected 2");
  example.check(with(good, 2, std::uint16_t{0}), "byte 2 says that it has 0 fields, expected at least 1");
  example.check(with(good, 2, std::uint16_t{65535}),
                "byte 2 says that it has 65535 fields, whose descriptors end at byte 68221959, but the file ends at "
                "byte 12432");
  for (const std::uint32_t size : {0U, 3U, 4097U}) {
    example.check(with(good, 4, size),
                  "byte 4 says that pages have " + std::to_string(size) + " bytes, expected a power of two");
  }
  // 2^60 samples of 48 bytes wrap round to a small number.
  for (const std::uint64_t samples : {std::uint64_t{172}, std::uint64_t{1} << 60U, ~std::uint64_t{0}}) {
    example.check(with(good, 8, samples), "byte 8 says that it has " + std::to_string(samples) +
                                              " samples of 48 bytes, but only 171 fit between byte 4188 and its end");
  }
  for (const std::uint64_t begin : {std::uint64_t{4283}, std::uint64_t{12433}, ~std::uint64_t{0}}) {
    example.check(with(good, 16, begin), "byte 16 says that the allocation table begins at byte " +
                                             std::to_string(begin) + ", expected 4284 to 12432");
  }
  example.check(with(good, 16, std::uint64_t{12289}), "has 143 bytes, expected a multiple of 24");
}

TEST_CASE("Beton: a field that cannot be is an error with its offset", "[data][beton]") {
  const Example example;
  const Bytes& good = example.bytes;
  constexpr std::size_t label = 24 + 1041;
  constexpr std::size_t vec = 24 + 2 * 1041;
  example.check(with(good, label, std::uint8_t{7}), "field 1 is of type 7 at byte 1065, expected 0 to 6");
  example.check(with(good, label, std::uint8_t{255}), "types of a program's own cannot be read");
  example.check(with(good, label + 1, std::uint8_t{0}), "field 1 has no name at byte 1066");
  example.check(with(good, label + 2, std::uint8_t{0xE9}),
                "the name of field 1 has the byte 233 at byte 1067, expected printable ASCII");
  Bytes twins = good;
  std::copy_n(good.begin() + 25, 16, twins.begin() + label + 1);
  example.check(twins, "two fields are called \"image\"");

  example.check(with(good, vec + 17, std::uint64_t{0}), "field \"vec\" has no shape at byte 2123");
  example.check(with(good, vec + 17 + 16, std::uint64_t{1}), "has the shape [3, 0, 1] of <f4");
  // 2^62 elements of 4 bytes wrap round to 0.
  example.check(with(good, vec + 17, std::uint64_t{1} << 62U),
                "has the shape [4611686018427387904] of <f4 at byte 2123");
  example.check(with(good, vec + 17, std::uint64_t{1025}), "not more than a page of 4096 bytes");
  example.check(with(good, vec + 17 + 256, std::uint64_t{761}),
                "the type of field \"vec\" is a text of 761 bytes at byte 2379, expected at most 760");
  const auto typed = [&](std::string_view text) {
    Bytes changed = with(good, vec + 17 + 256, std::uint64_t{text.size()});
    std::copy_n(data_test::bytes_of(text).begin(), text.size(), changed.begin() + vec + 17 + 264);
    return changed;
  };
  for (const char* text :
       {"", "[[\"\", \"<f4\"", "[]", "[[\"\", \"<f4\"], [\"\", \"<f4\"]]", "[[\"a\", \"<f4\"]]", "[[\"\", 4]]",
        "[[\"\", \"<f4\", 2]]", "[[\"\", \"<f3\"]]", "[[\"\", \"<f4x\"]]", "[[\"\", \"f4\"]]", "[[\"\", \"|O8\"]]",
        "[[\"\", \"|S99999999999999999999\"]]", "[[\"\", \"|S0\"]]", "\xff\xfe", "{\"a\": [\"\", \"<f4\"]}"}) {
    example.check(typed(text), "the type of field \"vec\", at byte 2387, is ");
  }
  for (const char* text : {"[[\"\",\">f4\"]]", " [ [ \"\" , \"|S4\" ] ] ", "[[\"\", \"<U1\"]]"}) {
    CHECK(Beton(example.write(typed(text))).bytes(0, "vec").size() == 12);
  }
}

TEST_CASE("Beton: an allocation that cannot be is an error with its offset", "[data][beton]") {
  const Example example;
  const Bytes& good = example.bytes;
  const std::string first = "entry 0 of the allocation table, at byte 12288, is of sample ";
  example.check(with(good, table, std::uint64_t{2}),
                first + "2 and covers 6 bytes from byte 8192; expected a sample below 2");
  example.check(with(good, table + 8, std::uint64_t{4283}),
                first + "0 and covers 6 bytes from byte 4283; expected it within bytes 4284 to 12288");
  example.check(with(good, table + 8, std::uint64_t{12283}), "expected it within bytes 4284 to 12288");
  example.check(with(good, table + 16, ~std::uint64_t{0}), "covers 18446744073709551615 bytes from byte 8192");
  example.check(with(good, table + 24 + 8, std::uint64_t{page}), "entry 0 covers");
}

TEST_CASE("Beton: a value must be the one that the allocation table knows", "[data][beton]") {
  const Example example;
  const Bytes& good = example.bytes;
  const std::string image = "sample 0, field \"image\" ";
  example.check(with(good, records, std::uint8_t{2}), image + "has mode 2 at byte 4188, expected 0 (JPEG) or 1 (raw)");
  example.check(with(good, records + 1, std::uint16_t{0}), image + "is of 0 x 1 pixels at byte 4189");
  example.check(with(good, records + 1, std::uint16_t{3}),
                image + "at byte 8192 has 6 bytes in the allocation table, expected 9");
  example.check(with(good, records + 5, std::uint64_t{page + 1}),
                image + "should lie at byte 8193, as byte 4188 says, but the allocation table has nothing there");
  example.check(with(good, records + 5, ~std::uint64_t{0}), "the allocation table has nothing there");
  example.check(with(good, records + 5, std::uint64_t{page + 0x1b}), "but the allocation table has sample 1 there");
  example.check(with(good, table, std::uint64_t{1}), "but the allocation table has sample 1 there");
  example.check(with(good, records, std::uint8_t{0}),
                image + "should be a JPEG of 6 bytes at byte 8192, but has no JPEG header there");
  example.check(with(good, records + 40, std::uint64_t{8}),
                "sample 0, field \"meta\" at byte 8210 has 9 bytes in the allocation table, expected 8");
  example.check(with(good, page + 0x12 + 8, std::uint8_t{'x'}),
                "sample 0, field \"meta\" at byte 8210 has no zero byte in its 9 bytes");
  example.check(with(good, records + 24, std::uint64_t{page}), "sample 0, field \"vec\" at byte 8192 has 6 bytes");
}

TEST_CASE("Beton: a JPEG must have the size that its record says", "[data][beton]") {
  const TemporaryFolder folder;
  const Bytes good = data_test::read_bytes(data_test::write_mixed(folder));
  const Beton file{folder / "mixed.beton"};
  const auto jpeg = file.image(0, "second");
  const auto in_file = std::search(good.begin(), good.end(), jpeg.bytes.begin(), jpeg.bytes.end());
  REQUIRE(in_file != good.end());
  const auto offset = static_cast<std::size_t>(in_file - good.begin());
  const std::array frame{std::byte{0xFF}, std::byte{0xC0}, std::byte{0}, std::byte{17}, std::byte{8}};
  const auto sof =
      static_cast<std::size_t>(std::search(in_file, good.end(), frame.begin(), frame.end()) - good.begin());
  // Claims 16384 x 16384: nothing is reserved for it.
  const std::string path =
      folder.write("wide.beton", with(with(good, sof + 5, std::uint16_t{0x40}), sof + 7, std::uint16_t{0x40}));
  CHECK_THROWS_WITH(Beton(path).image(0, "second"),
                    Contains("sample 0, field \"second\" is a JPEG of 16384 x 16384 pixels at byte " +
                             std::to_string(offset) + ", expected 6 x 3 as its record says"));
  std::vector<std::byte> storage;
  CHECK_THROWS_AS(Beton(path, {.image = "second"}).read(0, storage), DataError);
}

TEST_CASE("Beton: the allocation table may be in any order and have empty values", "[data][beton]") {
  const Example example;
  const std::string all = data_test::read_all(Beton(example.write(example.bytes)));
  Bytes shuffled = example.bytes;
  for (std::size_t entry = 0; entry < 6; ++entry) {
    std::copy_n(example.bytes.begin() + static_cast<std::ptrdiff_t>(table + 24 * entry), 24,
                shuffled.begin() + static_cast<std::ptrdiff_t>(table + 24 * ((entry * 5 + 2) % 6)));
  }
  CHECK(data_test::read_all(Beton(example.write(shuffled))) == all);
  // As ffcv writes an empty value: at the place of the next one, or before the pages.
  Bytes empty = shuffled;
  for (const std::uint64_t pointer : {std::uint64_t{page}, std::uint64_t{page - 4096}, std::uint64_t{page + 6}}) {
    const std::size_t end = empty.size();
    empty.resize(end + 24);
    empty = with(with(empty, end + 8, pointer), end, std::uint64_t{99});
  }
  CHECK(data_test::read_all(Beton(example.write(empty))) == all);
  // A record of size 0 is an empty value, wherever it points to.
  const Bytes nothing = with(with(example.bytes, records + 40, std::uint64_t{0}), records + 32, ~std::uint64_t{0});
  CHECK(Beton(example.write(nothing)).json(0, "meta").empty());
}

TEST_CASE("Beton: a file cut off anywhere is an error or reads as before", "[data][beton]") {
  const TemporaryFolder folder;
  const Bytes good = data_test::read_bytes(data_test::write_mixed(folder));
  for (std::size_t size = 0; size < good.size(); size += size % 7 + 1) {
    INFO("cut to " << size);
    const std::string path = folder.write("cut.beton", std::span(good).first(size));
    // Whole entries may be missing at the end of the table: only reading shows it.
    CHECK_THROWS_AS(data_test::read_all(Beton(path)), DataError);
  }
}

TEST_CASE("Beton: damaged bytes are an error or another value, never anything worse", "[data][beton]") {
  const TemporaryFolder folder;
  const Bytes good = data_test::read_bytes(data_test::write_mixed(folder));
  jessl::Draw draw({.seed = 7});
  int errors = 0;
  const auto attempt = [&](const Bytes& bytes) {
    const std::string path = folder.write("damaged.beton", bytes);
    try {
      const auto way = static_cast<jessl::data::Storage>(draw.below(3));
      const Beton file(path, {.storage = way});
      static_cast<void>(data_test::read_all(file));
      static_cast<void>(file.classes());
    } catch (const DataError& error) {
      ++errors;
      CHECK_THAT(error.what(), Contains("jessl::data::"));
    }
  };
  const auto size = static_cast<std::int64_t>(good.size());
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = good;
    for (std::int64_t k = draw.below(3); k >= 0; --k) {
      // Most of the descriptors' arguments mean nothing: half of the damage goes elsewhere.
      const std::int64_t begin = draw.bernoulli(0.5) ? 0 : 24 + 8 * 1041;
      const auto place = static_cast<std::size_t>(begin + draw.below(size - begin));
      bytes[place] ^= static_cast<std::byte>(1U << draw.below(8));
    }
    attempt(bytes);
  }
  const std::vector<std::uint64_t> nasty{0, 1, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, ~std::uint64_t{0}, 12288, 24};
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = good;
    const std::uint64_t number = nasty[static_cast<std::size_t>(draw.below(static_cast<std::int64_t>(nasty.size())))];
    const std::int64_t begin = draw.bernoulli(0.2) ? 0 : 24 + 8 * 1041;
    const auto place = static_cast<std::size_t>(begin + draw.below(size - 8 - begin));
    attempt(with(bytes, place, number));
  }
  CHECK(errors > 1000);
}
