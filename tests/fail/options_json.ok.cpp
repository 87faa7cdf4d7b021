#include <jessl/core/options.hpp>

struct Settings {
  double rate = 0.0;
};
JESSL_OPTIONS(Settings, rate);

const auto settings = jessl::from_json<Settings>(jessl::Json::object());
