// SPDX-License-Identifier: Apache-2.0
// What losses that tell global views from others check of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <jessl/core/detail/separate.hpp>
#include <jessl/core/error.hpp>
#include <jessl/loss/concept.hpp>

namespace jessl::loss::detail {

/// Checks that there are as many views as are global.
void check_global_views(std::string_view loss, std::int64_t global_views, std::size_t views);

/// Checks that the global views of a run's batches are large ones.
void check_global_views(std::string_view loss, std::int64_t global_views, const BatchShape& batch);

}  // namespace jessl::loss::detail

#if JESSL_DEFINITIONS

namespace jessl::loss::detail {

JESSL_INLINE void check_global_views(std::string_view loss, std::int64_t global_views, std::size_t views) {
  JESSL_CHECK(views >= static_cast<std::size_t>(global_views), ConfigError, "jessl::loss::", loss, ": there are ",
              views, " views, expected at least global_views = ", global_views);
}

JESSL_INLINE void check_global_views(std::string_view loss, std::int64_t global_views, const BatchShape& batch) {
  JESSL_CHECK(batch.large_views >= global_views, ConfigError, "jessl::loss::", loss, ": global_views is ", global_views,
              ", but the first view and those of its size after it are ", batch.large_views, " of ", batch.views,
              "; set global_views = ", batch.large_views, ", or let the augmentation begin with more large views");
}

}  // namespace jessl::loss::detail

#endif  // JESSL_DEFINITIONS
