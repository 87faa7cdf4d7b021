// SPDX-License-Identifier: Apache-2.0
// Image folders: classes by name, a fixed order, and messages about folders that are not as they should be.
#include <catch2/catch.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <jessl/data/decode.hpp>
#include <jessl/data/image_folder.hpp>

#include "data/support.hpp"

using data_test::picture;
using data_test::TemporaryFolder;
using data_test::to_jpeg;
using data_test::to_png;
using jessl::data::ImageFolder;

TEST_CASE("ImageFolder: folders are classes, by name, and files are in byte order", "[data][image_folder]") {
  const TemporaryFolder folder;
  folder.write("dog/b.png", to_png(picture(4, 3, 3, 1)));
  folder.write("dog/a/z.JPG", to_jpeg(picture(4, 3, 3, 2)));
  folder.write("dog/B.jpeg", to_jpeg(picture(4, 3, 3, 3)));
  folder.write("Cat/1.PnG", to_png(picture(4, 3, 1, 4)));
  folder.write("Cat/notes.txt", std::string("not an image"));
  folder.write("Cat/.hidden.png", to_png(picture(4, 3, 1, 5)));
  folder.write(".cache/x.png", to_png(picture(4, 3, 1, 6)));
  // [image_folder]
  const jessl::data::ImageFolder data{folder.path(), {.channels = 3}};
  // [/image_folder]
  REQUIRE(data.size() == 4);
  CHECK(data.channels() == 3);
  CHECK(data.classes() == 2);
  CHECK(data.class_names() == std::vector<std::string>{"Cat", "dog"});
  CHECK(data.describe(0) == folder / "Cat/1.PnG");
  CHECK(data.describe(1) == folder / "dog/B.jpeg");
  CHECK(data.describe(2) == folder / "dog/a/z.JPG");
  CHECK(data.describe(3) == folder / "dog/b.png");
  CHECK(data.label(0) == 0);
  CHECK(data.label(1) == 1);
  CHECK(data.label(3) == 1);

  std::vector<std::byte> storage;
  const jessl::EncodedImage stored = data.read(3, storage);
  CHECK(stored.format == jessl::ImageFormat::png);
  CHECK(stored.bytes.data() == storage.data());
  CHECK(jessl::data::decode(stored).pixels == picture(4, 3, 3, 1).pixels);
  CHECK(data.read(2, storage).format == jessl::ImageFormat::jpg);
}

TEST_CASE("ImageFolder: images without class folders have no labels", "[data][image_folder]") {
  const TemporaryFolder folder;
  folder.write("2.png", to_png(picture(4, 3, 3)));
  folder.write("10.png", to_png(picture(4, 3, 3)));
  folder.write("readme.md", std::string("hello"));
  const ImageFolder data(folder.path(), {.channels = 1});
  CHECK(data.size() == 2);
  CHECK(data.channels() == 1);
  CHECK(data.classes() == 0);
  CHECK(data.class_names().empty());
  CHECK(data.label(1) == -1);
  CHECK(data.describe(0) == folder / "10.png");
}

TEST_CASE("ImageFolder: classes are ordered by their names, not by their paths", "[data][image_folder]") {
  const TemporaryFolder folder;
  // As paths "a b/..." comes before "a/...", because a blank is less than a slash.
  folder.write("a/1.png", to_png(picture(2, 2, 1)));
  folder.write("a b/1.png", to_png(picture(2, 2, 1)));
  const ImageFolder data(folder.path());
  CHECK(data.class_names() == std::vector<std::string>{"a", "a b"});
  CHECK(data.describe(0) == folder / "a/1.png");
}

TEST_CASE("ImageFolder: a folder that is absent, or is a file, is an error", "[data][image_folder]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(ImageFolder(folder / "absent"), jessl::DataError);
  CHECK_THROWS_WITH(ImageFolder(folder / "absent"),
                    "jessl::data::ImageFolder: " + folder / "absent" + " is no folder: it does not exist");
  const std::string file = folder.write("file", std::string("x"));
  CHECK_THROWS_WITH(ImageFolder(file), "jessl::data::ImageFolder: " + file + " is no folder");
}

TEST_CASE("ImageFolder: a folder without images is an error that says what is looked for", "[data][image_folder]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(ImageFolder(folder.path()), jessl::DataError);
  CHECK_THROWS_WITH(ImageFolder(folder.path()),
                    "jessl::data::ImageFolder: no image in " + folder.path() +
                        ": expected files that end in .jpg, .jpeg or .png, in a folder for each class "
                        "or all in this one");
  std::filesystem::create_directory(folder / "cat");
  CHECK_THROWS_AS(ImageFolder(folder.path(), {.allow_empty = true}), jessl::DataError);
}

TEST_CASE("ImageFolder: an empty class is an error unless it is allowed", "[data][image_folder]") {
  const TemporaryFolder folder;
  folder.write("b/1.png", to_png(picture(2, 2, 1)));
  folder.write("c/none.txt", std::string("x"));
  std::filesystem::create_directory(folder / "a");
  CHECK_THROWS_AS(ImageFolder(folder.path()), jessl::DataError);
  CHECK_THROWS_WITH(ImageFolder(folder.path()), "jessl::data::ImageFolder: no image in 2 of the 3 class folders of " +
                                                    folder.path() +
                                                    ": a, c; remove them, or set allow_empty to keep their numbers");
  const ImageFolder data(folder.path(), {.allow_empty = true});
  CHECK(data.classes() == 3);
  CHECK(data.label(0) == 1);
}

TEST_CASE("ImageFolder: images beside class folders are an error, not silently left out", "[data][image_folder]") {
  const TemporaryFolder folder;
  folder.write("cat/1.png", to_png(picture(2, 2, 1)));
  folder.write("stray.png", to_png(picture(2, 2, 1)));
  CHECK_THROWS_AS(ImageFolder(folder.path()), jessl::DataError);
  CHECK_THROWS_WITH(ImageFolder(folder.path()),
                    Catch::Contains("class folders (cat)") && Catch::Contains(folder / "stray.png"));
}

TEST_CASE("ImageFolder: a file that vanishes is an error when it is read", "[data][image_folder]") {
  const TemporaryFolder folder;
  const std::string path = folder.write("1.png", to_png(picture(2, 2, 1)));
  const ImageFolder data(folder.path());
  std::filesystem::remove(path);
  std::vector<std::byte> storage;
  CHECK_THROWS_AS(data.read(0, storage), jessl::DataError);
  CHECK_THROWS_WITH(data.read(0, storage),
                    "jessl::data::ImageFolder: cannot open " + path + ": No such file or directory");
}

TEST_CASE("ImageFolder: symbolic links are followed, and a circle of them is an error", "[data][image_folder]") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  elsewhere.write("1.png", to_png(picture(2, 2, 1)));
  std::filesystem::create_directory_symlink(elsewhere.path(), folder / "cat");
  CHECK(ImageFolder(folder.path()).size() == 1);
  std::filesystem::create_directory_symlink(elsewhere.path(), elsewhere / "again");
  CHECK_THROWS_AS(ImageFolder(folder.path()), jessl::DataError);
  CHECK_THROWS_WITH(ImageFolder(folder.path()),
                    Catch::Contains("lies more than 32 folders deep; is there a circle of symbolic links?"));
}

TEST_CASE("ImageFolder: channels other than 1 and 3 are refused", "[data][image_folder]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(ImageFolder(folder.path(), {.channels = 4}), jessl::ConfigError);
  CHECK_THROWS_WITH(ImageFolder(folder.path(), {.channels = 4}),
                    "jessl::data::ImageFolder: channels is 4, expected 1 (grey) or 3 (RGB)");
}
