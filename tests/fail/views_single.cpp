// expect: jessl::augment::views requires makers of one view each
#include <jessl/augment.hpp>

const auto maker =
    jessl::augment::multi_crop<2, 6>(jessl::augment::simclr({.size = 224}), jessl::augment::simclr({.size = 96}));
