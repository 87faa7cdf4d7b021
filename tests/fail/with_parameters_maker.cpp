// expect: jessl::augment::with_parameters requires a pipeline or views of pipelines
// An operation alone makes no view.
#include <jessl/augment.hpp>

const auto maker = jessl::augment::with_parameters(jessl::augment::CenterCrop{.size = 8});
