// expect: jessl::Trainer requires a jessl::Callback that is kept in checkpoints to have a name, and its state both
// torch
// A state that checkpoints would keep, of a callback without a name to keep it under.
#include <jessl/train/callback.hpp>

struct Watcher {
  struct State {
    [[nodiscard]] jessl::StateDict state_dict() const { return {}; }
    void load_state_dict(const jessl::StateDict&) {}
  };
  [[nodiscard]] State start(const jessl::train::Run&) const { return {}; }
};

int main() { jessl::require_hooks<Watcher>(); }
