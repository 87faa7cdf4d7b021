// SPDX-License-Identifier: Apache-2.0
// jessl inspect: what a file or folder holds, in words.
#include "commands.hpp"
#include "data_sets.hpp"
#include "run.hpp"
#include "settings.hpp"

#include <jessl/core/error.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cli {

namespace {

namespace fs = std::filesystem;

std::string shape_text(const Json& shape) {
  std::string text = "[";
  for (const Json& extent : shape) text += (text.size() > 1 ? ", " : "") + extent.dump();
  return text + "]";
}

/// Tensors, a line each, and how many values they have.
void show_tensors(const Json& tensors, std::size_t most) {
  std::int64_t values = 0;
  for (const Json& tensor : tensors) {
    std::int64_t count = 1;
    for (const Json& extent : tensor.at("shape")) count *= extent.get<std::int64_t>();
    values += count;
  }
  std::cout << tensors.size() << " tensors, " << values << " values\n";
  for (std::size_t i = 0; i < std::min(most, tensors.size()); ++i) {
    std::cout << "  " << tensors[i].at("name").get<std::string>() << ' ' << tensors[i].at("type").get<std::string>()
              << ' ' << shape_text(tensors[i].at("shape")) << '\n';
  }
  if (tensors.size() > most) std::cout << "  and " << tensors.size() - most << " more; --all shows them\n";
}

/// Labels and sizes of a data set: of the sizes those of images spread over it.
void show_images(const Opened& opened) {
  const AnyDataset& images = opened.images;
  std::cout << in_words(opened) << '\n';
  std::map<std::int64_t, std::int64_t> counts;
  for (std::int64_t label = 0; label < images.classes(); ++label) counts[label] = 0;
  for (std::int64_t i = 0; i < images.size(); ++i) ++counts[images.label(i)];
  if (images.classes() > 0) {
    const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
    std::cout << "images a class: " << std::min_element(counts.begin(), counts.end(), by_count)->second << " to "
              << std::max_element(counts.begin(), counts.end(), by_count)->second << '\n';
  }
  constexpr std::int64_t looked_at = 100;
  const std::int64_t some = std::min(looked_at, images.size());
  std::vector<std::int64_t> heights, widths;
  std::vector<std::byte> storage;
  std::int64_t damaged = 0;
  for (std::int64_t k = 0; k < some; ++k) {
    try {
      const auto header = jessl::data::peek(images.read(k * images.size() / some, storage));
      heights.push_back(header.height);
      widths.push_back(header.width);
    } catch (const jessl::DataError&) {
      ++damaged;
    }
  }
  if (!heights.empty()) {
    const auto [least_height, most_height] = std::minmax_element(heights.begin(), heights.end());
    const auto [least_width, most_width] = std::minmax_element(widths.begin(), widths.end());
    std::cout << "of " << some << " images: " << *least_height << " to " << *most_height << " pixels high, "
              << *least_width << " to " << *most_width << " wide\n";
  }
  if (damaged > 0) std::cout << damaged << " of them can't be read\n";
}

void show_beton(const std::string& file) {
  const jessl::data::Beton beton(file);
  std::cout << file << ": a .beton file of " << fs::file_size(file) << " bytes, pages of " << beton.page_size()
            << "\nfields:\n";
  for (const auto& field : beton.fields())
    std::cout << "  " << field.name << ": " << field.kind
              << (field.dtype.empty() ? "" : ' ' + field.dtype + ' ' + shape_text(Json(field.shape))) << '\n';
  const bool has_images = std::any_of(beton.fields().begin(), beton.fields().end(),
                                      [](const auto& field) { return field.kind == "image"; });
  if (has_images) return show_images({AnyDataset(beton), "beton"});
  std::cout << beton.size() << " samples, none of them an image\n";
}

void show_checkpoint(const fs::path& file, std::size_t most) {
  const Json about = describe_checkpoint(file);
  std::cout << file.string() << ": a checkpoint of jessl " << about.at("version").get<std::string>() << ", "
            << fs::file_size(file) << " bytes\n";
  for (const auto& [name, value] : about.at("record").items()) {
    if (!value.is_object()) std::cout << name << ": " << value.dump() << '\n';
    if (!value.is_object()) continue;
    std::cout << name << ":\n";
    for (const auto& [path, setting] : flattened(value)) std::cout << "  " << path << " = " << setting.dump() << '\n';
  }
  for (const auto& [name, tensors] : about.at("groups").items()) {
    std::cout << name << ": ";
    show_tensors(tensors, most);
  }
}

void show_safetensors(const fs::path& file, std::size_t most) {
  const Json about = describe_safetensors(file);
  std::cout << file.string() << ": a safetensors file of " << fs::file_size(file) << " bytes\n";
  for (const auto& [name, text] : about.at("texts").items())
    std::cout << name << ": " << text.get<std::string>() << '\n';
  show_tensors(about.at("tensors"), most);
}

void show_run(const fs::path& folder, std::size_t most) {
  if (fs::exists(folder / "summary.json")) {
    const Json summary = jessl::io::load_json(folder / "summary.json");
    std::cout << folder.string() << ": a run of " << summary.at("method").get<std::string>() << " on "
              << summary.at("data").get<std::string>() << ", finished: " << summary.at("result").at("run_images")
              << " images in " << summary.at("result").at("run_seconds") << " s, last loss "
              << summary.at("result").at("loss") << '\n';
  } else {
    std::cout << folder.string() << ": a run that has not finished; jessl pretrain --resume auto --out "
              << folder.string() << " goes on with it\n";
  }
  if (fs::exists(folder / "checkpoint.pt")) show_checkpoint(folder / "checkpoint.pt", most);
}

void inspect(const std::string& what, bool all) {
  const fs::path path = what;
  const std::size_t most = all ? std::size_t(-1) : 8;
  std::error_code ignored;
  if (fs::is_directory(path, ignored) && fs::exists(path / "config.toml")) return show_run(path, most);
  const std::string ending = path.extension().string();
  if (fs::is_regular_file(path, ignored)) {
    if (ending == ".beton") return show_beton(what);
    if (ending == ".safetensors") return show_safetensors(path, most);
    if (ending == ".pt") return show_checkpoint(path, most);
  }
  show_images(open_data("jessl inspect", what, "auto", jessl::data::Split::train, 3));
}

}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("inspect", "Says what a file or folder holds.");
  const auto what = std::make_shared<std::string>();
  const auto all = std::make_shared<bool>(false);
  command
      ->add_option("file", *what,
                   "A .beton file, a checkpoint (.pt), a .safetensors file, the folder of a run, or images")
      ->required();
  command->add_flag("--all", *all, "Every tensor, not the first few");
  command->footer(
      "Examples:\n  jessl inspect train.beton\n  jessl inspect out/run\n  jessl inspect out/run/weights.safetensors "
      "--all");
  command->callback([what, all] { inspect(*what, *all); });
}

}  // namespace cli
