// SPDX-License-Identifier: Apache-2.0
// The accuracy of nearest neighbours during a run.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/matrix.hpp>
#include <jessl/core/options.hpp>
#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/train/callback.hpp>

namespace jessl::train {

template <class Bank, class Queries>
struct KNNMonitorOn;

/// Tells every so many epochs how often the nearest neighbours of an image have its class, at every layer.
///
/// Nothing is trained for it, and it looks at evaluation views in evaluation mode: the figures are those that eval::KNN gives of the
/// network as it then is. `on(bank, queries)` names the images: neighbours come from the first, questions from the second. Images
/// without a label (-1) are left out.
///
///     trainer.fit(train, options, train::Progress{}, train::KNNMonitor{.epochs = 5}.on(train, test));
///
/// Shapes     none
/// Units      epochs: passes over the training data between two looks; the last epoch is always looked at
/// Cost       both data sets through the network, whose features at all layers are held at once, and eval::KNN at each layer
/// Randomness none; the run's losses stay as they are, bit for bit
/// Errors     ConfigError when a data set has no labels or a setting is out of range
/// Models     none; what on() gives is a jessl::Callback (docs/train/README.md)
/// Source     as eval::KNN
struct KNNMonitor {
  static constexpr std::string_view name = "KNNMonitor";

  std::int64_t k = 20;        ///< neighbours that vote, 1 to the size of the bank
  double temperature = 0.07;  ///< sharpness of the votes, > 0
  std::int64_t epochs = 1;    ///< between two looks, >= 1

  /// The callback on two data sets.
  template <class Bank, class Queries>
  [[nodiscard]] KNNMonitorOn<Bank, Queries> on(const Bank& bank, const Queries& queries) const {
    return {*this, bank, queries};
  }
};

namespace detail {

void check_knn_monitor(const KNNMonitor& settings, std::int64_t bank_size, std::int64_t bank_classes,
                       std::int64_t queries_size, std::int64_t queries_classes);

/// What the labels of the bank say about the queries at each layer.
[[nodiscard]] Measurement knn_by_layer(const KNNMonitor& settings, LayerEmbedding bank, LayerEmbedding queries);

}  // namespace detail

/// What KNNMonitor::on gives.
///
/// Shapes     none
/// Errors     as KNNMonitor
/// Models     jessl::Callback (docs/train/README.md)
/// Source     as eval::KNN
template <class Bank, class Queries>
struct KNNMonitorOn {
  static constexpr std::string_view name = KNNMonitor::name;

  KNNMonitor monitor;  ///< its settings
  Bank bank;           ///< images whose labels vote
  Queries queries;     ///< images that are asked about

  template <class T>
  class State {
   public:
    State(const KNNMonitorOn& settings, const Run& run, T& trainer)
        : settings_(settings.monitor),
          bank_(settings.bank),
          queries_(settings.queries),
          epochs_(run.epochs),
          report_(run.report),
          trainer_(trainer) {
      detail::check_knn_monitor(settings_, bank_.size(), bank_.classes(), queries_.size(), queries_.classes());
    }

    void after_epoch(const EpochRecord& epoch) {
      if ((epoch.epoch + 1) % settings_.epochs != 0 && epoch.epoch + 1 != epochs_) return;
      LayerEmbedding bank = trainer_.embed_layers(bank_);
      LayerEmbedding queries = trainer_.embed_layers(queries_);
      Measurement measurement = detail::knn_by_layer(settings_, std::move(bank), std::move(queries));
      measurement.protocol["bank"] = bank_.size();
      measurement.protocol["queries"] = queries_.size();
      report_(measurement);
    }

   private:
    KNNMonitor settings_;
    const Bank& bank_;
    const Queries& queries_;
    std::int64_t epochs_;  // of the run
    std::function<void(const Measurement&)> report_;
    T& trainer_;
  };

  template <class T>
  requires(eval::EmbedsLayers<T, Bank>&& eval::EmbedsLayers<T, Queries>)
      [[nodiscard]] State<T> start(const Run& run, T& trainer) const {
    return {*this, run, trainer};
  }
};

}  // namespace jessl::train

JESSL_OPTIONS(jessl::train::KNNMonitor, k, temperature, epochs);

#if JESSL_DEFINITIONS

namespace jessl::train::detail {

JESSL_INLINE void check_knn_monitor(const KNNMonitor& settings, std::int64_t bank_size, std::int64_t bank_classes,
                                    std::int64_t queries_size, std::int64_t queries_classes) {
  constexpr std::string_view who = "jessl::train::KNNMonitor";
  JESSL_CHECK(settings.epochs >= 1, ConfigError, who, ": epochs is ", settings.epochs, ", expected >= 1");
  JESSL_CHECK(settings.k >= 1 && settings.k <= bank_size, ConfigError, who, ": k is ", settings.k,
              ", expected 1 to the number of images in the bank, ", bank_size);
  JESSL_CHECK(std::isfinite(settings.temperature) && settings.temperature > 0, ConfigError, who, ": temperature is ",
              settings.temperature, ", expected a finite number > 0");
  JESSL_CHECK(queries_size >= 1, ConfigError, who, ": there are no queries");
  JESSL_CHECK(bank_classes >= 1 && queries_classes >= 1, ConfigError, who, ": ",
              bank_classes >= 1 ? "the queries have" : "the bank has", " no labels, expected classes");
}

/// The rows of images that have a label.
[[nodiscard]] JESSL_INLINE LayerEmbedding with_labels(LayerEmbedding all) {
  std::vector<Eigen::Index> rows;
  for (std::size_t i = 0; i < all.labels.size(); ++i) {
    if (all.labels[i] >= 0) rows.push_back(static_cast<Eigen::Index>(i));
  }
  if (rows.size() == all.labels.size()) return all;
  for (LayerFeatures& layer : all.layers) layer.features = RowMatrix(layer.features(rows, Eigen::all));
  const auto end = std::remove_if(all.labels.begin(), all.labels.end(), [](std::int64_t label) { return label < 0; });
  all.labels.erase(end, all.labels.end());
  return all;
}

JESSL_INLINE Measurement knn_by_layer(const KNNMonitor& settings, LayerEmbedding bank, LayerEmbedding queries) {
  bank = with_labels(std::move(bank));
  queries = with_labels(std::move(queries));
  Json values = Json::object();
  for (std::size_t i = 0; i < bank.layers.size(); ++i) {
    const auto knn =
        eval::KNN{.k = settings.k, .temperature = settings.temperature}.fit(bank.layers[i].features, bank.labels);
    values[bank.layers[i].layer] = {{"top1", eval::accuracy(knn.predict(queries.layers[i].features), queries.labels)}};
  }
  return {.by = std::string(KNNMonitor::name),
          .protocol = {{"classifier", "k nearest neighbours by cosine similarity s, votes exp(s / temperature)"},
                       {"views", "of evaluation, in evaluation mode"},
                       {"k", settings.k},
                       {"temperature", settings.temperature}},
          .values = std::move(values)};
}

}  // namespace jessl::train::detail

#endif  // JESSL_DEFINITIONS
