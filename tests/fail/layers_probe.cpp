// expect: jessl::eval::at_layers requires one or more jessl::Classifier after the features
#include <jessl/eval.hpp>

struct Network {};

int main() { (void)jessl::eval::at_layers(jessl::LayerEmbedding{}, jessl::LayerEmbedding{}, Network{}); }
