// expect: jessl::augment::compose needs at least one operation
#include <jessl/augment.hpp>

static_assert(sizeof(jessl::augment::Pipeline<>) > 0);
