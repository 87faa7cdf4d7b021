// expect: jessl::Trainer requires 'Optimizer' to be a jessl::Optimizer: what attach(parameters) returns must have step()
// torch
#include <jessl/optim/concept.hpp>

struct Nothing {
  struct State {
    void step() {}
  };
  State attach(const jessl::optim::NamedParameters&) const { return {}; }
};

int main() { jessl::require_optimizer<Nothing>(); }
