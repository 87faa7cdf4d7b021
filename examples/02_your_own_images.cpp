// SPDX-License-Identifier: Apache-2.0
// From a folder of photographs to features of them: SimCLR on your own images, and what its features know of the folders.
//
// Run        build/release/examples/your_own_images folder=photos                (JPEG and PNG files, a folder a class)
//            build/release/examples/your_own_images folder=photos size=96 epochs=200 out=out/photos    (any setting below)
//            build/release/examples/your_own_images folder=others judge=out/photos out=out/others    (an earlier run, by other images)
// Ends with  accuracies on the images that were kept apart, and the file with the features of all images
// Writes     in out: metrics.jsonl, checkpoint.pt, statistics.json, features.safetensors; pictures of the images kept apart: map.png (features in two
//            dimensions), confusion.png (classes taken for each other), neighbours.png (images and the nearest to them); loss.png
// Time       100 epochs of 10,000 images by a ResNet-18 at 64 pixels: for a GPU or a night; width=16 takes a small part of it
// photos: 60
// test: folder=photos size=32 width=8 epochs=2 batch_size=16 out=your_own_images_output
// expect: linear probe top-1 .*\nfeatures .60, 64. are in your_own_images_output/features.safetensors

#include <jessl/jessl.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

using namespace jessl;

struct Settings {
  std::string folder = "";  // with a folder for each class, or with all images in it and without classes
  std::int64_t size = 64;   // of the views, pixels
  std::int64_t width = 64;  // of the network's first stage
  std::int64_t epochs = 100;
  std::int64_t batch_size = 256;
  std::uint64_t seed = 1;
  bool resume = false;     // go on from out/checkpoint.pt
  std::string judge = "";  // the out of an earlier run of the same size and width: nothing is trained
  std::string out = "out/your_own_images";
};
JESSL_OPTIONS(Settings, folder, size, width, epochs, batch_size, seed, resume, judge, out);

int run(const Settings& settings) {
  JESSL_CHECK(!settings.folder.empty(), ConfigError, "folder is not given: say where the images are, as folder=photos");
  const std::filesystem::path out = settings.out;
  const std::filesystem::path checkpoint = out / "checkpoint.pt";
  const bool trains = settings.judge.empty();
  JESSL_CHECK(trains || !settings.resume, ConfigError, "resume and judge are both set: go on with a run, or judge one");
  io::make_folder(out);

  // [data]
  const data::ImageFolder images(settings.folder);
  // Every fifth image is kept apart: features are judged by images that they were not made from.
  const auto train = data::filter(images, [](std::int64_t index, std::int64_t) { return index % 5 != 0; });
  const auto test = data::filter(images, [](std::int64_t index, std::int64_t) { return index % 5 == 0; });
  // [/data]
  std::cout << images.size() << " images of " << images.classes() << " classes, " << train.size() << " to train on\n";

  // By what the images are normalised belongs to the network: whoever uses it later needs the same numbers.
  const std::filesystem::path numbers = (trains ? out : std::filesystem::path(settings.judge)) / "statistics.json";
  // [statistics]
  const auto statistics = trains ? data::channel_statistics(train, {.images = 10000})
                                 : from_json<data::ChannelStatistics>(io::load_json(numbers));
  if (trains) io::save_json(numbers, to_json(statistics));
  // [/statistics]
  std::cout << "mean and deviation of the channels: " << describe(statistics) << std::endl;

  // [trainer]
  Trainer trainer{augment::simclr({.size = settings.size, .mean = statistics.mean, .std = statistics.std}),
                  backbone::resnet18({.stem = backbone::Stem::medium, .width = settings.width}),
                  projector::MLP{"512-128"}, loss::NTXent{.temperature = 0.2},
                  optim::AdamW{.lr = 1e-3, .weight_decay = 1e-4}};
  // [/trainer]

  if (trains) {
    const bool resume = settings.resume && std::filesystem::exists(checkpoint);
    if (settings.resume && !resume) std::cout << "there is no " << checkpoint.string() << " yet: the run starts anew\n";
    // [fit]
    trainer.fit(train,
                {.epochs = settings.epochs,
                 .batch_size = settings.batch_size,
                 .seed = settings.seed,
                 .precision = Precision::automatic,
                 .resume = resume ? checkpoint.string() : ""},
                train::Progress{}, train::JSONLines{out / "metrics.jsonl"}, train::CheckpointEvery{.path = checkpoint});
    // [/fit]
    io::save_png(out / "loss.png", eval::curve_picture({train::logged_curve(out / "metrics.jsonl")}).view());
  } else {
    // [weights]
    trainer.load_weights(std::filesystem::path(settings.judge) / "checkpoint.pt");
    // [/weights]
  }

  if (images.classes() > 0) {
    // [evaluation]
    const Embedding bank = trainer.embed(train);  // {features [N, D], labels [N]}
    const Embedding query = trainer.embed(test);
    const auto standard = eval::Standardize{}.fit(bank.features);
    const RowMatrix known = standard.transform(bank.features);
    const RowMatrix asked = standard.transform(query.features);
    const auto neighbours = eval::KNN{.k = std::min<std::int64_t>(20, known.rows())}.fit(known, bank.labels);
    const auto probe = eval::LogisticProbe{.l2 = 1e-3}.fit(known, bank.labels);
    const auto predicted = probe.predict(asked);
    std::cout << "k-NN top-1         " << eval::accuracy(neighbours.predict(asked), query.labels) << '\n'
              << "linear probe top-1 " << eval::accuracy(predicted, query.labels) << '\n';
    // [/evaluation]

    // [pictures]
    const RowMatrix plane = eval::PCA{.components = 2}.fit(known).transform(asked);
    io::save_png(out / "map.png", eval::scatter_picture(plane, query.labels).view());
    const auto counts = eval::confusion_matrix(predicted, query.labels, images.classes());
    io::save_png(out / "confusion.png", eval::confusion_picture(counts).view());
    const train::NeighbourSheetOptions sheet{.images = std::min<std::int64_t>(8, test.size()),
                                             .neighbours = std::min<std::int64_t>(8, train.size())};
    const auto nearest = eval::NearestNeighbours{}.fit(known).find(asked, sheet.neighbours);
    io::save_png(out / "neighbours.png", train::neighbour_sheet(test, train, nearest, sheet).view());
    // [/pictures]
  }

  // [features]
  trainer.embed_to(images, out / "features.safetensors");   // row i belongs to the file images.describe(i)
  const io::FeatureFile all{out / "features.safetensors"};  // all.features() and all.labels(), for any evaluation
  // [/features]
  std::cout << "features [" << all.size() << ", " << all.dimension() << "] are in "
            << (out / "features.safetensors").string() << '\n';
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
