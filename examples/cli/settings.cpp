// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <jessl/core/error.hpp>
#include <jessl/io/json.hpp>

#include <toml++/toml.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

using jessl::ConfigError;

/// Names of policies are types here, not settings.
Json without_names(Json document) {
  if (!document.is_object()) return document;
  document.erase("name");
  for (auto& [key, value] : document.items()) value = without_names(value);
  return document;
}

Json from_toml(const toml::node& node, const std::string& file) {
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = from_toml(value, file);
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const auto& value : *array) list.push_back(from_toml(value, file));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return jessl::to_json(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get();
  jessl::fail<ConfigError>(
      file, ", line ", node.source().begin.line,
      ": dates and times are no settings, expected a number, a text, true or false, a list or a table");
}

Json* find_path(Json& document, const std::string& path) {
  Json* place = &document;
  std::istringstream words(path);
  for (std::string word; std::getline(words, word, '.');) {
    if (!place->is_object() || !place->contains(word)) return nullptr;
    place = &(*place)[word];
  }
  return place;
}

/// A value as its setting's default tells what it is.
Json value_of(const Given& given, const Json& standard) {
  const bool is_number_word = standard == "inf" || standard == "-inf" || standard == "nan";
  if (standard.is_string() && !is_number_word) return given.text;
  const Json parsed = Json::parse(given.text, nullptr, /*allow_exceptions=*/false);
  return parsed.is_discarded() || parsed.is_null() ? Json(given.text) : parsed;
}

void set_path(Json& document, const std::string& path, Json value) {
  Json* place = &document;
  std::istringstream words(path);
  for (std::string word; std::getline(words, word, '.');) place = &(*place)[word];
  *place = std::move(value);
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  return *std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
    return jessl::detail::edit_distance(word, a) < jessl::detail::edit_distance(word, b);
  });
}

/// A file's settings must be among the known ones.
void check_file(const Json& document, const Json& defaults, const std::string& file, const std::string& method) {
  std::vector<std::string> known;
  for (const auto& [path, value] : flattened(defaults)) known.push_back(path);
  for (const auto& [path, value] : flattened(document)) {
    JESSL_CHECK(!value.is_null(), ConfigError, file, ": \"", path, "\" is null; leave it away for its default");
    if (std::find(known.begin(), known.end(), path) != known.end()) continue;
    jessl::fail<ConfigError>(file, ": \"", path, "\" is no setting of ", method, "; did you mean \"",
                             nearest(path, known), "\"? jessl pretrain --help-all --method ", method, " lists all");
  }
}

std::string given_or(const std::vector<Given>& given, const std::string& path, std::string otherwise) {
  for (const Given& one : given) {
    if (one.path == path) otherwise = one.text;
  }
  return otherwise;
}

/// A text of a file, where there is such.
std::string text_in(const Json& document, const std::string& path, std::string otherwise, const std::string& file) {
  Json copy = document;
  const Json* found = find_path(copy, path);
  if (found == nullptr) return otherwise;
  JESSL_CHECK(found->is_string(), ConfigError, file, ": ", path, " is ", found->dump(), ", expected a text");
  return found->get<std::string>();
}

void append_toml(const Json& table, const std::string& path, std::string& text) {
  for (const auto& [key, value] : table.items()) {
    if (!value.is_object() && !value.is_null()) text += key + " = " + value.dump() + '\n';
  }
  for (const auto& [key, value] : table.items()) {
    if (!value.is_object()) continue;
    const std::string inner = path.empty() ? key : path + '.' + key;
    text += "\n[" + inner + "]\n";
    append_toml(value, inner, text);
  }
}

/// The settings of a method alone, as its make() takes them.
Json method_settings(const Json& settings) {
  Json document = Json::object();
  for (const char* policy : {"augmentation", "projector", "loss", "optimizer", "fit"})
    document[policy] = settings.at(policy);
  return document;
}

}  // namespace

const std::vector<Flag>& run_flags() {
  static const std::vector<Flag> flags{
      {"--method", "method", "what to train by; jessl pretrain --help lists the names"},
      {"--data", "data",
       "images to train on: a folder, a .beton file, tar shards, a folder of CIFAR-10 or IDX files, fashion-mnist"},
      {"--data-kind", "data_kind", "auto, or folder, beton, tar, cifar10, idx, fashion-mnist"},
      {"--test-data", "test_data", "images with labels that nothing learns from, for --knn-every and sweep"},
      {"--channels", "channels", "3: images as RGB, 1: as grey"},
      {"--backbone", "backbone.name", "the network"},
      {"--epochs", "fit.epochs", "passes over the data"},
      {"--batch-size", "fit.batch_size", "images a step"},
      {"--micro-batch", "fit.micro_batch", "images at once through the network, a divisor of the batch; 0: all"},
      {"--precision", "fit.precision", "float32, bfloat16, or auto: whichever is faster here"},
      {"--device", "fit.device", "auto, cpu or cuda"},
      {"--seed", "fit.seed", "of start weights, order and views"},
      {"--threads", "fit.threads", "of LibTorch; 0: all"},
      {"--workers", "fit.workers", "of the loader; 0: by the device"},
      {"--checkpoint-every", "checkpoint_every", "epochs between two checkpoints"},
      {"--checkpoint-steps", "checkpoint_steps", "steps between two checkpoints, besides; 0: none"},
      {"--knn-every", "knn_every", "epochs between two looks at the nearest neighbours of --test-data; 0: none"},
      {"--rank-every", "rank_every", "epochs between two looks at the rank of the features; 0: none"},
      {"--images-per-class", "images_per_class", "to train on, the first of each class; 0: all"},
      {"--small-views", "small_views", "false: without the small views of multi-crop, as for images of 32 pixels"},
      {"--online-probe", "online_probe", "true: linear classifiers learn beside the network"},
      {"--measure-statistics", "measure_statistics",
       "true: mean and deviation of the data's channels are measured and normalised by"},
  };
  return flags;
}

Json default_settings(const MethodEntry& method, const BackboneEntry& backbone) {
  Json document = jessl::to_json(RunSettings{.method = method.name});
  document["backbone"] = {{"name", backbone.name}};
  document["backbone"].update(backbone.defaults);
  document.update(without_names(method.defaults));
  document["fit"].erase("resume");
  return document;
}

std::vector<Given> dotted_flags(const std::vector<std::string>& words, const std::vector<std::string>& others) {
  std::vector<Given> given;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--") || word.find('.') == std::string::npos) {
      JESSL_CHECK(word.starts_with("-"), ConfigError, "unexpected \"", word, "\": a value needs its flag, as --data ",
                  word);
      jessl::fail<ConfigError>("there is no flag ", word.substr(0, word.find('=')), "; did you mean ",
                               nearest(word.substr(0, word.find('=')), others), "?");
    }
    const std::size_t equals = word.find('=');
    const std::string flag = word.substr(0, equals);
    if (equals != std::string::npos) {
      given.push_back({flag.substr(2), word.substr(equals + 1), flag});
    } else {
      const bool has_value = i + 1 < words.size() && !words[i + 1].starts_with("--");
      given.push_back({flag.substr(2), has_value ? words[++i] : "true", flag});
    }
  }
  return given;
}

Resolved resolve_settings(const std::filesystem::path& file, const std::vector<Given>& given,
                          const std::vector<std::string>& others) {
  return resolve_settings(file.empty() ? Json::object() : read_settings(file), file.string(), given, others);
}

Resolved resolve_settings(const Json& document, const std::string& where, const std::vector<Given>& given,
                          const std::vector<std::string>& others) {
  const std::string method_name = given_or(given, "method", text_in(document, "method", "SimCLR", where));
  const std::string backbone_name =
      given_or(given, "backbone.name", text_in(document, "backbone.name", "resnet18", where));
  const MethodEntry& method = find_entry(methods(), method_name, "--method");
  const BackboneEntry& backbone = find_entry(backbones(), backbone_name, "--backbone");
  Json defaults = default_settings(method, backbone);
  check_file(document, defaults, where, method.name);

  Resolved resolved{.method = &method, .settings = defaults, .chosen = document};
  std::vector<std::string> known = others;
  for (const auto& [path, value] : flattened(defaults)) {
    if (path.find('.') != std::string::npos) known.push_back("--" + path);
  }
  for (const Given& one : given) {
    const Json* const standard = find_path(defaults, one.path);
    JESSL_CHECK(standard != nullptr && !standard->is_object(), ConfigError, one.flag, " is no setting of ", method.name,
                " with the backbone ", backbone.name, "; did you mean ", nearest(one.flag, known),
                "? jessl pretrain --help-all --method ", method.name, " lists all");
    set_path(resolved.chosen, one.path, value_of(one, *standard));
  }
  resolved.settings.merge_patch(resolved.chosen);
  resolved.settings["method"] = method.name;
  resolved.settings["backbone"]["name"] = backbone.name;
  return resolved;
}

Json read_settings(const std::filesystem::path& file) {
  if (file.extension() == ".json") return jessl::io::load_json(file);
  std::error_code ignored;
  JESSL_CHECK(std::filesystem::is_regular_file(file, ignored), jessl::DataError, "there is no file ", file.string(),
              "; expected a TOML or .json file of settings, as a run leaves as config.toml");
  try {
    return from_toml(toml::parse_file(file.string()), file.string());
  } catch (const toml::parse_error& error) {
    jessl::fail<ConfigError>(file.string(), ", line ", error.source().begin.line, ": ", error.description());
  }
}

std::string to_toml(const Json& document) {
  std::string text;
  append_toml(document, "", text);
  return text;
}

std::vector<std::pair<std::string, Json>> flattened(const Json& document) {
  std::vector<std::pair<std::string, Json>> all;
  for (const auto& [key, value] : document.items()) {
    if (!value.is_object()) {
      all.emplace_back(key, value);
      continue;
    }
    for (auto& [path, inner] : flattened(value)) all.emplace_back(key + '.' + path, std::move(inner));
  }
  return all;
}

std::string in_flags(std::string message, const std::vector<Given>& given, const Json& settings) {
  const std::string prefix = "settings.";
  if (message.starts_with(prefix)) {
    std::string path = message.substr(prefix.size(), message.find_first_of(" :") - prefix.size());
    const std::string rest = message.substr(prefix.size() + path.size());
    for (const Given& one : given) {
      if (one.path == path) return one.flag + rest;
    }
    if (path.find('.') == std::string::npos) std::replace(path.begin(), path.end(), '_', '-');
    return "--" + path + rest;
  }
  const auto is_about = [&](const std::string& path) {  // of the name as a word: "size is", not "batch_size is"
    const std::size_t place = message.find(path.substr(path.rfind('.') + 1) + " is ");
    return place != std::string::npos && (place == 0 || message[place - 1] == ' ');
  };
  for (const Given& one : given) {
    if (is_about(one.path)) return message + "\n  set by " + one.flag + ' ' + one.text;
  }
  std::vector<std::string> about;
  for (const auto& [path, value] : flattened(settings)) {
    if (path.find('.') != std::string::npos && is_about(path)) about.push_back(path);
  }
  return about.size() == 1 ? message + "\n  set it by --" + about.front() : message;
}

RunSettings run_settings(const Json& settings) {
  Json document = Json::object();
  for (const std::string& name : jessl::option_names<RunSettings>()) {
    if (settings.contains(name)) document[name] = settings[name];  // files of earlier versions lack some
  }
  return jessl::from_json<RunSettings>(document, "settings");
}

std::unique_ptr<Run> make_run_of(const MethodEntry& method, const Json& settings) {
  const RunSettings run = run_settings(settings);
  std::optional<jessl::augment::Ramp> ramp;
  if (run.ramp.min != 0) {
    ramp.emplace();
    ramp->min = run.ramp.min;
    ramp->start = run.ramp.start;
    ramp->end = run.ramp.end;
    ramp->step = run.ramp.step;
  }
  return method.make(method_settings(settings), settings.at("backbone"), run.small_views, ramp);
}

}  // namespace cli
