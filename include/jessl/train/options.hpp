// SPDX-License-Identifier: Apache-2.0
// The settings of a training run and of an embedding pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <jessl/core/autocast.hpp>
#include <jessl/core/options.hpp>
#include <jessl/data/loader_options.hpp>

namespace jessl {

/// Where to compute.
enum class Device : std::uint8_t {
  automatic,  ///< CUDA where there is a GPU, else the CPU
  cpu,        ///< the CPU
  cuda        ///< the current CUDA device
};

/// The settings of Trainer::fit.
///
/// micro_batch: the network sees so many images at once, a divisor of batch_size, and twice, for the memory of a part of the batch
/// at the price of a second forward pass. The gradient is that of the whole batch; only batch norms normalise with the statistics
/// of a part, and move their running ones once for each.
///
/// keep_freed_memory: by default glibc gives the activations of a step back to the system and pays for every page of them again
/// in the next, 13 % of a small network's step. Turn it off in an application that does more than train and wants that memory
/// back.
///
/// Shapes     none
/// Units      warmup_epochs, lr_milestones: epochs, fractions allowed; learning rates are the optimizer's
/// Errors     see Trainer::check
/// Models     jessl::Options
/// Source     none
struct FitOptions {
  std::int64_t epochs = 100;          ///< passes over the data, >= 1
  std::int64_t batch_size = 256;      ///< images per step, of all ranks together, >= 2, at most the data set's size
  std::int64_t micro_batch = 0;       ///< images at once through the network, in each rank; 0: its whole share
  std::uint64_t seed = 0;             ///< of start weights that nobody loaded, order and augmentation
  Device device = Device::automatic;  ///< where to compute
  Precision precision = Precision::float32;  ///< of convolutions and matrix products
  bool scale_lr = true;                      ///< learning rate times batch_size / 256
  std::optional<double>
      warmup_epochs{};       ///< linear rise of the learning rate; unset: a tenth of the epochs, at most 10
  double end_ratio = 0.001;  ///< last learning rate over the highest, in [0, 1]; 1: constant after the warm-up
  std::vector<double>
      lr_milestones{};  ///< epochs at which the learning rate falls, instead of the cosine and its end; none: the cosine
  double lr_gamma = 0.1;  ///< the learning rate after a milestone over that before, in (0, 1]
  std::optional<double>
      weight_decay_end{};          ///< of the last step, by half a cosine from the optimizer's; unset: constant
  double max_gradient_norm = 0.0;  ///< of all gradients together: longer ones are shortened to it; 0: none are
  std::int64_t threads = 0;        ///< of LibTorch; 0: all, or as many of them as the run had that is resumed
  std::int64_t workers = 0;        ///< of the loader; 0: as many as `threads` on a CPU, all but one beside a GPU
  data::Decoding decoding = data::Decoding::exact;           ///< which pixels of JPEGs are decoded
  data::OnCorrupt on_corrupt = data::OnCorrupt::substitute;  ///< what to do about damaged images
  double max_corrupt_share = 0.1;  ///< more damaged images than this share of all end the run, in [0, 1]
  std::string resume{};            ///< checkpoint to go on from; "" starts anew
  bool heed_signals = true;       ///< SIGUSR1 asks for a checkpoint, SIGTERM for one and the end; while a run saves any
  bool keep_freed_memory = true;  ///< on a CPU glibc keeps it for the next step, in the whole process and for good
};

/// The settings of Trainer::embed.
///
/// Shapes     none
/// Errors     ConfigError for a batch size or thread count out of range
/// Models     jessl::Options
/// Source     none
struct EmbedOptions {
  std::int64_t batch_size = 500;             ///< images per forward pass, >= 1; changes at most the last bits
  Precision precision = Precision::float32;  ///< of convolutions and matrix products
  std::int64_t threads = 0;                  ///< of LibTorch and of the loader; 0: all
  data::OnCorrupt on_corrupt = data::OnCorrupt::substitute;  ///< the row and label of another image, or an error
  double max_corrupt_share = 0.1;  ///< more damaged images than this share of all are an error, in [0, 1]
  bool blocks = false;             ///< embed_layers: the pooled features of each block of the backbone, too
};

}  // namespace jessl

template <>
struct jessl::EnumNames<jessl::Device> {
  static constexpr std::array<std::pair<Device, std::string_view>, 3> value{
      {{Device::automatic, "auto"}, {Device::cpu, "cpu"}, {Device::cuda, "cuda"}}};
};

JESSL_OPTIONS(jessl::FitOptions, epochs, batch_size, micro_batch, seed, device, precision, scale_lr, warmup_epochs,
              end_ratio, lr_milestones, lr_gamma, weight_decay_end, max_gradient_norm, threads, workers, decoding,
              on_corrupt, max_corrupt_share, resume, heed_signals, keep_freed_memory);
JESSL_OPTIONS(jessl::EmbedOptions, batch_size, precision, threads, on_corrupt, max_corrupt_share, blocks);
