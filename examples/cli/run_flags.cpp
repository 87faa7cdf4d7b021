// SPDX-License-Identifier: Apache-2.0
#include "run_flags.hpp"

#include "run.hpp"

#include <jessl/core/error.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace cli {

namespace {

/// A flag that needs no value.
bool is_switch(const Flag& flag) { return flag.help.starts_with("true: "); }

}  // namespace

void RunFlags::add_to(CLI::App& command) {
  texts_.resize(run_flags().size());
  for (std::size_t i = 0; i < run_flags().size(); ++i) {
    const Flag& flag = run_flags()[i];
    std::string help = flag.help;
    if (flag.name == "--method") help = "One of " + names_of(methods());
    if (flag.name == "--backbone") help = "One of " + names_of(backbones());
    CLI::Option* const option = command.add_option(flag.name, texts_[i], help);
    if (is_switch(flag)) option->expected(0, 1);
    options_.push_back(option);
  }
  command.allow_extras();
}

std::vector<Given> RunFlags::given(const CLI::App& command) const {
  std::vector<Given> given;
  for (std::size_t i = 0; i < run_flags().size(); ++i) {
    const Flag& flag = run_flags()[i];
    if (options_[i]->count() == 0) continue;
    const bool is_bare = is_switch(flag) && texts_[i].empty();
    given.push_back({flag.path, is_bare ? "true" : texts_[i], flag.name});
  }
  const std::vector<Given> dotted = dotted_flags(command.remaining(), flags_of(command));
  given.insert(given.end(), dotted.begin(), dotted.end());
  return given;
}

void with_settings(const RunFlags& flags, const CLI::App& command, const std::string& file,
                   const std::function<void(const Resolved&)>& use) {
  const std::vector<Given> given = flags.given(command);
  Resolved resolved;
  try {
    resolved = resolve_settings(file, given, flags_of(command));
    use(resolved);
  } catch (const jessl::ConfigError& error) {
    jessl::fail<jessl::ConfigError>(in_flags(error.what(), given, resolved.settings));
  }
}

std::vector<std::string> flags_of(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace cli
