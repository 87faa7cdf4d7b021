// SPDX-License-Identifier: Apache-2.0
// All of the program that needs LibTorch and no method's type: the backbones, files of tensors, a run's callbacks, and what LibTorch says
// of itself.
#include "any_backbone.hpp"
#include "callbacks.hpp"
#include "run.hpp"

#include <jessl/backbone.hpp>
#include <jessl/core/autocast.hpp>
#include <jessl/core/module_state.hpp>
#include <jessl/core/version.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/io/checkpoint.hpp>
#include <jessl/io/safetensors.hpp>

#include <torch/version.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cli {

namespace {

struct Network {
  BackboneEntry entry;
  std::function<AnyBackbone(const Json&)> make;
};

/// A backbone that a function makes of its settings.
template <class Options, class Make>
Network network(const std::string& name, const Make& make) {
  Json defaults = jessl::to_json(Options{});
  defaults.erase("name");
  return {{name, std::move(defaults)}, [make](const Json& settings) {
            auto net = make(jessl::from_json<Options>(settings, "settings.backbone"));
            AnyBackbone any(std::make_shared<AnyBackboneImpl>(net));
            any.made_from_seed = jessl::backbone::is_made_from_seed(net);
            return any;
          }};
}

/// Every backbone that --backbone takes: a line each.
const std::vector<Network>& networks() {
  using namespace jessl::backbone;
  static const std::vector<Network> all{
      network<ResNetOptions>("resnet18", resnet18),
      network<ResNetOptions>("resnet34", resnet34),
      network<ResNetOptions>("resnet50", resnet50),
      network<ResNetOptions>("resnet101", resnet101),
      network<ResNetOptions>("resnet152", resnet152),
      network<ResNetOptions>("wide_resnet50_2", wide_resnet50_2),
      network<ResNetOptions>("resnext50_32x4d", resnext50_32x4d),
      network<ResNetLayout>("resnet", resnet),
  };
  return all;
}

Json described(const jessl::StateDict& tensors) {
  Json list = Json::array();
  for (const auto& [name, tensor] : tensors)
    list.push_back({{"name", name}, {"type", c10::toString(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}});
  return list;
}

}  // namespace

Ranks Ranks::meet(double seconds) {
  const auto group = std::make_shared<const jessl::distributed::Group>(
      jessl::distributed::Group::from_environment({.timeout = seconds}));
  return {.rank = group->rank(), .group = group};
}

const std::vector<BackboneEntry>& backbones() {
  static const std::vector<BackboneEntry> all = [] {
    std::vector<BackboneEntry> entries;
    for (const Network& one : networks()) entries.push_back(one.entry);
    return entries;
  }();
  return all;
}

AnyBackbone make_backbone(const Json& settings) {
  Json rest = settings;
  const auto name = settings.at("name").get<std::string>();
  rest.erase("name");
  for (const Network& one : networks()) {
    if (one.entry.name == name) return one.make(rest);
  }
  JESSL_ASSERT(false, "there is no backbone ", name);
}

void load_backbone(AnyBackbone& net, const std::string& file) {
  jessl::StateDict tensors = jessl::io::safetensors::load(file);
  std::erase_if(tensors, [](const auto& entry) { return entry.first.starts_with("fc."); });
  for (const auto& [name, tensor] : jessl::module_state(*net)) {
    if (name.ends_with("num_batches_tracked")) tensors.emplace(name, tensor);
  }
  jessl::load_module_state(*net, tensors, file);
  net.made_from_seed = false;
}

void save_backbone(const AnyBackbone& net, const std::string& file, const Json& texts) {
  jessl::io::safetensors::Metadata metadata{{"jessl", std::string(jessl::version)}};
  for (const auto& [name, text] : texts.items())
    metadata[name] = text.is_string() ? text.get<std::string>() : text.dump();
  jessl::io::safetensors::save(file, jessl::module_state(*net), metadata);
}

Json describe_checkpoint(const std::filesystem::path& file) {
  const auto checkpoint = jessl::io::Checkpoint::load(file);
  Json groups = Json::object();
  for (const auto& [name, tensors] : checkpoint.groups) groups[name] = described(tensors);
  return {{"version", checkpoint.version}, {"record", checkpoint.record}, {"groups", groups}};
}

Json safetensors_texts(const std::filesystem::path& file) {
  Json texts = Json::object();
  for (const auto& [name, text] : jessl::io::safetensors::metadata(file)) texts[name] = text;
  return texts;
}

Json describe_safetensors(const std::filesystem::path& file) {
  return {{"texts", safetensors_texts(file)}, {"tensors", described(jessl::io::safetensors::load(file))}};
}

Json describe_torch() {
  const bool built_for_gpu = torch::hasCUDA() || torch::cuda::is_available();
  return {{"version", TORCH_VERSION},
          {"threads", at::get_num_threads()},
          {"precision", jessl::to_json(jessl::resolve(jessl::Precision::automatic, torch::kCPU))},
          {"tiles", jessl::has_bfloat16_tiles()},
#ifdef JESSL_CUDA
          {"jessl_cuda", true},
#else
          {"jessl_cuda", false},
#endif
          {"torch_cuda", built_for_gpu},
          {"gpus", torch::cuda::is_available() ? static_cast<std::int64_t>(torch::cuda::device_count()) : 0}};
}

Callbacks::Callbacks(const Watch& watch) : each_step{watch.after_step} {
  namespace train = jessl::train;
  if (watch.online_probe) probe.callback.emplace();
  if (watch.knn_every > 0)
    neighbours.callback =
        train::KNNMonitor{.k = std::min<std::int64_t>(20, watch.bank->size()), .epochs = watch.knn_every}.on(
            *watch.bank, *watch.queries);
  if (watch.rank_every > 0) rank.callback = train::RankMonitor{.epochs = watch.rank_every}.on(*watch.rank_images);
  if (watch.progress) progress.callback.emplace();
  if (!watch.log.empty()) log.callback = train::JSONLines{watch.log.string()};
  if (!watch.checkpoint.empty())
    checkpoints.callback = train::CheckpointEvery{
        .path = watch.checkpoint.string(), .epochs = watch.checkpoint_epochs, .steps = watch.checkpoint_steps};
}

Json in_json(const jessl::FitResult& result) {
  return {{"steps", result.steps},
          {"images", result.images},
          {"corrupt", result.corrupt},
          {"seconds", result.seconds},
          {"images_per_second", result.images_per_second},
          {"run_seconds", result.run_seconds},
          {"run_images", result.run_images},
          {"loss", jessl::to_json(result.loss)},
          {"resolved", jessl::to_json(result.resolved)}};
}

}  // namespace cli
