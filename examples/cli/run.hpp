// SPDX-License-Identifier: Apache-2.0
// A method with its settings and a network as one type, and the lists of what there is to choose from. Without LibTorch, so
// that the program's commands compile in seconds.
#pragma once

#include <jessl/augment/progressive.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/any_dataset.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jessl::distributed {
class Group;
}  // namespace jessl::distributed

namespace cli {

using jessl::Json;
using jessl::data::AnyDataset;

/// What watches a run and what it leaves.
struct Watch {
  std::string resume{};                     // checkpoint to go on from; "": a new run
  bool progress = true;                     // a bar or lines
  std::filesystem::path log{};              // metrics.jsonl; "": none
  std::filesystem::path checkpoint{};       // the whole state of the run; "": none
  std::int64_t checkpoint_epochs = 1;       // between two checkpoints
  std::int64_t checkpoint_steps = 0;        // between two checkpoints; 0: none within an epoch
  bool online_probe = false;                // classifiers that learn beside the network
  std::int64_t knn_every = 0;               // epochs between two looks; 0: none
  std::int64_t rank_every = 0;              // epochs between two looks; 0: none
  std::optional<AnyDataset> bank{};         // neighbours come from here
  std::optional<AnyDataset> queries{};      // who is asked for a class
  std::optional<AnyDataset> rank_images{};  // whose features' rank is told
  std::function<void(double step_seconds, double loader_seconds)> after_step{};  // may end the run by an exception
};

/// The processes that train together: those that torchrun, SLURM or mpirun started, or this one alone.
struct Ranks {
  std::int64_t rank = 0;
  std::shared_ptr<const jessl::distributed::Group> group{};

  /// Waits for the others, at most so many seconds.
  [[nodiscard]] static Ranks meet(double seconds);

  /// This one writes what one writes.
  [[nodiscard]] bool is_first() const { return rank == 0; }
};

/// What a picture of views shows.
struct Picture {
  std::int64_t images = 0;  // rows; 0: 8, or all where there are fewer
  std::int64_t zoom = 0;    // screen pixels a pixel; 0: such that small views are seen well
  std::uint64_t seed = 0;   // of the run whose views are shown
  std::int64_t epoch = 0;   // of that run
  bool parameters = false;  // under each view what was done to it
};

/// A network with what its method asks for around it.
class Run {
 public:
  Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  virtual ~Run() = default;

  /// The settings of all five policies, as checkpoints record them.
  [[nodiscard]] virtual Json configuration() const = 0;

  /// Start weights, as fit() draws them from this seed.
  virtual void initialise(std::uint64_t seed) = 0;

  /// From now on runs are those of all ranks together.
  virtual void join(const Ranks& ranks) = 0;

  /// Says whether a run on this data can work, and why not.
  virtual void check(const AnyDataset& data, const std::string& resume) const = 0;

  /// Trains; gives the result as JSON.
  virtual Json fit(const AnyDataset& data, const Watch& watch) = 0;

  /// The weights of a checkpoint (backbone and projector), or of a safetensors file (the backbone alone).
  virtual void load(const std::filesystem::path& file) = 0;

  /// The backbone's weights as a safetensors file with torchvision's names; `texts`, an object, stands beside them.
  virtual void save_backbone(const std::filesystem::path& file, const Json& texts) const = 0;

  /// `settings` of embedding are those of jessl::EmbedOptions, as JSON.
  [[nodiscard]] virtual jessl::LayerEmbedding embed_layers(const AnyDataset& data, const Json& settings) = 0;
  [[nodiscard]] virtual jessl::Embedding embed(const AnyDataset& data, const Json& settings) = 0;
  virtual void embed_to(const AnyDataset& data, const std::filesystem::path& file, const Json& settings) = 0;

  /// Images a second that the loader alone makes the first epoch's views of, measured for about so many seconds.
  [[nodiscard]] virtual double loading_rate(const AnyDataset& data, std::int64_t workers, double seconds) const = 0;

  /// A row an image: the image, then its views.
  [[nodiscard]] virtual jessl::Image views(const AnyDataset& data, const Picture& wanted) const = 0;
};

/// A method to choose.
struct MethodEntry {
  std::string name;
  Json defaults;            // of all its settings
  bool supervised = false;  // its projector's outputs are classes
  /// `small_views`: whether multi-crop's small views are made; methods of two views have none. `ramp`: how the views grow, up to
  /// the augmentation's size.
  std::unique_ptr<Run> (*make)(const Json& settings, const Json& backbone, bool small_views,
                               const std::optional<jessl::augment::Ramp>& ramp) = nullptr;
};

/// Every method, in the order of jessl::method::All, then those of negatives.hpp.
[[nodiscard]] const std::vector<MethodEntry>& methods();

/// A backbone to choose.
struct BackboneEntry {
  std::string name;
  Json defaults;  // of its settings
};

[[nodiscard]] const std::vector<BackboneEntry>& backbones();

/// One of a list by its name, also in another case.
template <class Entry>
[[nodiscard]] const Entry& find_entry(const std::vector<Entry>& entries, const std::string& name,
                                      const std::string& flag);

/// The names of a list's entries.
template <class Entry>
[[nodiscard]] std::string names_of(const std::vector<Entry>& entries, std::string_view separator = ", ");

/// What a file of tensors holds: a checkpoint of jessl as its record, and its tensors as {"name", "type", "shape"}.
[[nodiscard]] Json describe_checkpoint(const std::filesystem::path& file);
[[nodiscard]] Json describe_safetensors(const std::filesystem::path& file);

/// The texts beside the tensors of such a file, by their names; no tensor is read.
[[nodiscard]] Json safetensors_texts(const std::filesystem::path& file);

/// LibTorch, as it was built and as it finds this machine.
[[nodiscard]] Json describe_torch();

}  // namespace cli

namespace cli {

[[nodiscard]] inline std::string lower(std::string text) {
  for (char& letter : text) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  return text;
}

/// Texts as one.
[[nodiscard]] std::string joined(const auto& texts, std::string_view separator) {
  std::string all;
  for (const std::string& text : texts) {
    if (!all.empty()) all += separator;
    all += text;
  }
  return all;
}

template <class Entry>
std::string names_of(const std::vector<Entry>& entries, std::string_view separator) {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  return joined(names, separator);
}

template <class Entry>
const Entry& find_entry(const std::vector<Entry>& entries, const std::string& name, const std::string& flag) {
  std::vector<std::string> known;
  for (const Entry& entry : entries) {
    if (lower(entry.name) == lower(name)) return entry;
    known.push_back(entry.name);
  }
  jessl::detail::fail_unknown(flag, name, known);
}

}  // namespace cli
