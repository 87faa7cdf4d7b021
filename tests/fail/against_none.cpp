// expect: jessl::loss::Against: without negatives this loss is 0 for any embeddings, and learns nothing
// torch
#include <jessl/loss/nt_xent.hpp>

int main() { (void)jessl::loss::NTXent{}.against(jessl::loss::None{}); }
