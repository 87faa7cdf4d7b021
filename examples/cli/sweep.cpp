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
#include <jessl/core/options.hpp>
#include <jessl/io/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
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
  bool layers = false;             // asks at the projector's layers, too
  bool untrained = false;          // a row for the network of the first run before it is trained
  std::vector<SweepTask> tasks{};  // besides the runs' own images
};

/// One row of the table: what it is called, and what it sets.
struct Variant {
  std::string name;
  Json settings;
};

struct Sweep {
  SweepSettings settings;
  std::vector<Variant> variants;
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

/// A figure of a run.
struct Figure {
  std::string layer{};
  std::string column{};  // the probe, and the task where there are several
  std::string protocol{};
  double value = 0.0;  // percent
};

}  // namespace

}  // namespace cli

JESSL_OPTIONS(cli::SweepTask, name, train, test);
JESSL_OPTIONS(cli::SweepSettings, title, seeds, probes, layers, untrained, tasks);
JESSL_OPTIONS(cli::Figure, layer, column, protocol, value);

namespace cli {

namespace {

const std::string untrained_name = "untrained";

/// The tables of a list in the file, each with its name.
std::vector<Variant> variants_in(const Json& list, const std::string& where) {
  JESSL_CHECK(
      list.is_array() && !list.empty(), ConfigError, where,
      " is no list of tables; write [[sweep.variants]] and below it name = \"...\" and the settings that are its own");
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
  const std::vector<Variant> variants = variants_in(taken("variants"), file + ": sweep.variants");
  std::vector<Variant> with{{"", Json::object()}};
  if (const Json second = taken("with"); !second.is_null()) with = variants_in(second, file + ": sweep.with");
  Sweep sweep{.settings = jessl::from_json<SweepSettings>(table, "sweep"), .variants = {}};
  std::set<std::string> names{untrained_name};
  for (const Variant& outer : with) {
    for (const Variant& inner : variants) {
      Variant both{outer.name.empty() ? inner.name : outer.name + ", " + inner.name, document};
      if (large) both.settings.merge_patch(larger);
      both.settings.merge_patch(outer.settings);
      both.settings.merge_patch(inner.settings);
      JESSL_CHECK(names.insert(both.name).second, ConfigError, file, ": two variants are called \"", both.name, "\"");
      sweep.variants.push_back(std::move(both));
    }
  }
  return sweep;
}

/// A name as that of a folder.
std::string folder_name(const std::string& name) {
  std::string text;
  for (const char letter : lower(name)) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '.';
    if (is_plain) {
      text += letter;
    } else if (!text.empty() && text.back() != '_') {
      text += '_';
    }
  }
  while (text.ends_with('_')) text.pop_back();
  return text;
}

fs::path folder_of_run(const fs::path& out, const std::string& variant, std::int64_t seed) {
  return out / folder_name(variant) / jessl::concat("seed", seed);
}

/// What a run is asked, as it stands beside the answers.
Json questions_of(const SweepSettings& settings, const Training& training) {
  return {{"probes", settings.probes},
          {"layers", settings.layers},
          {"tasks", jessl::to_json(settings.tasks)},
          {"test_data", training.run.test_data}};
}

void append(std::vector<Figure>& figures, const eval::ScoreTable& table, const std::string& column) {
  for (const eval::Score& score : table.scores())
    figures.push_back({score.layer, column, score.probe, 100.0 * score.value});
}

/// What is learned from and what is asked about, in another task.
std::pair<Opened, Opened> open_task(const SweepTask& task, std::int64_t channels) {
  const char* const train_name = "sweep.tasks.train";
  const char* const test_name = "sweep.tasks.test";
  Opened train = open_data(train_name, task.train, "auto", Split::train, channels);
  Opened test = open_data(test_name, task.test, "auto", Split::test, channels);
  check_train_and_test(train_name, train, test_name, test);
  return {std::move(train), std::move(test)};
}

/// Asks a network all that the sweep wants to know.
std::vector<Figure> figures_of(const SweepSettings& settings, const Training& training) {
  const Questions questions{.probes = settings.probes,
                            .projector = settings.layers,
                            .embedding = {{"precision", training.resolved.settings["fit"]["precision"]},
                                          {"threads", training.resolved.settings["fit"]["threads"]}}};
  const bool one_task = settings.tasks.empty();
  std::vector<Figure> figures;
  const auto add = [&](const std::string& task, const AnyDataset& train, const AnyDataset& test) {
    const std::vector<eval::ScoreTable> tables = ask(*training.network, train, test, questions);
    for (std::size_t i = 0; i < tables.size(); ++i)
      append(figures, tables[i], one_task ? settings.probes[i] : task + ' ' + settings.probes[i]);
  };
  add(training.train.kind, training.train.images, training.test_images().images);
  for (const SweepTask& task : settings.tasks) {
    const auto [train, test] = open_task(task, training.run.channels);
    add(task.name, train.images, test.images);
  }
  return figures;
}

/// The answers that lie in a folder, if to the same questions; otherwise none.
std::vector<Figure> stored_figures(const fs::path& folder, const Json& questions) {
  std::vector<Figure> figures;
  if (!fs::exists(folder / "scores.json")) return figures;
  const Json stored = jessl::io::load_json(folder / "scores.json");
  if (stored.value("questions", Json()) != questions) return figures;
  for (const Json& one : stored.at("figures")) figures.push_back(jessl::from_json<Figure>(one));
  return figures;
}

void store_figures(const fs::path& folder, const Json& questions, const std::vector<Figure>& figures) {
  Json list = Json::array();
  for (const Figure& figure : figures) list.push_back(jessl::to_json(figure));
  jessl::io::make_folder(folder);
  jessl::io::save_json(folder / "scores.json", {{"questions", questions}, {"figures", list}});
}

/// A run that lies in the folder already must be this one.
void check_stored_run(const Training& training) {
  const fs::path file = training.out / "config.json";
  if (!fs::exists(file)) return;
  const Json stored = jessl::io::load_json(file);
  if (stored == training.resolved.settings) return;
  std::string first;
  const std::vector<std::pair<std::string, Json>> settings = flattened(training.resolved.settings);
  for (const auto& [path, value] : settings) {
    const Json was = stored.value(Json::json_pointer('/' +
                                                     [](std::string name) {
                                                       std::replace(name.begin(), name.end(), '.', '/');
                                                       return name;
                                                     }(path)),
                                  Json());
    if (first.empty() && was != value) first = jessl::concat(path, " was ", was.dump(), " and is ", value.dump());
  }
  jessl::fail<ConfigError>("--out: ", training.out.string(), " has a run of other settings: ", first,
                           "; choose another folder, or delete it");
}

/// Figures of the runs of one row, by layer and column.
class Rows {
 public:
  void add(const std::string& variant, const std::vector<Figure>& figures) {
    for (const Figure& figure : figures) {
      const std::pair<std::string, std::string> row{variant, figure.layer};
      if (std::find(rows_.begin(), rows_.end(), row) == rows_.end()) rows_.push_back(row);
      if (std::find(columns_.begin(), columns_.end(), figure.column) == columns_.end())
        columns_.push_back(figure.column);
      values_[{variant, figure.layer, figure.column}].push_back(figure.value);
      protocols_[figure.column] = figure.protocol;
    }
  }

  /// Mean and standard deviation over the seeds, in percent, and the rank among the rows of one layer.
  [[nodiscard]] std::string table(bool layers) const {
    std::size_t width = 8;
    for (const auto& [variant, layer] : rows_) width = std::max(width, variant.size());
    std::ostringstream text;
    text << std::left << std::setw(static_cast<int>(width) + 2) << "variant";
    if (layers) text << std::setw(18) << "layer";
    for (const std::string& column : columns_) text << std::right << std::setw(column_width(column)) << column;
    text << '\n';
    for (const auto& [variant, layer] : rows_) {
      text << std::left << std::setw(static_cast<int>(width) + 2) << variant;
      if (layers) text << std::setw(18) << layer;
      for (const std::string& column : columns_)
        text << std::right << std::setw(column_width(column)) << cell(variant, layer, column);
      text << '\n';
    }
    for (const auto& [column, protocol] : protocols_) text << column << ": top-1 in percent, " << protocol << '\n';
    return text.str();
  }

  /// The figures as they are in the table.
  [[nodiscard]] Json json() const {
    Json list = Json::array();
    for (const auto& [where, values] : values_)
      list.push_back({{"variant", std::get<0>(where)},
                      {"layer", std::get<1>(where)},
                      {"column", std::get<2>(where)},
                      {"mean", mean(values)},
                      {"values", values}});
    return list;
  }

  /// How many rows are above the untrained network's in every column, at the representation.
  [[nodiscard]] std::string above_untrained() const {
    std::int64_t above = 0, all = 0;
    std::string others;
    for (const auto& [variant, layer] : rows_) {
      if (layer != "representation" || variant == untrained_name) continue;
      ++all;
      const bool better = std::all_of(columns_.begin(), columns_.end(), [&](const std::string& column) {
        return mean(values_.at({variant, layer, column})) > mean(values_.at({untrained_name, layer, column}));
      });
      above += better ? 1 : 0;
      if (!better) others += (others.empty() ? "; not " : ", ") + variant;
    }
    return jessl::concat(above, " of ", all, " are above the untrained network in every column", others, '\n');
  }

 private:
  static int column_width(const std::string& column) { return std::max(18, static_cast<int>(column.size()) + 2); }

  static double mean(const std::vector<double>& values) {
    double sum = 0.0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }

  [[nodiscard]] std::string cell(const std::string& variant, const std::string& layer,
                                 const std::string& column) const {
    const auto found = values_.find({variant, layer, column});
    if (found == values_.end()) return "-";
    const double average = mean(found->second);
    double squares = 0.0;
    for (const double value : found->second) squares += (value - average) * (value - average);
    std::ostringstream text;
    text << std::fixed << std::setprecision(2) << average;
    if (found->second.size() > 1) text << " +- " << std::sqrt(squares / static_cast<double>(found->second.size() - 1));
    return text.str();
  }

  std::vector<std::pair<std::string, std::string>> rows_{};
  std::vector<std::string> columns_{};
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<double>> values_{};
  std::map<std::string, std::string> protocols_{};
};

class Runner {
 public:
  Runner(Sweep sweep, const SweepArguments& arguments, std::vector<Given> given, std::vector<std::string> flags)
      : sweep_(std::move(sweep)),
        file_(arguments.file),
        out_(arguments.out.empty() ? fs::path("out") / fs::path(arguments.file).stem() : fs::path(arguments.out)),
        given_(std::move(given)),
        flags_(std::move(flags)) {}

  /// Ends with an error, before anything is trained, where a run could not be.
  void check() const {
    for (const Variant& variant : sweep_.variants) {
      for (const std::int64_t seed : sweep_.settings.seeds) {
        const Training training = prepared(variant, seed);
        check_stored_run(training);
        in_words_of(variant, training.resolved.settings, [&] { training.check(); });
        if (seed != sweep_.settings.seeds.front()) continue;
        (void)training.test_images();
        for (const SweepTask& task : sweep_.settings.tasks) (void)open_task(task, training.run.channels);
      }
    }
  }

  void run() {
    const Variant& first = sweep_.variants.front();
    for (const std::int64_t seed : sweep_.settings.seeds) {
      if (sweep_.settings.untrained) add(untrained_name, untrained_figures(first, seed));
    }
    const std::size_t runs = sweep_.variants.size() * sweep_.settings.seeds.size();
    std::size_t done = 0;
    for (const Variant& variant : sweep_.variants) {
      for (const std::int64_t seed : sweep_.settings.seeds) {
        std::cout << "\nrun " << ++done << " of " << runs << ": " << variant.name << ", seed " << seed << std::endl;
        add(variant.name, figures_of_run(variant, seed));
      }
    }
    std::cout << '\n' << rows_.table(sweep_.settings.layers);
    if (sweep_.settings.untrained) std::cout << rows_.above_untrained();
    std::cout << "the table is in " << (out_ / "table.txt").string() << ", the runs beside it\n";
  }

 private:
  [[nodiscard]] Training prepared(const Variant& variant, std::int64_t seed) const {
    Json settings = variant.settings;
    settings["fit"]["seed"] = seed;
    const Resolved resolved = resolve_settings(settings, name_of(variant), given_, flags_);
    return in_words_of(variant, resolved.settings, [&] {
      const fs::path folder = folder_of_run(out_, variant.name, seed);
      return prepare(resolved, folder, fs::exists(folder / "config.json") ? "auto" : "");
    });
  }

  /// What `use` gives; an error in settings names the variant.
  template <class Use>
  std::invoke_result_t<const Use&> in_words_of(const Variant& variant, const Json& settings, const Use& use) const {
    try {
      return use();
    } catch (const ConfigError& error) {
      jessl::fail<ConfigError>(name_of(variant), ": ", in_flags(error.what(), given_, settings));
    }
  }

  [[nodiscard]] std::string name_of(const Variant& variant) const {
    return file_ + ": variant \"" + variant.name + '"';
  }

  std::vector<Figure> untrained_figures(const Variant& variant, std::int64_t seed) const {
    const Training training = prepared(variant, seed);
    const fs::path folder = folder_of_run(out_, untrained_name, seed);
    Json questions = questions_of(sweep_.settings, training);
    questions["network"] = training.resolved.settings;
    std::vector<Figure> figures = stored_figures(folder, questions);
    if (!figures.empty()) return figures;
    training.network->initialise(static_cast<std::uint64_t>(seed));
    figures = figures_of(sweep_.settings, training);
    store_figures(folder, questions, figures);
    return figures;
  }

  std::vector<Figure> figures_of_run(const Variant& variant, std::int64_t seed) const {
    Training training = prepared(variant, seed);
    const Json questions = questions_of(sweep_.settings, training);
    const bool is_trained = fs::exists(training.out / "summary.json");
    if (is_trained) {
      std::vector<Figure> figures = stored_figures(training.out, questions);
      if (!figures.empty()) return figures;
      training.network->load(training.out / "checkpoint.pt");
    } else {
      train(training);
    }
    const std::vector<Figure> figures = figures_of(sweep_.settings, training);
    store_figures(training.out, questions, figures);
    return figures;
  }

  /// What is known is written at once, should a later run fail.
  void add(const std::string& variant, const std::vector<Figure>& figures) {
    rows_.add(variant, figures);
    jessl::write_file(out_ / "table.txt", rows_.table(sweep_.settings.layers));
    jessl::io::save_json(out_ / "results.json", {{"title", sweep_.settings.title}, {"rows", rows_.json()}});
  }

  Sweep sweep_;
  std::string file_;
  fs::path out_;
  std::vector<Given> given_;
  std::vector<std::string> flags_;
  Rows rows_{};
};

/// Leaves the variants that are asked for.
void keep_only(Sweep& sweep, const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::set<std::string> wanted;
  for (const std::string& name : names) {
    std::vector<std::string> known;
    for (const Variant& one : sweep.variants) known.push_back(one.name);
    if (std::find(known.begin(), known.end(), name) == known.end()) jessl::detail::fail_unknown("--only", name, known);
    wanted.insert(name);
  }
  std::erase_if(sweep.variants, [&](const Variant& one) { return !wanted.contains(one.name); });
}

void sweep(const CLI::App& command, const SweepArguments& arguments) {
  const std::vector<Given> given = arguments.flags.given(command);
  Sweep wanted = sweep_of(read_settings(arguments.file), arguments.file, arguments.large);
  if (!arguments.seeds.empty()) wanted.settings.seeds = arguments.seeds;
  JESSL_CHECK(!wanted.settings.seeds.empty(), ConfigError, arguments.file, ": sweep.seeds is empty");
  check_probes(wanted.settings.probes, "sweep.probes");
  keep_only(wanted, arguments.only);
  if (!wanted.settings.title.empty()) std::cout << wanted.settings.title << std::endl;
  Runner runner(wanted, arguments, given, flags_of(command));
  runner.check();
  if (arguments.list) {
    for (const Variant& variant : wanted.variants) std::cout << "  " << variant.name << '\n';
  } else {
    runner.run();
  }
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
      "The other flags are those of pretrain and win over the file in all runs.\n"
      "Runs that are done are not done again, and one that was interrupted goes on: the same command again.\n"
      "Examples:\n"
      "  jessl sweep examples/democratizing/augmentations.toml\n"
      "  jessl sweep examples/democratizing/augmentations.toml --seeds 1 --epochs 2 --out out/try\n"
      "  jessl report out/augmentations/*/seed1");
  command->callback([command, arguments] { sweep(*command, *arguments); });
}

}  // namespace cli
