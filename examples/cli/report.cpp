// SPDX-License-Identifier: Apache-2.0
// Reads what runs left in their folders, and writes it as one HTML page.
#include "report.hpp"

#include "report_page.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/version.hpp>
#include <jessl/eval/palette.hpp>
#include <jessl/io/detail/parse_json.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace jessl;
using Path = std::filesystem::path;

constexpr std::string_view who = "jessl report";
constexpr std::size_t most_points = 1500;                              // of a curve
constexpr std::uintmax_t largest_picture = std::uintmax_t{12} << 20U;  // bytes: a page has to be opened
constexpr std::uintmax_t largest_text = std::uintmax_t{1} << 20U;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// --- What a folder holds ---------------------------------------------------------------------------------------------

/// The numbers of one name over the steps of a run, one a step; NaN where there is none.
struct Curve {
  std::string name;
  std::vector<double> y;
};

/// One figure that a callback measured, over the run.
struct Measured {
  std::string by, part, layer, figure;
  std::string protocol;
  std::vector<double> x;  // steps
  std::vector<double> y;
};

struct Picture {
  std::string title, bytes;
  std::uint32_t width = 0, height = 0;
};

struct Entry {
  std::string name, value;
};

struct RunFolder {
  std::string name;
  std::vector<double> x;  // steps
  std::vector<std::int64_t> epochs;
  std::vector<Curve> curves;
  std::vector<Measured> measured;
  std::vector<Entry> results, configuration, environment;
  std::string table;
  std::vector<Picture> pictures;

  [[nodiscard]] bool is_empty() const {
    return x.empty() && measured.empty() && results.empty() && configuration.empty() && environment.empty() &&
           table.empty() && pictures.empty();
  }
};

std::string content(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open(), DataError, who, ": cannot open ", path, "; may you read it?");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A number as JSONLines writes it, which writes those that are not finite as words or null.
std::optional<double> number(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_null() || value == "nan" || value == "inf" || value == "-inf") return nan;
  return std::nullopt;
}

/// The values of `list` under `key`, made where it is missing.
template <class T, class Same, class Make>
T& find_or_add(std::vector<T>& list, const Same& same, const Make& make) {
  const auto found = std::find_if(list.begin(), list.end(), same);
  return found != list.end() ? *found : list.emplace_back(make());
}

void add_numbers(RunFolder& run, const std::string& place, const Json& line) {
  for (const auto& [key, value] : line.items()) {
    if (place.empty() && (key == "step" || key == "epoch")) continue;
    const std::string name = place.empty() ? key : place + '/' + key;
    if (value.is_object()) {
      add_numbers(run, name, value);
    } else if (const auto y = number(value)) {
      Curve& curve = find_or_add(
          run.curves, [&](const Curve& one) { return one.name == name; },
          [&] {
            return Curve{name, {}};
          });
      curve.y.resize(run.x.size() - 1, nan);
      curve.y.push_back(*y);
    }
  }
}

void add_figures(RunFolder& run, const std::string& by, const std::vector<std::string>& place, const Json& values,
                 double step, const std::string& protocol) {
  for (const auto& [key, value] : values.items()) {
    if (value.is_object()) {
      std::vector<std::string> inner = place;
      inner.push_back(key);
      add_figures(run, by, inner, value, step, protocol);
      continue;
    }
    const auto y = number(value);
    if (!y) continue;
    // The layer comes last: {"test": {"representation": {"top1": 0.5}}}.
    std::vector<std::string> parts = place;
    std::string layer;
    if (!parts.empty() && parts.back() != "train" && parts.back() != "test" && parts.back() != "validation") {
      layer = parts.back();
      parts.pop_back();
    }
    std::string part;
    for (const std::string& one : parts) part += (part.empty() ? "" : ", ") + one;
    Measured& series = find_or_add(
        run.measured,
        [&](const Measured& one) {
          return one.by == by && one.part == part && one.layer == layer && one.figure == key;
        },
        [&] { return Measured{by, part, layer, key, {}, {}, {}}; });
    series.protocol = protocol;
    series.x.push_back(step);
    series.y.push_back(*y);
  }
}

/// Settings in one line: "NTXent · temperature 0.2"; a list as "[0.4, 1.0]".
std::string in_words(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::string text;
    for (const Json& one : value) text += (text.empty() ? "" : ", ") + in_words(one);
    return '[' + text + ']';
  }
  if (value.is_object()) {
    std::string text = value.contains("name") ? in_words(value["name"]) : "";
    for (const auto& [key, inner] : value.items()) {
      if (key == "name") continue;
      text +=
          (text.empty() ? "" : " · ") + key + ' ' + (inner.is_object() ? '(' + in_words(inner) + ')' : in_words(inner));
    }
    return text;
  }
  return value.dump();
}

bool is_simple(const Json& value) {
  if (value.is_object()) return false;
  return !value.is_array() || std::all_of(value.begin(), value.end(), [](const Json& one) { return is_simple(one); });
}

/// The leaves of a document with their paths; a policy of simple settings is one.
void flatten(const std::string& path, const Json& value, std::vector<Entry>& into) {
  const bool is_policy = value.is_object() && value.contains("name") && value["name"].is_string() &&
                         std::all_of(value.begin(), value.end(), [](const Json& one) { return is_simple(one); });
  if (is_policy || is_simple(value)) {
    into.push_back({path, in_words(value)});
  } else if (value.is_array()) {
    std::size_t i = 0;
    for (const Json& one : value) flatten(concat(path, '[', i++, ']'), one, into);
  } else {
    for (const auto& [key, inner] : value.items()) flatten(path.empty() ? key : path + '.' + key, inner, into);
  }
}

void read_log(const Path& path, RunFolder& run) {
  std::ifstream file(path, std::ios::binary);
  JESSL_CHECK(file.is_open(), DataError, who, ": cannot open ", path, "; may you read it?");
  constexpr std::size_t levels = 64;  // what reads them does so by recursion
  for (std::string line; std::getline(file, line);) {
    if (io::detail::deeper_than(line, levels)) continue;
    const Json parsed =
        Json::parse(line, nullptr, /*allow_exceptions=*/false);  // a crash may have cut the last one short
    if (!parsed.is_object() || !parsed.contains("step") || !parsed["step"].is_number()) continue;
    const auto step = parsed["step"].get<double>();
    if (parsed.contains("measured_by")) {
      if (!parsed["measured_by"].is_string() || !parsed.contains("values") || !parsed["values"].is_object()) continue;
      add_figures(run, parsed["measured_by"], {}, parsed["values"], step,
                  parsed.contains("protocol") ? in_words(parsed["protocol"]) : "");
    } else {
      run.x.push_back(step);
      run.epochs.push_back(parsed.contains("epoch") && parsed["epoch"].is_number() ? parsed["epoch"].get<std::int64_t>()
                                                                                   : -1);
      add_numbers(run, "", parsed);
    }
  }
  for (Curve& curve : run.curves) curve.y.resize(run.x.size(), nan);
  const auto has_no_number = [](const auto& one) {
    return std::none_of(one.y.begin(), one.y.end(), [](double y) { return std::isfinite(y); });
  };
  std::erase_if(run.curves, has_no_number);
  std::erase_if(run.measured, has_no_number);
}

std::string title_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

/// A document of the folder: what is a result, what a setting, what the machine.
void read_document(const Path& path, RunFolder& run) {
  const Json document = io::load_json(path);
  const std::string stem = path.stem().string();
  const bool is_result = stem == "summary" || stem == "results" || stem == "scores";
  if (!document.is_object()) return;
  if (stem == "sweep") return flatten("scores", document.value("scores", Json::object()), run.results);
  const auto is_of_the_machine = [](const std::string& name) { return name == "resolved" || name == "environment"; };
  for (const auto& [key, value] : document.items()) {
    if (is_result && (key == "config" || key == "configuration")) {
      if (!value.is_object()) continue;
      for (const auto& [name, inner] : value.items())
        flatten(name, inner, is_of_the_machine(name) ? run.environment : run.configuration);
    } else if (is_of_the_machine(stem) || is_of_the_machine(key)) {
      flatten(is_of_the_machine(key) ? key : stem + '.' + key, value, run.environment);
    } else if (is_result) {
      flatten(key, value, run.results);
    } else {
      flatten(stem == "config" || stem == "configuration" ? key : stem + '.' + key, value, run.configuration);
    }
  }
}

/// The picture in a PNG file; nothing, and a warning, where it is none or too large.
std::optional<Picture> read_picture(const Path& path, std::string title) {
  if (std::filesystem::file_size(path) > largest_picture) {
    warn(who, ": ", path, " is left out: it has more than ", largest_picture >> 20U, " MB");
    return std::nullopt;
  }
  Picture picture{.title = std::move(title), .bytes = content(path)};
  constexpr std::string_view signature = "\x89PNG\r\n\x1a\n";
  const auto at = [&](std::size_t begin) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8U | static_cast<unsigned char>(picture.bytes[begin + i]);
    return value;
  };
  if (picture.bytes.size() >= 33 && picture.bytes.starts_with(signature)) {  // the signature and the header
    picture.width = at(16);
    picture.height = at(20);
  }
  if (picture.width == 0 || picture.height == 0) {
    warn(who, ": ", path, " is left out: it is no PNG");
    return std::nullopt;
  }
  return picture;
}

RunFolder read_run(const Path& folder) {
  JESSL_CHECK(std::filesystem::is_directory(folder), DataError, who, ": ", folder,
              " is no folder; name the folders that runs wrote");
  RunFolder run;
  if (std::filesystem::exists(folder / "metrics.jsonl")) read_log(folder / "metrics.jsonl", run);

  std::vector<Path> documents, pictures;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    if (entry.path().extension() == ".json" && entry.file_size() <= largest_text) documents.push_back(entry.path());
    if (entry.path().extension() == ".png") pictures.push_back(entry.path());
  }
  std::sort(documents.begin(), documents.end());
  for (const Path& path : documents) {
    try {
      read_document(path, run);
    } catch (const DataError& error) {
      warn(who, ": ", path, " is left out: ", error.what());
    }
  }
  if (const Path table = folder / "table.txt";
      std::filesystem::is_regular_file(table) && std::filesystem::file_size(table) <= largest_text)
    run.table = content(table);

  static const std::vector<std::pair<std::string, std::string>> known{
      {"views", "Views"},      {"neighbours", "Nearest neighbours"},   {"map", "Map of the features"},
      {"umap", "Map by UMAP"}, {"pca", "Map by principal components"}, {"confusion", "Confusion matrix"}};
  const auto rank = [](const Path& path) {
    return std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.first == path.stem(); });
  };
  std::sort(pictures.begin(), pictures.end(),
            [&](const Path& a, const Path& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
  for (const Path& path : pictures) {
    if (path.stem() == "loss" && !run.x.empty()) continue;  // the page draws it
    const auto found = rank(path);
    if (auto picture = read_picture(path, found != known.end() ? found->second : title_of(path.stem().string())))
      run.pictures.push_back(std::move(*picture));
  }
  JESSL_CHECK(!run.is_empty(), DataError, who, ": ", folder,
              " has nothing of a run: no metrics.jsonl with steps, no summary.json, no pictures; is the path right?");
  return run;
}

/// Each folder's name, with those above it where two would have the same.
std::vector<std::string> names_of(const std::vector<Path>& folders) {
  std::vector<Path> full;
  for (const Path& folder : folders) {
    Path path = std::filesystem::weakly_canonical(folder);
    full.push_back(path.has_filename() ? path : path.parent_path());
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < full.size(); ++i) {
    Path name = full[i].filename();
    Path above = full[i].parent_path();
    const auto is_shared = [&] {
      return std::any_of(full.begin(), full.end(), [&](const Path& other) {
        return other != full[i] && ('/' + other.string()).ends_with('/' + name.string());
      });
    };
    while (is_shared() && above.has_filename()) {
      name = above.filename() / name;
      above = above.parent_path();
    }
    names.push_back(name.empty() ? "/" : name.string());
  }
  return names;
}

// --- Words and numbers for the page ------------------------------------------------------------------------------------

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// A document as text in which nothing ends the script element that it stands in, or is taken for HTML.
std::string in_script(const Json& document) {
  std::string safe;
  // File names need not be UTF-8; what is not becomes the character for that.
  for (const char c : document.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace)) {
    switch (c) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k)
      three = three << 8U | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += k <= count ? digits[three >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

bool is_share(const std::string& figure) { return figure.starts_with("top") || figure == "accuracy"; }

std::string in_digits(double value, bool as_share = false, bool is_whole = true) {
  if (!std::isfinite(value)) return std::isnan(value) ? "not a number" : value > 0 ? "infinite" : "-infinite";
  std::array<char, 64> text{};
  if (as_share && value >= 0.0 && value <= 1.0) {
    std::snprintf(text.data(), text.size(), "%.2f %%", 100.0 * value);
  } else if (value == 0.0 || (is_whole && value == std::floor(value) && std::abs(value) < 1e15)) {
    std::snprintf(text.data(), text.size(), "%.0f", value);
  } else if (std::abs(value) >= 1e-3 && std::abs(value) < 1e6) {
    const int decimals = std::clamp(3 - static_cast<int>(std::floor(std::log10(std::abs(value)))), 0, 6);
    std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  } else {
    std::snprintf(text.data(), text.size(), "%.3e", value);
  }
  return text.data();
}

/// With six digits: what a curve shows.
Json rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return std::strtod(text.data(), nullptr);
}

Json rounded(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(rounded(value));
  return list;
}

std::string name_of_figure(const std::string& figure) {
  if (figure.starts_with("top") && figure.size() > 3) return "top-" + figure.substr(3) + " accuracy";
  if (figure == "rank_me") return "RankMe";
  std::string name = figure;
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string counted(std::size_t count, const std::string& one) {
  return concat(count, ' ', one, count == 1 ? "" : "s");
}

// --- Curves ------------------------------------------------------------------------------------------------------------

/// How many steps one point of a run's curves stands for.
std::size_t bucket_of(const RunFolder& run, std::size_t runs) {
  const std::size_t most = std::clamp<std::size_t>(4 * most_points / std::max<std::size_t>(runs, 1), 300, most_points);
  return (run.x.size() + most - 1) / most;
}

/// Calls see(first, last) for the steps of each point.
template <class See>
void for_each_bucket(std::size_t size, std::size_t bucket, const See& see) {
  for (std::size_t begin = 0; begin < size; begin += bucket) see(begin, std::min(begin + bucket, size));
}

/// The steps of an epoch, where the log tells: of one that begins and ends in it.
double steps_per_epoch(const RunFolder& run) {
  for (std::size_t i = 1; i < run.x.size(); ++i) {
    if (run.epochs[i] == run.epochs[i - 1] + 1 && run.epochs[i - 1] >= 0)
      return run.x[i - 1] / static_cast<double>(run.epochs[i - 1] + 1);
  }
  return 0.0;
}

Json run_for_curves(const RunFolder& run, std::size_t number, std::size_t runs) {
  const std::size_t bucket = std::max<std::size_t>(bucket_of(run, runs), 1);
  Json x = Json::array();
  for_each_bucket(run.x.size(), bucket, [&](std::size_t, std::size_t last) { x.push_back(run.x[last - 1]); });
  const eval::RGB rgb = eval::class_colour(static_cast<std::int64_t>(number));
  std::array<char, 8> colour{};
  std::snprintf(colour.data(), colour.size(), "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
  return {{"name", run.name}, {"colour", colour.data()}, {"stepsPerEpoch", steps_per_epoch(run)}, {"x", std::move(x)}};
}

/// A curve as the page draws it: where it is too long, means of neighbouring steps, with the least and the largest of them.
Json series_of(const Curve& curve, std::size_t run, std::size_t bucket) {
  if (bucket <= 1) return {{"run", run}, {"y", rounded(curve.y)}};
  std::vector<double> mean, low, high;
  for_each_bucket(curve.y.size(), bucket, [&](std::size_t begin, std::size_t end) {
    double sum = 0.0, least = nan, most = nan;
    std::size_t count = 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (!std::isfinite(curve.y[i])) continue;
      sum += curve.y[i];
      least = std::fmin(least, curve.y[i]);
      most = std::fmax(most, curve.y[i]);
      ++count;
    }
    mean.push_back(count > 0 ? sum / static_cast<double>(count) : nan);
    low.push_back(least);
    high.push_back(most);
  });
  return {{"run", run}, {"y", rounded(mean)}, {"low", rounded(low)}, {"high", rounded(high)}};
}

/// The charts of the steps: the loss and what is named like it first.
void add_curves(const std::vector<RunFolder>& runs, Json& charts) {
  std::vector<std::string> names;
  for (const RunFolder& run : runs) {
    for (const Curve& curve : run.curves) {
      if (std::find(names.begin(), names.end(), curve.name) == names.end()) names.push_back(curve.name);
    }
  }
  const auto rank = [](const std::string& name) {
    if (name == "loss") return 0;
    if (name == "learning_rate") return 2;
    if (name == "images_per_second") return 3;
    if (name == "loader_seconds") return 4;
    return 1;  // parts of the loss
  };
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  static const std::map<std::string, std::string> titles{{"loader_seconds", "Waiting for the loader, seconds a step"},
                                                         {"images_per_second", "Images per second"}};
  for (const std::string& name : names) {
    Json series = Json::array();
    std::string title = titles.contains(name) ? titles.at(name) : title_of(name);
    if (const std::size_t slash = title.find('/'); slash != std::string::npos) title.replace(slash, 1, ": ");
    std::size_t most = 1;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::size_t bucket = bucket_of(runs[i], runs.size());
      for (const Curve& curve : runs[i].curves) {
        if (curve.name != name) continue;
        series.push_back(series_of(curve, i, bucket));
        most = std::max(most, bucket);
      }
    }
    Json chart{{"section", "training"},
               {"title", title},
               {"smooth", name != "learning_rate"},
               {"zero", name == "images_per_second" || name == "loader_seconds"},
               {"log", rank(name) <= 1 ? "where it helps" : "offered"},
               {"series", std::move(series)}};
    if (most > 1)
      chart["notes"] = {concat("Downsampled: a point is the mean of up to ", most,
                               " steps, and the band reaches from the least to the largest of them.")};
    charts.push_back(std::move(chart));
  }
}

std::string section_of(const Measured& measured) {
  const auto names = [&](std::string_view part) { return measured.by.find(part) != std::string::npos; };
  if (measured.figure == "rank_me" || measured.figure == "spread" || names("Rank") || names("Collapse"))
    return "collapse";
  if (is_share(measured.figure) || names("Probe") || names("KNN") || names("Evaluation") || names("FineTuning"))
    return "accuracy";
  return "measurements";
}

/// The charts of what callbacks measured: one a figure, over the run, and one over the layers at its end.
void add_measured(const std::vector<RunFolder>& runs, Json& charts) {
  std::vector<const Measured*> figures;
  for (const RunFolder& run : runs) {
    for (const Measured& one : run.measured) {
      const bool is_known = std::any_of(figures.begin(), figures.end(), [&](const Measured* other) {
        return other->by == one.by && other->part == one.part && other->figure == one.figure;
      });
      if (!is_known) figures.push_back(&one);
    }
  }
  for (const Measured* figure : figures) {
    Json series = Json::array();
    Json at_end = Json::array();
    std::vector<std::string> layers;
    std::vector<std::pair<std::size_t, std::string>> protocols;  // of which run
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (const Measured& one : runs[i].measured) {
        if (one.by != figure->by || one.part != figure->part || one.figure != figure->figure) continue;
        Json entry{{"run", i}, {"x", one.x}, {"y", rounded(one.y)}};
        if (!one.layer.empty()) entry["layer"] = one.layer;
        series.push_back(std::move(entry));
        if (!one.protocol.empty() && (protocols.empty() || protocols.back().first != i))
          protocols.emplace_back(i, one.protocol);
        if (!one.layer.empty() && std::find(layers.begin(), layers.end(), one.layer) == layers.end())
          layers.push_back(one.layer);
      }
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
      Json last = Json::array();
      for (const std::string& layer : layers) {
        const auto found = std::find_if(runs[i].measured.begin(), runs[i].measured.end(), [&](const Measured& one) {
          return one.by == figure->by && one.part == figure->part && one.figure == figure->figure && one.layer == layer;
        });
        last.push_back(found != runs[i].measured.end() ? rounded(found->y.back()) : Json(nullptr));
      }
      if (std::any_of(last.begin(), last.end(), [](const Json& value) { return !value.is_null(); }))
        at_end.push_back({{"run", i}, {"y", std::move(last)}});
    }
    Json notes = Json::array();
    const bool is_one = std::all_of(protocols.begin(), protocols.end(),
                                    [&](const auto& one) { return one.second == protocols.front().second; });
    if (is_one && !protocols.empty()) notes.push_back("Protocol: " + protocols.front().second);
    if (!is_one) {
      notes.push_back("The protocols differ.");
      for (const auto& [run, protocol] : protocols) notes.push_back(runs[run].name + ": " + protocol);
    }
    const std::string title =
        figure->by + (figure->part.empty() ? "" : ", " + figure->part) + ": " + name_of_figure(figure->figure);
    const std::string section = section_of(*figure);
    charts.push_back({{"section", section},
                      {"title", title},
                      {"percent", is_share(figure->figure)},
                      {"log", is_share(figure->figure) ? Json(nullptr) : Json("offered")},
                      {"series", std::move(series)},
                      {"notes", std::move(notes)}});
    if (layers.size() > 1 && figure->figure != "loss")
      charts.push_back({{"section", section},
                        {"kind", "layers"},
                        {"title", title + " at the end, by layer"},
                        {"percent", is_share(figure->figure)},
                        {"layers", layers},
                        {"series", std::move(at_end)}});
  }
}

/// Chart.js, minified.
std::string chart_library() {
  std::vector<Path> places;
  if (const char* const chosen = std::getenv("JESSL_CHART_JS"); chosen != nullptr && *chosen != '\0') {
    places = {chosen};
  } else {
    places = {"/usr/share/javascript/chart.js/chart.min.js", "/usr/share/nodejs/chart.js/dist/chart.min.js"};
  }
  std::string looked;
  for (const Path& place : places) {
    looked += (looked.empty() ? "" : ", ") + place.string();
    if (!std::filesystem::is_regular_file(place)) continue;
    std::string text = content(place);
    JESSL_CHECK(
        text.substr(0, 200).find("Chart.js v3.") != std::string::npos && text.find("</script") == std::string::npos,
        IOError, who, ": ", place,
        " is not Chart.js 3, minified; install Debian's package libjs-chart.js, or name another file in "
        "JESSL_CHART_JS");
    return text;
  }
  fail<IOError>(who, ": Chart.js, which draws the curves, is not here (looked for ", looked,
                "): apt-get install libjs-chart.js, or name chart.min.js of its release 3 in JESSL_CHART_JS");
}

// --- The page ------------------------------------------------------------------------------------------------------------

/// A row of a table over the runs; an empty value says that a run has none.
struct Row {
  std::string name;
  std::vector<std::string> values;
};

/// Rows of some runs by their names, in the order of their first appearance.
std::vector<Row> rows_of(const std::vector<RunFolder>& runs, const std::vector<std::size_t>& columns,
                         std::vector<Entry> RunFolder::*entries) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (const Entry& entry : runs[columns[i]].*entries) {
      Row& row = find_or_add(
          rows, [&](const Row& one) { return one.name == entry.name; },
          [&] {
            return Row{entry.name, std::vector<std::string>(columns.size())};
          });
      row.values[i] = entry.value;
    }
  }
  return rows;
}

std::string dot(std::size_t run) {
  const eval::RGB rgb = eval::class_colour(static_cast<std::int64_t>(run));
  return concat("<span class=\"dot\" style=\"background:rgb(", int{rgb[0]}, ',', int{rgb[1]}, ',', int{rgb[2]},
                ")\"></span>");
}

/// The head of a table with a column for each of some runs.
std::string table_head(const std::vector<RunFolder>& runs, const std::vector<std::size_t>& columns,
                       const std::string& first) {
  std::string html = "<thead><tr><th scope=\"col\">" + first + "</th>";
  for (const std::size_t i : columns)
    html +=
        "<th scope=\"col\">" + (runs.size() > 1 ? dot(i) + ' ' + escape(runs[i].name) : std::string("value")) + "</th>";
  return html + "</tr></thead>";
}

/// A row for each figure, a cell for each run.
std::string table_rows(const std::vector<Row>& rows) {
  std::string html;
  for (const Row& row : rows) {
    html += "<tr><th scope=\"row\">" + escape(row.name) + "</th>";
    for (const std::string& value : row.values)
      html += "<td class=\"number\">" + (value.empty() ? std::string("–") : escape(value)) + "</td>";
    html += "</tr>\n";
  }
  return html;
}

/// A row for each setting: what all runs share stands once, and what differs is marked. That a run lacks a setting is a difference
/// where it tells others of that part: a run that says nothing of its augmentation does not differ in it.
std::string setting_rows(const std::vector<Row>& rows) {
  const auto part = [](const Row& row) { return row.name.substr(0, row.name.find_first_of(".[")); };
  std::map<std::string, std::vector<bool>> told;  // by which runs
  for (const Row& row : rows) {
    std::vector<bool>& by = told[part(row)];
    by.resize(row.values.size());
    for (std::size_t i = 0; i < row.values.size(); ++i) by[i] = by[i] || !row.values[i].empty();
  }
  std::string html;
  for (const Row& row : rows) {
    const std::vector<bool>& by = told[part(row)];
    std::vector<std::string> values;  // of the runs that tell
    for (std::size_t i = 0; i < row.values.size(); ++i) {
      if (by[i]) values.push_back(row.values[i]);
    }
    const bool differs = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) != values.end();
    html += differs ? "<tr class=\"differs\">" : "<tr>";
    html += "<th scope=\"row\">" + escape(row.name) + "</th>";
    if (!differs && values.size() == row.values.size()) {
      html += concat("<td colspan=\"", values.size(), "\">") + escape(values[0]) + "</td>";
    } else {
      for (const std::string& value : row.values) html += "<td>" + (value.empty() ? "–" : escape(value)) + "</td>";
    }
    html += "</tr>\n";
  }
  return html;
}

/// What the log says of a run, in numbers.
std::vector<Entry> summary_of(const RunFolder& run) {
  std::vector<Entry> entries;
  if (run.x.empty()) return entries;
  entries.push_back({"steps", in_digits(run.x.back())});
  if (run.epochs.back() >= 0) entries.push_back({"epochs begun", concat(run.epochs.back() + 1)});
  for (const Curve& curve : run.curves) {
    if (curve.name == "loss") {
      entries.push_back({"loss of the last step", in_digits(curve.y.back())});
      double sum = 0.0;
      std::size_t count = 0;
      for (std::size_t i = 0; i < curve.y.size(); ++i) {
        if (run.epochs[i] != run.epochs.back() || !std::isfinite(curve.y[i])) continue;
        sum += curve.y[i];
        ++count;
      }
      if (count > 0) entries.push_back({"loss, mean of the last epoch", in_digits(sum / static_cast<double>(count))});
    } else if (curve.name == "images_per_second") {
      std::vector<double> sorted;
      std::copy_if(curve.y.begin(), curve.y.end(), std::back_inserter(sorted),
                   [](double y) { return std::isfinite(y); });
      std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
      entries.push_back({"images per second, median of the steps", in_digits(std::round(sorted[sorted.size() / 2]))});
    }
  }
  return entries;
}

std::string results_section(std::vector<RunFolder> runs) {
  std::vector<std::size_t> all(runs.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  std::string body;
  const auto group = [&](const std::string& name, const std::vector<Row>& rows) {
    if (rows.empty()) return;
    body += concat("<tr><th class=\"group\" scope=\"rowgroup\" colspan=\"", runs.size() + 1, "\">") + escape(name) +
            "</th></tr>\n" + table_rows(rows);
  };
  const std::vector<RunFolder> given = runs;
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].results = summary_of(given[i]);
  group("The run", rows_of(runs, all, &RunFolder::results));
  std::vector<std::string> measurers;
  const auto measurer = [](const Measured& one) { return one.by + (one.part.empty() ? "" : ", " + one.part); };
  for (const RunFolder& run : given) {
    for (const Measured& one : run.measured) {
      if (std::find(measurers.begin(), measurers.end(), measurer(one)) == measurers.end())
        measurers.push_back(measurer(one));
    }
  }
  for (const std::string& name : measurers) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      runs[i].results.clear();
      for (const Measured& one : given[i].measured) {
        if (measurer(one) != name) continue;
        const std::string figure = name_of_figure(one.figure);
        runs[i].results.push_back(
            {one.layer.empty() ? figure : one.layer + ": " + figure, in_digits(one.y.back(), is_share(one.figure))});
      }
    }
    group(name + ", at the end", rows_of(runs, all, &RunFolder::results));
  }
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].results = given[i].results;
  for (RunFolder& run : runs) {
    for (Entry& entry : run.results) {
      char* end = nullptr;
      const double value = std::strtod(entry.value.c_str(), &end);
      if (!entry.value.empty() && *end == '\0')
        entry.value = in_digits(value, false, entry.value.find_first_of(".e") == std::string::npos);
    }
  }
  group("Summary", rows_of(runs, all, &RunFolder::results));

  std::string html;
  if (!body.empty())
    html += "<div class=\"scroll\"><table>" + table_head(runs, all, "figure") + "<tbody>\n" + body +
            "</tbody></table></div>\n";
  std::string tables;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].table.empty()) continue;
    tables += "<div>";
    if (given.size() > 1) tables += "<h3>" + dot(i) + ' ' + escape(given[i].name) + "</h3>";
    tables += "<pre>" + escape(given[i].table) + "</pre></div>\n";
  }
  if (!tables.empty()) html += "<div class=\"side\">\n" + tables + "</div>\n";
  return html;
}

std::string pictures_section(const std::vector<RunFolder>& runs) {
  std::vector<std::string> titles;
  for (const RunFolder& run : runs) {
    for (const Picture& picture : run.pictures) {
      if (std::find(titles.begin(), titles.end(), picture.title) == titles.end()) titles.push_back(picture.title);
    }
  }
  // Runs stand side by side, a picture of theirs in a row; those of one run stand together.
  std::string html;
  for (const std::string& title : titles) {
    if (runs.size() > 1) html += "<div class=\"pictures\">\n";
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (const Picture& picture : runs[i].pictures) {
        if (picture.title != title) continue;
        const std::uint32_t scale = std::max(1U, 240U / picture.width);  // a small one is enlarged, pixel by pixel
        const std::string text = escape(title) + (runs.size() > 1 ? ", " + escape(runs[i].name) : "");
        html += "<figure class=\"card\"><div class=\"top\"><h3>" + (runs.size() > 1 ? dot(i) + ' ' : "") + text +
                "</h3></div><button class=\"plain\" type=\"button\" title=\"larger\"><img class=\"picture" +
                (scale > 1 ? " pixels" : "") + "\" alt=\"" + text +
                concat("\" width=\"", scale * picture.width, "\" height=\"", scale * picture.height, "\"") +
                " src=\"data:image/png;base64," + base64(picture.bytes) + "\"></button></figure>\n";
      }
    }
    if (runs.size() > 1) html += "</div>\n";
  }
  return html.empty() || runs.size() > 1 ? html : "<div class=\"pictures\">\n" + html + "</div>\n";
}

/// Of the runs whose folders tell their configuration.
std::string configuration_section(const std::vector<RunFolder>& runs) {
  const auto table = [&](const std::string& id, const std::string& title, std::vector<Entry> RunFolder::*entries) {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (!(runs[i].*entries).empty()) columns.push_back(i);
    }
    if (columns.empty()) return std::string();
    const std::string rows = setting_rows(rows_of(runs, columns, entries));
    std::string html;
    if (rows.find("class=\"differs\"") != std::string::npos)
      html += "<div class=\"tools\"><label><input type=\"checkbox\" data-table=\"" + id +
              "\"> only what differs</label></div>\n";
    return html + "<div class=\"scroll\"><table id=\"" + id + "\">" + table_head(runs, columns, title) + "<tbody>\n" +
           rows + "</tbody></table></div>\n";
  };
  std::string html = table("settings", "setting", &RunFolder::configuration);
  const std::string environment = table("environment", "what", &RunFolder::environment);
  if (!html.empty() && !environment.empty()) html += "<h2>Environment and resolved settings</h2>\n";
  return html + environment;
}

std::string training_tools(const std::vector<RunFolder>& runs) {
  std::size_t longest = 0;
  bool knows_epochs = true;
  for (const RunFolder& run : runs) {
    if (run.x.empty() && run.measured.empty()) continue;
    longest = std::max(longest, run.x.size());
    knows_epochs = knows_epochs && steps_per_epoch(run) > 0.0;
  }
  std::string html;
  if (longest > 10)
    html +=
        concat("<label>smoothing <input id=\"smoothing\" type=\"range\" min=\"0\" max=\"0.99\" step=\"0.01\" value=\"",
               longest > 60 ? "0.6" : "0", "\"><output id=\"smoothing-value\"></output></label>\n");
  if (longest > 0 && knows_epochs)
    html +=
        "<label>over <select id=\"axis\"><option value=\"step\">steps</option><option "
        "value=\"epoch\">epochs</option></select></label>\n";
  return html.empty() ? html : "<div class=\"tools\">\n" + html + "</div>\n";
}

std::string header_of(const std::vector<RunFolder>& runs) {
  std::string list;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    std::string about;
    if (!runs[i].x.empty()) {
      about = concat("step ", in_digits(runs[i].x.back()));
      if (runs[i].epochs.back() >= 0) about += concat(", epoch ", runs[i].epochs.back() + 1);
    }
    list += "<li>" + (runs.size() > 1 ? dot(i) + "<span>" + escape(runs[i].name) + "</span> " : "") +
            "<span class=\"quiet\">" + about + "</span></li>\n";
  }
  return "<ul class=\"runs\">\n" + list + "</ul>\n";
}

}  // namespace

void write_report(const std::vector<Path>& folders, const Path& page) {
  JESSL_CHECK(page.has_filename(), ConfigError, who, ": the page ", page, " names no file; name one, as report.html");
  std::vector<RunFolder> runs;
  try {
    const std::vector<std::string> names = names_of(folders);
    for (std::size_t i = 0; i < folders.size(); ++i) {
      runs.push_back(read_run(folders[i]));
      runs.back().name = names[i];
    }
  } catch (const std::filesystem::filesystem_error& error) {
    fail<DataError>(who, ": cannot look into a run's folder: ", error.what(), "; may you read it?");
  }

  Json data{{"runs", Json::array()}, {"palette", Json::array()}, {"charts", Json::array()}};
  for (std::size_t i = 0; i < runs.size(); ++i) data["runs"].push_back(run_for_curves(runs[i], i, runs.size()));
  for (std::size_t i = 0; i < eval::palette.size(); ++i)
    data["palette"].push_back(run_for_curves(RunFolder{}, i, 1)["colour"]);
  add_curves(runs, data["charts"]);
  add_measured(runs, data["charts"]);

  std::string sections, links;
  const auto section = [&](const std::string& id, const std::string& title, const std::string& html) {
    if (html.empty()) return;
    links += "<a href=\"#" + id + "\">" + title + "</a>\n";
    sections += "<section id=\"" + id + "\">\n<h2>" + title + "</h2>\n" + html + "</section>\n";
  };
  const auto charts = [&](const std::string& id, const std::string& tools = "") {
    const bool has_some = std::any_of(data["charts"].begin(), data["charts"].end(),
                                      [&](const Json& chart) { return chart["section"] == id; });
    return has_some ? tools + "<div class=\"charts\" data-charts=\"" + id + "\"></div>\n" : std::string();
  };
  section("training", "Training", charts("training", training_tools(runs)));
  section("accuracy", "Accuracy by layer", charts("accuracy"));
  section("collapse", "Rank and collapse", charts("collapse"));
  section("measurements", "Other measurements", charts("measurements"));
  section("results", "Results", results_section(runs));
  section("pictures", "Pictures", pictures_section(runs));
  section("configuration", "Configuration", configuration_section(runs));

  const std::string title = runs.size() == 1 ? runs[0].name : counted(runs.size(), "run");
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      escape(title) + " – jessl</title>\n<style>";
  html += report_page::style;
  html += "</style>\n</head>\n<body>\n<header class=\"page\"><div class=\"wide\">\n<h1>" + escape(title) + "</h1>\n" +
          header_of(runs) + "</div></header>\n<nav><div class=\"wide\">\n" + links +
          "<button class=\"theme\" type=\"button\">theme: auto</button>\n</div></nav>\n<main class=\"wide\">\n";
  if (!data["charts"].empty()) html += "<noscript><p>The curves need JavaScript.</p></noscript>\n";
  html += sections + "</main>\n<footer class=\"wide\">Written by jessl " + escape(version) + ".</footer>\n";
  if (sections.find("class=\"plain\"") != std::string::npos) html += "<dialog></dialog>\n";
  html += "<script type=\"application/json\" id=\"data\">" + in_script(data) + "</script>\n";
  if (!data["charts"].empty()) html += "<script>" + chart_library() + "</script>\n";
  html += "<script>";
  html += report_page::script;
  html += "</script>\n</body>\n</html>\n";

  if (page.has_parent_path()) io::make_folder(page.parent_path());
  write_file(page, html, std::string(who));
}
