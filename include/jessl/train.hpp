// SPDX-License-Identifier: Apache-2.0
// The train family: the trainer, the callbacks that ship with it, and evaluation by training on labels.
#pragma once

#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <jessl/train/callback.hpp>
#include <jessl/train/checkpoint_every.hpp>
#include <jessl/train/collapse_monitor.hpp>
#include <jessl/train/csv.hpp>
#include <jessl/train/fine_tuning.hpp>
#include <jessl/train/json_lines.hpp>
#include <jessl/train/knn_monitor.hpp>
#include <jessl/train/linear_evaluation.hpp>
#include <jessl/train/logged_curve.hpp>
#include <jessl/train/mixing.hpp>
#include <jessl/train/neighbour_sheet.hpp>
#include <jessl/train/online_probe.hpp>
#include <jessl/train/options.hpp>
#include <jessl/train/pinned_memory.hpp>
#include <jessl/train/progress.hpp>
#include <jessl/train/rank_monitor.hpp>
#include <jessl/train/record.hpp>
#include <jessl/train/tensorboard.hpp>
#include <jessl/train/tensors.hpp>
#include <jessl/train/trainer.hpp>
#include <jessl/train/view_grid.hpp>

namespace jessl::train {

/// The callbacks that need nothing but a run, for tests and programs that loop over them.
inline constexpr auto All =
    boost::hana::tuple_t<Progress, JSONLines, CSV, TensorBoard, CheckpointEvery, OnlineProbe, CollapseMonitor>;

}  // namespace jessl::train
