// SPDX-License-Identifier: Apache-2.0
// All of jessl, in the order in which data flows.
#pragma once

#include <jessl/core/version.hpp>

#include <jessl/data.hpp>

#include <jessl/augment.hpp>

#include <jessl/backbone.hpp>
#include <jessl/loss.hpp>
#include <jessl/optim.hpp>
#include <jessl/projector.hpp>

#include <jessl/distributed.hpp>

#include <jessl/train.hpp>

#include <jessl/method.hpp>

#include <jessl/eval.hpp>
#include <jessl/io.hpp>
