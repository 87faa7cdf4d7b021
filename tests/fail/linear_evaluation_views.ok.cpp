// torch
#include <jessl/train/detail/classifiers.hpp>

auto views() {
  return jessl::train::detail::crop_and_flip(
      jessl::augment::compose(jessl::augment::RandomResizedCrop{.size = 8}, jessl::augment::Normalize{}), 0.5);
}
