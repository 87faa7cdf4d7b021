#include <jessl/optim/concept.hpp>

struct Nothing : jessl::OptimizerArchetype {};

int main() { jessl::require_optimizer<Nothing>(); }
