// rankgrad/simd/unroll.hpp: words to the optimiser.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/config.hpp>

// Before a loop with a constant number of steps over an array of packs, which then lives in registers.
#if defined(__clang__)
#define RANKGRAD_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define RANKGRAD_UNROLL _Pragma("GCC unroll 32")
#else
#define RANKGRAD_UNROLL
#endif

// For large kernels that are called from several places: one body each.
#if defined(__GNUC__) || defined(__clang__)
#define RANKGRAD_NOINLINE __attribute__((noinline))
#else
#define RANKGRAD_NOINLINE
#endif
