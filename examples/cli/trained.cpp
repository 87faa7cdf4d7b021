// SPDX-License-Identifier: Apache-2.0
#include "trained.hpp"

#include "run_flags.hpp"

#include <jessl/core/error.hpp>
#include <jessl/io/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace cli {

namespace {

namespace fs = std::filesystem;

/// What is written beside weights.safetensors, and in it.
Json stored_settings(const fs::path& weights) {
  const auto says_network = [](const Json& settings) {  // others' files are called config.json, too
    return settings.is_object() && settings.contains("method") && settings.contains("backbone");
  };
  if (weights.extension() == ".safetensors") {
    const Json texts = safetensors_texts(weights);
    if (texts.contains("config")) {
      Json settings = Json::parse(texts.at("config").get<std::string>(), nullptr, /*allow_exceptions=*/false);
      if (says_network(settings)) return settings;
    }
  }
  const fs::path beside = weights.parent_path() / "config.json";
  if (!fs::exists(beside)) return Json::object();
  Json settings = jessl::io::load_json(beside);
  return says_network(settings) ? settings : Json::object();
}

}  // namespace

Trained open_trained(const std::string& what, const std::string& backbone, const CLI::App& command) {
  std::vector<Given> given = dotted_flags(command.remaining(), flags_of(command));
  if (!backbone.empty()) given.push_back({"backbone.name", backbone, "--backbone"});
  const bool is_run = fs::is_directory(what);
  const fs::path weights = is_run ? fs::path(what) / "checkpoint.pt" : fs::path(what);
  JESSL_CHECK(fs::exists(weights), jessl::DataError, "there is no ", weights.string(),
              "; expected the folder of a run, its checkpoint, or a .safetensors file of a backbone");
  const bool is_backbone = weights.extension() == ".safetensors";
  Json settings = stored_settings(weights);
  if (settings.empty()) {
    JESSL_CHECK(is_backbone, jessl::DataError, weights.string(),
                " has no config.json beside it, which says what network it is; "
                "name the folder of the run");
    bool is_named = false;
    for (const Given& one : given) is_named = is_named || one.path == "backbone.name";
    JESSL_CHECK(is_named, jessl::ConfigError, weights.string(),
                " does not say which network it is: name it, as --backbone resnet50 --augmentation.size 224");
    settings = resolve_settings("", given, flags_of(command)).settings;
  } else {
    JESSL_CHECK(given.empty(), jessl::ConfigError, weights.string(), " says which network it is; leave ",
                given.empty() ? "" : given.front().flag, " away");
  }
  const MethodEntry& method = find_entry(methods(), settings.at("method").get<std::string>(), weights.string());
  Trained trained{.network = make_run_of(method, settings), .settings = settings, .has_projector = !is_backbone};
  trained.network->load(weights);
  return trained;
}

}  // namespace cli
