// SPDX-License-Identifier: Apache-2.0
// Laws that every method obeys.
#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/hana/for_each.hpp>

#include <jessl/backbone.hpp>
#include <jessl/method.hpp>

// [own_method]
/// A method of one's own.
struct OwnMethod {
  static constexpr std::string_view name = "OwnMethod";

  jessl::augment::RandomResizedCrop augmentation{};
  jessl::projector::MLP projector{.widths = "512-128"};
  jessl::loss::NTXent loss{};
  jessl::optim::SGD optimizer{};
  jessl::FitOptions fit{};

  [[nodiscard]] auto views() const {
    return jessl::augment::two_views(jessl::augment::compose(augmentation, jessl::augment::Normalize{}));
  }
};
JESSL_OPTIONS(OwnMethod, augmentation, projector, loss, optimizer, fit);
// [/own_method]

namespace {

using namespace jessl;

/// Calls body(method) for every method of a list, with its published settings.
template <class List, class Body>
void for_each_of(const List& list, const Body& body) {
  hana::for_each(list, [&](auto type) {
    using M = typename decltype(type)::type;
    INFO(M::name);
    body(M{});
  });
}

/// For every method, FFCV-SSL's settings for two sizes of batches, and one of one's own.
template <class Body>
void for_each_method(const Body& body) {
  for_each_of(method::All, body);
  INFO("ffcv_ssl, batch 256");
  body(method::ffcv_ssl::SimCLR::batch_256());
  body(method::ffcv_ssl::VICReg::batch_256());
  INFO("ffcv_ssl, batch 2048");
  body(method::ffcv_ssl::SimCLR::batch_2048());
  body(method::ffcv_ssl::VICReg::batch_2048());
  INFO("OwnMethod");
  body(OwnMethod{});
}

/// A number as pages write it: 0.3, 1e-06 as 1e-6.
std::string written(double value) {
  std::ostringstream text;
  text << value;
  return std::regex_replace(text.str(), std::regex("e-0"), "e-");
}

/// The row of a method in the page's table.
std::string row_of(const std::string& name) {
  std::ifstream file(JESSL_TEST_DATA "/../docs/method/README.md");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `" + name + "` |")) return line;
  }
  return "";
}

}  // namespace

TEST_CASE("every method models the concept, and its settings go through JSON", "[method][law]") {
  for_each_method([](const auto& method) {
    using M = std::remove_cvref_t<decltype(method)>;
    static_assert(Method<M>);
    M changed = method;
    changed.augmentation.size = 48;
    changed.projector.widths = "7-5";
    changed.optimizer.lr = 0.125;
    changed.fit.epochs = 17;
    const Json document = to_json(changed);
    CHECK(document["name"] == M::name);
    CHECK(document != to_json(method));
    CHECK(to_json(from_json<M>(document)) == document);
  });
}

TEST_CASE("every method: the page shows the settings that the code has", "[method][law]") {
  for_each_of(method::All, [](const auto& method) {
    using M = std::remove_cvref_t<decltype(method)>;
    const std::string row = row_of(std::string(M::name));
    INFO(row);
    CHECK(row.find("`" + method.projector.widths + "`") != std::string::npos);
    CHECK(row.find(concat("| ", decltype(method.optimizer)::name, " ", written(method.optimizer.lr), ", ",
                          written(method.optimizer.weight_decay), " |")) != std::string::npos);
    const auto says = [&](const std::string& text) { CHECK_THAT(row, Catch::Contains(text)); };
    const auto& loss = method.loss;
    if constexpr (requires { loss.queue_size; }) {
      if (loss.queue_size > 0) says(concat("queue ", loss.queue_size));
    }
    if constexpr (requires { loss.prototypes; }) says(concat(loss.prototypes, " prototypes"));
    if constexpr (requires { loss.sub_batch; }) says(concat("sub-batches of ", loss.sub_batch));
    if constexpr (requires { loss.teacher; }) says("teacher " + written(loss.teacher.momentum));
    const auto says_where = [&](bool so, const std::string& text) {
      CHECK((row.find(text) != std::string::npos) == so);
    };
    says_where(method.projector.output_norm != projector::OutputNorm::none, "with an output norm");
    says_where(!method.projector.hidden_norm, "without norms");
    says_where(method.projector.activation == projector::Activation::gelu, "GELU");
    if constexpr (std::is_same_v<M, method::SimCLR>) says("temperature " + written(loss.temperature));
    const auto views = method.views();
    std::int64_t large = 0;
    while (large < views.views && views.shape(large, 3).height == method.augmentation.size) ++large;
    says(large == views.views ? concat("| ", large, ", ")
                              : concat("| ", large, " and ", views.views - large, " small, "));
    CHECK(views.shape(0, 3).height == 224);
    CHECK(row.find(concat("| ", method.fit.batch_size, " x ", method.fit.epochs, " |")) != std::string::npos);
  });
}

TEST_CASE("every method takes steps with its own kinds of policies, on its own number of views", "[method][law]") {
  for_each_method([](auto method) {
    constexpr std::int64_t images = 8;
    constexpr std::int64_t most = 24;  // width of a layer, for the time of the test
    method.projector.widths = std::regex_replace(method.projector.widths, std::regex("[0-9]+"), std::to_string(most));
    method.augmentation.size = 16;
    if constexpr (requires { method.augmentation.local_size; }) method.augmentation.local_size = 8;
    if constexpr (requires { method.loss.predictor; }) method.loss.predictor.hidden = std::to_string(most);
    if constexpr (requires { method.loss.queue_size; }) method.loss.queue_size = 2 * images;
    if constexpr (requires { method.loss.prototypes; }) method.loss.prototypes = most;
    if constexpr (requires { method.loss.sub_batch; }) {
      method.projector.widths = "24-3";
      method.loss.sub_batch = images;
    }
    method.optimizer.weight_decay = 0.0;  // which would move the weights by itself
    const auto views = method.views();
    std::vector<torch::Tensor> batch;
    for (std::int64_t v = 0; v < views.views; ++v) {
      const ViewShape shape = views.shape(v, 3);
      batch.push_back(torch::sin(0.37 * (1.0 + static_cast<double>(v)) *
                                 torch::arange(images * shape.channels * shape.height * shape.width, torch::kFloat)
                                     .view({images, shape.channels, shape.height, shape.width})));
    }
    auto trainer = method::make_trainer(
        method, backbone::resnet({.layers = {1, 1, 1, 1}, .width = 4, .stem = backbone::Stem::small}));
    const auto before = trainer.backbone()->parameters().front().clone();
    StepOptions options{.progress = loss::Progress{.epoch = 5.0, .epochs = 10.0}};
    if constexpr (SupervisedLoss<decltype(method.loss)>) options.labels = torch::arange(images) % 3;
    CHECK(std::isfinite(trainer.step(batch, options)));
    CHECK(std::isfinite(trainer.step(batch, options)));
    CHECK_FALSE(torch::equal(before, trainer.backbone()->parameters().front()));
  });
}

TEST_CASE("FFCV-SSL's settings have another learning rate for small batches", "[method][law]") {
  CHECK(method::ffcv_ssl::SimCLR::batch_256().optimizer.lr == 1.0);
  CHECK(method::ffcv_ssl::SimCLR::batch_256().fit.batch_size == 256);
  CHECK(method::ffcv_ssl::SimCLR::batch_2048().optimizer.lr == 0.5);
  CHECK(method::ffcv_ssl::SimCLR::batch_2048().fit.batch_size == 2048);
  CHECK(method::ffcv_ssl::VICReg::batch_256().optimizer.lr == 1.5);
  CHECK(method::ffcv_ssl::VICReg::batch_256().optimizer.weight_decay == 1e-4);
  CHECK(method::ffcv_ssl::VICReg::batch_2048().fit.batch_size == 2048);
}

TEST_CASE("a method is changed like any settings", "[method][law]") {
  // [simclr]
  jessl::method::SimCLR simclr;
  simclr.augmentation.size = 96;
  simclr.loss.temperature = 0.2;
  simclr.optimizer.lr = 0.85;  // what the official code advises for batches of 512
  simclr.fit.batch_size = 512;
  simclr.fit.epochs = 200;
  auto trainer = jessl::method::make_trainer(simclr, jessl::backbone::resnet18({.width = 4}));
  // [/simclr]
  CHECK(trainer.configuration()["loss"]["temperature"] == 0.2);
}

TEST_CASE("a method may be given other views than its own", "[method][law]") {
  // [other_views]
  jessl::method::SwAV swav;
  swav.augmentation.size = 32;
  swav.augmentation.blur = 0.0;
  auto trainer =
      jessl::method::make_trainer(swav, jessl::backbone::resnet18({.stem = jessl::backbone::Stem::small, .width = 4}),
                                  jessl::augment::swav<0>(swav.augmentation));  // two views, none of them small
  // [/other_views]
  CHECK(trainer.configuration()["augmentation"]["views"].size() == 2);
  CHECK(trainer.configuration()["loss"]["name"] == "SwAV");
}
