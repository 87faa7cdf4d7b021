// torch
#include <jessl/method/simclr.hpp>

void use(const jessl::BackboneArchetype& backbone) {
  static_cast<void>(jessl::method::make_trainer(jessl::method::SimCLR{}, backbone));
}
