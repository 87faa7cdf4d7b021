// SPDX-License-Identifier: Apache-2.0
// The same views by every instruction set. Compiled for any x86-64 processor, so that the program has them all, and a
// program of its own, since functions compiled for more would take the place of its own.
#include "support.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <boost/hana/for_each.hpp>
#include <catch2/catch.hpp>

#include <jessl/augment/detail/weighted_sum.hpp>
#include <jessl/core/detail/instruction_set.hpp>

using namespace augment_test;
using namespace jessl::augment;

namespace {

using jessl::detail::InstructionSet;

/// What `make` gives with each of the sets, from the least to the best.
template <class Make>
auto by_each_set(const Make& make) {
  const InstructionSet best = jessl::detail::instruction_set;
  std::vector<decltype(make())> results;
  for (const InstructionSet set : jessl::detail::available_instruction_sets()) {
    jessl::detail::instruction_set = set;
    results.push_back(make());
  }
  jessl::detail::instruction_set = best;
  return results;
}

/// Sets with fused multiply-add agree in every bit. The least one rounds products before they are added: a few roundings
/// of values near 1, times 1 / std of Normalize.
void check_agreement(const std::vector<std::vector<float>>& by_set) {
  const std::vector<float>& best = by_set.back();
  for (std::size_t s = 1; s < by_set.size(); ++s) CHECK(by_set[s] == best);
  CHECK(largest_difference(by_set.front(), best) < 1e-5);
}

std::vector<float> uniform(std::size_t count, std::uint64_t seed) {
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(draw.uniform(-1.0, 1.0));
  return values;
}

}  // namespace

TEST_CASE("Instruction sets: the program has the one it is compiled for and what the processor can do",
          "[augment][instruction_set]") {
  const auto sets = jessl::detail::available_instruction_sets();
  REQUIRE_FALSE(sets.empty());
  CHECK(sets.front() == jessl::detail::least_instruction_set);
  CHECK(std::is_sorted(sets.begin(), sets.end()));
  CHECK(jessl::detail::instruction_set == sets.back());
  if (sets.size() == 1) WARN("this processor has one instruction set only: nothing is compared");
}

TEST_CASE("Instruction sets: every operation gives the same view", "[augment][instruction_set]") {
  for (const std::int64_t channels : {1, 3}) {
    const jessl::Image image = noise_image(41, 37, channels);
    boost::hana::for_each(All, [&](auto type) {
      const typename decltype(type)::type operation{};
      const auto pipeline = [&] {
        if constexpr (GeometricOperation<typename decltype(type)::type>) {
          return compose(operation, CenterCrop{.size = 35, .width = 33});
        } else {
          return compose(CenterCrop{.size = 35, .width = 33}, operation);
        }
      }();
      for (std::uint64_t sample = 0; sample < 6; ++sample) {
        INFO(operation.name << ", " << channels << " channels, sample " << sample);
        check_agreement(by_each_set([&] { return view(pipeline, image, {.sample = sample}); }));
      }
    });
  }
}

TEST_CASE("Instruction sets: whole pipelines give the same view", "[augment][instruction_set]") {
  struct Case {
    std::int64_t width, height, size;
  };
  for (const auto& [width, height, size] :
       {Case{500, 400, 224}, Case{28, 28, 28}, Case{32, 32, 32}, Case{61, 47, 96}, Case{3, 5, 7}, Case{700, 20, 33}}) {
    for (const std::int64_t channels : {1, 3}) {
      const jessl::Image image = noise_image(width, height, channels);
      const auto colours_then_crop = compose(ColorJitter{}, GaussianBlur{.p = 1.0}, RandomResizedCrop{.size = size},
                                             RandomHorizontalFlip{}, Normalize{});
      const auto maker = simclr({.size = size});
      for (std::uint64_t sample = 0; sample < 4; ++sample) {
        INFO(width << "x" << height << " to " << size << ", " << channels << " channels, sample " << sample);
        check_agreement(by_each_set([&] { return view(maker, image, {.sample = sample}); }));
        check_agreement(by_each_set([&] { return view(colours_then_crop, image, {.sample = sample}); }));
      }
    }
  }
}

TEST_CASE("weighted_sum: every length, and not a value further", "[augment][instruction_set]") {
  constexpr float untouched = -100.0F;
  for (const std::int64_t taps : {0, 1, 3, 23}) {
    for (std::int64_t count = 0; count < 150; ++count) {
      const auto length = static_cast<std::size_t>(count);
      const std::vector<float> rows =
          uniform(static_cast<std::size_t>(taps) * length, 1);  // ASan sees what lies beyond
      const std::vector<float> weights = uniform(static_cast<std::size_t>(taps), 2);
      std::vector<std::ptrdiff_t> offsets(static_cast<std::size_t>(taps));
      for (std::int64_t k = 0; k < taps; ++k) offsets[static_cast<std::size_t>(k)] = (taps - 1 - k) * count;
      const auto results = by_each_set([&] {
        std::vector<float> sum(length + 16, untouched);
        detail::weighted_sum(rows.data(), offsets.data(), weights.data(), taps, sum.data(), count);
        return sum;
      });
      INFO(taps << " rows of " << count);
      for (std::size_t s = 2; s < results.size(); ++s) REQUIRE(results[s] == results[1]);
      for (const std::vector<float>& sum : results) {
        double worst = 0.0;
        for (std::size_t i = 0; i < sum.size(); ++i) {
          double expected = i < length ? 0.0 : static_cast<double>(untouched);
          for (std::size_t k = 0; i < length && k < weights.size(); ++k) {
            expected +=
                static_cast<double>(weights[k]) * static_cast<double>(rows[static_cast<std::size_t>(offsets[k]) + i]);
          }
          worst = std::max(worst, std::abs(static_cast<double>(sum[i]) - expected));
        }
        REQUIRE(worst < 23 * 0x1p-24 * 23);  // a rounding for each summand, of sums below 23
      }
    }
  }
}

TEST_CASE("weighted_columns: every width, one to nine summands, planes and interleaved values",
          "[augment][instruction_set]") {
  constexpr float untouched = -100.0F;
  for (const std::int64_t taps : {1, 2, 3, 9}) {
    for (std::int64_t count = 1; count < 20; ++count) {
      const std::int64_t padded = (count + 3) / 4 * 4;
      const std::vector<float> line = uniform(400, 1);
      const std::vector<float> weights = uniform(static_cast<std::size_t>(padded * taps + 12), 2);
      std::vector<std::ptrdiff_t> starts(static_cast<std::size_t>(padded));
      for (std::size_t x = 0; x < starts.size(); ++x) starts[x] = static_cast<std::ptrdiff_t>((x * 37) % 300);
      const auto weight = [&](std::int64_t x, std::int64_t k) {
        return static_cast<double>(weights[static_cast<std::size_t>((x / 4 * taps + k) * 4 + x % 4)]);
      };
      const std::size_t row = static_cast<std::size_t>(count) + 4;
      const auto check = [&]<std::size_t Targets>(std::index_sequence<Targets>, std::int64_t stride) {
        const auto results = by_each_set([&] {
          std::vector<float> out(Targets * row, untouched);
          std::array<float*, Targets> targets;
          for (std::size_t l = 0; l < Targets; ++l) targets[l] = out.data() + l * row;
          detail::weighted_columns<Targets>(line.data(), {starts.data(), weights.data(), taps, stride}, 0.5F, targets,
                                            count);
          return out;
        });
        INFO(Targets << " targets, " << taps << " summands, " << count << " pixels");
        for (std::size_t s = 2; s < results.size(); ++s) REQUIRE(results[s] == results[1]);
        for (const std::vector<float>& out : results) {
          double worst = 0.0;
          for (std::size_t l = 0; l < Targets; ++l) {
            for (std::size_t x = 0; x < row; ++x) {
              double expected = static_cast<double>(untouched);
              if (x < static_cast<std::size_t>(count)) {
                expected = 0.0;
                for (std::int64_t k = 0; k < taps; ++k) {
                  const auto place = static_cast<std::size_t>(starts[x] + k * stride) + l;
                  expected += 0.5 * weight(static_cast<std::int64_t>(x), k) * static_cast<double>(line[place]);
                }
              }
              worst = std::max(worst, std::abs(static_cast<double>(out[l * row + x]) - expected));
            }
          }
          REQUIRE(worst < 9 * 0x1p-24 * 9);  // a rounding for each summand, of sums below 9
        }
      };
      check(std::index_sequence<3>{}, 3);
      check(std::index_sequence<4>{}, 4);
    }
  }
}

TEST_CASE("convert: every length, and not a value further", "[augment][instruction_set]") {
  for (std::size_t count = 0; count < 200; ++count) {
    std::vector<std::uint8_t> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(255 - i);
    std::vector<float> expected(bytes.begin(), bytes.end());
    expected.resize(count + 64, -1.0F);
    for (const std::vector<float>& floats : by_each_set([&] {
           std::vector<float> out(count + 64, -1.0F);
           detail::convert(bytes.data(), out.data(), static_cast<std::int64_t>(count));
           return out;
         })) {
      REQUIRE(floats == expected);
    }
  }
}
