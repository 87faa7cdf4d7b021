// SPDX-License-Identifier: Apache-2.0
// jessl report: what runs left in their folders, as one page.
#include "commands.hpp"
#include "report.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace cli {

void add_report(CLI::App& app) {
  struct Options {
    std::vector<std::filesystem::path> runs{};
    std::filesystem::path page{};
  };
  CLI::App* const command =
      app.add_subcommand("report", "Writes one HTML page about runs: curves, pictures, figures, settings.");
  const auto options = std::make_shared<Options>();
  command->add_option("runs", options->runs, "Folders of runs; several are drawn over each other")->required();
  command->add_option("--out", options->page, "The page; by default report.html in the first folder");
  command->footer(
      "Examples:\n  jessl report out/run\n  jessl report out/first out/second --out comparison.html\n"
      "The page needs no network. Its curves are drawn by Chart.js (Debian: libjs-chart.js).");
  command->callback([options] {
    const std::filesystem::path page = options->page.empty() ? options->runs.front() / "report.html" : options->page;
    write_report(options->runs, page);
    std::cout << "wrote " << page.string() << '\n';
  });
}

}  // namespace cli
