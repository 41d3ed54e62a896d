// rankgrad/listwise/approximate_ranks.hpp: losses of smooth ranks: every comparison of two items is a sigmoid.
// SPDX-License-Identifier: MIT
//
//   r_i = 1/2 + sum_j sigma(z_ji),   z_ji = (s_j - s_i) / T,   over all j: the item itself adds the other half
//   L   = sum_i phi_i(r_i)           over the items that count (those with a gain)
//
// With c_i = phi_i'(r_i) and the bell sigma'(z) = sigma(z) sigma(-z), which is even:
//
//   dL/ds_k = (1/T) [ sum_{i != k} c_i sigma'(z_ki) - c_k sum_{j != k} sigma'(z_jk) ]  =  (1/T) [ C_k - c_k B_k ]
//
// Second derivative, from |sigma''| <= sigma', sigma' <= 1/4 and |phi_i''| <= 2 c_i (which the callers' phi fulfil):
//
//   |d2L/ds_k2| <= (1/T^2) [ (3/2) C_k + c_k B_k + |phi_k''| B_k^2 ]
//
// One row per item that counts: sum of the sigmoids, which gives r_i and c_i; its bells are kept in scratch meanwhile and
// then added, times c_i, to the columns. So a pair costs one division, and O(n) memory.
//
//   m = e^{-|z|},  sigma(z) = min(e^z, 1) / (1 + m),  sigma'(z) = m / (1 + m)^2
//
// Where the scores lie within e^80 (double: e^700) of each other, e^z and e^-z are products of two numbers, one of each
// item, made once, in double: no exp per pair, and nothing is denormal. Wider lists take one exp per pair.
//
// Read first: simd/rows.hpp, pairwise/min_form.hpp. Reader's map: RankTerm (phi), RankFactors and RankDifferences (a pair),
// rank_rows, smooth_ranks.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/pairwise/min_form.hpp>
#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

/// phi(r), phi'(r) >= 0 and -phi''(r) >= 0 for a pack of items. A phi is a function of their ranks and gains.
template <class T>
struct RankTerm {
  simd::Pack<T> value, slope, bend;
};

/// m and min(e^z, 1) for z = (s_j - s_i) / T from e^{+-(s - centre) / T} of both items.
template <Real T>
struct RankFactors {
  const T *up, *down;

  struct Row {
    simd::Pack<T> up, down;
  };
  Row row(std::size_t i) const { return {simd::Pack<T>(up[i]), simd::Pack<T>(down[i])}; }
  RANKGRAD_INLINE std::pair<simd::Pack<T>, simd::Pack<T>> operator()(const Row& row, std::size_t j) const {
    const simd::Pack<T> x = simd::load(up + j) * row.down, inverse = simd::load(down + j) * row.up;
    return {simd::min(x, inverse), simd::min(x, simd::Pack<T>(T(1)))};
  }
};

/// The same from the scores themselves: any range, and NaN shows.
template <Real T>
struct RankDifferences {
  const T* scores;
  T inverse_temperature;

  simd::Pack<T> row(std::size_t i) const { return simd::Pack<T>(scores[i]); }
  RANKGRAD_INLINE std::pair<simd::Pack<T>, simd::Pack<T>> operator()(simd::Pack<T> own, std::size_t j) const {
    const simd::Pack<T> z = (simd::load(scores + j) - own) * simd::Pack<T>(inverse_temperature);
    const simd::Pack<T> m = simd::exp_nonpositive<T>(-simd::abs(z));
    return {m, simd::select(z < simd::Pack<T>(T(0)), m, simd::Pack<T>(T(1)))};
  }
};

/// The items that have a gain, and their gains, padded.
struct Counted {
  std::size_t n = 0;
  std::uint32_t* items = nullptr;
  double* gains = nullptr;
};

/// The items with gains[i] > 0, `most` of them.
template <Real T>
Counted count(const T* gains, std::size_t n, std::size_t most, Workspace& workspace) {
  Counted counted{0, workspace.take<std::uint32_t>(most), workspace.take<double>(most, 0.0)};
  for (std::size_t i = 0; i < n; ++i) {
    if (!(gains[i] > T(0))) continue;
    counted.items[counted.n] = static_cast<std::uint32_t>(i);
    counted.gains[counted.n++] = static_cast<double>(gains[i]);
  }
  return counted;
}

/// What the rows leave: C by column, and c, B and -phi'' by row, where a row is an item that counts.
template <Real T>
struct RankSums {
  T* column;                     ///< of the rows since the last flush
  double* columns;               ///< C_k
  double *slope, *bells, *bend;  ///< c_i, B_i, -phi_i''; `bend` may be null
};

/// Rows of the items counted[first .. first + rows). Returns their part of the loss.
template <std::size_t rows, Real T, class Pair, class Phi>
double rank_rows(const Pair& pair, const Phi& phi, std::size_t n, const Counted& counted, std::size_t first,
                 const RankSums<T>& sums, T* bells) {
  using namespace simd;
  const std::size_t stride = n + 64 / sizeof(T);   // a row of bells, with its padding
  const auto own = [&]<std::size_t... r>(std::index_sequence<r...>) {
    return std::array{pair.row(counted.items[first + r])...};
  }(std::make_index_sequence<rows>());

  BlockedSum<T> rank[rows];
  const Pack<T> one(T(1));
  const auto step = [&](std::size_t j, Pack<T> present) RANKGRAD_INLINE {
    for (std::size_t r = 0; r < rows; ++r) {
      const auto [m, head] = pair(own[r], j);
      const Pack<T> inverse = present / (one + m);
      rank[r].add(head * inverse);
      store(bells + r * stride + j, m * inverse * inverse);
    }
  };
  std::size_t j = 0;
  for (; j + lanes<T> <= n; j += lanes<T>) step(j, one);
  if (j < n) step(j, Part<T>{n - j}.load_ones());

  constexpr std::size_t width = std::max(rows, lanes<double>);
  alignas(64) double ranks[width], values[width], slopes[width], bends[width];
  std::fill_n(ranks, width, 1.0);
  for (std::size_t r = 0; r < rows; ++r) {
    bells[r * stride + counted.items[first + r]] = T(0);   // an item does not move itself
    ranks[r] = 0.5 + rank[r].total();
  }
  for (std::size_t r = 0; r < rows; r += lanes<double>) {   // the gains are padded
    const RankTerm<double> at = phi(load(ranks + r), load(counted.gains + first + r));
    store(values + r, at.value);
    store(slopes + r, at.slope);
    store(bends + r, at.bend);
  }
  double value = 0;
  Pack<T> weight[rows];
  for (std::size_t r = 0; r < rows; ++r) {
    value += values[r];
    sums.slope[first + r] = slopes[r];
    if (sums.bend) sums.bend[first + r] = bends[r];
    weight[r] = Pack<T>(static_cast<T>(slopes[r]));
  }
  BlockedSum<T> bell[rows];
  for (j = 0; j < n; j += lanes<T>) {
    Pack<T> column = load(sums.column + j);
    for (std::size_t r = 0; r < rows; ++r) {
      const Pack<T> b = load(bells + r * stride + j);
      column = fma(weight[r], b, column);
      bell[r].add(b);
    }
    store(sums.column + j, column);
  }
  for (std::size_t r = 0; r < rows; ++r) sums.bells[first + r] = bell[r].total();
  return value;
}

template <Real T, class Pair, class Phi>
double all_rank_rows(const Pair& pair, const Phi& phi, std::size_t n, const Counted& counted, const RankSums<T>& sums,
                     Workspace& workspace) {
  constexpr std::size_t rows_per_flush = 256, together = 4;
  const auto frame = workspace.frame();
  T* bells = workspace.take<T>(together * (n + 64 / sizeof(T)));
  double value = 0;
  for (std::size_t i = 0; i < counted.n;) {
    for (const std::size_t end = std::min(counted.n, i + rows_per_flush); i < end;) {
      const bool several = i + together <= end;
      value += several ? rank_rows<together>(pair, phi, n, counted, i, sums, bells)
                       : rank_rows<1>(pair, phi, n, counted, i, sums, bells);
      i += several ? together : 1;
    }
    simd::move_sums(sums.column, n, sums.columns);
  }
  return value;
}

/// body(pair) with the kind of pairs that the scores allow; scratch stays taken until the caller's frame ends.
template <Real T, class Body>
double with_pairs(std::span<const T> scores, double temperature, Workspace& workspace, const Body& body) {
  const std::size_t n = scores.size();
  const double inverse = 1 / temperature;
  T* padded = workspace.take<T>(n, T(0));
  std::copy_n(scores.data(), n, padded);
  const auto factors = pairwise::factorise(pairwise::Logistic{inverse}, padded, n, padded, workspace);
  if (factors.usable() && 2 * factors.reach <= (sizeof(T) == 4 ? 80 : 700))   // false where a score is not finite
    return body(RankFactors<T>{factors.up, factors.down});
  return body(RankDifferences<T>{padded, static_cast<T>(inverse)});
}

/// L over the items `counted`. Gradient and the bound of the curvature go to the sink.
template <Real T, class Phi>
double smooth_ranks(std::span<const T> scores, double temperature, const Counted& counted, const Phi& phi,
                    const GradientSink<T>& out, Workspace& workspace) {
  using namespace simd;
  const auto frame = workspace.frame();
  const std::size_t n = scores.size(), m = counted.n;
  const double inverse = 1 / temperature;
  const RankSums<T> sums{workspace.take<T>(n, T(0)), workspace.take<double>(n, 0.0), workspace.take<double>(m),
                         workspace.take<double>(m), out.hess ? workspace.take<double>(m) : nullptr};
  const double value = with_pairs(scores, temperature, workspace, [&](const auto& pair) {
    return all_rank_rows(pair, phi, n, counted, sums, workspace);
  });
  if (out.hess)
    for (std::size_t k = 0; k < n; ++k) out.hess[k] += out.scale * static_cast<T>(1.5 * sums.columns[k] * inverse * inverse);
  for (std::size_t c = 0; c < m; ++c) {
    const std::size_t i = counted.items[c];
    const double pull = sums.slope[c] * sums.bells[c];
    sums.columns[i] -= pull;
    if (out.hess)
      out.hess[i] += out.scale * static_cast<T>((pull + sums.bend[c] * sums.bells[c] * sums.bells[c]) * inverse * inverse);
  }
  for (std::size_t k = 0; k < n; ++k) out.grad[k] += out.scale * static_cast<T>(sums.columns[k] * inverse);
  return value;
}

}  // namespace rankgrad::listwise
