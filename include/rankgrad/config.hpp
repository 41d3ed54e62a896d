// rankgrad/config.hpp: every macro of the library: the namespace tag, the contract level, the fast-math gate.
// SPDX-License-Identifier: MIT
//
// All of rankgrad lives in `namespace rankgrad::inline RANKGRAD_ABI`. The tag names what changes the code that a
// header produces: instruction set, floating-point mode, contract level. Two translation units built with different
// flags therefore never share a function body, which the linker would otherwise pick by link order (docs/design.md).
//
// A user may define, for all translation units alike:
//   RANKGRAD_CONTRACTS         0: no checks; 1: O(1) checks of sizes and parameters; 2 (default): also O(n) checks of
//                              labels, weights and offsets, once per call at the door.
//   RANKGRAD_ON_VIOLATION(m)   what to do with the message of a broken contract; must not return. Default: throw
//                              std::invalid_argument, or print and abort where exceptions are off.
//   RANKGRAD_ALLOW_FAST_MATH   accept -ffast-math; the promises about NaN and infinity are then void.
#pragma once

#include <rankgrad/version.hpp>

#if !defined(__cplusplus) || __cplusplus < 202002L
#error "rankgrad needs C++20: compile with -std=c++20 or later"
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0)
#ifndef RANKGRAD_ALLOW_FAST_MATH
#error "rankgrad: -ffast-math removes NaN and infinity checks. Compile this file with -fno-fast-math, or define RANKGRAD_ALLOW_FAST_MATH to accept it"
#endif
#define RANKGRAD_DETAIL_FP fast
#else
#define RANKGRAD_DETAIL_FP ieee
#endif

#ifndef RANKGRAD_CONTRACTS
#define RANKGRAD_CONTRACTS 2
#endif

// The instruction sets that change what the SIMD layer or the compiler emits, widest first.
#if defined(__AVX512BW__) && defined(__AVX512DQ__)
#define RANKGRAD_DETAIL_ISA avx512bw
#elif defined(__AVX512F__)
#define RANKGRAD_DETAIL_ISA avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define RANKGRAD_DETAIL_ISA avx2_fma
#elif defined(__AVX2__)
#define RANKGRAD_DETAIL_ISA avx2
#elif defined(__AVX__) && defined(__FMA__)
#define RANKGRAD_DETAIL_ISA avx_fma
#elif defined(__AVX__)
#define RANKGRAD_DETAIL_ISA avx
#elif defined(__SSE4_2__)
#define RANKGRAD_DETAIL_ISA sse4_2
#elif defined(__SSE4_1__)
#define RANKGRAD_DETAIL_ISA sse4_1
#elif defined(__SSSE3__)
#define RANKGRAD_DETAIL_ISA ssse3
#elif defined(__SSE3__)
#define RANKGRAD_DETAIL_ISA sse3
#elif defined(__SSE2__)
#define RANKGRAD_DETAIL_ISA sse2
#elif defined(__aarch64__)
#define RANKGRAD_DETAIL_ISA neon64
#else
#define RANKGRAD_DETAIL_ISA generic
#endif

#define RANKGRAD_DETAIL_JOIN3(isa, fp, level) v0_##isa##_##fp##_c##level
#define RANKGRAD_DETAIL_EXPAND3(isa, fp, level) RANKGRAD_DETAIL_JOIN3(isa, fp, level)
#define RANKGRAD_ABI RANKGRAD_DETAIL_EXPAND3(RANKGRAD_DETAIL_ISA, RANKGRAD_DETAIL_FP, RANKGRAD_CONTRACTS)

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define RANKGRAD_DETAIL_EXCEPTIONS 1
#else
#define RANKGRAD_DETAIL_EXCEPTIONS 0
#endif

// For the bodies handed to simd::for_each_pack: without it, compilers call large ones and keep their packs in memory.
#if defined(__GNUC__) || defined(__clang__)
#define RANKGRAD_INLINE __attribute__((always_inline))
#else
#define RANKGRAD_INLINE
#endif

// Needs core/contract.hpp where it is used.
#if RANKGRAD_CONTRACTS >= 1
#define RANKGRAD_EXPECTS(condition, message) \
  ((condition) ? static_cast<void>(0) : ::rankgrad::violation("rankgrad: " message))
#else
#define RANKGRAD_EXPECTS(condition, message) static_cast<void>(0)
#endif
