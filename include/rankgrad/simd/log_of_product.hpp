// rankgrad/simd/log_of_product.hpp: a sum of logarithms with hardly a logarithm.
// SPDX-License-Identifier: MIT
//
//   sum log x_i = log of the product of the mantissas + ln 2 * the sum of the exponents
//
// A product grows by less than a factor of 2 per step and is taken apart again before it overflows. The exponents are
// put together as integers before ln 2 multiplies them, so that mantissas near 2 with exponent -1 (x_i just below 1) do
// not cancel. Error, per lane: (number of terms / 2 + 2) epsilon in absolute terms, what rounding each x_i once costs. An
// absent item is x = 1. Sums of log(1 + m) that must keep their relative accuracy: pairwise/log_product.hpp.
#pragma once

#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI::simd {

/// sum log x over packs of x. x must be positive and normal; NaN shows in the total.
template <class T>
class LogOfProduct {
 public:
  RANKGRAD_INLINE void add(Pack<T> x) {
#if defined(__AVX512F__)
    if constexpr (sizeof(T) == 4) {
      product_ *= Pack<T>(_mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src));
      exponents_ += Pack<T>(_mm512_getexp_ps(x));
    } else {
      product_ *= Pack<T>(_mm512_getmant_pd(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src));
      exponents_ += Pack<T>(_mm512_getexp_pd(x));
    }
#else
    // Positive NaN would lose its exponent and with it itself: it goes on in the product.
    const auto number = x <= Pack<T>(std::numeric_limits<T>::max());
    const auto parts = apart<T>(x);
    product_ *= select(number, parts.mantissa, x);
    exponents_ += parts.exponent;
#endif
    if (++steps_ == most_steps) fold();
  }

  double total() {
    fold();
    return 0.69314718055994530942 * exponent_ + wide_sum(log_positive<T>(product_));
  }

 private:
  static constexpr std::size_t most_steps = sizeof(T) == 4 ? 120 : 1000;   // below the largest exponent

  void fold() {
    const auto number = product_ <= Pack<T>(std::numeric_limits<T>::max());
    const auto parts = apart<T>(product_);
    exponent_ += wide_sum(exponents_) + wide_sum(select(number, parts.exponent, Pack<T>(T(0))));
    product_ = select(number, parts.mantissa, product_);
    exponents_ = Pack<T>(T(0));
    steps_ = 0;
  }

  Pack<T> product_ = Pack<T>(T(1)), exponents_ = Pack<T>(T(0));
  double exponent_ = 0;
  std::size_t steps_ = 0;
};

}  // namespace rankgrad::simd
