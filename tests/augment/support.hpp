// SPDX-License-Identifier: Apache-2.0
// What the tests of augment share: images, views as vectors, and the reference that applies operations one by one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <jessl/augment.hpp>

namespace augment_test {

namespace augment = jessl::augment;

/// Independent uniform bytes.
inline jessl::Image noise_image(std::int64_t width, std::int64_t height, std::int64_t channels,
                                std::uint64_t seed = 1) {
  jessl::Image image(width, height, channels);
  jessl::Draw draw({.seed = seed, .purpose = jessl::Purpose::initialisation});
  for (std::uint8_t& value : image.pixels) value = static_cast<std::uint8_t>(draw.below(256));
  return image;
}

/// The view that `key` names, from a fresh scratch.
template <class Maker>
std::vector<float> view(const Maker& maker, const jessl::Image& image, const jessl::DrawKey& key = {}) {
  std::vector<float> out(static_cast<std::size_t>(maker.shape(key.view, image.channels).count()), -100.0F);
  typename Maker::Scratch scratch;
  maker.make(image.view(), key, scratch, out);
  return out;
}

/// A part of an image, and memory of its own that ends where it ends: reading beyond it is an error that ASan sees.
struct Part {
  std::vector<std::uint8_t> pixels{};
  jessl::RegionView view{};

  Part(const jessl::Image& image, const jessl::Region& region) {
    for (std::int64_t y = region.top; y < region.bottom(); ++y) {
      for (std::int64_t x = region.left; x < region.right(); ++x) {
        for (std::int64_t c = 0; c < image.channels; ++c) pixels.push_back(image.view().at(y, x, c));
      }
    }
    view = {.region = region,
            .channels = image.channels,
            .stride = region.width * image.channels,
            .image_height = image.height,
            .image_width = image.width,
            .pixels = pixels};
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
};

/// The view that `key` names from a part of the image alone, from a fresh scratch.
template <class Maker>
std::vector<float> view_of_part(const Maker& maker, const jessl::Image& image, const jessl::Region& region,
                                const jessl::DrawKey& key = {}) {
  std::vector<float> out(static_cast<std::size_t>(maker.shape(key.view, image.channels).count()), -100.0F);
  const Part part(image, region);
  typename Maker::Scratch scratch;
  maker.make(part.view, key, scratch, out);
  return out;
}

/// The view with given parameters, from a fresh scratch.
template <class Pipeline>
std::vector<float> view_with(const Pipeline& pipeline, const jessl::Image& image,
                             const typename Pipeline::Params& params) {
  std::vector<float> out(static_cast<std::size_t>(pipeline.shape(0, image.channels).count()), -100.0F);
  augment::Scratch scratch;
  pipeline.apply(image.view(), params, scratch, out);
  return out;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return 1e30;
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

/// An image in double precision, as the reference works on it: [C, H, W].
struct Plain {
  augment::Extent extent{};
  std::int64_t channels = 0;
  std::vector<double> values{};

  Plain(augment::Extent size, std::int64_t depth)
      : extent(size), channels(depth), values(static_cast<std::size_t>(size.height * size.width * depth)) {}

  double& at(std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>((c * extent.height + y) * extent.width + x)];
  }
};

/// The weights of all inputs in each output when `length` values are resampled to `size`: a triangle around the output's
/// centre.
inline std::vector<std::vector<double>> triangles(std::int64_t length, std::int64_t size) {
  const double scale = static_cast<double>(length) / static_cast<double>(size);
  const double reach = length == size ? 0.5 : std::max(scale, 1.0);  // half a pixel is the pixel itself
  std::vector<std::vector<double>> all;
  for (std::int64_t o = 0; o < size; ++o) {
    std::vector<double> weights;
    double sum = 0.0;
    for (std::int64_t j = 0; j < length; ++j) {
      const double distance = std::abs(static_cast<double>(j) + 0.5 - scale * (static_cast<double>(o) + 0.5));
      weights.push_back(std::max(0.0, 1.0 - distance / reach));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
    all.push_back(std::move(weights));
  }
  return all;
}

inline Plain placed(Plain& source, const augment::Placement& placement) {
  const auto& [box, size, flip, flip_vertical] = placement;
  Plain target(size, source.channels);
  const auto rows = triangles(box.height, size.height);
  const auto columns = triangles(box.width, size.width);
  const auto of = [](std::int64_t index) { return static_cast<std::size_t>(index); };
  for (std::int64_t y = 0; y < size.height; ++y) {
    for (std::int64_t x = 0; x < size.width; ++x) {
      for (std::int64_t by = std::max<std::int64_t>(0, -box.top);
           by < std::min(box.height, source.extent.height - box.top); ++by) {
        const double wy = rows[of(y)][of(by)];
        if (wy == 0.0) continue;
        for (std::int64_t bx = std::max<std::int64_t>(0, -box.left);
             bx < std::min(box.width, source.extent.width - box.left); ++bx) {
          const double weight = wy * columns[of(x)][of(bx)];
          if (weight == 0.0) continue;
          const std::int64_t to = flip ? size.width - 1 - x : x;
          const std::int64_t to_row = flip_vertical ? size.height - 1 - y : y;
          for (std::int64_t c = 0; c < source.channels; ++c)
            target.at(c, to_row, to) += weight * source.at(c, box.top + by, box.left + bx);
        }
      }
    }
  }
  return target;
}

/// By definition, and with torchvision's mixture at the border: what is read there counts as black, and fades into the fill
/// by the share that lies in the image.
inline Plain warped(Plain& source, const augment::Warp& warp) {
  const auto [height, width] = source.extent;
  const auto& m = warp.matrix;
  const auto inside = [h = height, w = width](std::int64_t y, std::int64_t x) {
    return y >= 0 && y < h && x >= 0 && x < w;
  };
  Plain target(source.extent, source.channels);
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      const double px = static_cast<double>(x) + 0.5;
      const double py = static_cast<double>(y) + 0.5;
      const double w = m[6] * px + m[7] * py + m[8];
      const double u = (m[0] * px + m[1] * py + m[2]) / w - 0.5;
      const double v = (m[3] * px + m[4] * py + m[5]) / w - 0.5;
      for (std::int64_t c = 0; c < source.channels; ++c) {
        const double fill = source.channels == 1 ? (warp.fill[0] + warp.fill[1] + warp.fill[2]) / 3.0
                                                 : warp.fill[static_cast<std::size_t>(c)];
        double share = 0.0;
        double value = 0.0;
        const auto add = [&](std::int64_t row, std::int64_t column, double weight) {
          if (!inside(row, column)) return;
          share += weight;
          value += weight * source.at(c, row, column);
        };
        if (warp.interpolation == augment::Interpolation::nearest) {
          add(std::lround(v), std::lround(u), 1.0);
        } else {
          const auto row = static_cast<std::int64_t>(std::floor(v));
          const auto column = static_cast<std::int64_t>(std::floor(u));
          const double down = v - static_cast<double>(row);
          const double across = u - static_cast<double>(column);
          add(row, column, (1.0 - down) * (1.0 - across));
          add(row, column + 1, (1.0 - down) * across);
          add(row + 1, column, down * (1.0 - across));
          add(row + 1, column + 1, down * across);
        }
        target.at(c, y, x) = value * share + (1.0 - share) * fill;
      }
    }
  }
  return target;
}

template <std::size_t C, class F>
void for_each_pixel(Plain& image, const F& function) {
  for (std::int64_t y = 0; y < image.extent.height; ++y) {
    for (std::int64_t x = 0; x < image.extent.width; ++x) {
      augment::Pixel<float, C> pixel{};
      for (std::size_t c = 0; c < C; ++c) pixel[c] = static_cast<float>(image.at(static_cast<std::int64_t>(c), y, x));
      pixel = function(pixel, y * image.extent.width + x);
      for (std::size_t c = 0; c < C; ++c) image.at(static_cast<std::int64_t>(c), y, x) = static_cast<double>(pixel[c]);
    }
  }
}

inline double mean_luma(Plain& image) {
  double sum = 0.0;
  for (std::int64_t y = 0; y < image.extent.height; ++y) {
    for (std::int64_t x = 0; x < image.extent.width; ++x) {
      sum += image.channels == 1 ? image.at(0, y, x)
                                 : 0.2989 * image.at(0, y, x) + 0.587 * image.at(1, y, x) + 0.114 * image.at(2, y, x);
    }
  }
  return sum / static_cast<double>(image.extent.height * image.extent.width);
}

/// The outer product of the kernel with itself, by definition, mirror images by walking to and fro.
inline Plain filtered(Plain& image, const std::vector<float>& kernel) {
  const auto mirrored = [](std::int64_t i, std::int64_t length) {
    while (length > 1 && (i < 0 || i >= length)) i = i < 0 ? -i : 2 * (length - 1) - i;
    return length == 1 ? std::int64_t{0} : i;
  };
  const auto radius = static_cast<std::int64_t>(kernel.size() / 2);
  Plain result(image.extent, image.channels);
  for (std::int64_t c = 0; c < image.channels; ++c) {
    for (std::int64_t y = 0; y < image.extent.height; ++y) {
      for (std::int64_t x = 0; x < image.extent.width; ++x) {
        for (std::int64_t dy = -radius; dy <= radius; ++dy) {
          for (std::int64_t dx = -radius; dx <= radius; ++dx) {
            const double weight = static_cast<double>(kernel[static_cast<std::size_t>(dy + radius)]) *
                                  static_cast<double>(kernel[static_cast<std::size_t>(dx + radius)]);
            result.at(c, y, x) +=
                weight * image.at(c, mirrored(y + dy, image.extent.height), mirrored(x + dx, image.extent.width));
          }
        }
      }
    }
  }
  return result;
}

/// What the operation wants to know of the image, channel by channel.
template <class Op>
typename Op::Statistics statistics_of(const Plain& image) {
  typename Op::Statistics statistics;
  const std::vector<float> values(image.values.begin(), image.values.end());
  const std::size_t plane = values.size() / static_cast<std::size_t>(image.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(image.channels); ++c)
    statistics.add(c, std::span(values).subspan(c * plane, plane));
  statistics.finish();
  return statistics;
}

inline bool inside(const jessl::Region& region, std::int64_t y, std::int64_t x) {
  return y >= region.top && y < region.bottom() && x >= region.left && x < region.right();
}

template <std::size_t C, class Op>
void apply_one(const Op& operation, const typename Op::Params& params, Plain& image) {
  if constexpr (augment::GeometricOperation<Op>) {
    image = placed(image, operation.place(params, image.extent));
  } else if constexpr (augment::ColourOperation<Op>) {
    for (int step = 0; step < operation.steps(params); ++step) {
      const auto mean = static_cast<float>(mean_luma(image));
      operation.step(params, step, mean, [&](auto function) {
        for_each_pixel<C>(image, [&](auto pixel, std::int64_t) { return function(pixel); });
      });
    }
  } else if (operation.active(params)) {
    if constexpr (augment::FilterOperation<Op>) {
      std::vector<float> kernel(static_cast<std::size_t>(2 * operation.radius(image.extent) + 1));
      operation.kernel(params, kernel);
      Plain result = filtered(image, kernel);
      if constexpr (augment::BlendOperation<Op>) {
        const std::int64_t border = operation.radius(image.extent);
        const auto [height, width] = image.extent;
        const jessl::Region middle{border, border, height - 2 * border, width - 2 * border};
        for (std::int64_t c = 0; c < image.channels; ++c) {
          for (std::int64_t y = 0; y < height; ++y) {
            for (std::int64_t x = 0; x < width; ++x) {
              const auto value = static_cast<float>(image.at(c, y, x));
              const float blended = operation.blend(value, static_cast<float>(result.at(c, y, x)), params);
              result.at(c, y, x) = static_cast<double>(inside(middle, y, x) ? blended : value);
            }
          }
        }
      }
      image = result;
    } else if constexpr (augment::WarpOperation<Op>) {
      image = warped(image, operation.warp(params, image.extent));
    } else if constexpr (augment::AdaptiveOperation<Op>) {
      const auto seen = statistics_of<Op>(image);
      for_each_pixel<C>(image, [&](auto pixel, std::int64_t) { return operation.apply(pixel, params, seen); });
    } else if constexpr (augment::PatchOperation<Op>) {
      const std::int64_t width = image.extent.width;
      for_each_pixel<C>(image, [&](auto pixel, std::int64_t index) {
        const bool covered = inside(operation.patch(params), index / width, index % width);
        return covered ? operation.apply(pixel, params, index) : pixel;
      });
    } else if constexpr (augment::IndexedOperation<Op>) {
      for_each_pixel<C>(image, [&](auto pixel, std::int64_t index) { return operation.apply(pixel, params, index); });
    } else {
      for_each_pixel<C>(image, [&](auto pixel, std::int64_t) { return operation.apply(pixel, params); });
    }
  }
}

/// What a pipeline stands for: each operation on the whole image, one after the other.
template <class Pipeline>
std::vector<float> apply_one_by_one(const Pipeline& pipeline, const jessl::Image& source,
                                    const typename Pipeline::Params& params) {
  Plain image({source.height, source.width}, source.channels);
  for (std::int64_t c = 0; c < source.channels; ++c) {
    for (std::int64_t y = 0; y < source.height; ++y) {
      for (std::int64_t x = 0; x < source.width; ++x) image.at(c, y, x) = source.view().at(y, x, c) / 255.0;
    }
  }
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto one = [&](const auto& operation, const auto& own) {
      source.channels == 1 ? apply_one<1>(operation, own, image) : apply_one<3>(operation, own, image);
    };
    (one(std::get<I>(pipeline.operations()), std::get<I>(params)), ...);
  }
  (std::make_index_sequence<Pipeline::size>{});
  return {image.values.begin(), image.values.end()};
}

}  // namespace augment_test
