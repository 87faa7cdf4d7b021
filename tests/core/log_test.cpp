// SPDX-License-Identifier: Apache-2.0
// Where messages go.
#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

#include <jessl/core/log.hpp>

TEST_CASE("log: notes and warnings go to the sink, and the old sink comes back", "[core][log]") {
  std::vector<std::pair<jessl::Severity, std::string>> heard;
  const jessl::LogSink before = jessl::set_log_sink(
      [&heard](jessl::Severity severity, const std::string& text) { heard.emplace_back(severity, text); });
  jessl::note("epoch ", 3);
  jessl::warn("image ", 17, " is damaged");
  jessl::set_log_sink({});
  jessl::warn("nobody hears this");
  jessl::set_log_sink(before);
  REQUIRE(heard.size() == 2);
  CHECK(heard[0] == std::pair(jessl::Severity::note, std::string("epoch 3")));
  CHECK(heard[1] == std::pair(jessl::Severity::warning, std::string("image 17 is damaged")));
}
