#include <jessl/augment.hpp>

const auto maker = jessl::augment::multi_crop<2, 6>(jessl::augment::simclr({.size = 224}).pipeline<0>(),
                                                    jessl::augment::simclr({.size = 96}).pipeline<0>());
