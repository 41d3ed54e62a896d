// rankgrad/simd/product.hpp: the innermost part of a matrix product: a block of rows by a panel of columns, in registers.
// SPDX-License-Identifier: MIT
//
//   C (+)= A B     C in blocks of `block_rows` x `panel` numbers. B is packed: panel after panel, [k][panel] each, padded with
//                  zeros. A is read one number at a time, at a[r a_row + k a_step], so it may be packed, plain or transposed.
//
// Why a block of this shape: with 12 x 2 packs (AVX-512; 6 x 2 with 16 registers) every number of A meets two packs of B, every
// pack of B twelve numbers of A, and there are more independent sums than a multiply-add takes cycles.
#pragma once

#include <rankgrad/simd/pack.hpp>
#include <rankgrad/simd/unroll.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::simd {

#if defined(__AVX512F__)
inline constexpr std::size_t block_rows = 12;
#else
inline constexpr std::size_t block_rows = 6;
#endif
template <class T>
inline constexpr std::size_t panel = 2 * lanes<T>;
/// So many steps of a panel, and of a block of rows, come from near caches; and a block of C is left alone for that long.
template <class T>
inline constexpr std::size_t product_steps = 1536 / sizeof(T);

constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

/// sink(r, c, sum of row r and pack c of the panel) for all of a block: sum_k a[r a_row + k a_step] b[k panel + column].
/// A must have block_rows rows to read.
template <class T, class Sink>
RANKGRAD_INLINE inline void block_product(std::size_t steps, const T* a, std::size_t a_row, std::size_t a_step, const T* b,
                                          Sink&& sink) {
  constexpr std::size_t rows = block_rows;
  Pack<T> sum[rows][2];
  RANKGRAD_UNROLL
  for (std::size_t r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = Pack<T>(T(0));
  for (std::size_t k = 0; k < steps; ++k) {
    const Pack<T> left = load(b), right = load(b + lanes<T>);
    RANKGRAD_UNROLL
    for (std::size_t r = 0; r < rows; ++r) {
      const Pack<T> x(a[r * a_row]);
      sum[r][0] = fma(x, left, sum[r][0]);
      sum[r][1] = fma(x, right, sum[r][1]);
    }
    a += a_step;
    b += panel<T>;
  }
  RANKGRAD_UNROLL
  for (std::size_t r = 0; r < rows; ++r) {
    sink(r, std::size_t{0}, sum[r][0]);
    sink(r, std::size_t{1}, sum[r][1]);
  }
}

}  // namespace rankgrad::simd
