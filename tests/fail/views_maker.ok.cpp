#include <jessl/augment.hpp>

const auto maker = jessl::augment::two_views(jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}));
