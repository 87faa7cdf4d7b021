// SPDX-License-Identifier: Apache-2.0
// jessl pack: images as one .beton file, or as tar shards.
#include "commands.hpp"
#include "data_sets.hpp"
#include "settings.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/detail/brace_pattern.hpp>
#include <jessl/data/detail/tar_layout.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <png.h>

namespace cli {

namespace {

namespace data = jessl::data;
namespace fs = std::filesystem;
using jessl::ConfigError;

struct PackArguments {
  std::string data = "";
  std::string kind = "auto";
  std::string split = "train";
  std::int64_t channels = 3;
  std::string out = "";
  std::map<std::string, std::string> options{};  // of data::PackOptions, by name
};

/// What the settings of data::pack() mean.
const std::vector<std::pair<std::string, std::string>>& pack_flags() {
  static const std::vector<std::pair<std::string, std::string>> flags{
      {"mode", "raw (pixels), jpg, smart or proportion; by default jpg where the first image is a JPEG, else raw"},
      {"quality", "Of the JPEGs that are made, 1 to 100; 90"},
      {"chroma", "Of the JPEGs that are made: 4:2:0 or 4:4:4"},
      {"recompress", "true: makes every JPEG anew; else those are kept that need no change"},
      {"restart_markers", "false: JPEGs without restart markers, which let a part of one be decoded alone"},
      {"max_resolution", "Pixels of the longest side; larger images shrink; 0: none"},
      {"smart_threshold", "Bytes of pixels above which an image becomes a JPEG in mode smart"},
      {"compress_probability", "Share of JPEGs in mode proportion; 0.5"},
      {"seed", "Of the draws in mode proportion"},
      {"page_size", "Bytes, a power of two; an image must fit into a page; 8388608"},
      {"threads", "That decode and encode; all"},
      {"on_damaged", "error, or skip: warns of damaged images and leaves them out"},
      {"progress", "false: says nothing on the way"}};
  return flags;
}

std::string hyphens(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

data::PackOptions pack_options(const PackArguments& arguments, const data::AnyDataset& images) {
  std::vector<std::byte> storage;
  const bool has_jpegs = images.read(0, storage).format == jessl::ImageFormat::jpg;
  Json settings{{"mode", has_jpegs ? "jpg" : "raw"}};
  for (const auto& [name, text] : arguments.options) {
    const Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    settings[name] = parsed.is_discarded() ? Json(text) : parsed;
  }
  return jessl::from_json<data::PackOptions>(settings, "pack");
}

void pack_beton(const PackArguments& arguments, const data::AnyDataset& images) {
  const data::PackOptions options = pack_options(arguments, images);
  const data::PackReport report = data::pack(images, arguments.out, options);
  std::cout << arguments.out << ": " << report.samples << " images, " << report.bytes << " bytes: " << report.raw
            << " as pixels, " << report.kept << " JPEGs as they were, " << report.made << " JPEGs made";
  if (report.skipped > 0) std::cout << "; " << report.skipped << " damaged images were left out";
  std::cout << '\n';
}

/// The bytes of a PNG file.
std::vector<std::byte> png_of(const jessl::ImageView& pixels, const std::string& what) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.width);
  image.height = static_cast<png_uint_32>(pixels.height);
  image.format = pixels.channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<std::byte> bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  const bool written = png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.pixels.data(), 0, nullptr) != 0;
  JESSL_CHECK(written, jessl::DataError, what, " can't be written as PNG: ", image.message);
  bytes.resize(size);
  return bytes;
}

/// A member of a tar file: POSIX's header, then the bytes, filled up to whole blocks.
void add_member(jessl::AtomicFile& tar, const std::string& name, std::span<const std::byte> bytes) {
  namespace layout = data::detail;
  std::array<char, layout::tar_block> header{};
  const auto put = [&](std::size_t offset, std::string_view text) {
    std::memcpy(header.data() + offset, text.data(), text.size());
  };
  const auto octal = [&](std::size_t offset, int digits, std::uint64_t number) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(number));
    put(offset, text.data());
  };
  put(layout::tar_name.offset, name);
  octal(100, 7, 0644);                 // mode
  octal(108, 7, 0), octal(116, 7, 0);  // owner and group
  octal(layout::tar_size.offset, 11, bytes.size());
  octal(136, 11, 0);  // time: the same images give the same file
  header[layout::tar_type] = layout::tar_type_of::file;
  put(layout::tar_magic.offset, std::string_view("ustar\0"
                                                 "00",
                                                 8));
  put(layout::tar_checksum.offset, "        ");
  std::uint64_t sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  octal(layout::tar_checksum.offset, 6, sum);
  header[layout::tar_checksum.offset + 6] = '\0';
  tar.write(std::as_bytes(std::span(header)));
  tar.write(bytes);
  const std::array<std::byte, layout::tar_block> zeros{};
  tar.write(std::span(zeros).first((layout::tar_block - bytes.size() % layout::tar_block) % layout::tar_block));
}

/// Images as they are stored, those that are no files as PNG, each with its class: key.jpg and key.cls.
void pack_tar(const PackArguments& arguments, const data::AnyDataset& images) {
  for (const auto& [name, text] : arguments.options)
    jessl::fail<ConfigError>(hyphens(name), " is for .beton files; tar shards hold the images as they are stored");
  const std::vector<std::string> files = data::detail::BracePattern::expand(arguments.out, "--out");
  const auto shards = static_cast<std::int64_t>(files.size());
  JESSL_CHECK(shards <= images.size(), ConfigError, "--out is ", arguments.out, ", ", shards, " files for ",
              images.size(), " images; take fewer");
  std::vector<std::byte> storage;
  jessl::Image decoded;
  for (std::int64_t shard = 0; shard < shards; ++shard) {
    jessl::AtomicFile tar(files[static_cast<std::size_t>(shard)], "jessl pack");
    for (std::int64_t i = shard * images.size() / shards; i < (shard + 1) * images.size() / shards; ++i) {
      const jessl::EncodedImage image = images.read(i, storage);
      std::array<char, 24> key{};
      std::snprintf(key.data(), key.size(), "%09lld", static_cast<long long>(i));
      if (image.format == jessl::ImageFormat::raw) {
        const jessl::ImageView pixels = data::decode(image, images.channels(), decoded);
        add_member(tar, std::string(key.data()) + ".png", png_of(pixels, images.describe(i)));
      } else {
        add_member(tar, std::string(key.data()) + (image.format == jessl::ImageFormat::jpg ? ".jpg" : ".png"),
                   image.bytes);
      }
      if (images.classes() == 0) continue;
      const std::string label = std::to_string(images.label(i));
      add_member(tar, std::string(key.data()) + ".cls", std::as_bytes(std::span(label)));
    }
    const std::array<std::byte, 2 * data::detail::tar_block> end{};
    tar.write(end);
    tar.commit();
  }
  std::cout << arguments.out << ": " << images.size() << " images in " << shards
            << (shards == 1 ? " file\n" : " files\n");
}

void pack(const PackArguments& arguments) {
  const std::string ending = fs::path(arguments.out).extension().string();
  JESSL_CHECK(ending == ".beton" || ending == ".tar", ConfigError, "--out is ", arguments.out,
              ", expected a file that ends in .beton or .tar, or several as train-{000..015}.tar");
  JESSL_CHECK(arguments.split == "train" || arguments.split == "test", ConfigError, "--split is ", arguments.split,
              ", expected train or test");
  const Opened opened =
      open_data("--data", arguments.data, arguments.kind,
                arguments.split == "train" ? data::Split::train : data::Split::test, arguments.channels);
  std::cout << in_words(opened) << std::endl;
  const fs::path folder = fs::path(arguments.out).parent_path();
  if (!folder.empty()) jessl::io::make_folder(folder);
  if (ending == ".beton") return pack_beton(arguments, opened.images);
  pack_tar(arguments, opened.images);
}

}  // namespace

void add_pack(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("pack", "Writes images as one .beton file, or as tar shards.");
  const auto arguments = std::make_shared<PackArguments>();
  command->add_option("--data", arguments->data, "Images, as --data of pretrain")->required();
  command
      ->add_option("--out", arguments->out, "The file: images.beton, images.tar, or several as 'images-{000..015}.tar'")
      ->required();
  command->add_option("--split", arguments->split, "train or test, of data sets that have both");
  command->add_option("--data-kind", arguments->kind, "How they are stored, as for pretrain");
  command->add_option("--channels", arguments->channels, "3: RGB, 1: grey");
  for (const auto& [name, help] : pack_flags())
    command->add_option_function<std::string>(
        hyphens(name), [arguments, name = name](const std::string& text) { arguments->options[name] = text; }, help);
  command->footer(
      "Examples:\n"
      "  jessl pack --data photos --out photos.beton\n"
      "  jessl pack --data photos --out small.beton --max-resolution 256 --quality 85\n"
      "  jessl pack --data photos --out 'photos-{000..015}.tar'");
  command->callback([arguments] { pack(*arguments); });
}

}  // namespace cli
