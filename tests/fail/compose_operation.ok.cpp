#include <jessl/augment.hpp>

struct Invert {
  static constexpr std::string_view name = "Invert";
  struct Params {};
  void check() const {}
  [[nodiscard]] jessl::Json to_json() const { return "Invert"; }
  [[nodiscard]] Params sample(jessl::Draw&) const { return {}; }
  [[nodiscard]] bool active(const Params&) const { return true; }
  template <class T, std::size_t C>
  [[nodiscard]] jessl::augment::Pixel<T, C> apply(jessl::augment::Pixel<T, C> pixel, const Params&) const {
    for (std::size_t c = 0; c < C; ++c) pixel[c] = T(1.0F) - pixel[c];
    return pixel;
  }
};

const auto pipeline = jessl::augment::compose(jessl::augment::CenterCrop{.size = 8}, Invert{});
