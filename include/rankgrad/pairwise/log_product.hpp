// rankgrad/pairwise/log_product.hpp: the sum of log(1 + m) over many pairs, 0 <= m <= 1, with few logarithms.
// SPDX-License-Identifier: MIT
//
// sum log(1 + m) = log prod (1 + m). The product is kept less 1, as Q, by Q <- Q (1 + m) + m: every term is positive, so
// tiny losses keep their digits, where a product of numbers 1 + m would round m < 6e-8 away (1e-16 in double). Since
// 1 + m <= 2, 120 (1000) steps cannot overflow; then log(1 + Q) is taken and Q starts again. The rounding of k steps is
// at most k / 2 units in the last place of 1 + Q, in practice its square root.
#pragma once

#include <rankgrad/simd/math.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

using simd::Pack;

/// log(1 + e) for 0 <= e <= 1 without a division: e + e^2 q(e); the fit's error is 2.3e-8 in float, 4.4e-17 in double.
template <class T>
RANKGRAD_INLINE inline Pack<T> log1p_polynomial(Pack<T> e) {
  const Pack<T> e2 = e * e;
  Pack<T> q;
  if constexpr (sizeof(T) == 4)
    q = simd::polynomial<T>(e, e2, -0.499999969830840257, 0.333328418873713467, -0.249865261681872793, 0.19854106231202432,
                            -0.158475657204594699, 0.115618454463667484, -0.0667577250631736123, 0.0252240543466625993,
                            -0.00446621160126570798);
  else
    q = simd::polynomial<T>(e, e2, -0.49999999999999994, 0.333333333333285468, -0.249999999993596206, 0.199999999658224018,
                            -0.166666656967697302, 0.142856973681769039, -0.124998021936408679, 0.111094697271044939,
                            -0.0998994097833761753, 0.0904403840581878174, -0.0816358369873179002, 0.072060527838905025,
                            -0.060245718496051139, 0.0457183288742196421, -0.0300062489220241489, 0.0161774482920837739,
                            -0.0067614194988498022, 0.0020308462484097632, -0.000387011110858030387, 0.0000349649999951775279);
  return simd::fma(e2, q, e);
}

/// sum of max(x, 0) + log(1 + m) over unweighted pairs, in products that are turned to logarithms in time.
template <class T>
class ProductValue {
 public:
  static constexpr std::size_t together = 4;
  static constexpr std::size_t steps_per_flush = sizeof(T) == 4 ? 120 : 1000;
  static constexpr T joinable = sizeof(T) == 4 ? T(0x1p30) : T(0x1p250);   // four of these fit into one product

  Pack<T> product[together];   ///< minus 1
  Pack<T> linear;              ///< over sigma

  ProductValue() { clear(); }
  /// Before `steps` steps on each of the products.
  RANKGRAD_INLINE void reserve(std::size_t steps) {
    if (steps_ + steps > steps_per_flush) flush();
    steps_ += steps;
  }
  double total(double sigma) {
    flush();
    return logarithm_ + sigma * linear_;
  }

 private:
  void clear() {
    for (Pack<T>& p : product) p = Pack<T>(T(0));
    linear = Pack<T>(T(0));
    steps_ = 0;
  }
  void flush() {
    using namespace simd;
    const Pack<T> one(T(1));
    std::size_t count = together;
    const Pack<T> top = max(max(product[0], product[1]), max(product[2], product[3]));
    if (!any(top > Pack<T>(joinable))) {   // as a rule: one logarithm for all
      for (std::size_t k = 0; k < 2; ++k) product[k] = fma(product[k], one + product[k + 2], product[k + 2]);
      product[0] = fma(product[0], one + product[1], product[1]);
      count = 1;
    }
    Pack<T> sum(T(0));
    for (std::size_t k = 0; k < count; ++k) {
      const Pack<T> q = product[k];
      const auto large = q > one;
      sum += select(large, log_positive<T>(one + q), log1p_polynomial<T>(select(large, one, q)));
    }
    logarithm_ += wide_sum(sum);
    linear_ += wide_sum(linear);
    clear();
  }
  std::size_t steps_ = 0;
  double logarithm_ = 0, linear_ = 0;
};

}  // namespace rankgrad::pairwise
