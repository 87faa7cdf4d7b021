// SPDX-License-Identifier: Apache-2.0
// Shows what an augmentation does: writes a PNG with a row for each of some images, the image itself and its views.
//
// Run        build/release/examples/jessl-views data=photos preset=dino images=4 parameters=true out=views.png
//            (any setting below, as name=value)
// Ends with  the file's name, and what is in it
// Time       a second
// plain
// test: size=28 images=4 parameters=true out=views_output/fashion_mnist.png
// expect: fashion_mnist.png: 4 of [0-9]+ images with 2 views each

#include <jessl/augment.hpp>
#include <jessl/data.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>
#include <jessl/train/view_grid.hpp>

#include "caption.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace jessl;

enum class Preset { simclr, byol, barlow_twins, vicreg, swav, dino, eval, identity };

template <>
struct jessl::EnumNames<Preset> {
  static constexpr std::array<std::pair<Preset, std::string_view>, 8> value{{{Preset::simclr, "simclr"},
                                                                             {Preset::byol, "byol"},
                                                                             {Preset::barlow_twins, "barlow_twins"},
                                                                             {Preset::vicreg, "vicreg"},
                                                                             {Preset::swav, "swav"},
                                                                             {Preset::dino, "dino"},
                                                                             {Preset::eval, "eval"},
                                                                             {Preset::identity, "identity"}}};
};

struct Settings {
  std::string data;  // an image folder, .beton, .tar or train-{000..015}.tar, IDX or CIFAR-10; else Fashion-MNIST
  Preset preset = Preset::simclr;  // SwAV's with 6, DINO's with 8 local views
  std::string options = "{}";      // of the preset, as JSON: {"jitter": 0.5, "min_scale": 0.2}
  std::int64_t size = 0;           // of the views (local ones in proportion); 0: the preset's
  std::int64_t images = 0;         // rows; 0: 8, or all where there are fewer
  std::int64_t zoom = 0;           // screen pixels a pixel; 0: such that small views can be seen
  std::uint64_t seed = 0;          // of the run whose views are shown
  std::int64_t epoch = 0;          // of that run
  bool parameters = false;         // under each view what was done to it
  std::string out = "views.png";
};
JESSL_OPTIONS(Settings, data, preset, options, size, images, zoom, seed, epoch, parameters, out);

/// The data set that lies at a path, by what the file is called or which files are in the folder.
data::AnyDataset open(const std::string& given) {
  if (given.empty()) return data::AnyDataset(data::IDX::fashion_mnist(data::Split::train));
  namespace fs = std::filesystem;
  const fs::path path = given;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const auto has = [&](const char* name) { return fs::exists(path / name, ignored); };
    if (has("data_batch_1.bin") || has("cifar-10-batches-bin"))
      return data::AnyDataset(data::CIFAR10(given, data::Split::train));
    for (const std::string packed : {"", ".gz"}) {
      const std::string labels = (path / ("train-labels-idx1-ubyte" + packed)).string();
      const std::string images = (path / ("train-images-idx3-ubyte" + packed)).string();
      if (fs::exists(images, ignored))
        return data::AnyDataset(data::IDX(images, fs::exists(labels, ignored) ? labels : ""));
    }
    return data::AnyDataset(data::ImageFolder(given));
  }
  const std::string name = path.filename().string();
  if (name.ends_with(".tar")) return data::AnyDataset(data::TarShards(given));
  JESSL_CHECK(fs::exists(path, ignored), DataError, "data is \"", given, "\": there is no such file or folder");
  if (name.ends_with(".beton")) return data::AnyDataset(data::Beton(given));
  if (name.ends_with("-idx3-ubyte") || name.ends_with("-idx3-ubyte.gz")) return data::AnyDataset(data::IDX(given));
  fail<DataError>(
      "data is \"", given,
      "\", which is no kind of data set that is known here; expected a folder of images, of IDX or of CIFAR-10 files, "
      "or a file that ends in .beton, .tar, -idx3-ubyte or -idx3-ubyte.gz");
}

/// The options of a preset: those given as JSON, and the size.
template <class Options>
Options preset_options(const Settings& settings) {
  Json json = Json::parse(settings.options, nullptr, /*allow_exceptions=*/false);
  JESSL_CHECK(json.is_object(), ConfigError, "options is ", settings.options,
              R"(, expected settings of the preset as JSON, for example {"jitter": 0.5, "blur": 0})");
  const auto set = [&](const char* name, std::int64_t value) {
    if (settings.size != 0 && !json.contains(name)) json[name] = value;
  };
  set("size", settings.size);
  if constexpr (requires(const Options& options) { options.local_size; }) {
    set("local_size", std::max<std::int64_t>(1, std::llround(static_cast<double>(settings.size) * 96.0 / 224.0)));
  }
  return from_json<Options>(json, "options");
}

/// f(the view maker of the preset).
template <class F>
void with_preset(const Settings& settings, const F& f) {
  switch (settings.preset) {
    case Preset::simclr:
      return f(augment::simclr(preset_options<augment::SimCLROptions>(settings)));
    case Preset::byol:
      return f(augment::byol(preset_options<augment::BYOLOptions>(settings)));
    case Preset::barlow_twins:
      return f(augment::barlow_twins(preset_options<augment::BarlowTwinsOptions>(settings)));
    case Preset::vicreg:
      return f(augment::vicreg(preset_options<augment::VICRegOptions>(settings)));
    case Preset::swav:
      return f(augment::swav<6>(preset_options<augment::SwAVOptions>(settings)));
    case Preset::dino:
      return f(augment::dino<8>(preset_options<augment::DINOOptions>(settings)));
    case Preset::eval:
      return f(augment::eval(preset_options<augment::EvalOptions>(settings)));
    case Preset::identity:
      return f(augment::identity(preset_options<augment::IdentityOptions>(settings)));
  }
}

/// A view's parameters in words, a line an operation: "color_jitter place=0,-1,2,1 brightness=1.2"; of an operation that was not
/// applied, nothing.
std::vector<std::string> in_words(const std::vector<std::string>& names, const std::vector<float>& values) {
  std::vector<std::string> lines;
  std::string operation;
  std::string parameter;
  bool applied = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t dot = names[i].find('.');
    const std::string of = names[i].substr(0, dot);
    const std::string what = names[i].substr(dot + 1);
    const std::string plain = what.substr(0, what.find('.'));  // "place" of "place.0"
    if (of != operation) {
      operation = of;
      parameter.clear();
      applied = what != "applied" || values[i] != 0.0F;
      if (applied) lines.push_back(operation);
    }
    if (!applied || what == "applied") continue;
    std::ostringstream number;
    number.precision(4);
    number << values[i];
    lines.back() += (plain == parameter ? "," : " " + plain + "=") + number.str();
    parameter = plain;
  }
  return lines;
}

template <ViewMaker M>
Image grid_of(const data::AnyDataset& data, const M& maker, const Settings& settings) {
  constexpr std::int64_t well_seen = 112;  // pixels
  const ViewShape first = maker.shape(0, data.channels());
  const std::int64_t zoom =
      settings.zoom != 0 ? settings.zoom : std::max<std::int64_t>(1, well_seen / std::max(first.height, first.width));
  const train::ViewGridOptions options{
      .images = settings.images, .zoom = zoom, .seed = settings.seed, .epoch = settings.epoch};
  if (!settings.parameters) return train::view_grid(data, maker, options);

  const auto described = augment::with_parameters(maker);
  const auto caption = [&](std::int64_t view, const Extent& extent, const DrawKey& key) {
    std::vector<std::string> text;
    if (view < 0) {
      const auto index = static_cast<std::int64_t>(key.sample);
      text.push_back(std::filesystem::path(data.describe(index)).filename().string());
      text.push_back(concat(extent.width, " x ", extent.height));
      if (data.label(index) >= 0) text.back() += concat(", label ", data.label(index));
    } else {
      const std::vector<std::string> names = described.parameters(view);
      std::vector<float> values(names.size());
      described.describe(extent, key, values);
      text = in_words(names, values);
    }
    constexpr std::int64_t least = 132;  // pixels: the longest names fit
    const std::int64_t width = std::max(least, described.shape(std::max<std::int64_t>(0, view), 1).width * zoom);
    std::vector<std::string> lines;
    for (const std::string& line : text) {
      for (std::string& part : ::caption::wrapped(line, static_cast<std::size_t>(width / ::caption::letter_width)))
        lines.push_back(std::move(part));
    }
    return ::caption::picture(lines, data.channels());
  };
  return train::view_grid(data, maker, options, caption);
}

void run(Settings settings) {
  const data::AnyDataset data = open(settings.data);
  constexpr std::int64_t usual_rows = 8;
  if (settings.images == 0) settings.images = std::min(usual_rows, data.size());
  with_preset(settings, [&](const auto& maker) {
    const Image grid = grid_of(data, maker, settings);
    const std::filesystem::path out = settings.out;
    if (out.has_parent_path()) io::make_folder(out.parent_path());
    io::save_png(out, grid.view());
    std::cout << out.string() << ": " << settings.images << " of " << data.size() << " images with " << maker.views
              << (maker.views == 1 ? " view each, " : " views each, ") << grid.width << " x " << grid.height
              << " pixels\n";
  });
}

int main(int argc, char** argv) {
  try {
    run(options_from_arguments<Settings>(argc, argv));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
