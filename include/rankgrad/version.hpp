// rankgrad/version.hpp: the version, in the one place that CMake and the code both read.
// SPDX-License-Identifier: MIT
#pragma once

#define RANKGRAD_VERSION_MAJOR 0
#define RANKGRAD_VERSION_MINOR 1
#define RANKGRAD_VERSION_PATCH 0
#define RANKGRAD_VERSION_STRING "0.1.0"
