// SPDX-License-Identifier: Apache-2.0
// The trainer: what it learns, what it refuses, and that equal seeds give equal runs.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>

#include "support/file_size_limit.hpp"
#include "support/skip.hpp"
#include "train/fixtures.hpp"

using namespace jessl;
using Catch::Contains;

namespace {

/// Writes down which hooks were called.
struct Diary {
  std::vector<std::string>* lines;
  struct State {
    std::vector<std::string>* lines;
    void after_step(const train::StepRecord& record) const { lines->push_back("step " + std::to_string(record.step)); }
    void save_point(const train::StepRecord& record) const { lines->push_back("save " + std::to_string(record.step)); }
    void after_epoch(const train::EpochRecord& record) const {
      lines->push_back("epoch " + std::to_string(record.epoch));
    }
    void finish() const { lines->emplace_back("finish"); }
  };
  [[nodiscard]] State start(const train::Run&) const { return {lines}; }
};

/// Keeps what the run says of itself at its start.
struct KeepRun {
  train::Run* run;
  struct State {};
  [[nodiscard]] State start(const train::Run& started) const {
    *run = started;
    return {};
  }
};

/// Finite itself, with a gradient that is not: the derivative of sqrt at 0.
struct SteepLoss {
  static constexpr std::string_view name = "SteepLoss";
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return torch::sqrt(views[0].sum() * 0.0);
  }
};

/// No scalar.
struct LossOfEachImage {
  template <class Group>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const Group&) const {
    return (views[0] - views[1]).square().sum(1);
  }
};

/// A user's own network: its constructor leaves LibTorch's initialisation, drawn from the generator of the process.
struct OwnNetImpl : torch::nn::Module {
  explicit OwnNetImpl(std::int64_t width = 8)
      : convolution(register_module("convolution", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, width, 3)))),
        feature_dim(width) {}
  [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) {
    return torch::relu(convolution->forward(images)).mean({2, 3});
  }
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    for (torch::Tensor& parameter : parameters()) parameter.normal_(0.0, 0.3, generator);
  }
  torch::nn::Conv2d convolution;
  std::int64_t feature_dim;
};
using OwnNet = backbone::Holder<OwnNetImpl>;

/// And a user's own projector of that kind.
struct OwnHeadImpl : torch::nn::LinearImpl {
  explicit OwnHeadImpl(std::int64_t in_features) : LinearImpl(in_features, 4) {}
  [[nodiscard]] std::vector<torch::Tensor> layers(const torch::Tensor& x) { return {forward(x)}; }
  void initialise(std::uint64_t seed) {
    const torch::NoGradGuard no_gradient;
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    for (torch::Tensor& parameter : parameters()) parameter.normal_(0.0, 0.3, generator);
  }
  std::int64_t out_features = 4;
};
TORCH_MODULE(OwnHead);
struct OwnProjector {
  [[nodiscard]] OwnHead make(std::int64_t in_features) const { return OwnHead(in_features); }
};

/// Images, and which of them were read.
struct Noted {
  data::ArrayDataset images;
  std::shared_ptr<std::vector<std::int64_t>> read_images = std::make_shared<std::vector<std::int64_t>>();

  [[nodiscard]] std::int64_t size() const { return images.size(); }
  [[nodiscard]] std::int64_t channels() const { return images.channels(); }
  [[nodiscard]] std::int64_t classes() const { return images.classes(); }
  [[nodiscard]] std::int64_t label(std::int64_t i) const { return images.label(i); }
  [[nodiscard]] EncodedImage read(std::int64_t i, std::vector<std::byte>& storage) const {
    read_images->push_back(i);
    return images.read(i, storage);
  }
  [[nodiscard]] std::string describe(std::int64_t i) const { return images.describe(i); }
};

/// Counts how often it is asked for a shape.
struct Counting {
  using Maker = decltype(augment::simclr({.size = 16}));
  using Scratch = Maker::Scratch;
  static constexpr std::int64_t views = Maker::views;
  [[nodiscard]] ViewShape shape(std::int64_t view, std::int64_t channels) const {
    ++*asked;
    return maker.shape(view, channels);
  }
  [[nodiscard]] Region region(const Extent& extent, const DrawKey& key) const { return maker.region(extent, key); }
  void make(const RegionView& part, const DrawKey& key, Scratch& scratch, std::span<float> out) const {
    maker.make(part, key, scratch, out);
  }
  std::int64_t* asked;
  Maker maker = augment::simclr({.size = 16});
};

/// Trains nothing, so that a run ends with the weights that it started from.
template <class B, class P = projector::MLP>
auto frozen_trainer(const B& net, const P& head = {}) {
  return Trainer{augment::simclr({.size = 16}), net, head, loss::NTXent{}, OptimizerArchetype{}};
}

}  // namespace

TEST_CASE("Trainer: a few epochs lower the loss and leave features that tell the classes apart", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.threads = 2;
  options.epochs = 12;
  const FitResult result = trainer.fit(data, options, train::JSONLines{folder / "metrics.jsonl"});
  const auto losses = fixtures::losses(folder / "metrics.jsonl");
  REQUIRE(losses.size() == 48);
  CHECK(result.steps == 48);
  CHECK(result.images == 48 * 24);
  // The loss of 24 pairs of unrelated embeddings is about log(47) = 3.9.
  CHECK(std::stod(losses.back()) < 0.8 * std::stod(losses.front()));
  const Embedding bank = trainer.embed(data);
  const auto predicted = eval::KNN{.k = 5}
                             .fit(bank.features.topRows(64), std::span(bank.labels).first(64))
                             .predict(bank.features.bottomRows(32));
  CHECK(eval::accuracy(predicted, std::span(bank.labels).last(32)) > 0.5);  // chance is 0.25
}

TEST_CASE("Trainer: one and two loader threads give the same losses to the last bit", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  for (const std::int64_t workers : {1, 2}) {
    FitOptions options = fixtures::small_run();
    options.workers = workers;
    fixtures::small_trainer().fit(data, options, train::JSONLines{folder / ("workers" + std::to_string(workers))});
  }
  const auto one = fixtures::losses(folder / "workers1");
  CHECK(one.size() == 12);
  CHECK(one == fixtures::losses(folder / "workers2"));
}

TEST_CASE("Trainer: start weights are a function of the seed, whatever the constructors of one's own modules leave",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  const auto start = [&](std::uint64_t process_seed, std::uint64_t seed) {
    torch::manual_seed(process_seed);
    auto trainer = frozen_trainer(OwnNet(std::int64_t{6}), OwnProjector{});
    options.seed = seed;
    trainer.fit(data, options, CallbackArchetype{});
    StateDict weights = module_state(*trainer.backbone());
    weights.merge(module_state(*trainer.projector()));
    return weights;
  };
  const StateDict weights = start(1, 5);
  CHECK(weights.size() == 4);
  CHECK(fixtures::equal_states(weights, start(2, 5)));
  const StateDict others = start(1, 6);
  for (const auto& [name, tensor] : weights) CHECK_FALSE(torch::equal(tensor, others.at(name)));
  CHECK_FALSE(log.contains("are kept"));
}

TEMPLATE_TEST_CASE("Trainer: weights that were loaded before it was made stay", "[train][trainer]", OwnNet,
                   backbone::ResNet) {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  TestType net = [] {
    if constexpr (std::is_same_v<TestType, OwnNet>) {
      return OwnNet();
    } else {
      return backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small, .in_channels = 1});
    }
  }();
  StateDict loaded;
  for (const auto& [name, tensor] : module_state(*net)) loaded[name] = tensor.detach() + 1;
  load_module_state(*net, loaded, "test");
  auto trainer = frozen_trainer(net, projector::MLP{"8-4"});
  trainer.fit(fixtures::stripes(), options, CallbackArchetype{});
  const auto parameters = net->named_parameters();
  for (const auto& entry : parameters) CHECK(torch::equal(entry.value(), loaded.at(entry.key())));
  CHECK(log.contains("the backbone's weights are not those it was made with and are kept"));
}

TEST_CASE("Trainer: of a module that was handed over it asks whether its weights were loaded", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  const OwnNet net(std::make_shared<OwnNetImpl>());
  const StateDict before = fixtures::copy_of(module_state(*net));
  auto trainer = frozen_trainer(net, projector::MLP{"8-4"});
  CHECK_THROWS_AS(trainer.fit(data, options, CallbackArchetype{}), ConfigError);
  CHECK_THROWS_WITH(trainer.check(data, options),
                    Contains("Call keep_weights() to start from them or initialise(seed) to draw others"));
  CHECK(fixtures::equal_states(before, module_state(*net)));
  trainer.keep_weights();
  trainer.fit(data, options, CallbackArchetype{});
  CHECK(fixtures::equal_states(before, module_state(*net)));

  OwnNet drawn(std::make_shared<OwnNetImpl>());
  drawn->initialise(0);
  auto other = frozen_trainer(drawn, projector::MLP{"8-4"});
  CHECK_NOTHROW(other.check(data, options));
}

TEST_CASE("Trainer: another seed gives another run", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "a"});
  options.seed = 6;
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "b"});
  CHECK(fixtures::losses(folder / "a") != fixtures::losses(folder / "b"));
}

TEST_CASE("Trainer: an interrupted run resumes in the middle of an epoch with the same losses", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  const Precision precision = GENERATE(Precision::float32, Precision::bfloat16);
  FitOptions options = fixtures::small_run();
  options.precision = precision;
  fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "whole"});

  const train::JSONLines metrics{folder / "resumed"};
  const train::CheckpointEvery checkpoint{.path = folder / "checkpoint.pt", .epochs = 0, .steps = 3};
  CHECK_THROWS_WITH(fixtures::small_trainer().fit(data, options, metrics, checkpoint, fixtures::StopAfter{8}),
                    Contains("stopped after step 8"));
  options.resume =
      folder / "checkpoint.pt";  // of step 6; steps 7 and 8 stand in the log and must not stand there twice
  const FitResult rest = fixtures::small_trainer().fit(data, options, metrics, checkpoint);
  CHECK(rest.steps == 6);
  CHECK(fixtures::losses(folder / "resumed") == fixtures::losses(folder / "whole"));
}

TEST_CASE("Trainer: resuming a finished run changes nothing", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  auto first = fixtures::small_trainer();
  first.fit(data, options, train::CheckpointEvery{folder / "checkpoint.pt"});
  options.resume = folder / "checkpoint.pt";
  auto second = fixtures::small_trainer();
  CHECK(second.fit(data, options, train::Progress{}).steps == 0);
  CHECK(fixtures::equal_states(module_state(*first.backbone()), module_state(*second.backbone())));
}

TEST_CASE("Trainer: refuses the checkpoint of another run and says where they differ", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "checkpoint.pt"});
  options.resume = folder / "checkpoint.pt";
  options.seed = 7;
  CHECK_THROWS_AS(fixtures::small_trainer().fit(data, options, CallbackArchetype{}), ConfigError);
  CHECK_THROWS_WITH(fixtures::small_trainer(0.5).fit(data, options, CallbackArchetype{}),
                    Contains("belongs to another run") && Contains("/loss/temperature is 0.2 there and 0.5 here") &&
                        Contains("/run/seed is 5 there and 7 here"));
  options.resume = folder / "absent.pt";
  CHECK_THROWS_AS(fixtures::small_trainer().fit(data, options, CallbackArchetype{}), DataError);
}

TEST_CASE("Trainer: goes through the data in the order that it is given, and records it", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const Noted data{fixtures::stripes(48)};
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.threads = options.workers = 1;
  options.decoding = data::Decoding::fast;
  const auto images_of = [&](const auto&... order) {
    auto trainer = fixtures::small_trainer();
    trainer.check(data, options, order...);
    data.read_images->clear();
    trainer.fit(data, options, order..., train::CheckpointEvery{folder / "checkpoint.pt"});
    std::vector<std::int64_t> images = *data.read_images;
    images.erase(images.begin(), images.end() - 48);  // without those that check() reads
    return images;
  };
  std::vector<std::int64_t> in_order(48);
  std::iota(in_order.begin(), in_order.end(), std::int64_t{0});
  const std::vector<std::int64_t> shuffled = images_of();
  CHECK(shuffled != in_order);
  CHECK(std::is_permutation(shuffled.begin(), shuffled.end(), in_order.begin()));
  CHECK(images_of(data::order::Shuffled{}) == shuffled);
  CHECK(images_of(data::order::Sequential{}) == in_order);

  options.resume = folder / "checkpoint.pt";
  CHECK_NOTHROW(fixtures::small_trainer().check(data, options, data::order::Sequential{}));
  CHECK_THROWS_WITH(
      fixtures::small_trainer().check(data, options),
      Contains("belongs to another run") && Contains("/run/order/name is \"Sequential\" there and \"Shuffled\" here"));
  options.decoding = data::Decoding::exact;
  CHECK_THROWS_WITH(fixtures::small_trainer().check(data, options, data::order::Sequential{}),
                    Contains("/run/decoding is \"fast\" there and \"exact\" here"));
}

TEST_CASE("Trainer: a configuration whose members stand in another order is the same run", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "checkpoint.pt"});
  io::Checkpoint checkpoint = io::Checkpoint::load(folder / "checkpoint.pt");
  const Json configuration = checkpoint.record["configuration"];
  Json reversed = Json::object();
  for (auto member = configuration.rbegin(); member != configuration.rend(); ++member)
    reversed[member.key()] = member.value();
  checkpoint.record["configuration"] = reversed;
  checkpoint.save(folder / "reversed.pt");
  options.resume = folder / "reversed.pt";
  CHECK_NOTHROW(fixtures::small_trainer().check(data, options));
  checkpoint.record["configuration"] = "a text";
  checkpoint.save(folder / "text.pt");
  options.resume = folder / "text.pt";
  CHECK_THROWS_AS(fixtures::small_trainer().check(data, options), ConfigError);
  CHECK_THROWS_WITH(fixtures::small_trainer().check(data, options),
                    Contains("belongs to another run: the whole is \"a text\" there"));
}

TEST_CASE("Trainer: an image that can't be read says nothing about which run it is", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "images");
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<std::uint8_t> pixels(256, static_cast<std::uint8_t>(40 * i));
    io::save_png(folder / ("images/" + std::to_string(i) + ".png"), {16, 16, 1, pixels});
  }
  const data::ImageFolder images(folder / "images", {.channels = 1});
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.batch_size = 4;
  fixtures::small_trainer().fit(images, options, train::CheckpointEvery{folder / "c.pt"});
  options.resume = folder / "c.pt";
  std::filesystem::rename(folder / "images/2.png", folder / "2.png");
  CHECK_NOTHROW(fixtures::small_trainer().check(images, options));
  std::filesystem::rename(folder / "images/1.png", folder / "1.png");
  std::filesystem::copy_file(folder / "images/3.png", folder / "images/1.png");
  CHECK_THROWS_WITH(fixtures::small_trainer().check(images, options),
                    Contains("the images or their labels are others"));
}

TEST_CASE("Trainer: a resumed run takes the thread count that it had, unless another is asked for",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.threads = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "c.pt"});
  options.threads = 0;
  options.resume = folder / "c.pt";
  fixtures::small_trainer().fit(data, options, CallbackArchetype{});
  CHECK_FALSE(log.contains("may differ in the last bits"));
  options.threads = 2;
  fixtures::small_trainer().fit(data, options, CallbackArchetype{});
  CHECK(log.contains("the run began with 1 threads on cpu"));
  // More than the cores that the process may use would make every step many times slower.
  io::Checkpoint checkpoint = io::Checkpoint::load(folder / "c.pt");
  checkpoint.record["threads"] = 1000;
  checkpoint.save(folder / "c.pt");
  options.threads = 0;
  fixtures::small_trainer().fit(data, options, CallbackArchetype{});
  CHECK(log.contains(
      concat("the run began with 1000 threads on cpu and jessl ", version, " and goes on with ", hardware_threads())));
}

TEST_CASE("Trainer: checks the shape of views once where no epoch changes it", "[train][trainer]") {
  const fixtures::CapturedLog log;
  std::int64_t asked = 0;
  Trainer trainer{
      Counting{.asked = &asked},
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"8-4"}, loss::NTXent{}, optim::AdamW{}};
  FitOptions options = fixtures::small_run();
  options.epochs = 1'000'000;
  trainer.check(fixtures::stripes(), options);
  CHECK(asked < 10);
}

TEST_CASE("Trainer: step() refuses tensors and losses that it can't use by errors of its own", "[train][trainer]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  const torch::Tensor bytes = torch::zeros({4, 1, 16, 16}, torch::kByte);
  CHECK_THROWS_AS(trainer.step({bytes, bytes}), ConfigError);
  CHECK_THROWS_WITH(trainer.step({bytes, bytes}),
                    Contains("views[0] is of type unsigned char, expected a floating type"));
  const torch::Tensor good = torch::rand({4, 1, 16, 16});
  const torch::Tensor elsewhere = torch::empty({4, 1, 16, 16}, torch::kMeta);
  CHECK_THROWS_WITH(trainer.step({good, elsewhere}), Contains("views[1] is on meta, the weights are on cpu"));
  for (torch::Tensor& parameter : trainer.backbone()->parameters()) parameter.requires_grad_(false);
  for (torch::Tensor& parameter : trainer.projector()->parameters()) parameter.requires_grad_(false);
  CHECK_THROWS_AS(trainer.step({good, good}), ConfigError);
  CHECK_THROWS_WITH(trainer.step({good, good}), Contains("the loss does not depend on the weights"));
  Trainer no_scalar{
      augment::simclr({.size = 16}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"8-4"}, LossOfEachImage{}, optim::AdamW{}};
  CHECK_THROWS_AS(no_scalar.step({good, good}), ShapeError);
  CHECK_THROWS_WITH(no_scalar.step({good, good}), Contains("the loss is [4], expected a scalar, []"));
}

TEST_CASE("Trainer: weights of another architecture are refused and nothing is changed", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "checkpoint.pt"});
  Trainer wider{
      augment::simclr({.size = 16}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 16, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"32-16"}, loss::NTXent{}, optim::AdamW{}};
  const StateDict before = fixtures::copy_of(module_state(*wider.backbone()));
  CHECK_THROWS_AS(wider.load_weights(folder / "checkpoint.pt"), ShapeError);
  CHECK_THROWS_WITH(wider.load_weights(folder / "checkpoint.pt"),
                    Contains("another architecture") && Contains("expected [16"));
  CHECK(fixtures::equal_states(before, module_state(*wider.backbone())));

  Trainer other_head{
      augment::simclr({.size = 16}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"48-16"}, loss::NTXent{}, optim::AdamW{}};
  const StateDict untouched = fixtures::copy_of(module_state(*other_head.backbone()));
  CHECK_THROWS_WITH(other_head.load_weights(folder / "checkpoint.pt"), Contains("projector"));
  CHECK(fixtures::equal_states(untouched, module_state(*other_head.backbone())));

  auto same = fixtures::small_trainer();
  same.load_weights(folder / "checkpoint.pt");
  const StateDict loaded = fixtures::copy_of(module_state(*same.backbone()));
  options.epochs = 1;
  CHECK_THROWS(same.fit(data, options, fixtures::StopAfter{1}));
  CHECK(log.contains("the run starts from the weights that the trainer has"));
  CHECK_FALSE(fixtures::equal_states(loaded, module_state(*same.backbone())));
}

TEST_CASE("Trainer: says what is wrong with a run before it reads an image", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  const auto refused = [&](FitOptions options) {
    try {
      fixtures::small_trainer().check(data, options);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(refused(fixtures::small_run()) == "accepted");
  CHECK_THAT(refused({.epochs = 0}), Contains("epochs is 0, expected 1 to 1000000"));
  CHECK_THAT(refused({.epochs = 4'000'000'000}), Contains("epochs is 4000000000, expected 1 to 1000000"));
  CHECK_THAT(refused({.epochs = 1, .batch_size = 97}),
             Contains("batch_size is 97, but the data set has only 96 images"));
  CHECK_THAT(refused({.epochs = 1, .batch_size = 1}), Contains("batch_size is 1, expected at least 2"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .warmup_epochs = 3.0}),
             Contains("warmup_epochs is 3, expected 0 to epochs = 2"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .end_ratio = 1.5}), Contains("end_ratio is 1.5"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .max_corrupt_share = 2.0}), Contains("max_corrupt_share is 2"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .threads = -1}), Contains("threads is -1"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .threads = 1025}),
             Contains("threads is 1025, expected 0 (all) to 1024"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .workers = 1025}),
             Contains("workers is 1025, expected 0 (chosen for you) to 1024"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .workers = -1}), Contains("workers is -1"));
  CHECK_THAT(refused({.epochs = 2, .batch_size = 8, .workers = 100000}), Contains("workers is 100000"));
  CHECK_THROWS_WITH(fixtures::small_trainer(0.0).check(data, fixtures::small_run()), Contains("temperature is 0"));
  if (!torch::cuda::is_available())
    CHECK_THAT(refused({.epochs = 1, .batch_size = 8, .device = Device::cuda}), Contains("no CUDA device"));
}

TEST_CASE("Trainer: a backbone that does not take the views is a ShapeError", "[train][trainer]") {
  const fixtures::CapturedLog log;
  Trainer colour{
      augment::simclr({.size = 16}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 3}),
      projector::MLP{"32-16"}, loss::NTXent{}, optim::AdamW{}};
  CHECK_THROWS_AS(colour.check(fixtures::stripes(), fixtures::small_run()), ShapeError);
  CHECK_THROWS_WITH(colour.check(fixtures::stripes(), fixtures::small_run()),
                    Contains("[2, 1, 16, 16]") && Contains("in_channels"));
}

TEST_CASE("Trainer: a loss that is not finite stops the run with the weights before the step", "[train][trainer]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  const auto good = [] { return torch::rand({8, 1, 16, 16}); };
  torch::manual_seed(3);
  trainer.step({good(), good()});
  const StateDict before = fixtures::copy_of(module_state(*trainer.backbone()));
  torch::Tensor bad = good();
  bad[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(trainer.step({bad, good()}), DivergenceError);
  CHECK_THROWS_WITH(trainer.step({good(), bad}), Contains("the loss is nan after 1 good steps"));
  CHECK(fixtures::equal_states(before, module_state(*trainer.backbone())));  // running statistics included
}

TEST_CASE("Trainer: a finite loss with an infinite gradient stops the run with the weights before the step",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  Trainer trainer{
      augment::simclr({.size = 16}),
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 8, .stem = backbone::Stem::small, .in_channels = 1}),
      projector::MLP{"32-16"}, SteepLoss{}, optim::AdamW{}};
  const StateDict before = fixtures::copy_of(module_state(*trainer.backbone()));
  torch::manual_seed(3);
  const std::vector<torch::Tensor> views{torch::rand({8, 1, 16, 16}), torch::rand({8, 1, 16, 16})};
  CHECK_THROWS_WITH(trainer.step(views), Contains("its gradient is not finite"));
  CHECK(fixtures::equal_states(before, module_state(*trainer.backbone())));
}

TEST_CASE("Trainer: the least of each policy makes a run", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  // The archetypes have no parameters: what there is to optimize is the user's own.
  struct NetImpl : torch::nn::Module {
    NetImpl() : scale(register_parameter("scale", torch::ones({1}))) {}
    [[nodiscard]] torch::Tensor forward(const torch::Tensor& images) const { return scale * images.flatten(1); }
    void initialise(std::uint64_t) {}
    torch::Tensor scale;
    std::int64_t feature_dim = 256;
  };
  Trainer trainer{augment::simclr({.size = 16}), backbone::Holder<NetImpl>{}, ProjectorArchetype{}, LossArchetype{},
                  OptimizerArchetype{}};
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  CHECK(trainer.fit(fixtures::stripes(), options, train::CheckpointEvery{folder / "c.pt"}).steps == 4);
  Trainer empty{augment::simclr({.size = 16}), BackboneArchetype{}, ProjectorArchetype{}, LossArchetype{},
                OptimizerArchetype{}};
  CHECK(empty.device().is_cpu());
}

TEST_CASE("Trainer: a run that fails before its first step leaves the next one free to choose its seed",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  std::ofstream(folder / "file") << "in the way";
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  auto tried = fixtures::small_trainer();
  CHECK_THROWS_AS(tried.fit(fixtures::stripes(), options, train::CheckpointEvery{folder / "file/c.pt"}), IOError);
  options.seed = 77;
  tried.fit(fixtures::stripes(), options, CallbackArchetype{});
  auto fresh = fixtures::small_trainer();
  fresh.fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(fixtures::equal_states(module_state(*tried.backbone()), module_state(*fresh.backbone())));
}

TEST_CASE("Trainer: a run that a callback ends leaves steps of one's own as one that ends by itself",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const std::vector<torch::Tensor> views{torch::rand({8, 1, 16, 16}), torch::rand({8, 1, 16, 16})};
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.batch_size = 48;  // two steps
  options.precision = Precision::bfloat16;
  auto whole = fixtures::small_trainer();
  whole.fit(fixtures::stripes(), options, CallbackArchetype{});
  auto ended = fixtures::small_trainer();
  CHECK_THROWS_WITH(ended.fit(fixtures::stripes(), options, fixtures::StopAfter{2}), Contains("stopped after step 2"));
  // In float32 and with the optimizer's own learning rate, both.
  CHECK(ended.step(views) == whole.step(views));
  CHECK(fixtures::equal_states(module_state(*ended.backbone()), module_state(*whole.backbone())));
}

TEST_CASE("Trainer: one that has moved goes on", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const auto data = fixtures::stripes();
  auto whole = fixtures::small_trainer();
  whole.fit(data, fixtures::small_run(), CallbackArchetype{});
  auto first = fixtures::small_trainer();
  auto second = std::move(first);
  second.fit(data, fixtures::small_run(), CallbackArchetype{});
  auto third = fixtures::small_trainer();
  third = std::move(second);
  const std::vector<torch::Tensor> views{torch::rand({8, 1, 16, 16}), torch::rand({8, 1, 16, 16})};
  CHECK(third.step(views) == whole.step(views));
  CHECK(third.embed(data).features == whole.embed(data).features);
}

TEST_CASE("Trainer: a damaged image costs a warning and a substitute, in the run and in the embedding",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes(20);
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < data.size(); ++i) {
    const EncodedImage image = data.read(i, storage);
    std::vector<std::uint8_t> pixels(image.bytes.size());
    std::transform(image.bytes.begin(), image.bytes.end(), pixels.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    io::save_png(folder / (std::to_string(100 + i) + ".png"), {image.width, image.height, 1, pixels});
  }
  std::ofstream(folder / "105.jpg") << "a text file";
  const data::ImageFolder images(folder.path(), {.channels = 1});
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.batch_size = 21;
  auto trainer = fixtures::small_trainer();
  CHECK(trainer.fit(images, options, CallbackArchetype{}).corrupt == 1);
  CHECK(log.contains("105.jpg) is damaged, another takes its place"));
  CHECK(log.contains("1 damaged image was replaced"));

  const Embedding rows = trainer.embed(images);
  CHECK(rows.features.rows() == 21);
  std::int64_t equal = 0;  // rows equal to the damaged image's, which stands at 5
  for (Eigen::Index i = 0; i < 21; ++i) equal += rows.features.row(i) == rows.features.row(5) ? 1 : 0;
  CHECK(equal == 2);
  CHECK_THROWS_WITH(trainer.embed(images, {.on_corrupt = data::OnCorrupt::error}), Contains("105.jpg"));
  options.max_corrupt_share = 0.01;
  CHECK_THROWS_AS(trainer.fit(images, options, CallbackArchetype{}), DataError);
}

TEST_CASE("Trainer: a checkpoint that fits in part changes nothing", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "whole.pt"});
  const std::string group = GENERATE("optimizer", "projector");
  io::Checkpoint part = io::Checkpoint::load(folder / "whole.pt");
  part.groups.erase(group);
  part.save(folder / "part.pt");
  options.resume = folder / "part.pt";
  auto trainer = fixtures::small_trainer();
  const StateDict before = fixtures::copy_of(module_state(*trainer.backbone()));
  CHECK_THROWS_WITH(trainer.check(data, options), Contains("part.pt has no group \"" + group + "\""));
  CHECK_THROWS_AS(trainer.fit(data, options, CallbackArchetype{}), DataError);
  CHECK(fixtures::equal_states(before, module_state(*trainer.backbone())));
}

TEST_CASE("Trainer: an optimizer's state of another kind is refused with the checkpoint's name", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(data, options, train::CheckpointEvery{folder / "c.pt"});
  io::Checkpoint checkpoint = io::Checkpoint::load(folder / "c.pt");
  checkpoint.groups["optimizer"].erase("step");
  checkpoint.save(folder / "c.pt");
  options.resume = folder / "c.pt";
  CHECK_THROWS_AS(fixtures::small_trainer().check(data, options), ConfigError);
  CHECK_THROWS_WITH(fixtures::small_trainer().check(data, options),
                    Contains("c.pt") && Contains(", optimizer: ") && Contains("the state lacks \"step\""));
}

TEST_CASE("Trainer: saved weights come back", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  auto first = fixtures::small_trainer();
  first.fit(data, options, train::CheckpointEvery{folder / "run.pt"});
  first.save_weights(folder / "weights.pt");
  auto second = fixtures::small_trainer();
  second.load_weights(folder / "weights.pt");
  CHECK(fixtures::equal_states(module_state(*first.backbone()), module_state(*second.backbone())));
  options.resume = folder / "weights.pt";
  CHECK_THROWS_WITH(second.check(data, options), Contains("holds weights, but no run to resume"));
}

TEST_CASE("Trainer: the whole run's time and images include what was resumed", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  auto trainer = fixtures::small_trainer();
  CHECK_THROWS(
      trainer.fit(data, options, train::CheckpointEvery{.path = folder / "c.pt", .steps = 1}, fixtures::StopAfter{8}));
  options.resume = folder / "c.pt";
  const FitResult rest = trainer.fit(data, options, CallbackArchetype{});
  CHECK(rest.steps == 5);
  CHECK(rest.images == 5 * 24);
  CHECK(rest.run_images == 12 * 24);
  const double earlier = io::Checkpoint::load(folder / "c.pt").record["seconds"];
  CHECK(earlier > 0.0);
  CHECK(rest.run_seconds >= earlier + rest.seconds);
}

TEST_CASE("Trainer: other images with the same labels are another run", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto grey = [](std::uint8_t value) {
    return data::ArrayDataset{{.pixels = std::vector<std::uint8_t>(24 * 256, value), .height = 16, .width = 16}};
  };
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(grey(10), options, train::CheckpointEvery{folder / "c.pt"});
  options.resume = folder / "c.pt";
  CHECK_THROWS_WITH(fixtures::small_trainer().check(grey(20), options), Contains("/run/fingerprint"));
  CHECK_NOTHROW(fixtures::small_trainer().check(grey(10), options));
}

TEST_CASE("Trainer: every image of a small data set counts for which run it is", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto eight = [](std::size_t changed) {
    std::vector<std::uint8_t> pixels(8 * 256, 10);
    if (changed < 8) pixels[changed * 256] = 11;
    return data::ArrayDataset{{.pixels = std::move(pixels), .height = 16, .width = 16}};
  };
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.batch_size = 4;
  fixtures::small_trainer().fit(eight(8), options, train::CheckpointEvery{folder / "c.pt"});
  options.resume = folder / "c.pt";
  for (std::size_t changed = 0; changed < 8; ++changed) {
    CHECK_THROWS_WITH(fixtures::small_trainer().check(eight(changed), options), Contains("/run/fingerprint"));
  }
}

TEST_CASE("Trainer: going on with the checkpoint of another jessl is a warning", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(fixtures::stripes(), options, train::CheckpointEvery{folder / "c.pt"});
  options.resume = folder / "c.pt";
  fixtures::small_trainer().fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK_FALSE(log.contains("may differ in the last bits"));
  io::Checkpoint checkpoint = io::Checkpoint::load(options.resume);
  checkpoint.version = "0.0.1";
  checkpoint.save(options.resume);
  fixtures::small_trainer().fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(log.contains("and jessl 0.0.1 and goes on"));
}

TEST_CASE("Trainer: embeddings keep the order and do not depend on the batch size or threads", "[train][trainer]") {
  const fixtures::CapturedLog log;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(1);
  const auto data = fixtures::stripes(50);
  const Embedding whole = trainer.embed(data, {.batch_size = 50, .threads = 1});
  const Embedding parts = trainer.embed(data, {.batch_size = 7, .threads = 2});
  CHECK(whole.features.rows() == 50);
  CHECK(whole.labels == parts.labels);
  CHECK(whole.labels[6] == 2);
  CHECK((whole.features - parts.features).cwiseAbs().maxCoeff() < 1e-5F);  // float32 sums in another order
}

TEST_CASE("Trainer.embed_to: the file has the bits of embed, the labels, and what made them", "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  auto trainer = fixtures::small_trainer();
  trainer.initialise(1);
  const auto data = fixtures::stripes(50);
  const EmbedOptions options{.batch_size = 16};  // 50 is no multiple of it
  const Embedding expected = trainer.embed(data, options);
  trainer.embed_to(data, folder / "a.safetensors", options, {{"protocol", "images of stripes"}, {"jessl", "mine"}});
  const io::FeatureFile file(folder / "a.safetensors");
  CHECK(file.features() == expected.features);
  CHECK(std::equal(file.labels().begin(), file.labels().end(), expected.labels.begin(), expected.labels.end()));
  CHECK(file.metadata().at("layer") == "representation");
  CHECK(Json::parse(file.metadata().at("backbone")) == trainer.configuration()["backbone"]);
  CHECK(Json::parse(file.metadata().at("options")) == to_json(options));
  CHECK(file.metadata().count("views") == 1);
  CHECK(file.metadata().at("protocol") == "images of stripes");
  CHECK(file.metadata().at("jessl") == "mine");
  const StateDict tensors = io::safetensors::load(folder / "a.safetensors");
  CHECK(shape_of(tensors.at("features")) == Shape(std::vector<std::int64_t>{50, file.dimension()}));
  CHECK(tensors.at("labels").equal(torch::tensor(expected.labels)));

  const auto smaller = augment::eval({.size = 8});
  trainer.embed_to(data, folder / "b.safetensors", options, smaller);
  CHECK(io::FeatureFile(folder / "b.safetensors").features() == trainer.embed(data, options, smaller).features);

  const data::ArrayDataset bare{{.pixels = std::vector<std::uint8_t>(3 * 256, 100), .height = 16, .width = 16}};
  trainer.embed_to(bare, folder / "c.safetensors");
  CHECK(io::FeatureFile(folder / "c.safetensors").size() == 3);
  CHECK(io::FeatureFile(folder / "c.safetensors").labels().empty());
}

TEST_CASE("Trainer.embed_to: a pass that fails leaves what stood at the path, and nothing beside it",
          "[train][trainer]") {
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const fixtures::TemporaryFolder images;
  auto trainer = fixtures::small_trainer();
  const auto data = fixtures::stripes(20);
  trainer.embed_to(data, folder / "a.safetensors");
  std::ofstream(images / "1.jpg") << "a text file";
  const data::ImageFolder damaged(images.path(), {.channels = 1});
  CHECK_THROWS_AS(trainer.embed_to(damaged, folder / "a.safetensors", {.on_corrupt = data::OnCorrupt::error}),
                  DataError);
  CHECK_THROWS_AS(trainer.embed_to(data, folder / "a.safetensors", {.batch_size = 0}), ConfigError);
  {
    const test::FileSizeLimit full(1000);
    CHECK_THROWS_AS(trainer.embed_to(data, folder / "a.safetensors"), IOError);
  }
  CHECK_THROWS_AS(trainer.embed_to(data, folder / "absent/a.safetensors"), IOError);
  CHECK(folder.entries() == 1);
  CHECK(io::FeatureFile(folder / "a.safetensors").size() == 20);
}

TEST_CASE("Trainer: callbacks see every step and epoch before the save point, and the end", "[train][trainer]") {
  const fixtures::CapturedLog log;
  std::vector<std::string> lines;
  FitOptions options = fixtures::small_run();
  options.epochs = 2;
  options.batch_size = 48;
  fixtures::small_trainer().fit(fixtures::stripes(), options, Diary{&lines}, CallbackArchetype{});
  CHECK(lines == std::vector<std::string>{"step 1", "save 1", "step 2", "epoch 0", "save 2", "step 3", "save 3",
                                          "step 4", "epoch 1", "save 4", "finish"});
}

TEST_CASE("Trainer: announces where it computes and with how many threads", "[train][trainer]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  options.threads = 1;
  options.workers = 2;
  fixtures::small_trainer().fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(log.contains("training on 96 images, cpu, float32, 1 thread; 2 workers load between the steps"));
}

TEST_CASE("Trainer: says what it decided where the settings leave it open", "[train][trainer]") {
  const fixtures::CapturedLog log;
  FitOptions options = fixtures::small_run();
  options.epochs = 2;
  options.precision = Precision::automatic;
  options.threads = 1;
  train::Run run;
  const FitResult result = fixtures::small_trainer().fit(fixtures::stripes(), options, KeepRun{&run});
  const Precision precision = resolve(Precision::automatic, torch::kCPU);
  const Json expected{{"device", "cpu"},   {"precision", precision == Precision::bfloat16 ? "bfloat16" : "float32"},
                      {"ranks", 1},        {"threads", 1},
                      {"workers", 1},      {"warmup_epochs", 0.2},
                      {"version", version}};
  CHECK(to_json(result.resolved) == expected);
  CHECK(to_json(run.resolved) == expected);

  options.threads = 0;
  options.workers = 2;
  options.warmup_epochs = 1.0;
  const FitResult other = fixtures::small_trainer().fit(fixtures::stripes(), options, CallbackArchetype{});
  CHECK(other.resolved.threads == hardware_threads());
  CHECK(other.resolved.workers == 2);
  CHECK(other.resolved.warmup_epochs == 1.0);
}

TEST_CASE("Trainer: a GPU gives the losses of the CPU", "[train][trainer][cuda][outside]") {
  if (!torch::cuda::is_available()) {
    JESSL_SKIP("there is no CUDA device here");
    return;
  }
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  FitOptions options = fixtures::small_run();
  options.epochs = 1;
  fixtures::small_trainer().fit(fixtures::stripes(), options, train::JSONLines{folder / "cpu"});
  options.device = Device::cuda;
  fixtures::small_trainer().fit(fixtures::stripes(), options, train::JSONLines{folder / "cuda"});
  const auto cpu = fixtures::losses(folder / "cpu");
  const auto cuda = fixtures::losses(folder / "cuda");
  REQUIRE(cpu.size() == cuda.size());
  // The first loss has seen no update; later ones amplify the rounding of convolutions in another order.
  CHECK(std::stod(cuda[0]) == Approx(std::stod(cpu[0])).epsilon(1e-3));
}

TEST_CASE("Trainer: a run on a GPU learns, resumes there and on the CPU, and embeds",
          "[train][trainer][cuda][outside]") {
  if (!torch::cuda::is_available()) {
    JESSL_SKIP("there is no CUDA device here");
    return;
  }
  const fixtures::CapturedLog log;
  const fixtures::TemporaryFolder folder;
  const auto data = fixtures::stripes();
  FitOptions options = fixtures::small_run();
  options.epochs = 12;
  options.device = Device::cuda;
  options.precision = GENERATE(Precision::float32, Precision::automatic);
  auto trainer = fixtures::small_trainer();
  CHECK_THROWS(trainer.fit(data, options, train::JSONLines{folder / "m"},
                           train::CheckpointEvery{.path = folder / "c.pt", .steps = 5}, fixtures::StopAfter{22}));
  options.resume = folder / "c.pt";
  const FitResult rest = fixtures::small_trainer().fit(data, options, train::JSONLines{folder / "m"});
  CHECK(rest.steps == 28);
  const auto losses = fixtures::losses(folder / "m");
  REQUIRE(losses.size() == 48);
  CHECK(std::stod(losses.back()) < 0.8 * std::stod(losses.front()));

  CHECK(trainer.embed(data).features.allFinite());
  options.device = Device::cpu;
  if (options.precision == Precision::automatic) options.precision = resolve(Precision::automatic, torch::kCUDA);
  CHECK(fixtures::small_trainer().fit(data, options, CallbackArchetype{}).steps == 28);
  CHECK(log.contains("may differ in the last bits"));
}
