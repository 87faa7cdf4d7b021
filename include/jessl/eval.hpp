// SPDX-License-Identifier: Apache-2.0
// All of the evaluation of representations.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/alignment.hpp>
#include <jessl/eval/alpha_req.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/clid.hpp>
#include <jessl/eval/cluster_learnability.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/confusion_matrix.hpp>
#include <jessl/eval/confusion_picture.hpp>
#include <jessl/eval/curve_picture.hpp>
#include <jessl/eval/distance.hpp>
#include <jessl/eval/feature_std.hpp>
#include <jessl/eval/few_shot.hpp>
#include <jessl/eval/intrinsic_dimension.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/lidar.hpp>
#include <jessl/eval/linear_cka.hpp>
#include <jessl/eval/linear_probe.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/logistic_probe_search.hpp>
#include <jessl/eval/mean_average_precision.hpp>
#include <jessl/eval/metric_options.hpp>
#include <jessl/eval/nearest_centroid.hpp>
#include <jessl/eval/nearest_neighbours.hpp>
#include <jessl/eval/nesum.hpp>
#include <jessl/eval/on_tasks.hpp>
#include <jessl/eval/palette.hpp>
#include <jessl/eval/pca.hpp>
#include <jessl/eval/r2_score.hpp>
#include <jessl/eval/rank_me.hpp>
#include <jessl/eval/ridge_probe.hpp>
#include <jessl/eval/ridge_probe_search.hpp>
#include <jessl/eval/scatter_picture.hpp>
#include <jessl/eval/score_table.hpp>
#include <jessl/eval/self_cluster.hpp>
#include <jessl/eval/spectrum.hpp>
#include <jessl/eval/standardize.hpp>
#include <jessl/eval/uniformity.hpp>

namespace jessl::eval {

/// Every classifier of features; tests, benchmarks and command lines loop over it.
inline constexpr auto All =
    boost::hana::tuple_t<KNN, NearestCentroid, LogisticProbe, LogisticProbeSearch, RidgeProbe, RidgeProbeSearch>;

}  // namespace jessl::eval
