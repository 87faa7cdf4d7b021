// SPDX-License-Identifier: Apache-2.0
// SimCLR on Fashion-MNIST: learns without labels, then asks how much the representation knows about the classes.
//
// Run        make quickstart
//            make quickstart ARGS="epochs=2 images=10000 out=out/short"    (any setting below, as name=value)
// Ends with  a table of accuracies on the test images, and the folder it wrote
// Time       5 to 11 minutes on 2 cores with AVX-512, 18 on two processors of one core with AVX2
// test: epochs=2 images=512 test_images=200 batch_size=64 out=quickstart_output
// expect: results are in

#include "scores.hpp"

#include <jessl/jessl.hpp>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace jessl;

struct Settings {
  // What about ten minutes on 2 cores are enough for.
  std::int64_t epochs = resolve(Precision::automatic, torch::kCPU) == Precision::bfloat16 ? 10 : 7;
  std::int64_t batch_size = 128;
  std::int64_t images = 60000;  // of the training set, from its start; all of them
  std::int64_t test_images = 10000;
  std::uint64_t seed = 1;
  std::int64_t workers = 0;                    // loader threads; 0: all cores
  Precision precision = Precision::automatic;  // bfloat16 where the processor is faster in it
  bool resume = false;                         // go on from out/checkpoint.pt
  std::string out = "out/quickstart";
};
JESSL_OPTIONS(Settings, epochs, batch_size, images, test_images, seed, workers, precision, resume, out);

std::string table(const std::string& heading, const std::vector<std::pair<std::string, Scores>>& rows) {
  std::ostringstream text;
  text << heading << "\n\n"
       << std::left << std::setw(20) << "representation" << std::right << std::setw(14) << "k-NN, k = 20"
       << std::setw(14) << "k-NN, k = 200" << std::setw(10) << "linear" << '\n'
       << std::fixed << std::setprecision(2);
  for (const auto& [name, scores] : rows) {
    text << std::left << std::setw(20) << name << std::right << std::setw(14) << scores.knn20_top1 << std::setw(14)
         << scores.knn200_top1 << std::setw(10) << scores.linear_top1 << '\n';
  }
  return text.str();
}

/// What to say where the trained encoder is no better than the pixels; "" where it is, by every measure.
std::string advice(const Settings& settings, const Scores& pixels, const Scores& trained) {
  std::ostringstream below;
  below << std::fixed << std::setprecision(2);
  const auto compare = [&](const std::string& measure, double of_trained, double of_pixels) {
    if (of_trained < of_pixels)
      below << (below.view().empty() ? "" : "; ") << measure << ": " << of_trained << " against " << of_pixels;
  };
  compare("k-NN, k = 20", trained.knn20_top1, pixels.knn20_top1);
  compare("k-NN, k = 200", trained.knn200_top1, pixels.knn200_top1);
  compare("linear", trained.linear_top1, pixels.linear_top1);
  if (below.view().empty()) return "";
  const Settings usual;
  const bool is_short = settings.epochs < usual.epochs || settings.images < usual.images;
  const std::string remedy =
      is_short ? concat("epochs=", usual.epochs, " images=", usual.images, ", as the quickstart does by itself")
               : concat("epochs=", 2 * settings.epochs);
  return concat("The trained encoder ends below raw pixels (", below.str(),
                "): it has learned for too short a time. Run ", remedy, ".\n");
}

/// summary.json holds the settings, and JSON is UTF-8: said before the run, not when it is over.
void check_text(const Settings& settings) {
  try {
    (void)to_json(settings).dump();
  } catch (const Json::type_error& error) {
    fail<ConfigError>("out is not UTF-8, as summary.json must be: ", error.what(), "; name the folder in UTF-8");
  }
}

int run(const Settings& settings) {
  check_text(settings);
  JESSL_CHECK(settings.images >= most_neighbours, ConfigError, "images is ", settings.images, ", expected at least ",
              most_neighbours);
  JESSL_CHECK(settings.test_images >= 1, ConfigError, "test_images is ", settings.test_images, ", expected at least 1");
  const std::filesystem::path out = settings.out;
  io::make_folder(out);

  // [data]
  const auto train = data::subset(data::IDX::fashion_mnist(data::Split::train), 0, settings.images);
  const auto test = data::subset(data::IDX::fashion_mnist(data::Split::test), 0, settings.test_images);
  // [/data]
  JESSL_CHECK(train.classes() == test.classes(), DataError, "the training images have ", train.classes(),
              " classes, the test images ", test.classes());

  // [trainer]
  // Clothes differ in shape and shade: crops keep most of the image, and tone and noise vary instead of colour.
  const auto augmentation = augment::two_views(augment::compose(
      augment::RandomResizedCrop{.size = 28, .scale = {0.4, 1.0}}, augment::RandomHorizontalFlip{},
      augment::ColorJitter{.brightness = 0.4, .contrast = 0.4, .saturation = 0.0, .hue = 0.0, .p = 0.8},
      augment::RandomGamma{.gamma = {0.5, 2.0}}, augment::GaussianNoise{.sigma = 0.06},
      augment::Normalize{.mean = {0.286, 0.286, 0.286}, .std = {0.353, 0.353, 0.353}}));

  Trainer trainer{
      augmentation,
      backbone::resnet({.layers = {1, 1, 1, 1}, .width = 32, .stem = backbone::Stem::medium, .in_channels = 1}),
      projector::MLP{"512-128"}, loss::NTXent{.temperature = 0.2}, optim::AdamW{.lr = 3e-3, .weight_decay = 1e-4}};
  // [/trainer]
  const std::filesystem::path checkpoint = out / "checkpoint.pt";
  const bool resume = settings.resume && std::filesystem::exists(checkpoint);
  if (settings.resume && !resume) std::cout << "there is no " << checkpoint.string() << " yet: the run starts anew\n";
  const FitOptions options{.epochs = settings.epochs,
                           .batch_size = settings.batch_size,
                           .seed = settings.seed,
                           .precision = settings.precision,
                           .scale_lr = false,  // AdamW's steps hardly depend on the batch size
                           .workers = settings.workers,
                           .resume = resume ? checkpoint : ""};
  trainer.check(train, options);  // a mistake is told now, not after the baselines
  std::cout << train.size() << " images to train on, in batches of " << settings.batch_size << " ("
            << train.size() % settings.batch_size << " left out of each epoch), and " << test.size() << " to test on\n";
  io::save_png(out / "views.png", train::view_grid(train, augmentation, {.seed = settings.seed}).view());
  std::cout << (out / "views.png").string()
            << " shows a row an image: the image, and the two views that are made of it\n";

  const Scores pixels = evaluate("raw pixels", data::pixels(train), data::pixels(test));
  trainer.initialise(settings.seed);
  const EmbedOptions embedding{.precision = settings.precision};
  const Scores untrained =
      evaluate("the untrained encoder", trainer.embed(train, embedding), trainer.embed(test, embedding));

  if (!resume) {
    for (const char* result : {"table.txt", "summary.json"}) keep_previous(out / result);
  }
  // [fit]
  const FitResult fitted = trainer.fit(train, options, train::Progress{}, train::JSONLines{out / "metrics.jsonl"},
                                       train::CheckpointEvery{.path = checkpoint, .steps = 50});
  // [/fit]

  const Scores trained =
      evaluate("the trained encoder", trainer.embed(train, embedding), trainer.embed(test, embedding));
  const std::string results =
      table(concat("Top-1 accuracy on ", test.size(), " test images, in percent, by what stands for an image"),
            {{"raw pixels", pixels}, {"untrained encoder", untrained}, {"trained encoder", trained}});
  std::cout << '\n' << results << '\n' << advice(settings, pixels, trained) << std::flush;
  write_file(out / "table.txt", results);
  Json configuration = trainer.configuration();
  configuration["settings"] = to_json(settings);
  configuration["resolved"] = to_json(fitted.resolved);
  io::save_json(out / "summary.json",
                {{"raw_pixels", to_json(pixels)},
                 {"untrained", to_json(untrained)},
                 {"trained", to_json(trained)},
                 {"train_seconds", fitted.run_seconds},
                 {"images_per_second", static_cast<double>(fitted.run_images) / fitted.run_seconds},
                 {"config", configuration}});
  std::cout << fitted.run_images << " images in " << std::llround(fitted.run_seconds) << " s; results are in "
            << out.string() << '\n';
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
