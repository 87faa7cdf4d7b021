// SPDX-License-Identifier: Apache-2.0
// All of the evaluation of representations.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/eval/accuracy.hpp>
#include <jessl/eval/at_layers.hpp>
#include <jessl/eval/concept.hpp>
#include <jessl/eval/knn.hpp>
#include <jessl/eval/logistic_probe.hpp>
#include <jessl/eval/score_table.hpp>
#include <jessl/eval/standardize.hpp>

namespace jessl::eval {

/// Every classifier of features; tests, benchmarks and command lines loop over it.
inline constexpr auto All = boost::hana::tuple_t<KNN, LogisticProbe>;

}  // namespace jessl::eval
