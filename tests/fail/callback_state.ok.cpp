// torch
#include <string_view>

#include <jessl/train/callback.hpp>

struct Watcher {
  static constexpr std::string_view name = "Watcher";

  struct State {
    [[nodiscard]] jessl::StateDict state_dict() const { return {}; }
    void load_state_dict(const jessl::StateDict&) {}
  };
  [[nodiscard]] State start(const jessl::train::Run&) const { return {}; }
};

int main() { jessl::require_hooks<Watcher>(); }
