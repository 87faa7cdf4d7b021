// SPDX-License-Identifier: Apache-2.0
// Draws features in two dimensions, coloured by class: by UMAP, and by their principal components.
//
// Run        build/release/examples/jessl-map features=out/your_own_images/features.safetensors out=out/your_own_images
//            (any setting below, as name=value; what Trainer::embed_to or another program wrote)
// Ends with  the files' names, and how many points are in them
// Writes     in out: umap.png, pca.png
// Time       ten seconds for 10,000 rows on 2 cores with AVX-512
// plain
// umappp
// images: 256
// test: neighbours=10 out=map_output
// expect: map_output/umap.png and map_output/pca.png: 256 rows of 784 values

#include <jessl/data.hpp>
#include <jessl/eval.hpp>
#include <jessl/eval/umap.hpp>
#include <jessl/io/feature_file.hpp>
#include <jessl/io/json.hpp>
#include <jessl/io/png.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

using namespace jessl;

struct Settings {
  std::string features;          // a file of features; else the pixels of Fashion-MNIST's test images
  std::int64_t rows = 10000;     // at most; the first of them
  std::int64_t neighbours = 15;  // of UMAP: few for detail, many for the whole
  double min_dist = 0.1;         // of UMAP
  eval::Distance distance = eval::Distance::cosine;  // of UMAP
  std::uint64_t seed = 0;                            // of UMAP
  std::int64_t size = 640;                           // of the maps, pixels
  std::string out = "out/map";
};
JESSL_OPTIONS(Settings, features, rows, neighbours, min_dist, distance, seed, size, out);

/// The values of the pixels, so that there is something to see without a network.
Embedding pixels_of(const data::IDX& images) {
  Embedding result{RowMatrix(images.size(), 28 * 28), {}};
  std::vector<std::byte> storage;
  for (std::int64_t i = 0; i < images.size(); ++i) {
    const Image image = data::decode(images.read(i, storage));
    std::copy(image.pixels.begin(), image.pixels.end(), result.features.row(i).data());
    result.labels.push_back(images.label(i));
  }
  return result;
}

/// The features in the file, each of no class where it has no labels.
Embedding features_in(const std::string& path) {
  const io::FeatureFile file{path};
  Embedding result{file.features(), {file.labels().begin(), file.labels().end()}};
  result.labels.resize(static_cast<std::size_t>(file.size()), -1);
  return result;
}

int run(const Settings& settings) {
  JESSL_CHECK(settings.rows >= 1, ConfigError, "rows is ", settings.rows, ", expected at least 1");
  const std::filesystem::path out = settings.out;
  const Embedding all = settings.features.empty() ? pixels_of(data::IDX::fashion_mnist(data::Split::test))
                                                  : features_in(settings.features);
  const std::int64_t rows = std::min(settings.rows, all.features.rows());
  const RowMatrix features = all.features.topRows(rows);
  const std::vector<std::int64_t> labels(all.labels.begin(), all.labels.begin() + rows);
  const eval::ScatterPictureOptions look{.size = settings.size};

  io::make_folder(out);
  // [maps]
  const eval::UMAP umap{.neighbours = settings.neighbours,
                        .min_dist = settings.min_dist,
                        .distance = settings.distance,
                        .seed = settings.seed};
  io::save_png(out / "umap.png", eval::scatter_picture(umap.embed(features), labels, look).view());
  const RowMatrix components = eval::PCA{}.fit(features).transform(features);
  io::save_png(out / "pca.png", eval::scatter_picture(components, labels, look).view());
  // [/maps]
  std::cout << (out / "umap.png").string() << " and " << (out / "pca.png").string() << ": " << rows << " rows of "
            << features.cols() << " values\n";
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
