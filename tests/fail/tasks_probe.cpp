// expect: jessl::eval::on_tasks requires one or more jessl::eval::Probe after the tasks
#include <vector>

#include <jessl/eval.hpp>

struct Network {};

int main() { (void)jessl::eval::on_tasks(std::vector<jessl::Task>(1), Network{}); }
