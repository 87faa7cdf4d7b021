// SPDX-License-Identifier: Apache-2.0
// Writing .beton files: every byte of a worked example, what is refused, and files without a known length.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/data/beton.hpp>
#include <jessl/data/beton_writer.hpp>

#include "data/beton_support.hpp"

using Catch::Contains;
using data_test::Bytes;
using data_test::bytes_of;
using data_test::literal;
using data_test::TemporaryFolder;
using jessl::ConfigError;
using jessl::DataError;
using jessl::EncodedImage;
using jessl::ImageFormat;
using jessl::data::Beton;
using jessl::data::BetonField;
using jessl::data::BetonWriter;

namespace {

std::string written(const Bytes& bytes, std::size_t offset, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

EncodedImage raw(std::int64_t width, std::int64_t height, std::span<const std::byte> bytes) {
  return {ImageFormat::raw, width, height, 3, bytes};
}

}  // namespace

// Worked out from the format: a header of 24 bytes, 4 descriptors of 1041, 2 records of 48 from byte 4188 on (image at
// 0 with 13 bytes, label at 16, vec at 24, meta at 32), the first page at the next multiple of 4096, the table after it.
TEST_CASE("BetonWriter: the worked example has every byte in its place", "[data][beton_writer]") {
  const TemporaryFolder folder;
  const Bytes bytes = data_test::read_bytes(data_test::write_example(folder));
  REQUIRE(bytes.size() == 12432);
  const std::vector<std::pair<std::size_t, std::string_view>> expected{
      {0x0000, literal("\x02\0\x04\0\0\x10\0\0\x02\0\0\0\0\0\0\0\0\x30\0\0\0\0\0\0")},
      {0x0018, literal("\x02image\0\0\0\0\0\0\0\0\0\0\0")},
      {0x0429, literal("\x01label")},
      {0x083a, literal("\x04vec")},
      {0x084b, literal("\x03\0\0\0\0\0\0\0")},
      {0x094b, literal("\x0d\0\0\0\0\0\0\0")},
      {0x0953, literal("[[\"\", \"<f4\"]]")},
      {0x0c4b, literal("\x05meta")},
      {0x105c, literal("\x01\x02\0\x01\0\0\x20\0\0\0\0\0\0\0\0\0")},
      {0x106c, literal("\x07\0\0\0\0\0\0\0")},
      {0x1074, literal("\x06\x20\0\0\0\0\0\0")},
      {0x107c, literal("\x12\x20\0\0\0\0\0\0\x09\0\0\0\0\0\0\0")},
      {0x108c, literal("\x01\x01\0\x02\0\x1b\x20\0\0\0\0\0\0\0\0\0")},
      {0x109c, literal("\xff\xff\xff\xff\xff\xff\xff\xff")},
      {0x10a4, literal("\x21\x20\0\0\0\0\0\0")},
      {0x10ac, literal("\x2d\x20\0\0\0\0\0\0\x10\0\0\0\0\0\0\0")},
      {0x2000, literal("\xff\0\0\0\xff\0")},
      {0x2006, literal("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40")},
      {0x2012, literal("{\"k\": 0}\0")},
      {0x201b, literal("\x01\x02\x03\x04\x05\x06")},
      {0x2021, literal("\0\0\0\x3f\0\0\0\xbf\0\0\0\0")},
      {0x202d, literal("{\"k\": \"\\u00e9\"}\0")},
      {0x3000, literal("\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\x06\0\0\0\0\0\0\0")},
      {0x3018, literal("\0\0\0\0\0\0\0\0\x06\x20\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0")},
      {0x3030, literal("\0\0\0\0\0\0\0\0\x12\x20\0\0\0\0\0\0\x09\0\0\0\0\0\0\0")},
      {0x3048, literal("\x01\0\0\0\0\0\0\0\x1b\x20\0\0\0\0\0\0\x06\0\0\0\0\0\0\0")},
      {0x3060, literal("\x01\0\0\0\0\0\0\0\x21\x20\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0")},
      {0x3078, literal("\x01\0\0\0\0\0\0\0\x2d\x20\0\0\0\0\0\0\x10\0\0\0\0\0\0\0")}};
  Bytes rest = bytes;
  for (const auto& [offset, text] : expected) {
    INFO("at byte " << offset);
    CHECK(written(bytes, offset, text.size()) == text);
    std::fill_n(rest.begin() + static_cast<std::ptrdiff_t>(offset), text.size(), std::byte{0});
  }
  CHECK(rest == Bytes(bytes.size()));  // everything else is zero
}

TEST_CASE("BetonWriter: the worked example is the file that ffcv wrote", "[data][beton_writer][outside]") {
  const std::string betons = data_test::ffcv_betons();
  if (betons.empty()) return;
  const TemporaryFolder folder;
  CHECK(data_test::read_bytes(data_test::write_example(folder)) ==
        data_test::read_bytes(betons + "/doc_example.beton"));
}

TEST_CASE("BetonWriter: what was written is read back", "[data][beton_writer]") {
  const TemporaryFolder folder;
  const Beton file{data_test::write_mixed(folder)};
  REQUIRE(file.size() == 5);
  CHECK(file.page_size() == 1024);
  for (std::int64_t i = 0; i < 5; ++i) {
    CHECK(file.integer(i, "label") == i % 3);
    CHECK(file.real(i, "score") == 0.5 * static_cast<double>(i));
    CHECK(file.json(i, "meta") == "{\"id\": " + std::to_string(i) + "}");
    CHECK(file.bytes(i, "blob").size() == static_cast<std::size_t>(1 + 3 * i));
    CHECK(file.bytes(i, "box").size() == 12);
    CHECK(file.bytes(i, "box")[10] == static_cast<std::byte>(i));
    CHECK(file.bytes(i, "mask").size() == 5);
    CHECK(file.image(i, "image").format == "raw");
    CHECK(jessl::data::decode(file.image(i, "image")).pixels == data_test::picture(4 + i, 5, 3, i).pixels);
    CHECK(file.image(i, "second").format == "jpg");
    CHECK(file.image(i, "second").height == 3 + i);
  }
}

TEST_CASE("BetonWriter: values of a sample lie in one page, and a page may be filled to its last byte",
          "[data][beton_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "pages.beton";
  BetonWriter writer(path, {{"a", "bytes"}, {"b", "bytes"}}, {.page_size = 512});
  const Bytes half(256, std::byte{1});
  const Bytes most(400, std::byte{2});
  const Bytes little(56, std::byte{3});
  writer.append({half, half});    // fills the first page
  writer.append({most, little});  // 456 of the second
  writer.append({little, half});  // does not fit any more
  writer.commit();
  const Beton file{path};
  const auto place = [&](std::int64_t i, std::string_view field) {
    return file.bytes(i, field).data() - file.bytes(0, "a").data();
  };
  CHECK(place(0, "b") == 256);
  CHECK(place(1, "a") == 512);
  CHECK(place(1, "b") == 912);
  CHECK(place(2, "a") == 1024);
  CHECK(place(2, "b") == 1080);
  // 24 + 2 * 1041 + 3 * 32 bytes come before, rounded up to 2560; then three pages and six entries.
  CHECK(std::filesystem::file_size(path) == 2560 + 3 * 512 + 6 * 24);
}

TEST_CASE("BetonWriter: a file of numbers has neither pages nor padding", "[data][beton_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "numbers.beton";
  BetonWriter writer(path, {{"i", "int"}, {"x", "float"}});
  writer.append({std::numeric_limits<std::int64_t>::min(), -0.0});
  writer.append({3, std::numeric_limits<double>::infinity()});
  writer.commit();
  CHECK(std::filesystem::file_size(path) == 24 + 2 * 1041 + 2 * 16);
  const Beton file{path};
  CHECK(file.integer(0, "i") == std::numeric_limits<std::int64_t>::min());
  CHECK(std::signbit(file.real(0, "x")));
  CHECK(file.real(1, "x") == std::numeric_limits<double>::infinity());
}

TEST_CASE("BetonWriter: the bytes do not depend on how many samples were expected", "[data][beton_writer]") {
  const TemporaryFolder folder;
  // Records of 16 bytes: 1000 samples take 32 pages of 512 bytes, none, one or 63 of which were left for them.
  const auto write = [&](std::int64_t expected) {
    const std::string path = folder / "file.beton";
    BetonWriter writer(path, {{"blob", "bytes"}}, {.page_size = 512, .expected_samples = expected});
    for (std::int64_t i = 0; i < 1000; ++i) {
      const Bytes blob(static_cast<std::size_t>(1 + i % 200), static_cast<std::byte>(i % 251));
      writer.append({blob});
    }
    writer.commit();
    return data_test::read_bytes(path);
  };
  const Bytes exact = write(1000);
  CHECK(write(0) == exact);
  CHECK(write(2000) == exact);
  CHECK(write(1010) == exact);
  const Beton file{folder / "file.beton"};
  for (std::int64_t i = 0; i < 1000; ++i) {
    CHECK(file.bytes(i, "blob").size() == static_cast<std::size_t>(1 + i % 200));
    CHECK(file.bytes(i, "blob").back() == static_cast<std::byte>(i % 251));
  }
}

TEST_CASE("BetonWriter: an interrupted file does not appear, and an old one stays", "[data][beton_writer]") {
  const TemporaryFolder folder;
  const std::string path = data_test::write_example(folder);
  const Bytes before = data_test::read_bytes(path);
  {
    BetonWriter writer(path, {{"x", "float"}});
    writer.append({1.0});
    CHECK(data_test::read_bytes(path) == before);
  }
  CHECK(data_test::read_bytes(path) == before);
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
  CHECK_THROWS_AS(BetonWriter(folder / "absent/file.beton", {{"x", "float"}}), jessl::IOError);
}

TEST_CASE("BetonWriter: after commit, and without samples, it refuses", "[data][beton_writer]") {
  const TemporaryFolder folder;
  BetonWriter writer(folder / "file.beton", {{"x", "float"}});
  CHECK_THROWS_WITH(writer.commit(), Contains("would have no samples"));
  writer.append({1.0});
  writer.commit();
  CHECK_THROWS_WITH(writer.append({2.0}), Contains("is committed; no sample can be added"));
  CHECK_THROWS_AS(writer.commit(), DataError);
  CHECK(Beton(folder / "file.beton").size() == 1);
}

TEST_CASE("BetonWriter: fields that ffcv could not read are refused", "[data][beton_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const auto refused = [&](std::vector<BetonField> fields, const std::string& text,
                           jessl::data::BetonWriterOptions options = {}) {
    CHECK_THROWS_AS(BetonWriter(path, fields, options), ConfigError);
    CHECK_THROWS_WITH(BetonWriter(path, fields, options), Contains(text));
  };
  refused({}, "there are 0 fields, expected 1 to 65535");
  for (const char* name : {"", "seventeen_letters", "two words", "1st", "\xC3\xA9t\xC3\xA9"}) {
    refused({{name, "int"}}, "field 0 is called \"" + std::string(name) + "\", expected an identifier of 1 to 16");
  }
  refused({{"a", "int"}, {"b", "int"}, {"a", "float"}}, "fields 0 and 2 are both called \"a\"");
  refused({{"a", "integer"}}, "is of kind \"integer\", expected image, int, float, bytes, json, array or tensor");
  refused({{.name = "a", .kind = "int", .dtype = "<i8"}}, "has a dtype or a shape");
  const auto array = [](std::string dtype, std::vector<std::int64_t> shape) {
    return std::vector<BetonField>{{"a", "array", std::move(dtype), std::move(shape)}};
  };
  refused(array("", {3}), "has the dtype \"\", expected one of |b1 |i1");
  refused(array(">f4", {3}), "has the dtype \">f4\"");
  refused(array("<f4", {}), "has 0 axes, expected 1 to 32");
  refused(array("<f4", std::vector<std::int64_t>(33, 1)), "has 33 axes");
  refused(array("<f4", {3, 0}), "has the extent 0 in its shape, expected >= 1");
  refused(array("<f4", {-1}), "has the extent -1");
  refused(array("<f4", {1 << 20, 3}), "is larger than a page of 8388608 bytes");
  refused(array("<f4", {std::int64_t{1} << 62U}), "is larger than a page");
  for (const std::int64_t page : {std::int64_t{0}, std::int64_t{-4096}, std::int64_t{3000}, std::int64_t{1} << 32U}) {
    refused({{"a", "int"}}, "page_size is " + std::to_string(page), {.page_size = page});
  }
  refused({{"a", "int"}}, "expected_samples is -1", {.expected_samples = -1});
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
  const BetonWriter longest(path, {{"sixteen_letters_", "int"}});
}

TEST_CASE("BetonWriter: values that ffcv could not read are refused, and leave the file as it was",
          "[data][beton_writer]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  BetonWriter writer(path,
                     {{"image", "image"},
                      {"n", "int"},
                      {"x", "float"},
                      {"blob", "bytes"},
                      {"meta", "json"},
                      {.name = "vec", .kind = "array", .dtype = "<i2", .shape = {2}}},
                     {.page_size = 1024});
  const jessl::Image picture = data_test::picture(2, 2, 3);
  const auto pixels = std::as_bytes(std::span(picture.pixels));
  const auto blob = bytes_of("blob");
  const auto vec = bytes_of("vec!");
  const std::string where = "jessl::data::BetonWriter: " + path + ": sample 1";
  const auto refused = [&](std::initializer_list<jessl::data::BetonValue> values, const std::string& text) {
    CHECK_THROWS_AS(writer.append(values), DataError);
    CHECK_THROWS_WITH(writer.append(values), Contains(where) && Contains(text));
    CHECK(writer.size() == 1);
  };
  writer.append({raw(2, 2, pixels), 1, 0.5, blob, "{}", vec});

  refused({}, " has 0 values, expected 6, one for each field");
  refused({raw(2, 2, pixels), 1.0, 0.5, blob, "{}", vec},
          ", field \"n\" (int): the value is a real number, expected an integer");
  refused({raw(2, 2, pixels), 1, 1, blob, "{}", vec}, "the value is an integer, expected a real number");
  refused({blob, 1, 0.5, blob, "{}", vec}, "the value is bytes, expected an image");
  refused({raw(2, 2, pixels), 1, 0.5, "text", "{}", vec}, "the value is a text, expected bytes");
  refused({raw(2, 2, pixels), 1, 0.5, blob, blob, vec}, "the value is bytes, expected a text");
  refused({raw(2, 2, pixels), 1, 0.5, bytes_of(""), "{}", vec}, "the value is empty, which ffcv cannot read");
  refused({raw(2, 2, pixels), 1, 0.5, blob, "", vec}, "the text is empty");
  refused({raw(2, 2, pixels), 1, 0.5, blob, literal("{}\0x"), vec}, "the text has a zero byte at 2");
  refused({raw(2, 2, pixels), 1, 0.5, blob, "{}", blob.first(3)}, "the value has 3 bytes, expected 4 for its shape");

  refused({raw(2, 1, pixels), 1, 0.5, blob, "{}", vec},
          "the image is of 2 x 1 pixels in 12 bytes, expected 6 bytes of interleaved RGB");
  refused({EncodedImage{ImageFormat::raw, 4, 3, 1, pixels}, 1, 0.5, blob, "{}", vec}, "expected 36 bytes");
  refused({raw(0, 2, {}), 1, 0.5, blob, "{}", vec}, "the image is of 0 x 2 pixels, expected 1 to 65535 each");
  refused({raw(65536, 65536, {}), 1, 0.5, blob, "{}", vec}, "the image is of 65536 x 65536 pixels");
  const Bytes png = data_test::to_png(picture);
  refused({EncodedImage{.format = ImageFormat::png, .bytes = png}, 1, 0.5, blob, "{}", vec}, "is a PNG file");
  refused({EncodedImage{.format = ImageFormat::jpg, .bytes = png}, 1, 0.5, blob, "{}", vec}, "are no JPEG file");
  const Bytes cmyk = data_test::reference_image("cmyk.jpg");
  refused({EncodedImage{.format = ImageFormat::jpg, .bytes = cmyk}, 1, 0.5, blob, "{}", vec},
          "is a JPEG of 4 components of 8 bits, coded by process 0");
  const Bytes jpeg = data_test::to_jpeg(picture);
  refused({EncodedImage{ImageFormat::jpg, 2, 3, 0, jpeg}, 1, 0.5, blob, "{}", vec},
          "is a JPEG of 2 x 2 pixels, but was said to have 2 x 3");
  const Bytes large(1000, std::byte{1});
  refused({raw(2, 2, pixels), 1, 0.5, large, "{\"a\": 1}", vec},
          " has 1025 bytes, more than a page of 1024; a sample must fit into one: set page_size to at least 2048");

  const Bytes just(999, std::byte{1});
  writer.append({raw(2, 2, pixels), 2, 0.25, just, "{\"a\": 1}", vec});
  writer.commit();
  const Beton file{path};
  CHECK(file.size() == 2);
  CHECK(file.integer(1, "n") == 2);
  CHECK(file.bytes(1, "blob").size() == 999);
}

TEST_CASE("BetonWriter: a folder in the place of the file is an IOError", "[data][beton_writer]") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "taken.beton");
  CHECK_THROWS_WITH(BetonWriter(folder / "taken.beton", {{"x", "float"}}), Contains("exists and is not a file"));
}

// With JESSL_BETON_DIR the file stays there, for tests/reference/data/check_with_ffcv.py.
TEST_CASE("BetonWriter: every kind of field, element and image in one file", "[data][beton_writer][for_ffcv]") {
  const TemporaryFolder folder;
  const char* const kept = std::getenv("JESSL_BETON_DIR");
  const std::string path = kept != nullptr ? kept + std::string("/every_kind.beton") : folder / "every_kind.beton";
  std::vector<BetonField> fields{{"image", "image"}, {"label", "int"},  {"square", "image"},
                                 {"score", "float"}, {"blob", "bytes"}, {"meta", "json"}};
  const std::vector<std::pair<std::string, std::size_t>> types{
      {"|b1", 1}, {"|i1", 1}, {"|u1", 1}, {"<i2", 2}, {"<u2", 2}, {"<i4", 4}, {"<u4", 4},
      {"<i8", 8}, {"<u8", 8}, {"<f2", 2}, {"<f4", 4}, {"<f8", 8}, {"<c8", 8}, {"<c16", 16}};
  for (const auto& [dtype, size] : types) {
    fields.push_back({.name = "a_" + dtype.substr(1), .kind = "array", .dtype = dtype, .shape = {2, 1, 3}});
  }
  fields.push_back({.name = "tensor", .kind = "tensor", .dtype = "<f4", .shape = {5}});
  BetonWriter writer(path, fields, {.page_size = 1 << 21});
  for (std::int64_t i = 0; i < 40; ++i) {
    const jessl::Image pixels = data_test::picture(30 + i % 4, 20, 3, i);
    const Bytes file = data_test::to_jpeg(data_test::picture(19, 13, i % 2 == 0 ? 3 : 1, i), i % 4 == 0);
    const EncodedImage jpeg{.format = ImageFormat::jpg, .bytes = file};
    const jessl::Image square = data_test::picture(8, 8, 3, i);
    const Bytes blob(static_cast<std::size_t>(1 + 997 * i), static_cast<std::byte>(i));
    const std::string meta = "{\"id\": " + std::to_string(i) + ", \"name\": \"\xC3\xA9\"}";
    std::vector<jessl::data::BetonValue> values{
        i % 3 == 0 ? jpeg : raw(pixels.width, pixels.height, std::as_bytes(std::span(pixels.pixels))),
        i - 20,
        raw(8, 8, std::as_bytes(std::span(square.pixels))),
        0.1 * static_cast<double>(i),
        blob,
        meta};
    std::vector<Bytes> arrays;
    for (const auto& [dtype, size] : types)
      arrays.emplace_back(6 * size, static_cast<std::byte>(dtype == "|b1" ? 1 : i));
    arrays.emplace_back(20, static_cast<std::byte>(i));
    for (const Bytes& array : arrays) values.emplace_back(array);
    writer.append(values);
  }
  writer.commit();
  const Beton read{path};
  CHECK(read.size() == 40);
  CHECK(read.fields() == fields);
  CHECK_FALSE(data_test::read_all(read).empty());
}
