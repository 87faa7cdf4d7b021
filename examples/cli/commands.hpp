// SPDX-License-Identifier: Apache-2.0
// The program's subcommands. Each is a file of its own with one function, which main.cpp calls.
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

void add_pretrain(CLI::App& app);
void add_sweep(CLI::App& app);
void add_views(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_embed(CLI::App& app);
void add_map(CLI::App& app);
void add_pack(CLI::App& app);
void add_inspect(CLI::App& app);
void add_report(CLI::App& app);
void add_bench_data(CLI::App& app);
void add_doctor(CLI::App& app);
void add_completion(CLI::App& app);

}  // namespace cli
