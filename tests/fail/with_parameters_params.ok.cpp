#include <boost/hana/define_struct.hpp>

#include <jessl/augment.hpp>

struct Shift {
  static constexpr std::string_view name = "Shift";
  struct Columns {
    BOOST_HANA_DEFINE_STRUCT(Columns, (float, by));
  };
  struct Params {
    float by = 0.0F;
    [[nodiscard]] Columns columns() const { return {by}; }
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
