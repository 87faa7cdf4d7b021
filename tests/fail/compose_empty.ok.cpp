#include <jessl/augment.hpp>

static_assert(sizeof(jessl::augment::Pipeline<jessl::augment::RandomHorizontalFlip>) > 0);
