// SPDX-License-Identifier: Apache-2.0
// Trains the published methods, without their small views, on the same few images by the same small network, and compares
// what they have learned.
//
// Run        build/release/examples/methods                                    (all of them, on Fashion-MNIST)
//            build/release/examples/methods methods='["SimCLR", "BYOL"]' seeds=3 data=cifar10 out=out/cifar10
//            build/release/examples/methods methods='["BYOL"]' change='{"optimizer": {"lr": 1e-3}}'
// Ends with  a table: mean and deviation of the accuracies over the seeds, and the untrained encoder's; and which are above it
// Time       CIFAR-10: two to four minutes a method and seed on a core with AVX-512 and bfloat16, evaluation included
// test: images_per_class=60 test_images=500 width=4 epochs=16 batch_size=128 precision=float32 threads=1 change='{"augmentation": {"size": 16}}' out=methods_output
// expect: ([0-9]+) of \1 methods are above the untrained encoder

#include "scores.hpp"

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace jessl;

struct Settings {
  std::vector<std::string> methods{};   // by name; none: all
  std::string data = "";                // folder that has train and test, each with a folder a class; "": Fashion-MNIST
  std::int64_t images_per_class = 500;  // to train on, the first of each class
  std::int64_t test_images = 10000;     // at most
  std::int64_t width = 16;              // of the ResNet-18's first stage
  std::int64_t epochs = 10;
  std::int64_t batch_size = 256;
  std::int64_t seeds = 1;                      // runs of each method, with the seeds 1, 2, ...
  std::int64_t threads = 0;                    // 0: all cores
  Precision precision = Precision::automatic;  // bfloat16 where the processor is faster in it
  std::string change = "{}";                   // of the methods' settings, as JSON, after all others
  std::string out = "out/methods";
};
JESSL_OPTIONS(Settings, methods, data, images_per_class, test_images, width, epochs, batch_size, seeds, threads,
              precision, change, out);

/// The first images of each class, in memory, and the rest of what a run needs to know of them.
struct Images {
  data::ArrayDataset train;
  data::ArrayDataset test;
  data::ChannelStatistics statistics;
  std::int64_t side = 0;
};

/// Images of one size, decoded; where there are more than `most`, as many that are spread over all of them.
template <Dataset D>
data::ArrayDataset in_memory(const D& data, std::int64_t most) {
  data::ImageArray array{.channels = data.channels(), .classes = data.classes()};
  Image scratch;
  std::vector<std::byte> storage;
  const std::int64_t count = std::min(most, data.size());
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t i = k * data.size() / count;
    const ImageView image = data::decode(data.read(i, storage), data.channels(), scratch);
    if (k == 0) {
      array.height = image.height;
      array.width = image.width;
    }
    JESSL_CHECK(image.height == array.height && image.width == array.width, DataError, data.describe(i), " is ",
                image.width, " x ", image.height, " pixels, the images before it ", array.width, " x ", array.height,
                "; this program compares images of one size");
    array.pixels.insert(array.pixels.end(), image.pixels.begin(), image.pixels.end());
    array.labels.push_back(data.label(i));
  }
  return data::ArrayDataset(std::move(array));
}

template <Dataset D>
Images images_of(const D& train, const D& test, const Settings& settings) {
  std::map<std::int64_t, std::int64_t> taken;
  const auto first_ones =
      data::filter(train, [&](std::int64_t, std::int64_t label) { return taken[label]++ < settings.images_per_class; });
  Images images{in_memory(first_ones, first_ones.size()), in_memory(test, settings.test_images), {}, 0};
  images.statistics = data::channel_statistics(images.train);
  std::vector<std::byte> storage;
  images.side = images.train.read(0, storage).height;
  return images;
}

Images load(const Settings& settings) {
  if (settings.data.empty()) {
    return images_of(data::IDX::fashion_mnist(data::Split::train), data::IDX::fashion_mnist(data::Split::test),
                     settings);
  }
  const std::filesystem::path root = settings.data;
  return images_of(data::ImageFolder((root / "train").string()), data::ImageFolder((root / "test").string()), settings);
}

/// Widths joined by "-", none above `most`.
std::string at_most(std::int64_t most, const std::string& widths) {
  std::string text;
  std::istringstream stream(widths);
  for (std::string width; std::getline(stream, width, '-');) {
    if (!text.empty()) text += '-';
    text += std::to_string(std::min(most, static_cast<std::int64_t>(std::stoll(width))));
  }
  return text;
}

/// What short trials (docs/benchmarks.md) found for a method beyond the rules of for_small_images(): changes of its settings.
Json found_by_search(std::string_view method) {
  const std::map<std::string_view, Json> changes{
      {"SimCLR", {{"loss", {{"temperature", 0.2}}}}},
      {"MoCo", {{"augmentation", {{"jitter", 0.25}}}, {"loss", {{"symmetric", true}}}, {"optimizer", {{"lr", 0.3}}}}},
      {"BYOL",
       {{"augmentation", {{"min_scale", 0.4}, {"second_solarize", 0.0}}},
        {"projector", {{"widths", "2048-256"}, {"output_norm", "plain"}}},
        {"loss", {{"predictor", {{"hidden", "2048"}}}, {"teacher", {{"momentum", 0.95}}}}}}},
      {"SimSiam",
       {{"augmentation", {{"min_scale", 0.4}, {"jitter", 0.25}}},
        {"projector", {{"widths", "2048-256"}}},
        {"loss", {{"predictor", {{"hidden", "2048"}}}}},
        {"optimizer", {{"lr", 0.8}, {"weight_decay", 1e-3}}}}},
      {"DINO",
       {{"augmentation", {{"min_scale", 0.4}, {"jitter", 0.25}, {"second_solarize", 0.0}}},
        {"projector", {{"widths", "1024-256"}, {"hidden_norm", true}}},
        {"loss", {{"prototypes", 1024}}},
        {"optimizer", {{"lr", 1.0}}}}},
      {"WMSE",  // the widths are those of the official code for CIFAR-10
       {{"projector", {{"widths", "1024-64"}}}, {"loss", {{"sub_batch", 128}}}, {"optimizer", {{"lr", 1e-2}}}}},
      {"MMCR",  // four images a dimension in batches of 128, as published; small steps for biases and norms: the loss is a sum
       {{"projector", {{"widths", "512-32"}}}, {"optimizer", {{"lr", 0.1}, {"eta", 0.03}}}}},
  };
  const auto one = changes.find(method);
  return one == changes.end() ? Json::object() : one->second;
}

/// What a method's published settings become for a few thousand images of 28 or 32 pixels and some hundred steps.
template <Method M>
M for_small_images(M method, const Images& images, const Settings& settings) {
  auto& views = method.augmentation;
  views.size = images.side;
  views.min_scale = 0.2;
  views.mean = images.statistics.mean;
  views.std = images.statistics.std;
  views.blur = 0.0;  // an image of 32 pixels has no detail to lose
  if constexpr (requires { views.second_blur; }) {
    views.second_blur = 0.0;
  } else {
    views.jitter = std::min(views.jitter, 0.5);
  }
  method.projector.widths = at_most(512, method.projector.widths);
  if constexpr (SupervisedLoss<decltype(method.loss)>) method.projector.widths = std::to_string(images.train.classes());
  auto& loss = method.loss;
  if constexpr (requires { loss.predictor; }) loss.predictor.hidden = at_most(512, loss.predictor.hidden);
  if constexpr (requires { loss.teacher; }) loss.teacher.momentum = 0.99;
  if constexpr (requires { loss.queue_size; }) loss.queue_size = std::min<std::int64_t>(loss.queue_size, 2048);
  if constexpr (requires { loss.prototypes; }) loss.prototypes = 256;
  if constexpr (requires { loss.freeze_epochs; }) loss.freeze_epochs = 0.0;
  // Some hundred steps want larger ones than some hundred thousand.
  if constexpr (std::same_as<decltype(method.optimizer), optim::LARS>) method.optimizer.lr = 3.0;
  if constexpr (std::same_as<decltype(method.optimizer), optim::AdamW>) method.optimizer.lr = 3e-3;
  method.fit = {.epochs = settings.epochs,
                .batch_size = settings.batch_size,
                .precision = settings.precision,
                .scale_lr = method.fit.scale_lr,
                .warmup_epochs = 1.0,
                .end_ratio = 0.0,
                .threads = settings.threads};
  Json document = to_json(method);
  document.merge_patch(found_by_search(M::name));
  document.merge_patch(Json::parse(settings.change));
  return from_json<M>(document);
}

/// The views of a method: two of the whole size, without small ones, which an image of 32 pixels is too small for.
template <Method M>
auto views_of(const M& method) {
  if constexpr (std::same_as<M, method::SwAV>) {
    return augment::swav<0>(method.augmentation);
  } else if constexpr (requires { method.augmentation.local_size; }) {
    return augment::dino<0>(method.augmentation);
  } else {
    return method.views();
  }
}

double mean(const std::vector<Scores>& runs, double Scores::*score) {
  double sum = 0.0;
  for (const Scores& run : runs) sum += run.*score;
  return sum / static_cast<double>(runs.size());
}

/// The mean of a row's runs, and their deviation where there are several.
std::string cell(const std::vector<Scores>& runs, double Scores::*score) {
  const double average = mean(runs, score);
  double squares = 0.0;
  for (const Scores& run : runs) squares += (run.*score - average) * (run.*score - average);
  std::ostringstream text;
  text << std::fixed << std::setprecision(2) << average;
  if (runs.size() > 1) text << " +- " << std::sqrt(squares / static_cast<double>(runs.size() - 1));
  return text.str();
}

struct Row {
  std::string name{};
  std::vector<Scores> runs{};
  double seconds = 0.0;  // of training, all runs
};

std::string table(const std::vector<Row>& rows) {
  std::ostringstream text;
  text << std::left << std::setw(14) << "method" << std::right << std::setw(16) << "linear" << std::setw(16)
       << "k-NN, k = 20" << std::setw(16) << "k-NN, k = 200" << std::setw(10) << "seconds" << '\n';
  for (const Row& row : rows) {
    text << std::left << std::setw(14) << row.name << std::right;
    for (const auto score : {&Scores::linear_top1, &Scores::knn20_top1, &Scores::knn200_top1})
      text << std::setw(16) << cell(row.runs, score);
    text << std::setw(10) << std::llround(row.seconds / static_cast<double>(row.runs.size())) << '\n';
  }
  return text.str();
}

/// Which methods are above the untrained encoder.
std::string verdict(const std::vector<Row>& rows) {
  std::size_t above = 0;
  std::string others;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    bool better = true;
    for (const auto score : {&Scores::linear_top1, &Scores::knn20_top1})
      better = better && mean(rows[i].runs, score) > mean(rows[0].runs, score);
    if (better) {
      ++above;
    } else {
      others += (others.empty() ? "; not " : ", ") + rows[i].name;
    }
  }
  return concat(above, " of ", rows.size() - 1,
                " methods are above the untrained encoder, by the linear probe and by k-NN with k = 20", others, '\n');
}

/// Trains a method once for each seed. The first row is that of the untrained encoders, which all methods share.
template <Method M>
void compare(const M& published, const Images& images, const Settings& settings, std::vector<Row>& rows) {
  const M method = for_small_images(published, images, settings);
  std::cout << describe(method) << std::endl;
  Row row{.name = std::string(M::name)};
  for (std::int64_t seed = 1; seed <= settings.seeds; ++seed) {
    auto trainer = method::make_trainer(method,
                                        backbone::resnet18({.stem = backbone::Stem::small,
                                                            .in_channels = images.train.channels(),
                                                            .width = settings.width,
                                                            .zero_init_residual = true}),
                                        views_of(method));
    const EmbedOptions embedding{.precision = settings.precision, .threads = settings.threads};
    const auto scores = [&](const std::string& what) {
      return evaluate(what, trainer.embed(images.train, embedding), trainer.embed(images.test, embedding));
    };
    FitOptions options = method.fit;
    options.seed = static_cast<std::uint64_t>(seed);
    trainer.check(images.train, options);  // a mistake is told now, not after the first evaluation
    trainer.initialise(options.seed);
    if (static_cast<std::int64_t>(rows[0].runs.size()) < seed) rows[0].runs.push_back(scores("the untrained encoder"));
    const FitResult fitted = trainer.fit(images.train, options, train::Progress{});
    row.seconds += fitted.seconds;
    row.runs.push_back(scores(std::string(M::name)));
    std::cout << M::name << ", seed " << seed << ": linear " << row.runs.back().linear_top1 << ", k-NN "
              << row.runs.back().knn20_top1 << ", " << row.runs.back().knn200_top1 << std::endl;
  }
  rows.push_back(std::move(row));
}

/// Calls use(M{}) for each method M that is wanted.
template <class Use>
void for_each_wanted(const Settings& settings, const Use& use) {
  hana::for_each(method::All, [&](auto type) {
    using M = typename decltype(type)::type;
    const bool wanted = settings.methods.empty() ||
                        std::find(settings.methods.begin(), settings.methods.end(), M::name) != settings.methods.end();
    if (wanted) use(M{});
  });
}

/// Settings out of range are told before any image is read.
void check(const Settings& settings) {
  std::vector<std::string> known;
  hana::for_each(method::All, [&](auto type) { known.emplace_back(decltype(type)::type::name); });
  for (const std::string& name : settings.methods)
    JESSL_CHECK(std::find(known.begin(), known.end(), name) != known.end(), ConfigError, "methods has \"", name,
                "\", expected some of ", to_json(known));
  const auto at_least = [](std::int64_t least, const char* setting, std::int64_t value) {
    JESSL_CHECK(value >= least, ConfigError, setting, " is ", value, ", expected at least ", least);
  };
  at_least(1, "images_per_class", settings.images_per_class);
  at_least(1, "test_images", settings.test_images);
  at_least(1, "width", settings.width);
  at_least(1, "epochs", settings.epochs);
  at_least(2, "batch_size", settings.batch_size);
  at_least(1, "seeds", settings.seeds);
  JESSL_CHECK(Json::accept(settings.change), ConfigError, "change is ", settings.change,
              ", expected JSON like {\"optimizer\": {\"lr\": 0.1}}");
}

int run(const Settings& settings) {
  check(settings);
  const std::filesystem::path out = settings.out;
  io::make_folder(out);
  const Images images = load(settings);
  JESSL_CHECK(images.train.classes() == images.test.classes(), DataError, "the training images have ",
              images.train.classes(), " classes, the test images ", images.test.classes());
  JESSL_CHECK(images.train.size() >= most_neighbours, ConfigError, "there are ", images.train.size(),
              " images to train on, expected at least ", most_neighbours,
              ", the neighbours of the k-NN; take more images_per_class");
  std::cout << images.train.size() << " images to train on, " << images.test.size() << " to test on\n";
  // A change that one of them does not take ends the program now.
  for_each_wanted(settings, [&](const auto& method) { (void)for_small_images(method, images, settings); });
  std::vector<Row> rows{{.name = "untrained"}};
  for_each_wanted(settings, [&](const auto& method) {
    compare(method, images, settings, rows);
    write_file(out / "table.txt", table(rows));  // what is known, should a later one fail
  });
  std::cout << '\n' << table(rows) << '\n' << verdict(rows);
  return EXIT_SUCCESS;
}

int main(int argc, char** argv) {
  try {
    return run(options_from_arguments<Settings>(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
