// SPDX-License-Identifier: Apache-2.0
// jessl completion: a script by which a shell completes commands, flags and names.
#include "commands.hpp"
#include "data_sets.hpp"
#include "run.hpp"
#include "run_flags.hpp"
#include "settings.hpp"

#include <jessl/core/error.hpp>
#include <jessl/core/options.hpp>

#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace cli {

namespace {

std::string spaced(const auto& words) { return joined(words, " "); }

/// Every --table.name of any method and backbone.
std::set<std::string> dotted_names() {
  std::set<std::string> names;
  for (const BackboneEntry& backbone : backbones()) {
    for (const MethodEntry& method : methods()) {
      for (const auto& [path, value] : flattened(default_settings(method, backbone))) {
        if (path.find('.') != std::string::npos && path != "backbone.name") names.insert("--" + path);
      }
    }
  }
  return names;
}

std::string bash_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    const std::string name = command->get_name();
    commands += (commands.empty() ? "" : " ") + name;
    const std::string dotted = command->get_allow_extras() ? ' ' + spaced(dotted_names()) : "";
    cases += "    " + name + ") flags=\"" + spaced(flags_of(*command)) + dotted + "\" ;;\n";
  }
  return "# Completion for jessl: . <(jessl completion bash)\n"
         "_jessl() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags=\"\" names=\"\"\n"
         "  COMPREPLY=()\n"
         "  if [[ $COMP_CWORD -eq 1 ]]; then\n"
         "    COMPREPLY=($(compgen -W \"" +
         commands +
         " --help --version\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case $before in\n"
         "    --method) names=\"" +
         names_of(methods(), " ") +
         "\" ;;\n"
         "    --backbone) names=\"" +
         names_of(backbones(), " ") +
         "\" ;;\n"
         "    --data-kind) names=\"" +
         spaced(data_kinds()) +
         "\" ;;\n"
         "    --precision | --fit.precision) names=\"float32 bfloat16 auto\" ;;\n"
         "    --device | --fit.device) names=\"auto cpu cuda\" ;;\n"
         "    --probes) names=\"knn linear ridge centroid\" ;;\n"
         "    completion) names=\"bash zsh\" ;;\n"
         "  esac\n"
         "  if [[ -n $names ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$names\" -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _jessl jessl\n";
}

void complete(const CLI::App& app, const std::string& shell) {
  const std::vector<std::string> shells{"bash", "zsh"};
  if (shell == "bash") {
    std::cout << bash_script(app);
  } else if (shell == "zsh") {
    std::cout << "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
              << bash_script(app);
  } else {
    jessl::detail::fail_unknown("jessl completion", shell, shells);
  }
}

}  // namespace

void add_completion(CLI::App& app) {
  CLI::App* const command =
      app.add_subcommand("completion", "Prints a script by which bash or zsh completes jessl's command line.");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash or zsh")->required();
  command->footer("Example, for the shell that it is typed in:\n  . <(jessl completion bash)");
  command->callback([&app, shell] { complete(app, *shell); });
}

}  // namespace cli
