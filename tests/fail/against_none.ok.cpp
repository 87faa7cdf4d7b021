#include <jessl/loss/dcl.hpp>

int main() { (void)jessl::loss::DCL{}.against(jessl::loss::None{}); }
