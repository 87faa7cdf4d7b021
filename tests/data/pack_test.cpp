// SPDX-License-Identifier: Apache-2.0
// Packing data sets into .beton files: modes, shrinking, threads, damaged images, and reading them back.
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <jessl/data/beton.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/data/subset.hpp>

#include "data/beton_support.hpp"
#include "data/jpeg_maker.hpp"
#include "data/support.hpp"
#include "support/sha256.hpp"
#include "support/skip.hpp"

using Catch::Contains;
using data_test::Bytes;
using data_test::TemporaryFolder;
using jessl::ConfigError;
using jessl::DataError;
using jessl::data::Beton;
using jessl::data::Chroma;
using jessl::data::ImageFolder;
using jessl::data::OnDamaged;
using jessl::data::pack;
using jessl::data::PackMode;
using jessl::data::PackOptions;
using jessl::data::PackReport;
using test_support::sha256;

namespace {

/// A class folder each of JPEG and PNG files of several sizes; JPEG 0 is grey, JPEG 2 has restart markers.
ImageFolder folder_of_files(const TemporaryFolder& folder, int count = 12) {
  for (int i = 0; i < count; ++i) {
    const jessl::Image image = data_test::picture(20 + 3 * i, 40 - 2 * i, i == 0 ? 1 : 3, i);
    const std::string number = std::to_string(100 + i);
    if (i % 2 == 0) {
      folder.write("images/jpeg/" + number + ".jpg", data_test::to_jpeg(image, i == 2));
    } else {
      folder.write("images/png/" + number + ".png", data_test::to_png(image));
    }
  }
  return ImageFolder(folder / "images");
}

Bytes stored(const jessl::Dataset auto& dataset, std::int64_t i) {
  std::vector<std::byte> storage;
  const jessl::EncodedImage image = dataset.read(i, storage);
  return {image.bytes.begin(), image.bytes.end()};
}

jessl::data::Image decoded(const jessl::Dataset auto& dataset, std::int64_t i) {
  std::vector<std::byte> storage;
  jessl::data::Image scratch;
  const jessl::ImageView view = jessl::data::decode(dataset.read(i, storage), dataset.channels(), scratch);
  jessl::data::Image image(view.width, view.height, view.channels);
  std::copy(view.pixels.begin(), view.pixels.end(), image.pixels.begin());
  return image;
}

/// The pixels that tests/reference/data/make_area.py makes.
jessl::Image reference_picture(std::int64_t width, std::int64_t height, std::int64_t channels, std::int64_t number) {
  jessl::Image image(width, height, channels);
  auto* out = image.pixels.data();
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < channels; ++c) {
        *out++ = static_cast<std::uint8_t>((3 * x + 5 * y + 40 * c + 29 * number + 7 * x * y) % 256);
      }
    }
  }
  return image;
}

}  // namespace

TEST_CASE("pack: the example of the documentation runs", "[data][pack]") {
  const TemporaryFolder folder;
  const ImageFolder train = folder_of_files(folder);
  const std::string path = folder / "train.beton";
  // [pack]
  const jessl::data::PackReport report =
      jessl::data::pack(train, path, {.mode = jessl::data::PackMode::jpg, .max_resolution = 40, .progress = false});
  const jessl::data::Beton packed{path};
  // [/pack]
  CHECK(report.samples == 12);
  CHECK(packed.size() == 12);
  CHECK(packed.classes() == 2);
  for (std::int64_t i = 0; i < packed.size(); ++i) {
    CHECK(packed.label(i) == train.label(i));
    CHECK(packed.image(i, "image").format == "jpg");
    CHECK(std::max(packed.image(i, "image").width, packed.image(i, "image").height) <= 40);
  }
  CHECK(report.kept + report.made == 12);
  CHECK(report.bytes > 0);
}

TEST_CASE("pack: raw images are the decoded pixels, grey ones repeated", "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const auto grey = data_test::pictures(20);
  const PackReport report = pack(grey, path);
  CHECK(jessl::same_options(report, {.samples = 20, .raw = 20, .bytes = 20 * 6 * 6 * 3}));
  const Beton packed{path, {.channels = 1}};
  CHECK(packed.fields() == std::vector<jessl::data::BetonField>{{"image", "image"}, {"label", "int"}});
  CHECK(packed.page_size() == 8 << 20);
  for (std::int64_t i = 0; i < 20; ++i) {
    CHECK(packed.image(i, "image").format == "raw");
    CHECK(decoded(packed, i).pixels == decoded(grey, i).pixels);
    CHECK(packed.label(i) == grey.label(i));
  }
  const ImageFolder files = folder_of_files(folder);
  CHECK(pack(files, path).raw == 12);
  for (std::int64_t i = 0; i < 12; ++i) CHECK(decoded(Beton(path), i).pixels == decoded(files, i).pixels);
}

TEST_CASE("pack: without labels there is no field of labels", "[data][pack]") {
  const TemporaryFolder folder;
  folder.write("images/a.png", data_test::to_png(data_test::picture(3, 4, 3)));
  pack(ImageFolder(folder / "images"), folder / "file.beton");
  const Beton packed{folder / "file.beton"};
  CHECK(packed.fields().size() == 1);
  CHECK(packed.classes() == 0);
  CHECK(packed.label(0) == -1);
}

TEST_CASE("pack: JPEG files are kept, byte by byte without restart markers, unless they are to be changed",
          "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const ImageFolder files = folder_of_files(folder);
  PackReport report = pack(files, path, {.mode = PackMode::jpg, .restart_markers = false});
  CHECK(report.kept == 6);
  CHECK(report.made == 6);
  for (std::int64_t i = 0; i < 6; ++i) CHECK(stored(Beton(path), i) == stored(files, i));

  report = pack(files, path, {.mode = PackMode::jpg, .quality = 50, .recompress = true});
  CHECK(report.kept == 0);
  CHECK(report.made == 12);
  for (std::int64_t i = 0; i < 6; ++i) CHECK(stored(Beton(path), i) != stored(files, i));

  // JPEG 0 is 20 x 40, and 5 is 50 x 20: larger than 45, so it is made anew.
  report = pack(files, path, {.mode = PackMode::jpg, .max_resolution = 45});
  CHECK(report.kept == 5);
  CHECK(Beton(path).image(5, "image").width == 45);
  CHECK(Beton(path).image(5, "image").height == 18);
}

// With JESSL_BETON_DIR a file stays there, for tests/reference/data/check_with_ffcv.py.
TEST_CASE("pack: restart markers are in every JPEG, and no pixel differs", "[data][pack][for_ffcv]") {
  const TemporaryFolder folder;
  std::int64_t kept = 0;
  for (const data_test::JPEGKind& kind : data_test::jpeg_kinds()) {
    if (kind.components == 4) continue;  // these are not kept
    folder.write("images/kept/" + std::to_string(100 + kept++) + ".jpg",
                 data_test::make_jpeg(data_test::rough_picture(150, 90, kind.components), kind));
  }
  folder.write("images/made/colour.png", data_test::to_png(data_test::rough_picture(150, 90, 3)));
  folder.write("images/made/grey.png", data_test::to_png(data_test::rough_picture(150, 90, 1)));
  const ImageFolder files(folder / "images");
  for (const Chroma chroma : {Chroma::half, Chroma::full}) {
    const PackOptions with{.mode = PackMode::jpg, .chroma = chroma};
    PackOptions without = with;
    without.restart_markers = false;
    CHECK(pack(files, folder / "with.beton", with).kept == kept);
    CHECK(pack(files, folder / "without.beton", without).kept == kept);
    const Beton marked{folder / "with.beton"};
    const Beton plain{folder / "without.beton"};
    for (std::int64_t i = 0; i < files.size(); ++i) {
      INFO(files.describe(i));
      const Bytes bytes = stored(marked, i);
      const auto header = jessl::data::peek({.format = jessl::ImageFormat::jpg, .bytes = bytes});
      CHECK(header.jpeg.restart_interval > 0);
      CHECK(header.jpeg.sequential);
      CHECK(decoded(marked, i).pixels == decoded(plain, i).pixels);
      if (i < kept) CHECK(decoded(marked, i).pixels == decoded(files, i).pixels);
    }
  }
  if (const char* const betons = std::getenv("JESSL_BETON_DIR")) {
    // 4:4:4, 4:2:2, 4:2:0, grey, progressive, and those that are made: ffcv's library knows no others.
    const auto known = jessl::data::subset(files, {0, 1, 2, 7, 9, 10, kept, kept + 1});
    pack(known, std::string(betons) + "/restart_markers.beton", {.mode = PackMode::jpg});
  }
}

TEST_CASE("pack: a JPEG that ffcv does not decode is made anew", "[data][pack]") {
  const TemporaryFolder folder;
  folder.write("images/cmyk.jpg", data_test::reference_image("cmyk.jpg"));
  const ImageFolder files(folder / "images");
  const PackReport report = pack(files, folder / "file.beton", {.mode = PackMode::jpg, .quality = 100});
  CHECK(report.made == 1);
  const auto before = decoded(files, 0);
  const auto after = decoded(Beton(folder / "file.beton"), 0);
  REQUIRE(after.pixels.size() == before.pixels.size());
  CHECK(after.channels == 3);
}

TEST_CASE("pack: chroma says how much colour a made JPEG keeps", "[data][pack]") {
  const TemporaryFolder folder;
  const auto pictures = data_test::pictures(1, 32, 3);
  for (const auto& [chroma, sampling] : {std::pair{Chroma::half, 0x22}, std::pair{Chroma::full, 0x11}}) {
    pack(pictures, folder / "file.beton", {.mode = PackMode::jpg, .chroma = chroma});
    const Bytes jpeg = stored(Beton(folder / "file.beton"), 0);
    const std::array frame{std::byte{0xFF}, std::byte{0xC0}};
    const auto sof = std::search(jpeg.begin(), jpeg.end(), frame.begin(), frame.end());
    REQUIRE(sof != jpeg.end());
    CHECK(sof[11] == static_cast<std::byte>(sampling));  // of the first component
  }
}

TEST_CASE("pack: smart mode makes JPEGs of images whose pixels take more than the threshold", "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const auto pictures = data_test::pictures(4, 10, 3);
  CHECK(pack(pictures, path, {.mode = PackMode::smart}).raw == 4);  // no threshold
  CHECK(pack(pictures, path, {.mode = PackMode::smart, .smart_threshold = 300}).raw == 4);
  CHECK(pack(pictures, path, {.mode = PackMode::smart, .smart_threshold = 299}).made == 4);
  // The pixels after shrinking count: 5 x 5.
  CHECK(pack(pictures, path, {.mode = PackMode::smart, .max_resolution = 5, .smart_threshold = 75}).raw == 4);
  // A grey image counts with three channels, as it would be stored.
  CHECK(pack(data_test::pictures(4, 10, 1), path, {.mode = PackMode::smart, .smart_threshold = 299}).made == 4);
}

TEST_CASE("pack: proportion mode draws by seed and sample alone", "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const auto pictures = data_test::pictures(200, 4, 3);
  const auto which = [&](const PackOptions& options, std::int64_t count = 200) {
    pack(jessl::data::subset(pictures, 0, count), path, options);
    const Beton packed{path};
    std::set<std::int64_t> jpegs;
    for (std::int64_t i = 0; i < packed.size(); ++i) {
      if (packed.image(i, "image").format == "jpg") jpegs.insert(i);
    }
    return jpegs;
  };
  const auto first = which({.mode = PackMode::proportion, .compress_probability = 0.3, .seed = 1});
  CHECK(first.size() > 40);  // 60 expected, standard deviation 6.5
  CHECK(first.size() < 80);
  CHECK(which({.mode = PackMode::proportion, .compress_probability = 0.3, .seed = 1, .threads = 3}) == first);
  CHECK(which({.mode = PackMode::proportion, .compress_probability = 0.3, .seed = 2}) != first);
  const auto part = which({.mode = PackMode::proportion, .compress_probability = 0.3, .seed = 1}, 50);
  CHECK(part == std::set<std::int64_t>(first.begin(), first.lower_bound(50)));
  CHECK(which({.mode = PackMode::proportion, .compress_probability = 0}).empty());
  CHECK(which({.mode = PackMode::proportion, .compress_probability = 1}).size() == 200);
}

TEST_CASE("pack: max_resolution rounds as ffcv does", "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  // floor(64 / 98 * 98) is 63 in double precision; a side never vanishes; smaller images stay.
  const std::vector<std::array<std::int64_t, 4>> cases{{98, 98, 63, 63}, {107, 50, 63, 29}, {128, 96, 64, 48},
                                                       {64, 64, 64, 64}, {65, 3, 64, 2},    {700, 2, 64, 1},
                                                       {9, 9, 9, 9}};
  for (const auto& [width, height, new_width, new_height] : cases) {
    jessl::data::ImageArray array{.height = height, .width = width, .channels = 3};
    array.pixels = data_test::picture(width, height, 3).pixels;
    pack(jessl::data::ArrayDataset(array), path, {.max_resolution = 64});
    CHECK(Beton(path).image(0, "image").width == new_width);
    CHECK(Beton(path).image(0, "image").height == new_height);
  }
}

TEST_CASE("pack: shrinking and encoding are OpenCV's to the bit", "[data][pack]") {
  jessl::data::detail::AreaResize resize;
  jessl::data::detail::JPEGWriter jpeg;
  Bytes file;
  const nlohmann::json cases = data_test::read_json(JESSL_TEST_DATA "/reference/data/area.json");
  REQUIRE(cases.size() == 26);
  for (const auto& expected : cases) {
    INFO(expected);
    const auto source = expected["source"].get<std::vector<std::int64_t>>();
    const auto target = expected["target"].get<std::vector<std::int64_t>>();
    const std::int64_t channels = expected["channels"];
    const jessl::Image image = reference_picture(source[0], source[1], channels, expected["number"]);
    jessl::Image small(target[0], target[1], channels);
    resize(image.view(), small);
    if (expected.contains("values")) CHECK(small.pixels == expected["values"].get<std::vector<std::uint8_t>>());
    CHECK(sha256(std::as_bytes(std::span(small.pixels))) == expected["sha256"]);
    if (!expected.contains("jpeg_sha256")) continue;
    jpeg.write(small.view(), 90, /*full_chroma=*/false, /*restart_interval=*/0, file);
    CHECK(sha256(file) == expected["jpeg_sha256"]);
  }
}

TEST_CASE("pack: the images of ffcv's own files are the same to the bit", "[data][pack][outside]") {
  const std::string betons = data_test::ffcv_betons();
  const std::string sources = JESSL_REFERENCE_DIR "/data/imagenet-sample/";
  if (betons.empty()) return;
  int compared = 0;
  for (const std::string name : {"mixed_fields", "imagenet_jpg_2m"}) {
    const nlohmann::json expected = data_test::read_json(betons + '/' + name + ".beton.json");
    const nlohmann::json& field = *std::find_if(expected["fields"].begin(), expected["fields"].end(),
                                                [](const nlohmann::json& f) { return f["name"] == "image"; });
    for (const nlohmann::json& sample : expected["samples"]) {
      const auto source = sample["source"].get<std::string>();
      const std::string file = sources + source.substr(source.find(':') + 1);
      if (!std::filesystem::exists(file)) continue;
      INFO(file);
      const TemporaryFolder folder;
      folder.write("images/image.jpg", data_test::read_bytes(file));
      const std::int64_t resolution =
          field["max_resolution"].is_null() ? 0 : field["max_resolution"].get<std::int64_t>();
      pack(ImageFolder(folder / "images"), folder / "file.beton",
           {.mode = sample["image"]["mode"] == "raw" ? PackMode::raw : PackMode::jpg,
            .quality = field["jpeg_quality"],
            .recompress = true,
            .restart_markers = false,
            .max_resolution = resolution,
            .threads = 1});
      CHECK(sha256(stored(Beton(folder / "file.beton"), 0)) == sample["image"]["stored_sha256"]);
      ++compared;
    }
  }
  if (compared == 0) JESSL_SKIP("the images that ffcv's files were made of are not in " << sources);
}

TEST_CASE("pack: the file does not depend on the number of threads", "[data][pack]") {
  const TemporaryFolder folder;
  const std::string path = folder / "file.beton";
  const ImageFolder files = folder_of_files(folder, 20);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < 150; ++i) indices.push_back((7 * i) % files.size());
  const auto many = jessl::data::subset(files, indices);
  const PackOptions options{
      .mode = PackMode::proportion, .max_resolution = 50, .seed = 3, .page_size = 1 << 15, .progress = false};
  Bytes first;
  for (const std::int64_t threads : {1, 2, 5}) {
    PackOptions with_threads = options;
    with_threads.threads = threads;
    pack(many, path, with_threads);
    const Bytes bytes = data_test::read_bytes(path);
    if (threads == 1) first = bytes;
    CHECK(bytes == first);
  }
}

TEST_CASE("pack: a packed data set gives the loader the same views", "[data][pack]") {
  const TemporaryFolder folder;
  const auto pictures = data_test::pictures(50, 6, 3);
  pack(pictures, folder / "file.beton");
  const jessl::data::LoaderOptions options{.batch_size = 8, .workers = 2, .seed = 5};
  jessl::data::Loader before{pictures, data_test::Stamp{}, options};
  jessl::data::Loader after{Beton(folder / "file.beton"), data_test::Stamp{}, options};
  auto expected = before.epoch(1);
  for (const jessl::data::Batch& batch : after.epoch(1)) {
    const auto other = expected.next();
    REQUIRE(other);
    CHECK(std::ranges::equal(batch.labels, other->labels));
    for (std::size_t v = 0; v < 2; ++v) CHECK(std::ranges::equal(batch.views[v], other->views[v]));
  }
  CHECK_FALSE(expected.next());
}

TEST_CASE("pack: a damaged image is an error that names it, and no file appears", "[data][pack]") {
  const TemporaryFolder folder;
  const ImageFolder files = folder_of_files(folder);
  const std::string damaged = folder / "images/jpeg/104.jpg";
  const Bytes whole = data_test::read_bytes(damaged);
  folder.write("images/jpeg/104.jpg", std::span(whole).first(whole.size() / 2));
  const std::string path = folder.write("file.beton", "what was there");
  for (const PackMode mode : {PackMode::raw, PackMode::jpg}) {
    CHECK_THROWS_AS(pack(files, path, {.mode = mode}), DataError);
    CHECK_THROWS_WITH(
        pack(files, path, {.mode = mode}),
        Contains("jessl::data::pack: " + files.describe(2) + " is damaged: ") && Contains("set on_damaged to skip"));
  }
  CHECK(data_test::read_bytes(path).size() == 14);
  CHECK_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_CASE("pack: damaged images can be left out", "[data][pack]") {
  const TemporaryFolder folder;
  const ImageFolder files = folder_of_files(folder);
  pack(jessl::data::subset(files, {0, 1, 3, 4, 5, 6, 7, 8, 9, 10}), folder / "expected.beton", {.mode = PackMode::jpg});
  folder.write("images/jpeg/104.jpg", std::string("no image"));
  folder.write("images/png/111.png", std::string("no image"));
  const data_test::Warnings warnings;
  const PackReport report =
      pack(files, folder / "file.beton", {.mode = PackMode::jpg, .threads = 2, .on_damaged = OnDamaged::skip});
  CHECK(report.samples == 10);
  CHECK(report.skipped == 2);
  CHECK(data_test::read_bytes(folder / "file.beton") == data_test::read_bytes(folder / "expected.beton"));
  REQUIRE(warnings.heard().size() == 2);
  CHECK_THAT(warnings.heard()[0], Contains(files.describe(2) + " is damaged and left out: "));
  CHECK_THAT(warnings.heard()[1], Contains(files.describe(11)));

  CHECK_THROWS_WITH(pack(jessl::data::subset(files, {2, 11}), folder / "none.beton", {.on_damaged = OnDamaged::skip}),
                    Contains("all 2 images of the data set are damaged"));
  CHECK_FALSE(std::filesystem::exists(folder / "none.beton"));
}

TEST_CASE("pack: an image larger than a page is an error that names it", "[data][pack]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(pack(data_test::pictures(3, 20, 3), folder / "file.beton", {.page_size = 1024}), DataError);
  CHECK_THROWS_WITH(pack(data_test::pictures(3, 20, 3), folder / "file.beton", {.page_size = 1024}),
                    Contains("jessl::data::pack: array, image 0 cannot be stored: ") &&
                        Contains("has 1200 bytes, more than a page of 1024") &&
                        Contains("set page_size to at least 2048"));
}

TEST_CASE("pack: settings out of range are refused", "[data][pack]") {
  const TemporaryFolder folder;
  const auto refused = [&](const PackOptions& options, const std::string& text) {
    CHECK_THROWS_AS(pack(data_test::pictures(2), folder / "file.beton", options), ConfigError);
    CHECK_THROWS_WITH(pack(data_test::pictures(2), folder / "file.beton", options), Contains(text));
  };
  refused({.quality = 0}, "quality is 0, expected 1 to 100");
  refused({.quality = 101}, "quality is 101");
  refused({.max_resolution = -1}, "max_resolution is -1");
  refused({.smart_threshold = -1}, "smart_threshold is -1, expected >= 0");
  refused({.compress_probability = 1.5}, "compress_probability is 1.5, expected a share in [0, 1]");
  refused({.page_size = 1000}, "page_size is 1000");
  refused({.threads = 0}, "threads is 0, expected >= 1");
  CHECK_THROWS_WITH(pack(jessl::data::subset(data_test::pictures(2), 0, 0), folder / "file.beton"),
                    "jessl::data::pack: the data set has 0 images, expected at least 1");
}

TEST_CASE("pack: settings are printed and read by their names", "[data][pack]") {
  const PackOptions options{.mode = PackMode::smart, .chroma = Chroma::full, .smart_threshold = 5};
  const auto json = jessl::to_json(options);
  CHECK(json["mode"] == "smart");
  CHECK(json["chroma"] == "4:4:4");
  CHECK(json["on_damaged"] == "error");
  CHECK(jessl::same_options(jessl::from_json<PackOptions>(json, "pack"), options));
}
