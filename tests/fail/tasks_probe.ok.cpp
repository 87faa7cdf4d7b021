#include <vector>

#include <jessl/eval.hpp>

struct Network {};

int main() { (void)jessl::eval::on_tasks(std::vector<jessl::Task>(1), jessl::eval::KNN{}); }
