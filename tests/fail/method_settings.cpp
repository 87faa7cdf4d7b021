// expect: jessl::method::make_trainer requires 'Method' to be a jessl::Method: a name, adapted settings
// torch
// Settings that are not adapted and lack most of a method.
#include <jessl/method/make_trainer.hpp>

struct LossAlone {
  static constexpr std::string_view name = "LossAlone";
  jessl::LossArchetype loss{};
};

void use(const jessl::BackboneArchetype& backbone) {
  static_cast<void>(jessl::method::make_trainer(LossAlone{}, backbone));
}
