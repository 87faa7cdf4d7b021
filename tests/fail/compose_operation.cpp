// expect: jessl::augment::compose requires each argument to be a jessl::augment::Operation
// An operation that does not say what it does to a pixel.
#include <jessl/augment.hpp>

struct Invert {
  static constexpr std::string_view name = "Invert";
  struct Params {};
  void check() const {}
  [[nodiscard]] jessl::Json to_json() const { return "Invert"; }
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }
};

const auto pipeline = jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}, Invert{});
