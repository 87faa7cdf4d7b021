// SPDX-License-Identifier: Apache-2.0
// Linear evaluation: what it leaves alone, what it trains, and what it says.
#include <catch2/catch.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>

#include "support/skip.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

train::LinearEvaluation short_linear_evaluation() {
  train::LinearEvaluation linear;
  linear.min_scale = 0.5;
  linear.fit.epochs = 4;
  linear.fit.batch_size = 24;
  linear.fit.seed = 7;
  linear.fit.device = Device::cpu;
  return linear;
}

/// A quiet run of it.
train::LinearEvaluationResult evaluated(const auto& trainer, const train::LinearEvaluation& linear) {
  return linear.run(trainer, fixtures::stripes(96), fixtures::stripes(40), CallbackArchetype{});
}

bool same_classifiers(const train::LinearEvaluationResult& a, const train::LinearEvaluationResult& b) {
  if (a.layers.size() != b.layers.size()) return false;
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    if (!torch::equal(a.layers[i].weight, b.layers[i].weight) || !torch::equal(a.layers[i].bias, b.layers[i].bias) ||
        a.layers[i].top1 != b.layers[i].top1)
      return false;
  }
  return true;
}

/// Features without weights: the means of 4 x 4 squares.
struct SquaresNetImpl : torch::nn::Module {
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const {
    return at::adaptive_avg_pool2d(images, {4, 4}).flatten(1);
  }
  void initialise(std::uint64_t) {}
  std::int64_t feature_dim = 16;
};
using SquaresNet = backbone::Holder<SquaresNetImpl>;

/// The stripes with other labels, in as many classes as wanted.
struct Relabelled : data::ArrayDataset {
  explicit Relabelled(std::int64_t (*label_of)(std::int64_t), std::int64_t count)
      : data::ArrayDataset(fixtures::stripes()), label_of_(label_of), count_(count) {}
  [[nodiscard]] std::int64_t classes() const { return count_; }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return label_of_(i); }

 private:
  std::int64_t (*label_of_)(std::int64_t);
  std::int64_t count_;
};

std::vector<Json> lines_with_protocol(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (Json parsed = Json::parse(line); parsed.contains("protocol")) lines.push_back(std::move(parsed));
  }
  return lines;
}

}  // namespace

TEST_CASE("LinearEvaluation: a classifier of each layer, with its figures and its protocol in the log",
          "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto training_images = fixtures::stripes(96);
  const auto test_images = fixtures::stripes(40);
  auto trainer = fixtures::small_trainer();
  trainer.fit(training_images, fixtures::small_run(), CallbackArchetype{});
  const std::string out = folder / "linear.jsonl";

  // [first]
  train::LinearEvaluation linear;
  linear.min_scale = 0.5;  // these images are small
  linear.fit.epochs = 40;
  linear.fit.batch_size = 24;
  const auto result = linear.run(trainer, training_images, test_images, train::JSONLines{out});
  for (const auto& layer : result.layers) note(layer.name, ": top-1 ", layer.top1);
  // [/first]

  REQUIRE(result.layers.size() == 3);
  CHECK(result.layers[0].name == "representation");
  CHECK(result.layers[2].name == "projector.1");
  CHECK(result.layers[0].weight.sizes() == torch::IntArrayRef({4, 64}));
  CHECK(result.layers[1].weight.sizes() == torch::IntArrayRef({4, 32}));
  CHECK(result.layers[2].bias.sizes() == torch::IntArrayRef({4}));
  CHECK(result.layers[0].top1 > 0.5);  // of four classes
  CHECK_FALSE(result.layers[0].top5.has_value());
  CHECK(result.fit.steps == 160);
  CHECK(result.fit.run_images == 160 * 24);

  const std::vector<Json> lines = lines_with_protocol(out);
  REQUIRE(lines.size() == 1);
  const Json& line = lines.front();
  CHECK(line["measured_by"] == "LinearEvaluation");
  CHECK(line["step"] == 160);
  CHECK(line["protocol"]["classifier"] == "linear, trained by SGD on the frozen network's features");
  CHECK(line["protocol"]["optimizer"] == to_json(optim::SGD{.lr = 0.1}));
  CHECK(line["protocol"]["epochs"] == 40);
  CHECK(line["protocol"]["batch_size"] == 24);
  CHECK(line["protocol"]["scale_lr"] == true);
  CHECK(line["protocol"]["warmup_epochs"] == 0.0);
  CHECK(line["protocol"]["training_images"] == 96);
  CHECK(line["protocol"]["images"] == 40);
  CHECK(line["protocol"]["classes"] == 4);
  CHECK(line["protocol"]["augmentation"].dump().find("RandomResizedCrop") != std::string::npos);
  for (const auto& layer : result.layers) CHECK(line["values"]["test"][layer.name]["top1"] == layer.top1);
  CHECK_FALSE(line["values"]["test"]["representation"].contains("top5"));
}

TEST_CASE("LinearEvaluation: its figures are those of its classifiers on the trainer's features",
          "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const auto six = [](std::int64_t i) { return i % 6; };
  const Relabelled data(six, 6);
  auto trainer = fixtures::small_trainer();
  trainer.initialise(3);
  const auto result = short_linear_evaluation().run(trainer, data, data, CallbackArchetype{});
  const LayerEmbedding features = trainer.embed_layers(data);
  REQUIRE(result.layers.size() == features.layers.size());
  for (std::size_t i = 0; i < features.layers.size(); ++i) {
    const RowMatrix& x = features.layers[i].features;
    const auto& layer = result.layers[i];
    CHECK(layer.name == features.layers[i].layer);
    const Eigen::Map<const RowMatrix> weight(layer.weight.data_ptr<float>(), 6, x.cols());
    const Eigen::Map<const Eigen::RowVectorXf> bias(layer.bias.data_ptr<float>(), 6);
    RowMatrix scores = x * weight.transpose();
    scores.rowwise() += bias;
    CHECK(layer.top1 == eval::top_k(scores, features.labels, 1));
    REQUIRE(layer.top5.has_value());
    CHECK(*layer.top5 == eval::top_k(scores, features.labels, 5));
    CHECK(*layer.top5 >= layer.top1);
  }
}

TEST_CASE("LinearEvaluation: the network keeps its bits, its place and its mode", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{});
  const StateDict net = fixtures::copy_of(module_state(*trainer.backbone()));
  const StateDict head = fixtures::copy_of(module_state(*trainer.projector()));
  const bool training = GENERATE(true, false);
  trainer.backbone()->train(training);
  const auto result = evaluated(trainer, short_linear_evaluation());
  CHECK(result.layers[0].weight.abs().sum().item<double>() > 0.0);
  CHECK(fixtures::equal_states(net, fixtures::copy_of(module_state(*trainer.backbone()))));
  CHECK(fixtures::equal_states(head, fixtures::copy_of(module_state(*trainer.projector()))));
  CHECK(trainer.backbone()->is_training() == training);
  for (const torch::Tensor& weight : trainer.backbone()->parameters()) CHECK(weight.requires_grad());

  // Also where the run fails in the middle.
  CHECK_THROWS_WITH(
      short_linear_evaluation().run(trainer, fixtures::stripes(96), fixtures::stripes(40), fixtures::StopAfter{3}),
      Contains("stopped after step 3"));
  CHECK(fixtures::equal_states(net, fixtures::copy_of(module_state(*trainer.backbone()))));
  CHECK(trainer.backbone()->is_training() == training);
}

TEST_CASE("LinearEvaluation: the classifier is the one that a plain loop trains", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{});
  train::LinearEvaluation linear = short_linear_evaluation();
  linear.optimizer.weight_decay = 1e-3;
  linear.fit.threads = 1;
  const auto result = evaluated(trainer, linear);

  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const auto maker = augment::compose(augment::RandomResizedCrop{.size = 16, .scale = {0.5, 1.0}},
                                      augment::RandomHorizontalFlip{}, augment::normalization(trainer.augmentation()));
  data::Loader loader(fixtures::stripes(96), maker,
                      {.batch_size = 24, .workers = 1, .seed = 7, .layout = Layout::channels_last});
  auto net = trainer.backbone();
  net->eval();
  torch::Tensor weight = torch::zeros({4, 64}).requires_grad_();
  torch::Tensor bias = torch::zeros({4}).requires_grad_();
  auto optimizer = optim::SGD{.lr = 0.1, .momentum = 0.9, .weight_decay = 1e-3}.attach(
      optim::NamedParameters{{"weight", weight}, {"bias", bias}});
  const optim::WarmupCosine schedule{.base_lr = 0.1 * 24 / 256, .total_steps = 16, .end_ratio = 0.0};
  std::int64_t step = 0;
  double loss = 0.0;
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    for (const data::Batch& batch : loader.epoch(epoch)) {
      const train::BatchTensors tensors = train::to_tensors(batch);
      torch::Tensor features;
      {
        const torch::NoGradGuard no_gradient;
        features = net->forward(tensors.views[0]);
      }
      const torch::Tensor losses = at::cross_entropy_loss(torch::linear(features, weight, bias), tensors.labels);
      optimizer.zero_grad();
      losses.backward();
      optimizer.set_lr(schedule.at(step++));
      optimizer.step();
      loss = losses.item<double>();
    }
  }
  net->train();
  torch::set_num_threads(threads);
  CHECK(step == 16);
  // The classifiers of the other layers, which learn from the same batches, must not matter: the scores lie side by side, so
  // that a product of matrices may add in another order, but nothing more.
  CHECK(torch::allclose(result.layers[0].weight, weight, 1e-5, 1e-7));
  CHECK(torch::allclose(result.layers[0].bias, bias, 1e-5, 1e-7));

  linear.every_layer = false;
  const auto alone = evaluated(trainer, linear);
  REQUIRE(alone.layers.size() == 1);
  CHECK(torch::equal(alone.layers[0].weight, weight.detach()));
  CHECK(torch::equal(alone.layers[0].bias, bias.detach()));
  CHECK(alone.fit.loss == Approx(loss).epsilon(1e-6));
}

TEST_CASE("LinearEvaluation: without chance in the views it ends at the logistic regression of the features",
          "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes(96);
  Trainer trainer{fixtures::small_trainer().augmentation(), SquaresNet(), projector::Identity{}, loss::NTXent{},
                  optim::SGD{}};
  constexpr double l2 = 1e-2;
  train::LinearEvaluation linear = short_linear_evaluation();
  linear.every_layer = false;
  linear.optimizer = {.lr = 0.2, .weight_decay = l2};
  linear.fit.scale_lr = false;
  linear.fit.epochs = 600;
  linear.fit.batch_size = 96;
  const auto result = linear.run(trainer, data, data, augment::evaluation(trainer.augmentation()), CallbackArchetype{});

  const Embedding features = trainer.embed(data);
  const auto probe = eval::LogisticProbe{.l2 = l2, .tolerance = 1e-7}.fit(features.features, features.labels);
  const Eigen::Map<const RowMatrix> weight(result.layers[0].weight.data_ptr<float>(), 4, 16);
  const Eigen::Map<const Eigen::RowVectorXf> bias(result.layers[0].bias.data_ptr<float>(), 4);
  RowMatrix scores = features.features * weight.transpose();
  scores.rowwise() += bias;
  // Both start where the weights of all classes sum to zero and stay there, so that scores are comparable. The cosine's last steps
  // are short: what remains is rounding.
  const RowMatrix expected = probe.scores(features.features);
  CHECK((scores - expected).cwiseAbs().maxCoeff() < 1e-4F * expected.cwiseAbs().maxCoeff());
  CHECK(result.layers[0].top1 == eval::accuracy(probe.predict(features.features), features.labels));
}

TEST_CASE("LinearEvaluation: equal seeds give equal bits, for any number of loader threads",
          "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(2);
  train::LinearEvaluation linear = short_linear_evaluation();
  linear.fit.workers = 1;
  const auto one = evaluated(trainer, linear);
  linear.fit.workers = 3;
  CHECK(same_classifiers(one, evaluated(trainer, linear)));
  linear.fit.seed = 8;
  CHECK_FALSE(same_classifiers(one, evaluated(trainer, linear)));
}

TEST_CASE("LinearEvaluation: goes on from a checkpoint as if it had not been interrupted",
          "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(2);
  train::LinearEvaluation linear = short_linear_evaluation();
  const auto whole = evaluated(trainer, linear);

  const auto run = [&](std::int64_t stop) {
    return linear.run(trainer, fixtures::stripes(96), fixtures::stripes(40),
                      train::CheckpointEvery{.path = folder / "linear.pt", .epochs = 0, .steps = 3},
                      fixtures::StopAfter{stop});
  };
  CHECK_THROWS_WITH(run(8), Contains("stopped after step 8"));
  linear.fit.resume = folder / "linear.pt";
  const auto rest = run(-1);
  CHECK(rest.fit.steps == 10);
  CHECK(same_classifiers(whole, rest));
  CHECK(io::Checkpoint::load(folder / "linear.pt").group("backbone").empty());

  trainer.initialise(4);
  CHECK_THROWS_WITH(run(-1), Contains("belongs to another run") && Contains("/backbone/weights"));
}

TEST_CASE("LinearEvaluation: a run that is over is judged again when it is resumed", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(2);
  train::LinearEvaluation linear = short_linear_evaluation();
  const train::CheckpointEvery checkpoint{.path = folder / "linear.pt"};
  const fixtures::StopAfter never{-1};
  const auto first = linear.run(trainer, fixtures::stripes(96), fixtures::stripes(40), checkpoint, never);
  linear.fit.resume = folder / "linear.pt";
  const auto again = linear.run(trainer, fixtures::stripes(96), fixtures::stripes(40), checkpoint, never);
  CHECK(again.fit.steps == 0);
  CHECK(same_classifiers(first, again));
}

TEST_CASE("LinearEvaluation: in bfloat16 the classifiers stay in float32", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{});
  train::LinearEvaluation linear = short_linear_evaluation();
  const auto exact = evaluated(trainer, linear);
  linear.fit.precision = Precision::bfloat16;
  const auto rounded = evaluated(trainer, linear);
  CHECK(rounded.layers[0].weight.scalar_type() == torch::kFloat32);
  // Features have three digits; so have the sums of 16 steps along them.
  const torch::Tensor difference = (rounded.layers[0].weight - exact.layers[0].weight).abs().max();
  CHECK(difference.item<double>() < 0.05 * exact.layers[0].weight.abs().max().item<double>());
  CHECK(difference.item<double>() > 0.0);
}

TEST_CASE("LinearEvaluation: says what is wrong before the first step", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  const auto data = fixtures::stripes(96);
  const train::LinearEvaluation linear = short_linear_evaluation();
  const auto refused = [&](train::LinearEvaluation settings) {
    try {
      (void)evaluated(trainer, settings);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const auto with = [&](auto change) {
    train::LinearEvaluation settings = linear;
    change(settings);
    return refused(settings);
  };
  CHECK_THAT(with([](auto& s) { s.fit.epochs = 0; }), Contains("epochs is 0, expected 1 to"));
  CHECK_THAT(with([](auto& s) { s.fit.batch_size = 97; }), Contains("the data set has only 96 images"));
  CHECK_THAT(with([](auto& s) { s.optimizer.lr = -1.0; }), Contains("lr is -1"));
  CHECK_THAT(with([](auto& s) { s.min_scale = 0.0; }), Contains("scale"));

  const auto labels_refused = [&](const auto& training, const auto& test) {
    try {
      (void)linear.run(trainer, training, test, CallbackArchetype{});
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  const Relabelled none([](std::int64_t) { return std::int64_t{-1}; }, 0);
  const Relabelled five([](std::int64_t i) { return i % 5; }, 5);
  const Relabelled beyond([](std::int64_t i) { return i == 7 ? std::int64_t{4} : i % 4; }, 4);
  const Relabelled partly([](std::int64_t i) { return i == 9 ? std::int64_t{-1} : i % 4; }, 4);
  const Relabelled good([](std::int64_t i) { return i % 4; }, 4);
  CHECK_THAT(labels_refused(none, good), Contains("the training images have 0 classes, expected at least two"));
  CHECK_THAT(labels_refused(good, none), Contains("the test images have 0 classes"));
  CHECK_THAT(labels_refused(good, five),
             Contains("the test images have 5 classes, expected 1 to those of the training"));
  CHECK_THAT(labels_refused(beyond, good),
             Contains("LinearEvaluation: the label of training image 7 (array, image 7) is 4, expected 0 to 3"));
  CHECK_THAT(labels_refused(good, partly),
             Contains("the label of test image 9 (array, image 9) is -1, expected 0 to 3") && Contains("data::filter"));
  CHECK_THAT(refused(linear), Contains("accepted"));
}

TEST_CASE("LinearEvaluation: images that do not fit the network are a ShapeError", "[train][linear_evaluation]") {
  const fixtures::CapturedLog log;
  const auto trainer = fixtures::small_trainer();
  std::vector<std::uint8_t> pixels(12 * 16 * 16 * 3);
  std::vector<std::int64_t> labels(12);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i % 2);
  const data::ArrayDataset colour{{.pixels = pixels, .height = 16, .width = 16, .channels = 3, .labels = labels}};
  train::LinearEvaluation linear = short_linear_evaluation();
  linear.fit.batch_size = 12;
  CHECK_THROWS_AS(linear.run(trainer, colour, colour, CallbackArchetype{}), ShapeError);
  CHECK_THROWS_WITH(linear.run(trainer, fixtures::stripes(), colour, CallbackArchetype{}),
                    Contains("the test images have 3 channels, expected as many as the training images, 1"));
}

TEST_CASE("LinearEvaluation: its named settings are the papers'", "[train][linear_evaluation]") {
  CHECK(train::LinearEvaluation{}.fit.epochs == 100);
  CHECK(train::LinearEvaluation{}.optimizer.weight_decay == 0.0);
  CHECK(train::LinearEvaluation::simclr().optimizer.nesterov);
  CHECK(train::LinearEvaluation::simclr().fit.batch_size == 4096);
  CHECK(train::LinearEvaluation::vicreg().optimizer.lr == 0.02);
  const auto settings = train::LinearEvaluation::vicreg();
  CHECK(same_options(from_json<train::LinearEvaluation>(to_json(settings)), settings));
}

TEST_CASE("LinearEvaluation: on a GPU it finds what it finds on the CPU, and gives the network back",
          "[train][linear_evaluation][cuda][outside]") {
  if (!torch::cuda::is_available()) {
    JESSL_SKIP("there is no CUDA device here");
    return;
  }
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.fit(fixtures::stripes(), fixtures::small_run(), CallbackArchetype{});
  const StateDict net = fixtures::copy_of(module_state(*trainer.backbone()));
  train::LinearEvaluation linear = short_linear_evaluation();
  const auto cpu = evaluated(trainer, linear);
  linear.fit.device = Device::cuda;
  const auto gpu = evaluated(trainer, linear);
  CHECK(gpu.fit.resolved.device == "cuda");
  CHECK(trainer.device().is_cpu());
  CHECK(fixtures::equal_states(net, fixtures::copy_of(module_state(*trainer.backbone()))));
  // Products may round to ten bits there; sixteen steps add them up.
  CHECK((gpu.layers[0].weight - cpu.layers[0].weight).abs().max().item<double>() <
        0.02 * cpu.layers[0].weight.abs().max().item<double>());
}
