// SPDX-License-Identifier: Apache-2.0
// The page about runs as a program, for tests.
//
// Usage: jessl_report PAGE FOLDER...

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <vector>

#include "../../examples/cli/report.hpp"

#include <jessl/core/error.hpp>

int main(int argc, char** argv) {
  try {
    JESSL_CHECK(argc >= 2, jessl::ConfigError, "usage: jessl_report PAGE FOLDER...");
    write_report(std::vector<std::filesystem::path>(argv + 2, argv + argc), argv[1]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
