// expect: is not a member of
#include <jessl/core/options.hpp>

struct Settings {
  double temperature = 0.0;
};
JESSL_OPTIONS(Settings, temprature);
