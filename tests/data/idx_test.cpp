// SPDX-License-Identifier: Apache-2.0
// IDX: what the files hold, and what is said about files that are absent or damaged.
#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <zlib.h>

#include <jessl/data/decode.hpp>
#include <jessl/data/idx.hpp>

#include "data/support.hpp"
#include "support/skip.hpp"

using data_test::TemporaryFolder;
using jessl::data::IDX;
using jessl::data::Split;

namespace {

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U),
          static_cast<char>(value)};
}

/// Two images of 2 rows and 3 columns: 0 to 11.
std::string images_file() {
  std::string bytes = std::string("\0\0\x08\x03", 4) + big_endian(2) + big_endian(2) + big_endian(3);
  for (char value = 0; value < 12; ++value) bytes += value;
  return bytes;
}

std::string black_images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  return std::string("\0\0\x08\x03", 4) + big_endian(count) + big_endian(height) + big_endian(width) +
         std::string(std::size_t{count} * height * width, '\0');
}

std::string labels_file(const std::string& labels = std::string("\x04\x01", 2)) {
  return std::string("\0\0\x08\x01", 4) + big_endian(static_cast<std::uint32_t>(labels.size())) + labels;
}

std::string write_gz(const TemporaryFolder& folder, const std::string& name, const std::string& bytes) {
  const std::string path = folder / name;
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return path;
}

/// Sets an environment variable, and puts it back.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::optional<std::string> before_{};
};

}  // namespace

TEST_CASE("IDX: plain and gzipped files hold the same", "[data][idx]") {
  const TemporaryFolder folder;
  const std::string plain = folder.write("images", images_file());
  const std::string packed = write_gz(folder, "images.gz", images_file());
  const std::string labels = write_gz(folder, "labels.gz", labels_file());
  for (const std::string& path : {plain, packed}) {
    // [idx]
    const jessl::data::IDX data{path, labels};
    // [/idx]
    CHECK(data.size() == 2);
    CHECK(data.channels() == 1);
    CHECK(data.classes() == 5);
    CHECK(data.label(0) == 4);
    CHECK(data.label(1) == 1);
    CHECK(data.describe(1) == std::filesystem::path(path).filename().string() + ", image 1");
    std::vector<std::byte> storage;
    const jessl::data::Image image = jessl::data::decode(data.read(1, storage));
    CHECK(image.width == 3);
    CHECK(image.height == 2);
    CHECK(image.pixels == std::vector<std::uint8_t>{6, 7, 8, 9, 10, 11});
    CHECK(storage.empty());
  }
}

TEST_CASE("IDX: without a labels file there are no labels", "[data][idx]") {
  const TemporaryFolder folder;
  const IDX data(folder.write("images", images_file()));
  CHECK(data.classes() == 0);
  CHECK(data.label(0) == -1);
}

TEST_CASE("IDX: an image that is not there is an error", "[data][idx]") {
  const TemporaryFolder folder;
  const IDX data(folder.write("images", images_file()));
  std::vector<std::byte> storage;
  CHECK_THROWS_WITH(data.read(2, storage), "jessl::data::IDX: there is no image 2; the images are 0 to 1");
  CHECK_THROWS_AS(data.label(-1), jessl::DataError);
}

TEST_CASE("IDX: an absent file is an error with its path", "[data][idx]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(IDX(folder / "absent"), jessl::DataError);
  CHECK_THROWS_WITH(IDX(folder / "absent"),
                    "jessl::data::IDX: cannot open " + folder / "absent" + ": No such file or directory");
  CHECK_THROWS_AS(IDX(folder.path()), jessl::DataError);
}

TEST_CASE("IDX: a file cut off anywhere is an error with the offset", "[data][idx]") {
  const TemporaryFolder folder;
  const std::string whole = images_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut to " << size);
    const std::string path = folder.write("cut", whole.substr(0, size));
    CHECK_THROWS_AS(IDX(path), jessl::DataError);
    CHECK_THROWS_WITH(IDX(path), Catch::Contains(path) && Catch::Contains("ends at byte " + std::to_string(size)) &&
                                     Catch::Contains("; fetch it anew"));
  }
  const std::string path = folder.write("cut", whole.substr(0, 20));
  CHECK_THROWS_WITH(IDX(path),
                    "jessl::data::IDX: " + path +
                        " is truncated: it ends at byte 20 (decompressed), [2, 2, 3] needs 28; fetch it anew");
}

TEST_CASE("IDX: a gzipped file cut off or damaged is an error", "[data][idx]") {
  const TemporaryFolder folder;
  std::string large = std::string("\0\0\x08\x03", 4) + big_endian(100) + big_endian(20) + big_endian(20);
  std::uint32_t noise = 1;
  for (int i = 0; i < 100 * 400; ++i) large += static_cast<char>((noise = noise * 1664525U + 1013904223U) >> 24U);
  const auto packed = data_test::read_bytes(write_gz(folder, "large.gz", large));
  REQUIRE(IDX(folder / "large.gz").size() == 100);

  const std::string cut = folder.write("cut.gz", std::span(packed).first(packed.size() / 2));
  CHECK_THROWS_AS(IDX(cut), jessl::DataError);
  CHECK_THROWS_WITH(IDX(cut), Catch::Contains(cut) && Catch::Contains("unexpected end of file"));
  auto flipped = packed;
  flipped[flipped.size() - 6] ^= std::byte{1};  // in the check sum
  const std::string damaged = folder.write("damaged.gz", flipped);
  CHECK_THROWS_WITH(IDX(damaged), Catch::Contains(damaged) && Catch::Contains("incorrect data check"));
}

TEST_CASE("IDX: trailing bytes are an error", "[data][idx]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("images", images_file() + "x");
  CHECK_THROWS_AS(IDX(path), jessl::DataError);
  CHECK_THROWS_WITH(IDX(path), "jessl::data::IDX: " + path +
                                   " goes on after byte 28 (decompressed), where [2, 2, 3] ends; fetch it anew");
}

TEST_CASE("IDX: another magic, type or number of axes is an error", "[data][idx]") {
  const TemporaryFolder folder;
  const auto with = [&](std::size_t place, char value) {
    std::string bytes = images_file();
    bytes[place] = value;
    return folder.write("images", bytes);
  };
  CHECK_THROWS_WITH(IDX(with(0, 'P')), Catch::Contains("is no IDX file: bytes 0 and 1 are 80 and 0, expected 0 and 0; "
                                                       "name a file in that format, plain or gzipped"));
  CHECK_THROWS_WITH(IDX(with(2, 0x0D)),
                    Catch::Contains("has elements of type 13 (byte 2), expected 8: unsigned bytes; write it as these"));
  CHECK_THROWS_WITH(
      IDX(with(3, 1)),
      Catch::Contains("has 1 axes (byte 3), expected 3: [N, H, W] images; images and labels are swapped"));
  CHECK_THROWS_WITH(IDX(with(3, 4)),
                    Catch::Contains("has 4 axes (byte 3), expected 3: [N, H, W] images; write grey images"));
  const std::string images = folder.write("good", images_file());
  CHECK_THROWS_WITH(IDX(images, images),
                    Catch::Contains("has 3 axes (byte 3), expected 1: [N] labels; images and labels are swapped"));
}

TEST_CASE("IDX: a header that claims more than the file has takes no memory for it", "[data][idx]") {
  const TemporaryFolder folder;
  const std::string head("\0\0\x08\x03", 4);
  const std::string many =
      folder.write("many", head + big_endian(0xFFFFFFFF) + big_endian(28) + big_endian(28) + "abc");
  CHECK_THROWS_WITH(IDX(many), Catch::Contains("is truncated: it ends at byte 19"));
  const std::string wide = folder.write("wide", head + big_endian(1) + big_endian(0xFFFFFFFF) + big_endian(0xFFFFFFFF));
  CHECK_THROWS_WITH(IDX(wide), Catch::Contains("4294967295 x 4294967295 pixels"));
  const std::string flat = folder.write("flat", head + big_endian(1) + big_endian(0) + big_endian(5));
  CHECK_THROWS_AS(IDX(flat), jessl::DataError);
}

TEST_CASE("IDX: as many labels as images are needed", "[data][idx]") {
  const TemporaryFolder folder;
  const std::string images = folder.write("images", images_file());
  const std::string labels = folder.write("labels", labels_file("abc"));
  CHECK_THROWS_AS(IDX(images, labels), jessl::DataError);
  CHECK_THROWS_WITH(IDX(images, labels), "jessl::data::IDX: " + labels +
                                             " has 3 labels, expected 2, one for each image of " + images +
                                             "; name the labels of the same images");
}

TEST_CASE("IDX: fashion_mnist finds its folder by argument and by environment", "[data][idx]") {
  const TemporaryFolder folder;
  folder.write("fashion-mnist/train-images-idx3-ubyte", black_images(2, 28, 28));
  write_gz(folder, "fashion-mnist/train-labels-idx1-ubyte.gz", labels_file());
  CHECK(IDX::fashion_mnist(Split::train, folder / "fashion-mnist").size() == 2);
  const Environment here("JESSL_DATA_DIR", folder.path());
  CHECK(IDX::fashion_mnist(Split::train).size() == 2);
  CHECK(IDX::fashion_mnist(Split::train).classes() == 10);  // the labels in this part are 4 and 1
  CHECK_THROWS_AS(IDX::fashion_mnist(Split::test), jessl::DataError);
  CHECK_THROWS_WITH(IDX::fashion_mnist(Split::test),
                    Catch::Contains(folder / "fashion-mnist/t10k-images-idx3-ubyte.gz") &&
                        Catch::Contains("apt-get install dataset-fashion-mnist") && Catch::Contains("JESSL_DATA_DIR"));
}

TEST_CASE("IDX: fashion_mnist takes no other data set in files of the same names", "[data][idx]") {
  const TemporaryFolder folder;
  const auto open = [&](const std::string& images, const std::string& labels) {
    folder.write("t10k-images-idx3-ubyte", images);
    folder.write("t10k-labels-idx1-ubyte", labels);
    return IDX::fashion_mnist(Split::test, folder.path());
  };
  const std::string two_labels = labels_file();
  CHECK(open(black_images(2, 28, 28), two_labels).size() == 2);
  CHECK_THROWS_AS(open(black_images(2, 28, 32), two_labels), jessl::DataError);
  CHECK_THROWS_WITH(open(black_images(2, 28, 32), two_labels),
                    "jessl::data::IDX::fashion_mnist: " + folder / "t10k-images-idx3-ubyte" +
                        " has images of 28 x 32 pixels (bytes 8 to 15), expected 28 x 28; is it Fashion-MNIST?");
  CHECK_THROWS_AS(open(black_images(2, 28, 28), labels_file("\x02\x0a")), jessl::DataError);
  CHECK_THROWS_WITH(open(black_images(2, 28, 28), labels_file("\x02\x0a")),
                    Catch::Contains("the label of image 1 (byte 9, decompressed) is 10, expected 0 to 9"));
  const std::string many_labels = labels_file(std::string(10'001, '\x01'));
  CHECK_THROWS_AS(open(black_images(10'001, 28, 28), many_labels), jessl::DataError);
  CHECK_THROWS_WITH(open(black_images(10'001, 28, 28), many_labels),
                    Catch::Contains("has 10001 images (bytes 4 to 7), expected at most 10000"));
}

TEST_CASE("IDX: the real Fashion-MNIST has the numbers that its authors publish", "[data][idx][outside]") {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
    JESSL_SKIP("the Debian package dataset-fashion-mnist is not installed");
    return;
  }
  const Environment unset("JESSL_DATA_DIR", "");
  const IDX test = IDX::fashion_mnist(Split::test);
  CHECK(test.size() == 10000);
  CHECK(test.classes() == 10);
  std::vector<std::int64_t> counts(10, 0);
  for (std::int64_t i = 0; i < test.size(); ++i) ++counts[static_cast<std::size_t>(test.label(i))];
  CHECK(counts == std::vector<std::int64_t>(10, 1000));
  CHECK(test.label(0) == 9);  // an ankle boot
  std::vector<std::byte> storage;
  CHECK(test.read(0, storage).bytes.size() == 784);
}
