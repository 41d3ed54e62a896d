// rankgrad/embedding/side.hpp: the queries or the documents of a batch as a product takes them: packed, without those that are
// absent, of length 1 where cosines are asked for.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/executor.hpp>
#include <rankgrad/embedding/embedding_view.hpp>
#include <rankgrad/simd/dot.hpp>
#include <rankgrad/simd/product.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI::embedding {

/// The rows of one side that are present, numbered 0 .. n - 1.
template <Real T>
struct Side {
  const T* data = nullptr;
  std::size_t n = 0, dimension = 0;
  const std::uint32_t* number = nullptr;   ///< of a present row in the user's array
  const T* inverse = nullptr;              ///< 1 / length for cosines (0 for a zero vector), else null
  double longest = 0;                      ///< length of the longest row, 1 for cosines

  const T* row(std::size_t i) const { return data + number[i] * dimension; }
  T factor(std::size_t i) const { return inverse ? inverse[i] : T(1); }
};

/// The length of a vector; squares neither overflow nor vanish.
template <Real T>
double length_of(const T* x, std::size_t d) {
  const double plain = simd::dot(x, x, d);
  if (plain > 1e-30 && plain < 1e30) return std::sqrt(plain);
  double sum = 0;   // in double: beyond reach for float; double has the range of its own
  double top = 0;
  for (std::size_t k = 0; k < d; ++k) top = std::max(top, std::abs(static_cast<double>(x[k])));
  if (!(top > 0)) return top;
  for (std::size_t k = 0; k < d; ++k) {
    const double part = static_cast<double>(x[k]) / top;
    sum += part * part;
  }
  return top * std::sqrt(sum);
}

template <Real T>
Side<T> side_of(std::span<const T> data, std::size_t dimension, std::span<const std::uint8_t> mask, Similarity similarity,
                Workspace& workspace) {
  const std::size_t all = data.size() / dimension;
  std::uint32_t* const number = workspace.take<std::uint32_t>(all);
  Side<T> side{data.data(), 0, dimension, number, nullptr, 0};
  for (std::size_t i = 0; i < all; ++i)
    if (mask.empty() || mask[i]) number[side.n++] = static_cast<std::uint32_t>(i);
  double* const length = workspace.take<double>(side.n);
  for_each_stretch(side.n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) length[i] = length_of(side.row(i), dimension);
  });
  if (similarity == Similarity::dot) {
    for (std::size_t i = 0; i < side.n; ++i) side.longest = std::max(side.longest, length[i]);
    return side;
  }
  T* const inverse = workspace.take<T>(side.n);
  for (std::size_t i = 0; i < side.n; ++i)
    inverse[i] = length[i] > static_cast<double>(std::numeric_limits<T>::min()) ? static_cast<T>(1 / length[i]) : T(0);
  side.inverse = inverse;
  side.longest = 1;
  return side;
}

/// The inner product of two rows, each times its factor first: a product of tiny numbers would have lost its digits, one of
/// large numbers would be none.
template <Real T>
double dot(const T* a, T factor_a, const T* b, T factor_b, std::size_t d) {
  using namespace simd;
  BlockedSum<T> sum;
  const Pack<T> left(factor_a), right(factor_b);
  for_each_pack<T>(d, [&](std::size_t k, auto at) RANKGRAD_INLINE {
    sum.add((left * at.load(a + k, T(0))) * (right * at.load(b + k, T(0))), at);
  });
  return sum.total();
}

/// The cosine of two rows, in double whatever T is: a small angle is in its last digits. The factors keep squares in range.
template <Real T>
double cosine(const T* a, T factor_a, const T* b, T factor_b, std::size_t d) {
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t k = 0; k < d; ++k) {
    const double x = static_cast<double>(a[k]) * static_cast<double>(factor_a), y = static_cast<double>(b[k]) * static_cast<double>(factor_b);
    aa += x * x, bb += y * y, ab += x * y;
  }
  return aa * bb == 0 ? 0 : ab / std::sqrt(aa * bb);
}

/// Rows number[0 .. n) of a side as blocks [block][feature][unit], the last one filled with zeros: what meets `unit` rows of a
/// product at once. to: round_up(n, unit) dimension.
template <Real T>
void pack_transposed(const Side<T>& side, const std::uint32_t* rows, std::size_t n, std::size_t unit, T* to) {
  const std::size_t d = side.dimension;
  constexpr std::size_t few = 64;   // features at a time: what is written to stays in the first cache
  for (std::size_t first = 0; first < n; first += unit, to += d * unit)
    for (std::size_t begin = 0; begin < d; begin += few)
      for (std::size_t c = 0; c < unit; ++c) {
        const std::size_t end = std::min(d, begin + few);
        if (first + c >= n) {
          for (std::size_t k = begin; k < end; ++k) to[k * unit + c] = T(0);
          continue;
        }
        const T *const from = side.row(rows[first + c]), factor = side.factor(rows[first + c]);
        for (std::size_t k = begin; k < end; ++k) to[k * unit + c] = from[k] * factor;
      }
}

/// The same rows as panels of features [panel][row][simd::panel]. `total` rows make up a panel, of which these are `first` and
/// the following.
template <Real T>
void pack_features(const Side<T>& side, const std::uint32_t* rows, std::size_t first, std::size_t n, std::size_t total, T* to) {
  constexpr std::size_t unit = simd::panel<T>;
  const std::size_t d = side.dimension;
  for (std::size_t f = 0; f < d; f += unit, to += total * unit)
    for (std::size_t i = 0; i < n; ++i) {
      const T *const from = side.row(rows[i]) + f, factor = side.factor(rows[i]);
      T* const out = to + (first + i) * unit;
      const std::size_t width = std::min(unit, d - f);
      for (std::size_t k = 0; k < width; ++k) out[k] = from[k] * factor;
      for (std::size_t k = width; k < unit; ++k) out[k] = T(0);
    }
}

/// All that the gradient is written to, for what is added there.
template <class Gradient>
void clear(const Gradient& gradient, Workspace& workspace) {
  for (const auto part : gradient.parts())
    for_each_stretch(part.size(), workspace,
                     [&](std::size_t begin, std::size_t end) { simd::clear(part.data() + begin, end - begin); });
}

/// From the gradient by the direction x / |x| to that by x: (g - (g . u) u) / |x|, u = x / |x|. Returns sum over the rows of
/// g . u (of g . x for inner products): over one side of a batch, that is sum_ij s_ij dL/ds_ij.
template <Real T>
double finish_gradient(const Side<T>& side, T* gradient, Workspace& workspace) {
  const auto frame = workspace.frame();
  double* const along = workspace.take<double>(side.n);
  for_each_stretch(side.n, workspace, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      T* const g = gradient + side.number[i] * side.dimension;
      const T* const x = side.row(i);
      const T scale = side.factor(i);
      along[i] = dot(g, T(1), x, scale, side.dimension);
      if (!side.inverse) continue;
      const T forward = static_cast<T>(along[i]);
      for (std::size_t k = 0; k < side.dimension; ++k) g[k] = scale * (g[k] - forward * (scale * x[k]));
    }
  });
  double sum = 0;
  for (std::size_t i = 0; i < side.n; ++i) sum += along[i];
  return sum;
}

}  // namespace rankgrad::embedding
