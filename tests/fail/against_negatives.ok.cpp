#include <jessl/loss/nt_xent.hpp>

int main() { (void)jessl::loss::NTXent{}.against(jessl::loss::InBatch{}); }
