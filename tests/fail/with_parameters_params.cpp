// expect: jessl::augment::with_parameters requires each operation's Params to be adapted
// An operation with a drawn parameter of which nobody says how it becomes a column.
#include <jessl/augment.hpp>

struct Shift {
  static constexpr std::string_view name = "Shift";
  struct Params {
    float by = 0.0F;
  };
  void check() const {}
  [[nodiscard]] jessl::Json to_json() const { return "Shift"; }
  [[nodiscard]] Params sample(jessl::Draw& draw) const { return {static_cast<float>(draw.uniform())}; }
  [[nodiscard]] bool active(const Params&) const { return true; }
  template <class T, std::size_t C>
  [[nodiscard]] jessl::augment::Pixel<T, C> apply(jessl::augment::Pixel<T, C> pixel, const Params&) const {
    return pixel;
  }
};

const auto names =
    jessl::augment::with_parameters(jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}, Shift{}))
        .parameters(0);
