// SPDX-License-Identifier: Apache-2.0
// SimCLR with negatives from elsewhere than its batch, as methods to choose: one patch of an image, or the rows of earlier steps.
#pragma once

#include <jessl/augment/simclr.hpp>
#include <jessl/core/error.hpp>
#include <jessl/core/image.hpp>
#include <jessl/core/options.hpp>
#include <jessl/core/tensor.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/loss/against.hpp>
#include <jessl/loss/nt_xent.hpp>
#include <jessl/method/simclr.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ios>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

/// NTXent whose only negative is a picture, which goes through the network with each batch.
///
/// Shapes     views: 2 x [N, D], the picture's row: [1, D] -> []
/// Units      temperature: as NTXent's
/// Errors     ConfigError for a setting out of range, DataError for a file that is no picture
/// Models     jessl::Loss, jessl::ImagesLoss
/// Source     Bordes, Balestriero and Vincent, 2023, arXiv 2303.01986: a single image patch as the only negative
struct OnePatchNTXent {
  static constexpr std::string_view name = "OnePatchNTXent";

  double temperature = 0.1;
  std::string patch = "";     // a PNG or JPEG file
  std::int64_t channels = 3;  // as the data; these three follow from the run where they are not set
  std::array<double, 3> mean = jessl::augment::imagenet_mean;
  std::array<double, 3> std = jessl::augment::imagenet_std;

  void check() const {
    jessl::loss::NTXent{temperature}.check();
    for (const double deviation : std)
      JESSL_CHECK(deviation > 0.0, jessl::ConfigError, "--loss.std is ", jessl::to_json(std).dump(),
                  ", expected numbers > 0");
    (void)images();
  }

  /// The picture as the network gets those of views, [1, C, H, W].
  [[nodiscard]] torch::Tensor images() const {
    std::ifstream file(patch, std::ios::binary);
    JESSL_CHECK(file.good(), jessl::DataError, "--loss.patch: cannot open \"", patch,
                "\"; expected a PNG or JPEG file, the only negative");
    const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
    jessl::Image scratch;
    const jessl::EncodedImage encoded{.format = jessl::ImageFormat::png,
                                      .bytes = std::as_bytes(std::span(text.data(), text.size()))};
    const jessl::ImageView image = jessl::data::decode(encoded, channels, scratch);
    const torch::Tensor pixels =
        torch::tensor(at::ArrayRef<std::uint8_t>(image.pixels.data(), image.pixels.size()), torch::kUInt8)
            .view({1, image.height, image.width, channels})
            .permute({0, 3, 1, 2});
    const auto of_channels = [this](const std::array<double, 3>& values) {
      return torch::tensor(at::ArrayRef<double>(values.data(), static_cast<std::size_t>(channels)), torch::kFloat32)
          .view({1, channels, 1, 1});
    };
    return (pixels / 255.0 - of_channels(mean)) / of_channels(std);
  }

  template <jessl::Communicator<torch::Tensor> Group = jessl::SingleProcess>
  [[nodiscard]] torch::Tensor operator()(const std::vector<torch::Tensor>& views, const torch::Tensor& images,
                                         const Group& group = {}) const {
    // The rows are given: it matters only that there is an image.
    return jessl::loss::NTXent{temperature}.against(jessl::loss::Fixed{torch::zeros({1, 1, 1, 1})})(views, images,
                                                                                                    group);
  }
};

/// SimCLR with that loss.
struct SimCLROnePatch {
  static constexpr std::string_view name = "SimCLROnePatch";

  jessl::augment::SimCLROptions augmentation{};
  jessl::projector::MLP projector = jessl::method::SimCLR{}.projector;
  OnePatchNTXent loss{};
  jessl::optim::LARS optimizer = jessl::method::SimCLR{}.optimizer;
  jessl::FitOptions fit = jessl::method::SimCLR{}.fit;

  [[nodiscard]] auto views() const { return jessl::augment::simclr(augmentation); }
};

/// SimCLR against the rows of earlier steps, without a teacher.
struct SimCLRQueue {
  static constexpr std::string_view name = "SimCLRQueue";

  jessl::augment::SimCLROptions augmentation{};
  jessl::projector::MLP projector = jessl::method::SimCLR{}.projector;
  jessl::loss::Against<jessl::loss::NTXent, jessl::loss::Queue> loss{{.temperature = 0.1}, {}};
  jessl::optim::LARS optimizer = jessl::method::SimCLR{}.optimizer;
  jessl::FitOptions fit = jessl::method::SimCLR{}.fit;

  [[nodiscard]] auto views() const { return jessl::augment::simclr(augmentation); }
};

}  // namespace cli

JESSL_OPTIONS(cli::OnePatchNTXent, temperature, patch, channels, mean, std);
JESSL_OPTIONS(cli::SimCLROnePatch, augmentation, projector, loss, optimizer, fit);
JESSL_OPTIONS(cli::SimCLRQueue, augmentation, projector, loss, optimizer, fit);
