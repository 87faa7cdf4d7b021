// SPDX-License-Identifier: Apache-2.0
// What a run puts into its checkpoints, and what it asks of one to go on from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/log.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/train/detail/network_base.hpp>
#include <jessl/train/record.hpp>

namespace jessl::train::detail {

/// The loss of the last step that a run had taken; NaN where it is not known.
[[nodiscard]] double loss_of(const io::Checkpoint& checkpoint);

/// A run's checkpoint: that at `path`, or, with a warning, the one before it where that is damaged.
///
/// Errors     DataError where both are, or where there is none at `path`
[[nodiscard]] io::Checkpoint load_last(const std::filesystem::path& path);

/// Bytes of the modules' tensors in a checkpoint, which holds once what several of them share.
[[nodiscard]] std::int64_t weight_bytes(std::span<const NamedModule> modules);

/// Says whether the modules can be loaded from a checkpoint. `path` is for the message.
///
/// Errors     DataError where the checkpoint lacks one, ShapeError where one does not fit
void check_modules(std::span<const NamedModule> modules, const io::Checkpoint& checkpoint,
                   const std::filesystem::path& path);

/// Copies the modules' tensors from a checkpoint; none where one of them doesn't fit.
void load_modules(std::span<const NamedModule> modules, const io::Checkpoint& checkpoint,
                  const std::filesystem::path& path);

/// Puts the modules' tensors into a checkpoint.
void save_modules(std::span<const NamedModule> modules, io::Checkpoint& checkpoint);

/// Says whether a checkpoint is of a run with this configuration.
///
/// Errors     DataError where it is of no run, ConfigError where it is of another one; `who` opens the message
void check_same_run(const io::Checkpoint& checkpoint, const Json& configuration, std::string_view who);

}  // namespace jessl::train::detail

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

/// Where two JSON documents differ, in words: "/loss/temperature is 0.5 there and 0.2 here". Nothing where only the order of
/// members does, which Json's own comparison sees.
JESSL_INLINE std::string differences(const Json& there, const Json& here) {
  std::string text;
  for (const auto& change : Json::diff(there, here)) {
    Json::json_pointer place(change["path"].get<std::string>());
    if (!place.empty() && place.back() == "-") place.pop_back();  // an element more: the whole list is shown
    text += (text.empty() ? "" : "; ") + (place.empty() ? "the whole" : place.to_string()) + " is " +
            (there.contains(place) ? there[place].dump() : "absent") + " there and " +
            (here.contains(place) ? here[place].dump() : "absent") + " here";
  }
  return text;
}

/// A run's configuration without the fingerprints of those images that `other` could not read.
JESSL_INLINE Json without_unread(Json configuration, const Json& other) {
  const Json::json_pointer place("/run/fingerprint/images");
  if (!configuration.contains(place) || !other.contains(place) || !configuration[place].is_array())
    return configuration;
  for (std::size_t k = 0; k < std::min(configuration[place].size(), other[place].size()); ++k) {
    if (other[place][k].is_null()) configuration[place][k] = nullptr;
  }
  return configuration;
}

JESSL_INLINE double loss_of(const io::Checkpoint& checkpoint) {
  const Json loss = checkpoint.record.value("loss", Json());
  return loss.is_number() ? loss.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

JESSL_INLINE io::Checkpoint load_last(const std::filesystem::path& path) {
  const std::filesystem::path before = checkpoint_before(path);
  try {
    return io::Checkpoint::load(path);
  } catch (const DataError& error) {
    std::error_code failure;
    if (!std::filesystem::exists(path, failure) || !std::filesystem::exists(before, failure)) throw;
    io::Checkpoint checkpoint = io::Checkpoint::load(before);
    warn(error.what(), ". The run goes on from the checkpoint before it, ", before);
    return checkpoint;
  }
}

JESSL_INLINE std::int64_t weight_bytes(std::span<const NamedModule> modules) {
  std::size_t bytes = 0;
  std::set<const void*> counted;
  for (const NamedModule& entry : modules) {
    for (const auto& [name, tensor] : module_state(*entry.module))
      if (counted.insert(tensor.storage().unsafeGetStorageImpl()).second) bytes += tensor.nbytes();
  }
  return static_cast<std::int64_t>(bytes);
}

JESSL_INLINE void check_modules(std::span<const NamedModule> modules, const io::Checkpoint& checkpoint,
                                const std::filesystem::path& path) {
  for (const NamedModule& entry : modules) {
    check_module_state(*entry.module, checkpoint.group(entry.name),
                       concat("jessl::Trainer: checkpoint ", path, ", ", entry.name));
  }
}

JESSL_INLINE void load_modules(std::span<const NamedModule> modules, const io::Checkpoint& checkpoint,
                               const std::filesystem::path& path) {
  check_modules(modules, checkpoint, path);
  for (const NamedModule& entry : modules)
    load_module_state(*entry.module, checkpoint.group(entry.name), "jessl::Trainer");
}

JESSL_INLINE void save_modules(std::span<const NamedModule> modules, io::Checkpoint& checkpoint) {
  for (const NamedModule& entry : modules) checkpoint.groups[entry.name] = module_state(*entry.module);
}

JESSL_INLINE void check_same_run(const io::Checkpoint& checkpoint, const Json& configuration, std::string_view who) {
  const Json& record = checkpoint.record;
  JESSL_CHECK(
      record.contains("configuration") && record.contains("steps_taken") && record["steps_taken"].is_number_unsigned(),
      DataError, who, " holds weights, but no run to resume; use load_weights()");
  Json there = without_unread(record["configuration"], configuration);
  Json here = without_unread(configuration, record["configuration"]);
  // Sixteen hashes would tell nobody more than that they differ.
  const Json::json_pointer fingerprint("/run/fingerprint");
  const bool compared = there.contains(fingerprint) && here.contains(fingerprint);
  const bool other_images = compared && !Json::diff(there[fingerprint], here[fingerprint]).empty();
  if (compared) {
    for (Json* document : {&there, &here}) (*document)["run"].erase("fingerprint");
  }
  std::string text = differences(there, here);
  if (other_images)
    text += concat(text.empty() ? "" : "; ", "the images or their labels are others (/run/fingerprint)");
  JESSL_CHECK(text.empty(), ConfigError, who, " belongs to another run: ", text,
              "; resume with the same settings, or use load_weights()");
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
