// SPDX-License-Identifier: Apache-2.0
// jessl embed: a trained network's features of images, as a file.
#include "commands.hpp"
#include "data_sets.hpp"
#include "trained.hpp"

#include <jessl/core/atomic_file.hpp>
#include <jessl/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cli {

namespace {

namespace fs = std::filesystem;

struct EmbedArguments {
  std::string what = "";
  std::string data = "";
  std::string kind = "auto";
  std::int64_t channels = 0;  // 0: as the run's
  std::string out = "";
  std::string split = "train";
  std::string backbone = "";
  std::int64_t batch_size = 500;
  std::int64_t threads = 0;
  std::string precision = "float32";
};

/// An array as numpy writes it: a header of a multiple of 64 bytes, then the values.
void save_npy(const fs::path& file, const std::string& type, const std::string& shape,
              std::span<const std::byte> values) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr std::size_t before = 10;  // magic, version, length
  header.append(63 - (before + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFFU);
  bytes += static_cast<char>(header.size() >> 8U);
  bytes += header;
  jessl::AtomicFile to(file, "jessl embed");
  to.write(std::as_bytes(std::span(bytes)));
  to.write(values);
  to.commit();
}

void save_numpy(const fs::path& file, const jessl::Embedding& all, bool has_labels) {
  const auto values = std::span(all.features.data(), static_cast<std::size_t>(all.features.size()));
  save_npy(file, "<f4", jessl::concat(all.features.rows(), ", ", all.features.cols()), std::as_bytes(values));
  std::cout << "features [" << all.features.rows() << ", " << all.features.cols() << "] are in " << file.string()
            << '\n';
  if (!has_labels) return;
  fs::path labels = file;
  labels.replace_extension(".labels.npy");
  save_npy(labels, "<i8", jessl::concat(all.labels.size(), ","), std::as_bytes(std::span(all.labels)));
  std::cout << "labels [" << all.labels.size() << "] are in " << labels.string() << '\n';
}

void embed(const CLI::App& command, const EmbedArguments& arguments) {
  const fs::path out = arguments.out;
  JESSL_CHECK(out.extension() == ".npy" || out.extension() == ".safetensors", jessl::ConfigError, "--out is ",
              arguments.out, ", expected a file that ends in .npy or .safetensors");
  jessl::AtomicFile(out, "jessl embed: --out").discard();  // a place that can't be written is known before the work
  const jessl::data::Split split = split_of(arguments.split);
  const Trained trained = open_trained(arguments.what, arguments.backbone, command);
  const std::int64_t channels = trained.channels(arguments.channels);
  const Opened opened = open_data("--data", arguments.data, arguments.kind, split, channels);
  std::cout << in_words(opened) << std::endl;
  const Json embedding{
      {"batch_size", arguments.batch_size}, {"precision", arguments.precision}, {"threads", arguments.threads}};
  if (out.extension() == ".npy") {
    save_numpy(out, trained.network->embed(opened.images, embedding), opened.images.classes() > 0);
  } else {
    trained.network->embed_to(opened.images, out, embedding);
    std::cout << "features and labels are in " << out.string() << '\n';
  }
}

}  // namespace

void add_embed(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("embed", "Writes a trained network's features of images to a file.");
  const auto arguments = std::make_shared<EmbedArguments>();
  command
      ->add_option("network", arguments->what, "Folder of a run, its checkpoint, or a .safetensors file of a backbone")
      ->required();
  command->add_option("--data", arguments->data, "Images, as --data of pretrain")->required();
  command
      ->add_option("--out", arguments->out,
                   "features.npy (labels beside it in .labels.npy), or features.safetensors, which holds both")
      ->required();
  command->add_option("--split", arguments->split, "train or test, of data sets that have both");
  command->add_option("--data-kind", arguments->kind, "How they are stored, as for pretrain");
  command->add_option("--channels", arguments->channels, "3: RGB, 1: grey; by default as the run's");
  command->add_option("--backbone", arguments->backbone,
                      "For a file of weights that does not say its network, as for evaluate");
  command->add_option("--batch-size", arguments->batch_size, "Images at once through the network");
  command->add_option("--precision", arguments->precision, "float32, bfloat16 or auto");
  command->add_option("--threads", arguments->threads, "0: all");
  command->allow_extras();
  command->footer(
      "Row i belongs to image i of the data, in its order: of a folder that of the classes, then of the file names.\n"
      "Examples:\n"
      "  jessl embed out/run --data photos --out features.npy\n"
      "  jessl embed out/run --data photos.beton --out features.safetensors --precision auto");
  command->callback([command, arguments] { embed(*command, *arguments); });
}

}  // namespace cli
