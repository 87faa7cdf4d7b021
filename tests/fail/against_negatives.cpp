// expect: jessl::loss::Against requires 'Negatives' to be jessl::loss::Negatives: InBatch, Queue, Fixed or None
// torch
#include <jessl/loss/nt_xent.hpp>

int main() { (void)jessl::loss::NTXent{}.against(42); }
