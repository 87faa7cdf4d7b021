#include <jessl/augment.hpp>

const auto pipeline = jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}, jessl::augment::Normalize{});
