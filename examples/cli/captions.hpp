// SPDX-License-Identifier: Apache-2.0
// What stands under the pictures of a grid of views, as small text.
#pragma once

#include "run.hpp"

#include <jessl/core/image.hpp>
#include <jessl/core/shape.hpp>
#include <jessl/core/views.hpp>
#include <jessl/train/view_grid.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

/// What is wanted, with as many rows and as large a zoom as suit the images and their first view, where nobody says.
[[nodiscard]] jessl::train::ViewGridOptions grid_options(const AnyDataset& data, const jessl::ViewShape& first,
                                                         const Picture& wanted);

/// An image's name, size and label, to stand under a picture `width` pixels wide.
[[nodiscard]] jessl::Image caption_of_image(const AnyDataset& data, std::int64_t index, const jessl::Extent& extent,
                                            std::int64_t width);

/// What was done to a view: the values of its parameters.
[[nodiscard]] jessl::Image caption_of_view(const std::vector<std::string>& names, const std::vector<float>& values,
                                           std::int64_t width, std::int64_t channels);

}  // namespace cli
