// expect: jessl::augment::views needs at least one pipeline
#include <jessl/augment.hpp>

static_assert(sizeof(jessl::augment::Views<>) > 0);
