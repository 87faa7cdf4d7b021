#include <jessl/augment/pixel.hpp>

jessl::augment::Pixel<float, 3> pixel;
