// SPDX-License-Identifier: Apache-2.0
// What watches the representation during a run: probes on every layer, nearest neighbours, collapse.
#include <catch2/catch.hpp>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>
#include <jessl/method.hpp>

#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// Hands what the layers made of each batch to a function.
struct EachForward {
  static constexpr std::string_view name = "EachForward";

  std::function<void(const train::StepFeatures&)> look;
  std::function<void(const train::StepRecord&)> then = [](const train::StepRecord&) {};

  struct State {
    std::function<void(const train::StepFeatures&)> look;
    std::function<void(const train::StepRecord&)> then;
    void after_forward(const train::StepFeatures& features) const { look(features); }
    void after_step(const train::StepRecord& record) const { then(record); }
  };
  [[nodiscard]] State start(const train::Run&) const { return {look, then}; }
};

/// Keeps what is measured.
struct Measurements {
  std::vector<train::Measurement>* all;

  struct State {
    std::vector<train::Measurement>* all;
    void after_measurement(const train::Measurement& measurement) const { all->push_back(measurement); }
  };
  [[nodiscard]] State start(const train::Run&) const { return {all}; }
};

/// The lines of a log that callbacks measured.
std::vector<Json> measured(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (Json parsed = Json::parse(line); parsed.contains("measured_by")) lines.push_back(std::move(parsed));
  }
  return lines;
}

std::vector<double> losses_of_run(const auto& trainer_maker, const FitOptions& options, const auto&... callbacks) {
  std::vector<double> losses;
  auto trainer = trainer_maker();
  const EachForward watch{[](const auto&) {}, [&](const train::StepRecord& record) { losses.push_back(record.loss); }};
  trainer.fit(fixtures::stripes(), options, watch, callbacks...);
  return losses;
}

/// Pulls the views of an image together, and nothing pushes images apart: all embeddings become the same.
struct Attraction {
  static constexpr std::string_view name = "Attraction";
  static constexpr std::int64_t min_views = 2;
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const auto&...) const {
    return (views[0] - views[1]).square().mean();
  }
};

/// Images without labels.
data::ArrayDataset unlabelled_images() {
  return data::ArrayDataset{{.pixels = std::vector<std::uint8_t>(96 * 256), .height = 16, .width = 16}};
}

}  // namespace

TEST_CASE("StepFeatures: the last layer is what the loss of the step saw, also in micro-batches", "[train][monitors]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.micro_batch = GENERATE(0, 8);
  auto trainer = fixtures::small_trainer();
  double of_features = 0.0;
  std::int64_t steps = 0;
  const EachForward watch{
      [&](const train::StepFeatures& features) {
        REQUIRE(features.layers.size() == 3);
        CHECK(features.layers[0].name == "representation");
        CHECK(features.layers[1].name == "projector.0");
        CHECK(features.layers[2].name == "projector.1");
        for (const train::Layer& layer : features.layers) {
          CHECK(layer.output.size(0) == 48);
          CHECK_FALSE(layer.output.requires_grad());
        }
        CHECK(features.layers[0].output.size(1) == 64);
        CHECK(features.layers[1].output.size(1) == 32);
        const std::int64_t rows = options.micro_batch == 0 ? 24 : options.micro_batch;
        std::vector<torch::Tensor> first, second;
        for (std::int64_t begin = 0; begin < 48; begin += 2 * rows) {
          first.push_back(features.layers[2].output.narrow(0, begin, rows));
          second.push_back(features.layers[2].output.narrow(0, begin + rows, rows));
          CHECK(torch::equal(features.labels.narrow(0, begin, rows), features.labels.narrow(0, begin + rows, rows)));
        }
        of_features = loss::NTXent{.temperature = 0.2}({torch::cat(first), torch::cat(second)}).item<double>();
        CHECK(features.step == ++steps);
      },
      [&](const train::StepRecord& record) { CHECK(of_features == Approx(record.loss).epsilon(1e-6)); }};
  trainer.fit(fixtures::stripes(), options, watch);
  CHECK(steps == 4);
}

TEST_CASE("StepFeatures: a row's label is that of its image", "[train][monitors]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.micro_batch = GENERATE(0, 8);
  Trainer trainer{
      augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"4"}, loss::CrossEntropy{}, optim::AdamW{.lr = 1e-2}};
  double of_features = 0.0;
  const EachForward watch{
      [&](const train::StepFeatures& features) {
        of_features = torch::cross_entropy_loss(features.layers[1].output, features.labels).item<double>();
      },
      [&](const train::StepRecord& record) { CHECK(of_features == Approx(record.loss).epsilon(1e-6)); }};
  trainer.fit(fixtures::stripes(), options, watch);
}

TEST_CASE("StepFeatures: small views and the loss's own images are left out", "[train][monitors]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  const EachForward watch{[](const train::StepFeatures& features) {
    CHECK(features.labels.size(0) == 48);
    for (const train::Layer& layer : features.layers) CHECK(layer.output.size(0) == 48);
  }};
  const auto net = [] {
    return backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1});
  };
  const auto crop = [](std::int64_t size) { return augment::compose(augment::RandomResizedCrop{.size = size}); };
  Trainer crops{augment::multi_crop<2, 3>(crop(16), crop(8)), net(), projector::MLP{"16-8"}, loss::NTXent{},
                optim::SGD{.lr = 1e-3}};
  crops.fit(fixtures::stripes(), options, watch);
  Trainer negatives{augment::simclr({.size = 16}), net(), projector::MLP{"16-8"},
                    loss::NTXent{}.against(loss::Fixed{torch::rand({3, 1, 16, 16})}), optim::SGD{.lr = 1e-3}};
  negatives.fit(fixtures::stripes(), options, watch);
}

TEST_CASE("OnlineProbe and the monitors: the losses of a run that is watched are those of one that is not",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  const auto test = fixtures::stripes(40);
  const auto make = [] { return fixtures::small_trainer(); };
  FitOptions options = fixtures::small_run();
  options.micro_batch = GENERATE(0, 8);
  const std::vector<double> alone = losses_of_run(make, options);
  CHECK(losses_of_run(make, options, train::OnlineProbe{}.on(test), train::KNNMonitor{.k = 5}.on(data, test),
                      train::RankMonitor{}.on(test), train::CollapseMonitor{}) == alone);
}

TEST_CASE("OnlineProbe: the classifiers and figures are those of a loop of one's own over the features",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  options.epochs = 2;
  torch::Tensor weight = torch::zeros({4, 64}, torch::requires_grad());
  torch::Tensor bias = torch::zeros({4}, torch::requires_grad());
  const optim::AdamW adamw{.lr = 1e-2, .weight_decay = 0.0};
  auto own = adamw.attach(optim::NamedParameters{{"weight", weight}, {"bias", bias}});
  std::int64_t rows = 0, right = 0;
  double loss_sum = 0.0;
  const EachForward watch{[&](const train::StepFeatures& features) {
    const torch::Tensor logits = torch::linear(features.layers[0].output, weight, bias);
    const torch::Tensor loss = torch::cross_entropy_loss(logits, features.labels);
    if (features.epoch == 1) {
      rows += logits.size(0);
      right += logits.argmax(1).eq(features.labels).sum().item<std::int64_t>();
      loss_sum += static_cast<double>(logits.size(0)) * loss.item<double>();
    }
    own.zero_grad();
    loss.backward();
    own.step();
  }};
  std::vector<train::Measurement> measurements;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), options, watch, train::OnlineProbe{.optimizer = adamw}, Measurements{&measurements},
              train::CheckpointEvery{folder / "checkpoint.pt"});
  const io::Checkpoint checkpoint = io::Checkpoint::load(folder / "checkpoint.pt");
  const StateDict& saved = checkpoint.group("callback.OnlineProbe");
  CHECK(torch::allclose(saved.at("representation.weight"), weight, 1e-4, 1e-6));
  CHECK(torch::allclose(saved.at("representation.bias"), bias, 1e-4, 1e-6));
  CHECK(saved.at("projector.1.weight").size(1) == 16);
  REQUIRE(measurements.size() == 2);
  CHECK(measurements[1].by == "OnlineProbe");
  CHECK(measurements[1].step == 8);
  CHECK(measurements[1].epoch == 1);
  const Json& values = measurements[1].values["train"]["representation"];
  CHECK(values["top1"].get<double>() == Approx(static_cast<double>(right) / static_cast<double>(rows)));
  CHECK(values["loss"].get<double>() == Approx(loss_sum / static_cast<double>(rows)).epsilon(1e-5));
  CHECK_FALSE(values.contains("top5"));  // of four classes
  CHECK(measurements[1].values["train"].size() == 3);
  CHECK(values["top1"].get<double>() > 0.4);  // chance is a quarter
}

TEST_CASE("OnlineProbe: top-1 and top-5 count as eval::accuracy and eval::top_k do, equal logits included",
          "[train][monitors]") {
  // Two layers of hand-made features, and classifiers that still are zeros: every logit is equal, so the lowest classes come first.
  std::vector<train::Measurement> measurements;
  const train::Run run{
      .epochs = 1, .steps_per_epoch = 1, .batch_size = 8, .classes = 7, .report = [&](const train::Measurement& one) {
        measurements.push_back(one);
      }};
  auto state = train::OnlineProbe{}.start(run);
  const torch::Tensor labels = torch::tensor({0, 1, 2, 3, 4, 5, 6, -1}, torch::kInt64);
  state.after_forward({.step = 1, .layers = {{"representation", torch::randn({8, 3})}}, .labels = labels});
  state.after_epoch({.epoch = 0, .step = 1});
  const Json& values = measurements.at(0).values["train"]["representation"];
  CHECK(values["top1"].get<double>() == Approx(1.0 / 7.0));  // the row without a label does not count
  CHECK(values["top5"].get<double>() == Approx(5.0 / 7.0));
  CHECK(values["loss"].get<double>() == Approx(std::log(7.0)));

  // Classifiers that have diverged are right nowhere.
  auto diverged = train::OnlineProbe{}.start(run);
  diverged.after_forward({.step = 1, .layers = {{"representation", torch::full({8, 3}, NAN)}}, .labels = labels});
  diverged.after_epoch({.epoch = 0, .step = 1});
  CHECK(measurements.at(1).values["train"]["representation"]["top1"] == 0.0);
  CHECK(measurements.at(1).values["train"]["representation"]["top5"] == 0.0);
  CHECK(measurements.at(1).values["train"]["representation"]["loss"] == "nan");
}

TEST_CASE("OnlineProbe.on: the figures on test images are those of the classifiers on embed_layers",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto test = fixtures::stripes(40);
  std::vector<train::Measurement> measurements;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run(), train::OnlineProbe{.epochs = 2}.on(test),
              Measurements{&measurements}, train::CheckpointEvery{folder / "checkpoint.pt"});
  REQUIRE(measurements.size() == 5);  // three of training views; of test images after the second and the last epoch
  const Json& values = measurements.back().values["test"];
  const io::Checkpoint checkpoint = io::Checkpoint::load(folder / "checkpoint.pt");
  const StateDict& saved = checkpoint.group("callback.OnlineProbe");
  for (const auto& [layer, features] : trainer.embed_layers(test).layers) {
    RowMatrix x = features;
    const torch::Tensor logits = torch::linear(torch::from_blob(x.data(), {x.rows(), x.cols()}),
                                               saved.at(layer + ".weight"), saved.at(layer + ".bias"));
    const RowMatrix scores = Eigen::Map<const RowMatrix>(logits.const_data_ptr<float>(), 40, 4);
    const auto labels = trainer.embed(test).labels;
    CHECK(values[layer]["top1"].get<double>() == Approx(eval::top_k(scores, labels, 1)));
  }
}

TEST_CASE("OnlineProbe: a run that was interrupted goes on with its classifiers, in mid-epoch too",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  const train::OnlineProbe probe;
  fixtures::small_trainer().fit(data, options, probe, train::JSONLines{folder / "whole.jsonl"});
  const train::JSONLines lines{folder / "metrics.jsonl"};
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
  CHECK_THROWS(fixtures::small_trainer().fit(data, options, probe, lines, checkpoint, fixtures::StopAfter{8}));
  options.resume = checkpoint.path;
  fixtures::small_trainer().fit(data, options, probe, lines, checkpoint);
  const std::vector<Json> whole = measured(folder / "whole.jsonl");
  CHECK(whole.size() == 3);
  CHECK(measured(lines.path) == whole);
}

TEST_CASE("OnlineProbe: a checkpoint of a run without it costs a warning, one of another network is refused",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  CHECK_THROWS(fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "checkpoint.pt"},
                                             fixtures::StopAfter{5}));
  options.resume = folder / "checkpoint.pt";
  fixtures::small_trainer().fit(data, options, train::OnlineProbe{});
  CHECK(log.contains("the checkpoint has no \"callback.OnlineProbe\": that callback starts anew"));
  options.resume = "";
  CHECK_THROWS(fixtures::small_trainer().fit(data, options, train::OnlineProbe{},
                                             train::CheckpointEvery{folder / "probed.pt"}, fixtures::StopAfter{5}));
  options.resume = folder / "probed.pt";
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "metrics.jsonl"});
  CHECK(log.contains("the checkpoint has a \"callback.OnlineProbe\", which no callback of this run takes up"));

  const train::Run run{.epochs = 1, .steps_per_epoch = 1, .batch_size = 8, .classes = 4};
  const train::StepFeatures features{
      .step = 1, .layers = {{"representation", torch::randn({8, 3})}}, .labels = torch::zeros({8}, torch::kInt64)};
  auto state = train::OnlineProbe{}.start(run);
  state.load_state_dict({{"representation.weight", torch::zeros({4, 5})}});
  CHECK_THROWS_WITH(state.after_forward(features), Contains("\"representation.weight\" is [4, 5], expected [4, 3]"));
  auto other = train::OnlineProbe{}.start(run);
  other.load_state_dict({{"projector.0.weight", torch::zeros({4, 3})}});
  CHECK_THROWS_WITH(other.after_forward(features), Contains("have no \"representation.weight\""));
}

TEST_CASE("OnlineProbe, KNNMonitor, CollapseMonitor: what cannot work is said before the first step",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  const data::ArrayDataset unlabelled = unlabelled_images();
  const auto fit = [&](const auto& images, const auto& callback) {
    fixtures::small_trainer().fit(images, fixtures::small_run(), callback);
  };
  CHECK_THROWS_AS(fit(unlabelled, train::OnlineProbe{}), ConfigError);
  CHECK_THROWS_WITH(fit(unlabelled, train::OnlineProbe{}), Contains("the data set has no labels"));
  CHECK_THROWS_WITH(fit(data, train::OnlineProbe{}.on(unlabelled)), Contains("the test images have 0 classes"));
  CHECK_THROWS_WITH(fit(data, train::OnlineProbe{.epochs = -1}), Contains("epochs is -1, expected >= 0"));
  CHECK_THROWS_WITH(fit(data, train::OnlineProbe{.optimizer = {.lr = -1.0}}), Contains("lr is -1"));
  CHECK_THROWS_WITH(fit(data, train::KNNMonitor{.k = 97}.on(data, data)),
                    Contains("k is 97, expected 1 to the number of images in the bank, 96"));
  CHECK_THROWS_WITH(fit(data, train::KNNMonitor{.epochs = 0}.on(data, data)), Contains("epochs is 0"));
  CHECK_THROWS_WITH(fit(data, train::KNNMonitor{.temperature = 0.0}.on(data, data)), Contains("temperature is 0"));
  CHECK_THROWS_WITH(fit(data, train::KNNMonitor{}.on(unlabelled, data)), Contains("the bank has no labels"));
  CHECK_THROWS_WITH(fit(data, train::KNNMonitor{}.on(data, unlabelled)), Contains("the queries have no labels"));
  CHECK_THROWS_WITH(fit(data, train::CollapseMonitor{.threshold = 1.0}), Contains("threshold is 1"));
  CHECK_THROWS_WITH(fit(data, train::CollapseMonitor{.patience = 0}), Contains("patience is 0"));
}

TEST_CASE("KNNMonitor: its figures are those of eval::KNN on the layers as they then are", "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  const auto test = fixtures::stripes(40);
  std::vector<train::Measurement> measurements;
  auto trainer = fixtures::small_trainer();
  trainer.fit(data, fixtures::small_run(), train::KNNMonitor{.k = 5, .epochs = 2}.on(data, test),
              Measurements{&measurements});
  REQUIRE(measurements.size() == 2);  // after the second epoch and after the last
  CHECK(measurements[0].epoch == 1);
  CHECK(measurements[1].protocol["k"] == 5);
  const LayerEmbedding bank = trainer.embed_layers(data);
  const LayerEmbedding queries = trainer.embed_layers(test);
  for (std::size_t i = 0; i < bank.layers.size(); ++i) {
    const auto knn = eval::KNN{.k = 5}.fit(bank.layers[i].features, bank.labels);
    CHECK(measurements[1].values[bank.layers[i].layer]["top1"] ==
          eval::accuracy(knn.predict(queries.layers[i].features), queries.labels));
  }
}

TEST_CASE("CollapseMonitor: warns when all embeddings become the same, and not in a healthy run", "[train][monitors]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 12;
  const train::CollapseMonitor monitor{.threshold = 0.1, .patience = 4};
  std::vector<train::Measurement> healthy, collapsed;
  fixtures::small_trainer().fit(fixtures::stripes(), options, monitor, Measurements{&healthy});
  CHECK_FALSE(log.contains("have become the same"));
  Trainer trainer{
      augment::simclr({.size = 16, .min_scale = 0.6, .jitter = 0.25, .grayscale = 0.0, .blur = 0.0}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{.widths = "32-16", .hidden_norm = false, .output_bias = true}, Attraction{},
      optim::AdamW{.lr = 3e-2}};
  trainer.fit(fixtures::stripes(), options, monitor, Measurements{&collapsed});
  CHECK(log.contains("the embeddings have become the same for all images"));
  CHECK(collapsed.back().values["projector.1"]["spread"].get<double>() < 0.1);
  CHECK(healthy.back().values["projector.1"]["spread"].get<double>() > 0.3);
}

TEST_CASE("CollapseMonitor: the spread of features by hand", "[train][monitors]") {
  // Rows (1, 0) and (0, 1) in turn, scaled: of length 1 each dimension is 0 or 1 in half of the rows, deviation 1/2; times sqrt(2).
  std::vector<train::Measurement> measurements;
  const train::Run run{
      .epochs = 1, .steps_per_epoch = 1, .report = [&](const train::Measurement& one) { measurements.push_back(one); }};
  auto state = train::CollapseMonitor{}.start(run);
  const torch::Tensor apart = torch::tensor({{3.0F, 0.0F}, {0.0F, 0.1F}, {7.0F, 0.0F}, {0.0F, 2.0F}});
  const torch::Tensor same = torch::tensor({{1.0F, 1.0F}, {2.0F, 2.0F}, {3.0F, 3.0F}, {4.0F, 4.0F}});
  state.after_forward({.step = 1, .layers = {{"representation", apart}, {"projector.0", same}}});
  state.after_epoch({.epoch = 0, .step = 1});
  const Json& values = measurements.at(0).values;
  CHECK(values["representation"]["spread"].get<double>() == Approx(std::sqrt(0.5)));
  CHECK(values["projector.0"]["spread"].get<double>() == Approx(0.0).margin(1e-6));
}

TEST_CASE("JSONLines, Progress: measurements have lines of their own, that name who measured", "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::ostringstream shown;
  {
    std::streambuf* const before = std::cerr.rdbuf(shown.rdbuf());
    fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::OnlineProbe{},
                                  train::JSONLines{folder / "metrics.jsonl"}, train::Progress{});
    std::cerr.rdbuf(before);
  }
  const std::vector<Json> lines = measured(folder / "metrics.jsonl");
  REQUIRE(lines.size() == 3);
  CHECK(lines[2]["step"] == 12);
  CHECK(lines[2]["measured_by"] == "OnlineProbe");
  CHECK(lines[2]["protocol"]["optimizer"]["lr"] == 1e-3);
  CHECK(lines[2]["values"]["train"]["projector.0"].contains("top1"));
  CHECK_FALSE(lines[2].contains("loss"));
  CHECK_THAT(shown.str(), Contains("epoch 3, OnlineProbe, train, representation: top1 0."));
}

TEST_CASE("Callback: what start() may not call says so", "[train][monitors]") {
  const fixtures::CapturedLog log;
  struct Early {
    bool saves;
    [[nodiscard]] CallbackArchetype::State start(const train::Run& run) const {
      if (saves) run.save("never.pt");
      run.report({.by = "Early"});
      return {};
    }
  };
  CHECK_THROWS_WITH(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), Early{true}),
                    Contains("start() calls run.save"));
  CHECK_THROWS_WITH(fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), Early{false}),
                    Contains("start() calls run.report"));
}

TEST_CASE("KNNMonitor: images without a label are left out", "[train][monitors]") {
  const fixtures::CapturedLog log;
  /// Every fifth image lacks a label.
  struct PartlyLabelled : data::ArrayDataset {
    [[nodiscard]] std::int64_t label(std::int64_t i) const { return i % 5 == 0 ? -1 : data::ArrayDataset::label(i); }
  };
  const PartlyLabelled some{fixtures::stripes(40)};
  std::vector<train::Measurement> measurements;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(fixtures::stripes(), options, train::KNNMonitor{.k = 1}.on(some, some),
                                Measurements{&measurements});
  CHECK(measurements.at(0).values["representation"]["top1"] == 1.0);  // each is its own neighbour
}

TEST_CASE("Trainer.embed_layers: follows the backbone to another type, as step does", "[train][monitors]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  const LayerEmbedding single = trainer.embed_layers(fixtures::stripes(8));
  trainer.backbone()->to(torch::kHalf);
  trainer.backbone()->to(torch::kFloat);
  trainer.projector()->to(torch::kDouble);
  const LayerEmbedding again = trainer.embed_layers(fixtures::stripes(8));
  CHECK(again.layers.back().features.isApprox(single.layers.back().features, 1e-2F));  // weights rounded to float16
}

TEST_CASE("Trainer.embed_layers: the representation is embed's, the projector's layers are its module's",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes(30);
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run());
  const Embedding alone = trainer.embed(data);
  const LayerEmbedding all = trainer.embed_layers(data, {.batch_size = 30});
  REQUIRE(all.layers.size() == 3);
  CHECK(all.labels == alone.labels);
  CHECK(all.layers[0].layer == "representation");
  CHECK(all.layers[0].features == trainer.embed(data, {.batch_size = 30}).features);
  const Embedding projected = trainer.project(data, {.batch_size = 30});
  CHECK(projected.labels == all.labels);
  CHECK(projected.features == all.layers[2].features);
  RowMatrix x = all.layers[0].features;
  const torch::NoGradGuard no_gradient;
  auto head = trainer.projector();
  CHECK(head->is_training());  // as it was before
  head->eval();
  const std::vector<torch::Tensor> layers = head->layers(torch::from_blob(x.data(), {30, 64}));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Eigen::Map<const RowMatrix> expected(layers[i].const_data_ptr<float>(), 30, layers[i].size(1));
    CHECK(all.layers[i + 1].features.isApprox(expected, 1e-5F));
  }
}

TEST_CASE("Trainer.embed_layers: blocks are named as in torchvision, and the last is the representation",
          "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes(10);
  auto trainer = fixtures::small_trainer();
  const LayerEmbedding all = trainer.embed_layers(data, {.blocks = true});
  std::vector<std::string> names;
  for (const LayerFeatures& layer : all.layers) names.push_back(layer.layer);
  CHECK(names ==
        std::vector<std::string>{"layer1.0", "layer2.0", "layer3.0", "representation", "projector.0", "projector.1"});
  CHECK(all.layers[1].features.cols() == 16);
  CHECK(all.layers[3].features == trainer.embed(data).features);
  const auto blocks = trainer.backbone()->blocks(torch::rand({2, 1, 16, 16}));
  CHECK(blocks.back().first == "layer4.0");
  Trainer mean{augment::simclr({.size = 16, .grayscale = 0.0}), BackboneArchetype{}, projector::MLP{"8"},
               loss::NTXent{}, optim::SGD{}};
  CHECK_THROWS_WITH(mean.embed_layers(data, {.blocks = true}), Contains("does not tell its blocks' features"));
}

TEST_CASE("OnlineProbe: two in one run have a place each in the checkpoint", "[train][monitors]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  fixtures::small_trainer().fit(fixtures::stripes(), fixtures::small_run(), train::OnlineProbe{},
                                train::OnlineProbe{.optimizer = {.lr = 0.1}},
                                train::CheckpointEvery{folder / "checkpoint.pt"});
  const io::Checkpoint checkpoint = io::Checkpoint::load(folder / "checkpoint.pt");
  CHECK_FALSE(torch::equal(checkpoint.group("callback.OnlineProbe").at("representation.weight"),
                           checkpoint.group("callback.OnlineProbe-2").at("representation.weight")));
}

TEST_CASE("RankMonitor: its figures are those of eval::rank_me on the layers as they then are", "[train][monitors]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  std::vector<train::Measurement> measurements;
  auto trainer = fixtures::small_trainer();
  trainer.fit(data, fixtures::small_run(), train::RankMonitor{.epochs = 2}.on(data), Measurements{&measurements});
  REQUIRE(measurements.size() == 2);  // after the second epoch and after the last
  CHECK(measurements[1].epoch == 2);
  CHECK(measurements[1].protocol["images"] == 96);
  for (const auto& [layer, features] : trainer.embed_layers(data).layers)
    CHECK(measurements[1].values[layer]["rank_me"] == eval::rank_me(features));
  CHECK_THROWS_WITH(trainer.fit(data, fixtures::small_run(), train::RankMonitor{.epochs = 0}.on(data)),
                    Contains("epochs is 0, expected >= 1"));
}
