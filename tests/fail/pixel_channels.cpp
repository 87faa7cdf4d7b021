// expect: jessl::augment::Pixel has 1 (grey) or 3 (RGB) channels
#include <jessl/augment/pixel.hpp>

jessl::augment::Pixel<float, 2> pixel;
