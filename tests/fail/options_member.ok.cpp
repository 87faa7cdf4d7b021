#include <jessl/core/options.hpp>

struct Settings {
  double temperature = 0.0;
};
JESSL_OPTIONS(Settings, temperature);
