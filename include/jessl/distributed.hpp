// SPDX-License-Identifier: Apache-2.0
// Many processes: training that outgrows one machine.
#pragma once

#include <jessl/distributed/environment.hpp>
#include <jessl/distributed/group.hpp>
#include <jessl/distributed/group_options.hpp>
