// SPDX-License-Identifier: Apache-2.0
// The flags that stand for settings of a run, of the commands that take such.
#pragma once

#include "settings.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

namespace cli {

class RunFlags {
 public:
  /// Adds the short flags; --table.name is what the command leaves unparsed.
  void add_to(CLI::App& command);

  /// The settings that were given on the command line.
  [[nodiscard]] std::vector<Given> given(const CLI::App& command) const;

 private:
  std::vector<std::string> texts_{};  // of run_flags(), in their order
  std::vector<CLI::Option*> options_{};
};

/// use(resolved settings) of the flags, the file that they change ("": none) and --table.name; what it complains of is told in
/// the words of the command line.
void with_settings(const RunFlags& flags, const CLI::App& command, const std::string& file,
                   const std::function<void(const Resolved&)>& use);

/// The names of a command's flags.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& command);

}  // namespace cli
