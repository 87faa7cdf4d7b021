// expect: jessl::augment::views requires each of its arguments to be a jessl::ViewMaker of one view
// An operation alone makes no view.
#include <jessl/augment.hpp>

const auto maker = jessl::augment::two_views(jessl::augment::CenterCrop{.size = 8});
