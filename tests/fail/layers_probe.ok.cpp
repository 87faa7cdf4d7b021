#include <jessl/eval.hpp>

struct Network {};

int main() { (void)jessl::eval::at_layers(jessl::LayerEmbedding{}, jessl::LayerEmbedding{}, jessl::eval::KNN{}); }
