// expect: jessl::Trainer requires 'Augmentation' to be a jessl::ViewMaker: views, shape(view, channels), region(extent, key) and make(part, key, scratch, out)
// torch
// A view maker without working memory for its threads.
#include <jessl/train/trainer.hpp>

struct Maker {
  static constexpr std::int64_t views = 2;
  [[nodiscard]] jessl::ViewShape shape(std::int64_t, std::int64_t channels) const { return {channels, 8, 8}; }
};

using Incomplete = jessl::Trainer<Maker, jessl::BackboneArchetype, jessl::ProjectorArchetype, jessl::LossArchetype,
                                  jessl::OptimizerArchetype>;
static_assert(sizeof(Incomplete) > 0);
