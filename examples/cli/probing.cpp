// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <jessl/core/matrix.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/logistic_probe_search.hpp>
#include <jessl/eval/nearest_centroid.hpp>
#include <jessl/eval/ridge_probe_search.hpp>
#include <jessl/eval/standardize.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace cli {

namespace {

namespace eval = jessl::eval;
using jessl::LayerEmbedding;

struct Probe {
  std::string name;
  std::function<eval::ScoreTable(const LayerEmbedding&, const LayerEmbedding&)> ask;
};

template <class P>
Probe probe(std::string name, const P& settings) {
  return {std::move(name), [settings](const LayerEmbedding& train, const LayerEmbedding& test) {
            return eval::at_layers(train, test, settings);
          }};
}

Probe neighbours(std::string name, std::int64_t k) {
  return {std::move(name), [k](const LayerEmbedding& train, const LayerEmbedding& test) {
            const auto images = static_cast<std::int64_t>(train.labels.size());
            return eval::at_layers(train, test, eval::KNN{.k = std::min(k, images)});
          }};
}

const std::vector<Probe>& probes() {
  static const std::vector<Probe> all{
      neighbours("knn", 20),
      neighbours("knn200", 200),
      probe("linear", eval::standardized(eval::LogisticProbe{.l2 = 1e-3})),
      probe("linear_search", eval::standardized(eval::LogisticProbeSearch{})),
      probe("ridge", eval::standardized(eval::RidgeProbeSearch{})),
      probe("centroid", eval::NearestCentroid{}),
  };
  return all;
}

/// Only the representation, where the projector and the blocks are not asked for.
void keep_wanted(LayerEmbedding& all, const Questions& questions) {
  std::erase_if(all.layers, [&](const jessl::LayerFeatures& layer) {
    if (layer.layer == "representation") return false;
    return layer.layer.starts_with("projector.") ? !questions.projector : !questions.blocks;
  });
}

}  // namespace

const std::vector<std::string>& probe_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Probe& one : probes()) all.push_back(one.name);
    return all;
  }();
  return names;
}

void check_probes(const std::vector<std::string>& names, const std::string& flag) {
  for (const std::string& name : names) (void)find_entry(probes(), name, flag);
}

std::vector<eval::ScoreTable> ask(Run& network, const AnyDataset& train, const AnyDataset& test,
                                  const Questions& questions) {
  Json embedding = questions.embedding;
  embedding["blocks"] = questions.blocks;
  LayerEmbedding bank = network.embed_layers(train, embedding);
  LayerEmbedding queries = network.embed_layers(test, embedding);
  keep_wanted(bank, questions);
  keep_wanted(queries, questions);
  std::vector<eval::ScoreTable> tables;
  for (const std::string& name : questions.probes)
    tables.push_back(find_entry(probes(), name, "--probes").ask(bank, queries));
  return tables;
}

}  // namespace cli
