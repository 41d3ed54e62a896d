// rankgrad/simd/denormals.hpp: denormal numbers as zero for as long as a scope lasts.
// SPDX-License-Identifier: MIT
//
// An operation with a denormal operand or result takes a detour of a hundred cycles and more on x86. Where numbers below
// 1e-38 (1e-308) only ever are added to much larger ones, zero does as well.
#pragma once

#include <rankgrad/config.hpp>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// Sets flush-to-zero and denormals-are-zero of this thread, if asked to, and puts back what was there. A no-op where the
/// processor is not an x86: those have no such detour worth a switch.
class FlushDenormals {
 public:
  explicit FlushDenormals(bool flush) noexcept : flush_(flush) {
#if defined(__SSE2__)
    if (!flush_) return;
    before_ = _mm_getcsr();
    _mm_setcsr(before_ | flush_to_zero | denormals_are_zero);
#endif
  }
  ~FlushDenormals() {
#if defined(__SSE2__)
    if (flush_) _mm_setcsr(before_);
#endif
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;   // of the MXCSR register
  bool flush_;
  unsigned before_ = 0;
};

}  // namespace rankgrad::simd
