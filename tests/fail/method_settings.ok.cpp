// torch
#include <jessl/method/make_trainer.hpp>
#include <jessl/method/simclr.hpp>

void use(const jessl::BackboneArchetype& backbone) {
  static_cast<void>(jessl::method::make_trainer(jessl::method::SimCLR{}, backbone));
}
