// SPDX-License-Identifier: Apache-2.0
// The settings of the loader.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <jessl/core/element.hpp>
#include <jessl/core/hardware_threads.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/partition.hpp>

namespace jessl::data {

/// Which pixels the loader decodes.
enum class Decoding : std::uint8_t {
  exact,  ///< those of the whole image decoded in full size, to the bit
  fast    ///< of JPEGs, where a view is smaller than what it shows, those of an image shrunk while it is decoded
};

/// What the loader does about an image that cannot be read or decoded.
enum class OnCorrupt : std::uint8_t {
  substitute,  ///< warn once, count it, and take another image in its place
  error        ///< throw
};

}  // namespace jessl::data

template <>
struct jessl::EnumNames<jessl::data::Decoding> {
  static constexpr std::array<std::pair<data::Decoding, std::string_view>, 2> value{
      {{data::Decoding::exact, "exact"}, {data::Decoding::fast, "fast"}}};
};

template <>
struct jessl::EnumNames<jessl::data::OnCorrupt> {
  static constexpr std::array<std::pair<data::OnCorrupt, std::string_view>, 2> value{
      {{data::OnCorrupt::substitute, "substitute"}, {data::OnCorrupt::error, "error"}}};
};

namespace jessl::data {

/// Settings of a Loader.
///
/// Shapes     none
/// Errors     none; Loader checks them
/// Models     jessl::Options
/// Source     none
struct LoaderOptions {
  static constexpr std::string_view name = "Loader";
  static constexpr std::int64_t most_workers = 1024;  // more is a slip of the keyboard, and no system gives them
  static constexpr std::int64_t most_ahead = 1024;    // there is memory for each

  std::int64_t batch_size = 256;              ///< images a batch, >= 1
  std::int64_t workers = hardware_threads();  ///< threads that make views, 1 to 1024
  std::int64_t ahead = 2;  ///< batches made before they are asked for, 0 to 1024; 0: each when it is asked for
  bool drop_last = true;   ///< leave out a last batch that is not full
  std::uint64_t seed = 0;  ///< of the order, the substitutes and the views
  Decoding decoding = Decoding::exact;           ///< which pixels are decoded
  OnCorrupt on_corrupt = OnCorrupt::substitute;  ///< what to do about damaged images
  double max_corrupt_share = 0.1;                ///< more damaged images than this share of all end the run, in [0, 1]
  Element element = Element::float32;            ///< the number format of the views
  Layout layout = Layout::channels_first;        ///< the order of their values in memory
  Partition partition{};  ///< which of several processes this is; batch_size is that of all together
};

}  // namespace jessl::data

JESSL_OPTIONS(jessl::data::LoaderOptions, batch_size, workers, ahead, drop_last, seed, decoding, on_corrupt,
              max_corrupt_share, element, layout, partition);
