// torch
#include <jessl/train/callback.hpp>

struct Watcher {
  struct State {
    void after_step(const jessl::train::StepRecord&) const {}
  };
  [[nodiscard]] State start(const jessl::train::Run&) const { return {}; }
};

int main() { jessl::require_hooks<Watcher>(); }
