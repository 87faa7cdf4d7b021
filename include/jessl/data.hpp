// SPDX-License-Identifier: Apache-2.0
// The data family: data sets, decoding, and the loader.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/data/any_dataset.hpp>
#include <jessl/data/array_dataset.hpp>
#include <jessl/data/batch.hpp>
#include <jessl/data/beton.hpp>
#include <jessl/data/beton_field.hpp>
#include <jessl/data/beton_writer.hpp>
#include <jessl/data/channel_statistics.hpp>
#include <jessl/data/cifar10.hpp>
#include <jessl/data/concept.hpp>
#include <jessl/data/decode.hpp>
#include <jessl/data/decode_plan.hpp>
#include <jessl/data/decode_region.hpp>
#include <jessl/data/idx.hpp>
#include <jessl/data/image_folder.hpp>
#include <jessl/data/loader.hpp>
#include <jessl/data/loader_options.hpp>
#include <jessl/data/order.hpp>
#include <jessl/data/pack.hpp>
#include <jessl/data/partition.hpp>
#include <jessl/data/peek.hpp>
#include <jessl/data/pixels.hpp>
#include <jessl/data/restart_markers.hpp>
#include <jessl/data/split.hpp>
#include <jessl/data/storage.hpp>
#include <jessl/data/subset.hpp>
#include <jessl/data/tar_shards.hpp>

namespace jessl::data {

/// Every kind of data set, for the law tests, benchmarks and the command line's choices.
inline constexpr auto All =
    boost::hana::tuple_t<AnyDataset, ArrayDataset, Beton, CIFAR10, IDX, ImageFolder, Subset<ArrayDataset>, TarShards>;

}  // namespace jessl::data
