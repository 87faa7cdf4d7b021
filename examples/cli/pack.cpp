// SPDX-License-Identifier: Apache-2.0
// jessl pack: images as one .beton file, or as tar shards.
#include "commands.hpp"
#include "data_sets.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/detail/brace_pattern.hpp>
#include <jessl/data/detail/tar_layout.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>

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
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace cli {

namespace {

namespace data = jessl::data;
namespace fs = std::filesystem;
using jessl::ConfigError;
using jessl::Json;

struct PackArguments {
  std::string data = "";
  std::string kind = "auto";
  std::string split = "train";
  std::int64_t channels = 3;
  std::string out = "";
  std::map<std::string, std::string> options{};  // of data::PackOptions, by name
};

/// What the settings of data::pack() mean.
const std::map<std::string, std::string>& meanings() {
  static const std::map<std::string, std::string> all{
      {"mode", "raw (pixels), jpg, smart or proportion; by default jpg where the images are JPEGs, raw where none is"},
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
  return all;
}

std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

/// jpg where all images that are looked at are JPEGs, raw where none is.
std::string usual_mode(const data::AnyDataset& images) {
  constexpr std::int64_t most = 1000;  // spread evenly
  const std::int64_t some = std::min(most, images.size());
  std::vector<std::byte> storage;
  std::int64_t jpegs = 0;
  for (std::int64_t k = 0; k < some; ++k)
    jpegs += images.read(k * images.size() / some, storage).format == jessl::ImageFormat::jpg ? 1 : 0;
  JESSL_CHECK(jpegs == 0 || jpegs == some, ConfigError, "--mode is not given, and ", jpegs, " of ", some,
              " images are JPEGs; say --mode jpg, which compresses the others (--quality), or --mode raw, which stores "
              "all as pixels");
  return jpegs > 0 ? "jpg" : "raw";
}

data::PackOptions pack_options(const PackArguments& arguments, const data::AnyDataset& images) {
  Json settings = Json::object();
  for (const auto& [name, text] : arguments.options) {
    const Json parsed = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    settings[name] = parsed.is_discarded() ? Json(text) : parsed;
    try {
      (void)jessl::from_json<data::PackOptions>({{name, settings[name]}}, "pack");
    } catch (const ConfigError& error) {
      jessl::fail<ConfigError>(error.what(), " (", flag_of(name), ')');
    }
  }
  if (!settings.contains("mode")) settings["mode"] = usual_mode(images);
  return jessl::from_json<data::PackOptions>(settings, "pack");
}

/// Nothing that stands there is replaced: it may be what is packed.
void require_new(const std::string& file) {
  std::error_code ignored;
  JESSL_CHECK(!fs::exists(fs::symlink_status(file, ignored)), ConfigError, "--out: ", file,
              " exists already; choose another name, or remove it");
}

void make_folder_of(const std::string& file) {
  const fs::path folder = fs::path(file).parent_path();
  if (!folder.empty()) jessl::io::make_folder(folder);
}

void pack_beton(const PackArguments& arguments, const data::AnyDataset& images) {
  require_new(arguments.out);
  const data::PackOptions options = pack_options(arguments, images);
  make_folder_of(arguments.out);
  const data::PackReport report = data::pack(images, arguments.out, options);
  std::cout << arguments.out << ": " << report.samples << " images, " << report.bytes << " bytes: " << report.raw
            << " as pixels, " << report.kept << " JPEGs as they were, " << report.made << " JPEGs made";
  if (report.skipped > 0) std::cout << "; " << report.skipped << " damaged images were left out";
  std::cout << '\n';
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
  octal(layout::tar_mode.offset, 7, 0644);
  octal(layout::tar_owner.offset, 7, 0);
  octal(layout::tar_group.offset, 7, 0);
  octal(layout::tar_size.offset, 11, bytes.size());
  octal(layout::tar_time.offset, 11, 0);  // the same images give the same file
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

/// The files of the shards.
std::vector<std::string> tar_files(const PackArguments& arguments, const data::AnyDataset& images) {
  for (const auto& [name, text] : arguments.options)
    jessl::fail<ConfigError>(flag_of(name), " is for .beton files; tar shards hold the images as they are stored");
  const std::vector<std::string> files = data::detail::BracePattern::expand(arguments.out, "--out");
  JESSL_CHECK(static_cast<std::int64_t>(files.size()) <= images.size(), ConfigError, "--out is ", arguments.out, ", ",
              files.size(), " files for ", images.size(), " images; take fewer");
  JESSL_CHECK(std::set<std::string>(files.begin(), files.end()).size() == files.size(), ConfigError, "--out is ",
              arguments.out, ", which names a file twice; take other numbers");
  for (const std::string& file : files) require_new(file);
  return files;
}

/// Image i as key.jpg or key.png, as it is stored, pixels as PNG; and its class as key.cls.
void add_image(jessl::AtomicFile& tar, const data::AnyDataset& images, std::int64_t i,
               std::vector<std::byte>& storage) {
  std::array<char, 24> number{};
  std::snprintf(number.data(), number.size(), "%09lld", static_cast<long long>(i));
  const std::string key = number.data();
  const jessl::EncodedImage image = images.read(i, storage);
  if (image.format == jessl::ImageFormat::raw) {
    jessl::Image decoded;
    const std::string png = jessl::io::png_bytes(data::decode(image, images.channels(), decoded));
    add_member(tar, key + ".png", std::as_bytes(std::span(png)));
  } else {
    add_member(tar, key + (image.format == jessl::ImageFormat::jpg ? ".jpg" : ".png"), image.bytes);
  }
  if (images.classes() == 0) return;
  const std::string label = std::to_string(images.label(i));
  add_member(tar, key + ".cls", std::as_bytes(std::span(label)));
}

void pack_tar(const PackArguments& arguments, const data::AnyDataset& images) {
  const std::vector<std::string> files = tar_files(arguments, images);
  const auto shards = static_cast<std::int64_t>(files.size());
  std::vector<std::byte> storage;
  std::vector<std::string> written;
  try {
    for (std::int64_t shard = 0; shard < shards; ++shard) {
      const std::string& file = files[static_cast<std::size_t>(shard)];
      make_folder_of(file);
      jessl::AtomicFile tar(file, "jessl pack");
      for (std::int64_t i = shard * images.size() / shards; i < (shard + 1) * images.size() / shards; ++i)
        add_image(tar, images, i, storage);
      const std::array<std::byte, 2 * data::detail::tar_block> end{};
      tar.write(end);
      tar.commit();
      written.push_back(file);
    }
  } catch (...) {  // some shards are no data set
    std::error_code ignored;
    for (const std::string& file : written) fs::remove(file, ignored);
    throw;
  }
  std::cout << arguments.out << ": " << images.size() << " images in " << shards
            << (shards == 1 ? " file\n" : " files\n");
}

void pack(const PackArguments& arguments) {
  const std::string ending = fs::path(arguments.out).extension().string();
  JESSL_CHECK(ending == ".beton" || ending == ".tar", ConfigError, "--out is ", arguments.out,
              ", expected a file that ends in .beton or .tar, or several as train-{000..015}.tar");
  const Opened opened =
      open_data("--data", arguments.data, arguments.kind, split_of(arguments.split), arguments.channels);
  std::cout << in_words(opened) << std::endl;
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
  for (const std::string& name : jessl::option_names<data::PackOptions>())
    command->add_option_function<std::string>(
        flag_of(name), [arguments, name](const std::string& text) { arguments->options[name] = text; },
        meanings().at(name));
  command->footer(
      "Examples:\n"
      "  jessl pack --data photos --out photos.beton\n"
      "  jessl pack --data photos --out small.beton --max-resolution 256 --quality 85\n"
      "  jessl pack --data photos --out 'photos-{000..015}.tar'");
  command->callback([arguments] { pack(*arguments); });
}

}  // namespace cli
