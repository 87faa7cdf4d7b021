// SPDX-License-Identifier: Apache-2.0
// All of the evaluation of representations.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/confusion_matrix.hpp>
#include <jessl/eval/few_shot.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/logistic_probe_search.hpp>
#include <jessl/eval/mean_average_precision.hpp>
#include <jessl/eval/nearest_centroid.hpp>
#include <jessl/eval/r2_score.hpp>
#include <jessl/eval/ridge_probe.hpp>
#include <jessl/eval/ridge_probe_search.hpp>
#include <jessl/eval/standardize.hpp>

namespace jessl::eval {

/// Every classifier of features; tests, benchmarks and command lines loop over it.
inline constexpr auto All =
    boost::hana::tuple_t<KNN, NearestCentroid, LogisticProbe, LogisticProbeSearch, RidgeProbe, RidgeProbeSearch>;

}  // namespace jessl::eval
