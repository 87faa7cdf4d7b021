#include <jessl/augment.hpp>

const auto maker = jessl::augment::with_parameters(jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}));
