// SPDX-License-Identifier: Apache-2.0
// What runs left in their folders, as one HTML page.
#pragma once

#include <filesystem>
#include <vector>

/// Writes one HTML page about these runs' folders, of which there is one at least.
///
/// The page stands alone: pictures, data and the library that draws the curves (Chart.js 3, Debian's libjs-chart.js) are in it, and
/// it asks no network for anything. Of each folder it shows what is there: the curves and measurements of metrics.jsonl,
/// summary.json, table.txt, other JSON files as configuration, and PNG pictures; what is not there is left out. Several runs are overlaid, in a colour each.
/// Curves of more than 1,500 steps are drawn by means over neighbouring steps, and the page says so.
///
/// Chart.js is looked for at $JESSL_CHART_JS, where that is set, and else where Debian installs it.
///
/// Errors     jessl::DataError for a folder that is absent or has nothing of a run; jessl::ConfigError for a page that is no file's name;
///            jessl::IOError when the page cannot be written, and where there are curves and no Chart.js, with the package that has it
void write_report(const std::vector<std::filesystem::path>& runs, const std::filesystem::path& page);
