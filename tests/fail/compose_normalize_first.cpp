// expect: jessl::augment::compose: Normalize must be the last operation
#include <jessl/augment.hpp>

const auto pipeline = jessl::augment::compose(jessl::augment::Normalize{}, jessl::augment::CenterCrop{.size = 8});
