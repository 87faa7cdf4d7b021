// expect: jessl::Trainer requires the hooks of a jessl::Callback to be after_step(const StepRecord&)
// torch
// A hook that wants to change the record: the trainer would never call it.
#include <jessl/train/callback.hpp>

struct Watcher {
  struct State {
    void after_step(jessl::train::StepRecord&) const {}
  };
  [[nodiscard]] State start(const jessl::train::Run&) const { return {}; }
};

int main() { jessl::require_hooks<Watcher>(); }
