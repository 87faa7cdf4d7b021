#include <utility>

#include <jessl/augment.hpp>

template <std::size_t>
using Item = jessl::augment::Pipeline<jessl::augment::RandomHorizontalFlip>;

template <std::size_t... I>
constexpr std::size_t size_of(std::index_sequence<I...>) {
  return sizeof(jessl::augment::Views<Item<I>...>);
}

static_assert(size_of(std::make_index_sequence<255>{}) > 0);
