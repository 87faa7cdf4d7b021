// SPDX-License-Identifier: Apache-2.0
// CIFAR-10: records of planes become interleaved images.
#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <jessl/data/cifar10.hpp>
#include <jessl/data/decode.hpp>

#include "data/support.hpp"

using data_test::TemporaryFolder;
using jessl::data::CIFAR10;
using jessl::data::Split;

namespace {

constexpr jessl::data::CIFAR10Options a_part{.allow_part = true};

/// A record whose red, green and blue planes begin with r, g, b, count up, and start anew after 7 pixels.
std::string record(char label, int red, int green, int blue) {
  std::string bytes(1, label);
  for (const int start : {red, green, blue}) {
    for (int pixel = 0; pixel < 1024; ++pixel) bytes += static_cast<char>(start + pixel % 7);
  }
  return bytes;
}

void write_training(const TemporaryFolder& folder, const std::string& below = "") {
  for (int batch = 1; batch <= 5; ++batch) {
    std::string bytes;
    for (int i = 0; i < batch; ++i) bytes += record(static_cast<char>(batch), batch, 50 + i, 100);
    folder.write(below + "data_batch_" + std::to_string(batch) + ".bin", bytes);
  }
}

}  // namespace

TEST_CASE("CIFAR10: planes become interleaved pixels", "[data][cifar10]") {
  const TemporaryFolder folder;
  folder.write("test_batch.bin", record(7, 10, 20, 30) + record(0, 40, 50, 60));
  // [cifar10]
  const jessl::data::CIFAR10 data{folder.path(), jessl::data::Split::test, {.allow_part = true}};
  // [/cifar10]
  CHECK(data.size() == 2);
  CHECK(data.channels() == 3);
  CHECK(data.classes() == 10);
  CHECK(data.label(0) == 7);
  CHECK(data.label(1) == 0);
  std::vector<std::byte> storage;
  const jessl::data::Image image = jessl::data::decode(data.read(1, storage));
  CHECK(image.width == 32);
  CHECK(image.height == 32);
  CHECK(image.view().at(0, 0, 0) == 40);
  CHECK(image.view().at(0, 1, 1) == 51);
  CHECK(image.view().at(1, 0, 2) == 60 + 32 % 7);
  CHECK(image.view().at(31, 31, 0) == 40 + 1023 % 7);
}

TEST_CASE("CIFAR10: the five training files follow each other", "[data][cifar10]") {
  const TemporaryFolder folder;
  write_training(folder);
  const CIFAR10 data(folder.path(), Split::train, a_part);
  CHECK(data.size() == 15);
  CHECK(data.label(0) == 1);
  CHECK(data.label(14) == 5);
  CHECK(data.describe(0) == folder / "data_batch_1.bin, image 0");
  CHECK(data.describe(2) == folder / "data_batch_2.bin, image 1");
  CHECK(data.describe(14) == folder / "data_batch_5.bin, image 4");
  CHECK_THROWS_WITH(data.describe(15), "jessl::data::CIFAR10: there is no image 15; the images are 0 to 14");
  const TemporaryFolder above;
  write_training(above, "cifar-10-batches-bin/");
  CHECK(CIFAR10(above.path(), Split::train, a_part).size() == 15);
}

TEST_CASE("CIFAR10: absent, truncated and damaged files are errors", "[data][cifar10]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(CIFAR10(folder.path(), Split::train), jessl::DataError);
  CHECK_THROWS_WITH(CIFAR10(folder.path(), Split::train), Catch::Contains(folder / "data_batch_1.bin does not exist") &&
                                                              Catch::Contains("cifar-10-binary.tar.gz"));
  folder.write("test_batch.bin", record(1, 0, 0, 0) + record(2, 0, 0, 0).substr(0, 500));
  CHECK_THROWS_AS(CIFAR10(folder.path(), Split::test, a_part), jessl::DataError);
  CHECK_THROWS_WITH(CIFAR10(folder.path(), Split::test, a_part),
                    Catch::Contains("test_batch.bin has 3573 bytes, expected a multiple of 3073 above 0; the last "
                                    "whole record ends at byte 3073"));
  folder.write("test_batch.bin", std::string());
  CHECK_THROWS_AS(CIFAR10(folder.path(), Split::test, a_part), jessl::DataError);
  folder.write("test_batch.bin", record(1, 0, 0, 0) + record(10, 0, 0, 0));
  CHECK_THROWS_WITH(CIFAR10(folder.path(), Split::test, a_part),
                    Catch::Contains("the label at byte 3073 is 10, expected 0 to 9"));
}

TEST_CASE("CIFAR10: a file that ends between two records is an error, unless parts are allowed", "[data][cifar10]") {
  const TemporaryFolder folder;
  const std::string whole(std::size_t{10'000} * 3073, '\x03');
  folder.write("test_batch.bin", whole);
  CHECK(CIFAR10(folder.path(), Split::test).size() == 10'000);
  for (const std::size_t records : {std::size_t{1}, std::size_t{9'999}}) {
    folder.write("test_batch.bin", whole.substr(0, records * 3073));
    CHECK_THROWS_AS(CIFAR10(folder.path(), Split::test), jessl::DataError);
    CHECK_THROWS_WITH(CIFAR10(folder.path(), Split::test),
                      Catch::Contains("test_batch.bin has " + std::to_string(records) + " records, expected 10000") &&
                          Catch::Contains("set allow_part"));
    CHECK(CIFAR10(folder.path(), Split::test, a_part).size() == static_cast<std::int64_t>(records));
  }
  folder.write("test_batch.bin", whole + whole.substr(0, 3073));
  for (const bool allow_part : {false, true}) {
    CHECK_THROWS_WITH(CIFAR10(folder.path(), Split::test, {.allow_part = allow_part}),
                      Catch::Contains("has 10001 records, expected at most 10000"));
  }
}
