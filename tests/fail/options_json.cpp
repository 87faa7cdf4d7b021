// expect: jessl::from_json: this type of setting has no JSON form
#include <jessl/core/options.hpp>

struct Settings {
  void* handle = nullptr;
};
JESSL_OPTIONS(Settings, handle);

const auto settings = jessl::from_json<Settings>(jessl::Json::object());
