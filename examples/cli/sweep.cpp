// SPDX-License-Identifier: Apache-2.0
// jessl sweep: the runs of a file that says what changes from one to the next, compared by what their features know.
#include "commands.hpp"
#include "data_sets.hpp"
#include "probing.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "settings.hpp"
#include "training.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/options.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cli {

namespace {

namespace fs = std::filesystem;
namespace eval = jessl::eval;
using jessl::ConfigError;
using jessl::data::Split;

/// Other images to ask about, whose classes nothing was trained by either.
struct SweepTask {
  std::string name = "";
  std::string train = "";
  std::string test = "";
};

/// The table [sweep] of a file; all else in it are the settings that the runs share.
struct SweepSettings {
  std::string title = "";
  std::vector<std::int64_t> seeds{1, 2, 3};
  std::vector<std::string> probes{"knn", "linear"};
  std::string precision = "float32";  // in which images are embedded for the probes
  bool layers = false;                // asks at the projector's layers, too
  bool untrained = false;             // a row for the network of the first variant before it is trained
  std::vector<SweepTask> tasks{};     // besides the runs' own images
};

/// What a row of the table is called, and all that its runs set.
struct Variant {
  std::string name;
  Json settings;
};

/// What a file asks for.
struct Sweep {
  SweepSettings settings;
  std::vector<Variant> variants;
  std::set<std::string> changed{};  // the paths of the settings in which variants differ
};

struct SweepArguments {
  RunFlags flags{};
  std::string file = "";
  std::string out = "";
  std::vector<std::int64_t> seeds{};
  std::vector<std::string> only{};
  bool large = false;
  bool list = false;
};

/// What the probes answered, or why there is nobody to ask.
struct Answers {
  std::vector<std::pair<std::string, std::vector<std::pair<std::string, double>>>> layers{};  // percent, by column
  std::map<std::string, std::string> protocols{};                                             // by column
  std::string diverged{};  // the message of the run that did
};

}  // namespace

}  // namespace cli

JESSL_OPTIONS(cli::SweepTask, name, train, test);
JESSL_OPTIONS(cli::SweepSettings, title, seeds, probes, precision, layers, untrained, tasks);

namespace cli {

namespace {

const std::string untrained_name = "untrained";

/// A name as that of a folder: letters, digits and dots within it, the rest joined by "_".
std::string folder_name(const std::string& name) {
  std::string text;
  for (const char letter : lower(name)) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (is_plain || (letter == '.' && !text.empty())) {
      text += letter;
    } else if (!text.empty() && text.back() != '_') {
      text += '_';
    }
  }
  while (text.ends_with('_') || text.ends_with('.')) text.pop_back();
  return text;
}

fs::path folder_of_run(const fs::path& out, const std::string& variant, std::int64_t seed) {
  return out / folder_name(variant) / jessl::concat("seed", seed);
}

/// The tables of a list in the file, each with its name.
std::vector<Variant> variants_in(const Json& list, const std::string& where) {
  JESSL_CHECK(list.is_array() && !list.empty(), ConfigError, where,
              " is no list of tables; write [[sweep.variants]] and below it name = \"...\" and the settings that are "
              "its own");
  std::vector<Variant> variants;
  for (const Json& table : list) {
    JESSL_CHECK(table.is_object() && table.contains("name") && table["name"].is_string(), ConfigError, where,
                " has a table without a name: ", table.dump());
    Variant variant{table["name"].get<std::string>(), table};
    variant.settings.erase("name");
    variants.push_back(std::move(variant));
  }
  return variants;
}

/// What is there twice would be counted as one.
void check_once(const std::vector<std::string>& names, const std::string& where) {
  JESSL_CHECK(!names.empty(), ConfigError, where, " is empty, expected at least one");
  std::set<std::string> seen;
  for (const std::string& name : names)
    JESSL_CHECK(seen.insert(name).second, ConfigError, where, " has ", name, " twice");
}

void check_sweep(const SweepSettings& settings, const std::string& file) {
  std::vector<std::string> seeds;
  for (const std::int64_t seed : settings.seeds) {
    JESSL_CHECK(seed >= 0, ConfigError, file, ": sweep.seeds has ", seed, ", expected numbers >= 0");
    seeds.push_back(std::to_string(seed));
  }
  check_once(seeds, file + ": sweep.seeds");
  check_once(settings.probes, file + ": sweep.probes");
  check_probes(settings.probes, file + ": sweep.probes");
  std::vector<std::string> tasks;
  for (const SweepTask& task : settings.tasks) {
    JESSL_CHECK(!task.name.empty(), ConfigError, file, ": a table of sweep.tasks has no name");
    tasks.push_back(task.name);
  }
  if (!tasks.empty()) check_once(tasks, file + ": sweep.tasks");
}

/// Every variant with every table of sweep.with, over what they share.
Sweep sweep_of(Json document, const std::string& file, bool large) {
  JESSL_CHECK(document.contains("sweep") && document["sweep"].is_object(), ConfigError, file,
              " has no table [sweep]; it says what changes from one run to the next (docs/cli/README.md)");
  Json table = document["sweep"];
  document.erase("sweep");
  const auto taken = [&table](const char* name) {
    Json value = table.value(name, Json());
    table.erase(name);
    return value;
  };
  const Json larger = taken("large");
  JESSL_CHECK(!large || larger.is_object(), ConfigError, "--large: ", file, " has no table [sweep.large]");
  if (large) document.merge_patch(larger);
  const std::vector<Variant> variants = variants_in(taken("variants"), file + ": sweep.variants");
  std::vector<Variant> with{{"", Json::object()}};
  if (const Json second = taken("with"); !second.is_null()) with = variants_in(second, file + ": sweep.with");
  Sweep sweep{.settings = jessl::from_json<SweepSettings>(table, file + ": sweep"), .variants = {}};
  check_sweep(sweep.settings, file);

  std::map<std::string, std::string> folders{{"table.txt", "table.txt"}, {"results.json", "results.json"}};
  if (sweep.settings.untrained) folders[folder_name(untrained_name)] = untrained_name;
  for (const Variant& outer : with) {
    for (const Variant& inner : variants) {
      Variant both{outer.name.empty() ? inner.name : outer.name + ", " + inner.name, document};
      both.settings.merge_patch(outer.settings);
      both.settings.merge_patch(inner.settings);
      const std::string folder = folder_name(both.name);
      JESSL_CHECK(!folder.empty(), ConfigError, file, ": the variant \"", both.name,
                  "\" has no letter or digit to call a folder by");
      const auto [before, is_new] = folders.emplace(folder, both.name);
      JESSL_CHECK(is_new, ConfigError, file, ": \"", before->second, "\" and \"", both.name,
                  "\" would be the same folder, ", folder, "; call one of them something else");
      for (const Json* own : {&outer.settings, &inner.settings}) {
        for (const auto& [path, value] : flattened(*own)) sweep.changed.insert(path);
      }
      sweep.variants.push_back(std::move(both));
    }
  }
  return sweep;
}

/// Flags that would make the rows of a table equal, or its seeds.
void check_flags(const Sweep& sweep, const std::vector<Given>& given, const std::string& file) {
  for (const Given& one : given) {
    JESSL_CHECK(one.path != "fit.seed", ConfigError, one.flag, ": a sweep has several seeds, say them by --seeds");
    JESSL_CHECK(!sweep.changed.contains(one.path), ConfigError, one.flag, " sets ", one.path,
                ", in which the variants of ", file, " differ; choose some of them by --only, or change the file");
  }
  for (const Variant& variant : sweep.variants) {
    const Json fit = variant.settings.value("fit", Json::object());
    JESSL_CHECK(fit.is_object() && !fit.contains("seed"), ConfigError, file,
                fit.is_object() ? ": fit.seed is set by sweep.seeds; leave it away" : ": fit is no table");
  }
}

/// The variants that are asked for, all where none is named.
std::vector<Variant> chosen(const std::vector<Variant>& variants, const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const Variant& one : variants) known.push_back(one.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) jessl::detail::fail_unknown("--only", name, known);
  }
  std::vector<Variant> wanted;
  std::copy_if(variants.begin(), variants.end(), std::back_inserter(wanted), [&](const Variant& one) {
    return names.empty() || std::find(names.begin(), names.end(), one.name) != names.end();
  });
  return wanted;
}

/// What is learned from and what is asked about, in another task.
std::pair<Opened, Opened> open_task(const SweepTask& task, const Training& training) {
  const std::string name = "the task \"" + task.name + '"';
  Opened train = open_data(name + ", train", task.train, "auto", Split::train, training.run.channels);
  Opened test = open_data(name + ", test", task.test, "auto", Split::test, training.run.channels);
  check_train_and_test(name + ", train", train, name + ", test", test);
  const std::int64_t expected = training.train.images.channels();
  for (const Opened* part : {&train, &test})
    JESSL_CHECK(part->images.channels() == expected, ConfigError, name, ": the images at ", part->path, " have ",
                part->images.channels(), " channels, those to train on ", expected,
                "; --channels says what files of images are decoded to");
  return {std::move(train), std::move(test)};
}

/// Asks a network all that the sweep wants to know. A column is a probe, after the task's name where it is another one.
Answers answers_of(const SweepSettings& settings, const Training& training) {
  const Questions questions{
      .probes = settings.probes,
      .projector = settings.layers,
      .embedding = {{"precision", settings.precision}, {"threads", training.resolved.settings["fit"]["threads"]}}};
  Answers answers;
  const auto add = [&](const std::string& task, const AnyDataset& train, const AnyDataset& test) {
    const std::vector<eval::ScoreTable> tables = ask(*training.network, train, test, questions);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      const std::string column = task.empty() ? settings.probes[i] : task + ' ' + settings.probes[i];
      for (const eval::Score& score : tables[i].scores()) {
        auto layer = std::find_if(answers.layers.begin(), answers.layers.end(),
                                  [&](const auto& one) { return one.first == score.layer; });
        if (layer == answers.layers.end()) layer = answers.layers.insert(layer, {score.layer, {}});
        layer->second.emplace_back(column, 100.0 * score.value);
        answers.protocols[column] = score.probe;
      }
    }
  };
  add("", training.train.images, training.test_images().images);
  for (const SweepTask& task : settings.tasks) {
    const auto [train, test] = open_task(task, training);
    add(task.name, train.images, test.images);
  }
  return answers;
}

/// What lies in a run's folder: the settings that it was begun with, and the answers once there are such.
class Record {
 public:
  explicit Record(const fs::path& folder) : file_(folder / "sweep.json") {
    if (!fs::exists(file_)) return;
    document_ = jessl::io::load_json(file_);
    const auto has = [this](const char* name) { return document_.contains(name) && document_[name].is_object(); };
    JESSL_CHECK(document_.is_object() && has("settings"), jessl::DataError, file_.string(),
                " has no settings; it is none of a sweep's, delete its folder");
  }

  [[nodiscard]] bool exists() const { return document_.is_object(); }

  /// In what a run that lies there differs from the one that is wanted, but for what does not change its results; "" where it
  /// does not, or where there is none.
  [[nodiscard]] std::string difference(const Json& wanted) const {
    if (!exists()) return "";
    const std::map<std::string, Json> before = that_matter(document_["settings"]);
    const std::map<std::string, Json> now = that_matter(wanted);
    std::set<std::string> paths;
    for (const auto* settings : {&before, &now}) {
      for (const auto& [path, value] : *settings) paths.insert(path);
    }
    for (const std::string& path : paths) {
      const auto text = [&](const std::map<std::string, Json>& settings) {
        const auto found = settings.find(path);
        return found == settings.end() ? std::string("not set") : found->second.dump();
      };
      if (text(before) != text(now)) return jessl::concat(path, " was ", text(before), " and is ", text(now));
    }
    return "";
  }

  void check_settings(const Json& wanted) const {
    const std::string how = difference(wanted);
    JESSL_CHECK(how.empty(), ConfigError, "--out: ", file_.parent_path().string(),
                " has a run of other settings: ", how, "; choose another folder, or delete it");
  }

  /// The answers, if to the same questions.
  [[nodiscard]] std::optional<Answers> answers(const Json& questions) const {
    if (!exists() || document_.value("questions", Json()) != questions) return std::nullopt;
    try {
      Answers answers{.diverged = document_.value("diverged", std::string())};
      for (const auto& [layer, columns] : document_.at("scores").items()) {
        answers.layers.emplace_back();
        answers.layers.back().first = layer;
        for (const auto& [column, value] : columns.items())
          answers.layers.back().second.emplace_back(column, value.get<double>());
      }
      for (const auto& [column, text] : document_.at("protocols").items())
        answers.protocols[column] = text.get<std::string>();
      return answers;
    } catch (const Json::exception& error) {
      jessl::fail<jessl::DataError>(file_.string(), " is damaged: ", error.what(), "; delete its folder");
    }
  }

  void begin(const Json& settings) {
    document_ = {{"settings", settings}};
    save();
  }

  void finish(const Json& questions, const Answers& answers) {
    document_["questions"] = questions;
    document_["diverged"] = answers.diverged;
    document_["scores"] = Json::object();
    for (const auto& [layer, columns] : answers.layers) {
      for (const auto& [column, value] : columns) document_["scores"][layer][column] = value;
    }
    document_["protocols"] = answers.protocols;
    save();
  }

 private:
  void save() const {
    jessl::io::make_folder(file_.parent_path());
    jessl::io::save_json(file_, document_);
  }

  static std::map<std::string, Json> that_matter(const Json& settings) {
    std::map<std::string, Json> all;
    for (const auto& [path, value] : flattened(settings)) all[path] = value;
    for (const char* path :
         {"checkpoint_every", "checkpoint_steps", "fit.device", "fit.keep_freed_memory", "fit.threads", "fit.workers"})
      all.erase(path);
    return all;
  }

  fs::path file_;
  Json document_{};
};

/// The answers of all runs as a table: variants and layers down, columns across.
class Rows {
 public:
  void add(const std::string& variant, std::int64_t seed, const Answers& answers) {
    if (!answers.diverged.empty()) {
      diverged_ += jessl::concat("diverged: ", variant, ", seed ", seed, ": ",
                                 answers.diverged.substr(0, answers.diverged.find('\n')), '\n');
      add_new(rows_, {variant, "representation"});
    }
    for (const auto& [layer, columns] : answers.layers) {
      add_new(rows_, {variant, layer});
      for (const auto& [column, value] : columns) {
        add_new(columns_, column);
        values_[{variant, layer, column}].push_back(value);
      }
    }
    protocols_.insert(answers.protocols.begin(), answers.protocols.end());
  }

  /// Mean and standard deviation over the seeds, in percent.
  [[nodiscard]] std::string table(bool layers) const {
    std::size_t width = std::string_view("variant").size();
    for (const auto& [variant, layer] : rows_) width = std::max(width, variant.size());
    const auto name_width = static_cast<int>(width) + 2;
    std::ostringstream text;
    const auto begin_row = [&](const std::string& variant, const std::string& layer) {
      text << std::left << std::setw(name_width) << variant;
      if (layers) text << std::setw(16) << layer;
      text << std::right;
    };
    begin_row("variant", "layer");
    for (const std::string& column : columns_) text << std::setw(column_width(column)) << column;
    text << '\n';
    for (const auto& [variant, layer] : rows_) {
      begin_row(variant, layer);
      for (const std::string& column : columns_)
        text << std::setw(column_width(column)) << cell(values(variant, layer, column));
      text << '\n';
    }
    for (const auto& [column, protocol] : protocols_) text << column << ": top-1 in percent, " << protocol << '\n';
    return text.str() + diverged_;
  }

  /// The same figures as JSON, in the same order.
  [[nodiscard]] Json json() const {
    Json list = Json::array();
    for (const auto& [variant, layer] : rows_) {
      for (const std::string& column : columns_) {
        const std::vector<double> all = values(variant, layer, column);
        if (all.empty()) continue;
        list.push_back({{"variant", variant}, {"layer", layer}, {"column", column}, {"mean", mean(all)}});
        list.back()["deviation"] = all.size() > 1 ? Json(deviation(all)) : Json();
        list.back()["values"] = all;
      }
    }
    return list;
  }

  /// How many variants are above the untrained network in every column, at the representation.
  [[nodiscard]] std::string above_untrained() const {
    std::int64_t above = 0, all = 0;
    std::string others;
    for (const auto& [variant, layer] : rows_) {
      if (layer != "representation" || variant == untrained_name) continue;
      ++all;
      const bool better = std::all_of(columns_.begin(), columns_.end(), [&, name = variant](const std::string& column) {
        const std::vector<double> trained = values(name, "representation", column);
        return !trained.empty() && mean(trained) > mean(values(untrained_name, "representation", column));
      });
      above += better ? 1 : 0;
      if (!better) others += (others.empty() ? "; not " : ", ") + variant;
    }
    return jessl::concat(above, " of ", all, " are above the untrained network in every column", others, '\n');
  }

 private:
  template <class T>
  static void add_new(std::vector<T>& list, const T& one) {
    if (std::find(list.begin(), list.end(), one) == list.end()) list.push_back(one);
  }

  static int column_width(const std::string& column) { return std::max(18, static_cast<int>(column.size()) + 2); }

  static double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }

  static double deviation(const std::vector<double>& values) {
    double squares = 0.0;
    for (const double value : values) squares += (value - mean(values)) * (value - mean(values));
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
  }

  static std::string cell(const std::vector<double>& values) {
    if (values.empty()) return "-";
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << mean(values);
    if (values.size() > 1) text << " +- " << deviation(values);
    return text.str();
  }

  [[nodiscard]] std::vector<double> values(const std::string& variant, const std::string& layer,
                                           const std::string& column) const {
    const auto found = values_.find({variant, layer, column});
    return found == values_.end() ? std::vector<double>() : found->second;
  }

  std::vector<std::pair<std::string, std::string>> rows_{};  // variant and layer
  std::vector<std::string> columns_{};
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<double>> values_{};
  std::map<std::string, std::string> protocols_{};
  std::string diverged_{};
};

/// Trains and asks, and puts together what is known.
class Runner {
 public:
  /// Of the sweep's variants, those to train are named apart.
  Runner(Sweep sweep, std::vector<Variant> wanted, std::string file, fs::path out, std::vector<Given> given,
         std::vector<std::string> flags)
      : sweep_(std::move(sweep)),
        wanted_(std::move(wanted)),
        file_(std::move(file)),
        out_(std::move(out)),
        given_(std::move(given)),
        flags_(std::move(flags)) {}

  /// Ends with an error, before anything is trained, where a run could not be.
  void check() const {
    for (const Variant& variant : wanted_) {
      for (const std::int64_t seed : sweep_.settings.seeds)
        Record(folder_of_run(out_, variant.name, seed)).check_settings(resolved(variant, seed).settings);
    }
    for (const Variant& variant : wanted_) {
      in_words_of(variant, [&] {
        const Training training = prepared(variant, sweep_.settings.seeds.front());
        if (!fs::exists(training.out / "summary.json")) training.check();  // a run that is done does not go on
        (void)training.test_images();
        for (const SweepTask& task : sweep_.settings.tasks) (void)open_task(task, training);
      });
    }
  }

  void run() const {
    if (sweep_.settings.untrained) {
      for (const std::int64_t seed : sweep_.settings.seeds) ask_untrained(seed);
    }
    const std::size_t runs = wanted_.size() * sweep_.settings.seeds.size();
    std::size_t number = 0;
    for (const Variant& variant : wanted_) {
      for (const std::int64_t seed : sweep_.settings.seeds) {
        std::cout << "\nrun " << ++number << " of " << runs << ": " << variant.name << ", seed " << seed << std::endl;
        in_words_of(variant, [&] { train_and_ask(variant, seed); });
      }
    }
  }

  /// Prints and writes the table of all runs that are done, also of variants that were not asked for now.
  void report() const {
    Rows rows;
    if (sweep_.settings.untrained) add_runs(rows, {untrained_name, sweep_.variants.front().settings});
    for (const Variant& variant : sweep_.variants) add_runs(rows, variant);
    const std::string table = rows.table(sweep_.settings.layers);
    std::cout << '\n' << table;
    if (sweep_.settings.untrained) std::cout << rows.above_untrained();
    jessl::write_file(out_ / "table.txt", table);
    jessl::io::save_json(out_ / "results.json", {{"title", sweep_.settings.title}, {"rows", rows.json()}});
    std::cout << "the table is in " << (out_ / "table.txt").string() << ", the runs beside it\n";
  }

 private:
  /// What is asked, as it stands beside the answers.
  [[nodiscard]] Json questions(const Json& settings) const {
    return {{"probes", sweep_.settings.probes},
            {"precision", sweep_.settings.precision},
            {"layers", sweep_.settings.layers},
            {"tasks", jessl::to_json(sweep_.settings.tasks)},
            {"test_data", settings.at("test_data")}};
  }

  [[nodiscard]] Resolved resolved(const Variant& variant, std::int64_t seed) const {
    return in_words_of(variant, [&] {
      Json settings = variant.settings;
      settings["fit"]["seed"] = seed;
      return resolve_settings(settings, file_, given_, flags_);
    });
  }

  [[nodiscard]] Training prepared(const Variant& variant, std::int64_t seed) const {
    const fs::path folder = folder_of_run(out_, variant.name, seed);
    return prepare(resolved(variant, seed), folder, Record(folder).exists() ? "auto" : "");
  }

  /// What `use` gives; an error in settings names the variant.
  template <class Use>
  std::invoke_result_t<const Use&> in_words_of(const Variant& variant, const Use& use) const {
    try {
      return use();
    } catch (const ConfigError& error) {
      const std::string name = file_ + ": variant \"" + variant.name + "\": ";
      if (std::string_view(error.what()).starts_with(name)) throw;
      jessl::fail<ConfigError>(name, in_flags(error.what(), given_));
    }
  }

  void ask_untrained(std::int64_t seed) const {
    const Variant& first = sweep_.variants.front();
    const Json settings = resolved(first, seed).settings;
    const fs::path folder = folder_of_run(out_, untrained_name, seed);
    Record record(folder);
    record.check_settings(settings);
    if (record.answers(questions(settings))) return;
    const Training training = prepare(resolved(first, seed), folder, "");
    training.network->initialise(static_cast<std::uint64_t>(seed));
    record.begin(settings);
    record.finish(questions(settings), answers_of(sweep_.settings, training));
  }

  void train_and_ask(const Variant& variant, std::int64_t seed) const {
    const Json settings = resolved(variant, seed).settings;
    Record record(folder_of_run(out_, variant.name, seed));
    if (record.answers(questions(settings))) return;
    Training training = prepared(variant, seed);
    if (!record.exists()) record.begin(settings);
    if (fs::exists(training.out / "summary.json")) {
      training.network->load(training.out / "checkpoint.pt");
    } else {
      try {
        train(training);
      } catch (const jessl::DivergenceError& error) {  // the same again would do the same
        jessl::warn(error.what());
        record.finish(questions(settings), {.diverged = error.what()});
        return;
      }
    }
    record.finish(questions(settings), answers_of(sweep_.settings, training));
  }

  /// The runs of a row that are done, of any seed.
  void add_runs(Rows& rows, const Variant& variant) const {
    std::map<std::int64_t, fs::path> runs;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(out_ / folder_name(variant.name), ignored)) {
      const std::string name = entry.path().filename().string();
      constexpr std::string_view prefix = "seed";
      std::int64_t seed = 0;
      const char* const begin = name.data() + std::min(prefix.size(), name.size());
      const auto [end, problem] = std::from_chars(begin, name.data() + name.size(), seed);
      if (name.starts_with(prefix) && problem == std::errc() && end == name.data() + name.size())
        runs[seed] = entry.path();
    }
    for (const auto& [seed, folder] : runs) {
      const Json settings = resolved(variant, seed).settings;
      const Record record(folder);
      const std::string how = record.difference(settings);
      if (!how.empty()) jessl::warn(folder.string(), " is left out of the table: ", how);
      if (!how.empty()) continue;
      if (const auto answers = record.answers(questions(settings))) rows.add(variant.name, seed, *answers);
    }
  }

  Sweep sweep_;
  std::vector<Variant> wanted_;
  std::string file_;
  fs::path out_;
  std::vector<Given> given_;
  std::vector<std::string> flags_;
};

void sweep(const CLI::App& command, const SweepArguments& arguments) {
  const std::vector<Given> given = arguments.flags.given(command);
  Sweep wanted = sweep_of(read_settings(arguments.file), arguments.file, arguments.large);
  if (!arguments.seeds.empty()) wanted.settings.seeds = arguments.seeds;
  check_sweep(wanted.settings, arguments.file);
  check_flags(wanted, given, arguments.file);
  const std::vector<Variant> variants = chosen(wanted.variants, arguments.only);
  if (!wanted.settings.title.empty()) std::cout << wanted.settings.title << std::endl;
  const fs::path out =
      arguments.out.empty() ? fs::path("out") / fs::path(arguments.file).stem() : fs::path(arguments.out);
  const Runner runner(wanted, variants, arguments.file, out, given, flags_of(command));
  runner.check();
  if (arguments.list) {
    for (const Variant& variant : variants) std::cout << "  " << variant.name << '\n';
    return;
  }
  runner.run();
  runner.report();
}

}  // namespace

void add_sweep(CLI::App& app) {
  CLI::App* const command = app.add_subcommand(
      "sweep", "Trains and judges the runs of a file that says what changes from one to the next, several seeds each.");
  const auto arguments = std::make_shared<SweepArguments>();
  command->add_option("file", arguments->file, "TOML or .json file of settings with a table [sweep]")->required();
  command->add_option("--out", arguments->out,
                      "Folder for the runs and the table; by default out/ and the file's name");
  command->add_option("--seeds", arguments->seeds, "Instead of the file's, joined by commas")->delimiter(',');
  command->add_option("--only", arguments->only, "Names of variants, each with its own --only or joined by ;")
      ->delimiter(';');
  command->add_flag("--large", arguments->large, "With the settings of the file's [sweep.large], as for a GPU");
  command->add_flag("--list", arguments->list, "Checks and lists the variants, and ends");
  arguments->flags.add_to(*command);
  command->footer(
      "FILE comes first. The other flags are those of pretrain and win over the file in all runs.\n"
      "Runs that are done are not done again, and one that was interrupted goes on: the same command again.\n"
      "Examples:\n"
      "  jessl sweep examples/democratizing/augmentations.toml\n"
      "  jessl sweep examples/democratizing/augmentations.toml --seeds 1 --epochs 2 --out out/try\n"
      "  jessl report out/augmentations/*/seed1");
  command->callback([command, arguments] { sweep(*command, *arguments); });
}

}  // namespace cli
