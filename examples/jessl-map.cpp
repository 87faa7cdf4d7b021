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
// test: neighbours=10 rows=200 out=map_output
// expect: map_output/umap.png and map_output/pca.png: 200 rows of 784 values

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
#include <span>
#include <string>

using namespace jessl;

struct Settings {
  std::string features;          // a file of features; else the pixels of Fashion-MNIST's test images
  std::int64_t rows = 10000;     // at most; spread over all of them
  std::int64_t neighbours = 15;  // of UMAP: few for detail, many for the whole
  double min_dist = 0.1;         // of UMAP
  eval::Distance distance = eval::Distance::cosine;  // of UMAP
  std::uint64_t seed = 0;                            // of UMAP
  std::int64_t size = 640;                           // of the maps, pixels
  std::string out = "out/map";
};
JESSL_OPTIONS(Settings, features, rows, neighbours, min_dist, distance, seed, size, out);

/// At most so many of the rows, spread over all of them: files often have one class after another.
Embedding some_of(const Eigen::Ref<const RowMatrix>& features, std::span<const std::int64_t> labels,
                  std::int64_t most) {
  const Eigen::Index rows = std::min(most, features.rows());
  Embedding some{RowMatrix(rows, features.cols()), {}};
  for (Eigen::Index i = 0; i < rows; ++i) {
    const Eigen::Index row = i * features.rows() / rows;
    some.features.row(i) = features.row(row);
    some.labels.push_back(labels.empty() ? -1 : labels[static_cast<std::size_t>(row)]);
  }
  return some;
}

/// The features of the file, or, so that there is something to see without a network, pixels.
Embedding load(const Settings& settings) {
  if (settings.features.empty()) {
    const Embedding all = data::pixels(data::IDX::fashion_mnist(data::Split::test));
    return some_of(all.features, all.labels, settings.rows);
  }
  const io::FeatureFile file{settings.features};
  return some_of(file.features(), file.labels(), settings.rows);
}

int run(const Settings& settings) {
  JESSL_CHECK(settings.rows >= 1, ConfigError, "rows is ", settings.rows, ", expected at least 1");
  const std::filesystem::path out = settings.out;
  const auto [features, labels] = load(settings);
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
  std::cout << (out / "umap.png").string() << " and " << (out / "pca.png").string() << ": " << features.rows()
            << " rows of " << features.cols() << " values\n";
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
