// rankgrad/scoring/feature_refining.hpp: re-ranking by descriptors that their neighbours have refined.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/validate.hpp>
#include <rankgrad/plackett_luce/sampling.hpp>
#include <rankgrad/simd/dot.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// Re-ranking with global features alone, in two steps.
///
///   1. every item of the top M is moved towards its neighbours there:
///      x'_i = (x_i + beta sum_{j in NN(i)} <x_i, x_j> x_j) / (1 + beta sum_{j in NN(i)} <x_i, x_j>),  a_i = <q, x'_i>
///   2. the query becomes the elementwise maximum q' of the x' of the K + 1 items with the highest a
///      score_i = ( a_i + <q', x'_i> ) / 2
///
/// NN(i): the K most similar other items of the top M. x' is not normalised again; the query itself is no part of q'.
///
/// Cost        O(M^2 d) time, O(M + d) scratch beside what is returned.
/// Parameters  neighbours K 9, beta 0.15 (source, with M = 400). K + 1 above M is cut. most_similar_is_self: the source takes the
///             first of the K + 1 most similar items, itself included, for the item itself; where an exact duplicate comes
///             first that one has the weight 1. false: the item itself has, always.
/// Source      SuperGlobal, arXiv 2308.06954, sec. 3.3, and its code.
struct FeatureRefining {
  std::size_t neighbours = 9;
  double beta = 0.15;
  bool most_similar_is_self = false;

  Status check() const { return check_parameter("FeatureRefining.beta", beta, 0, true); }

  /// query [d], descriptors [M d] of unit length, refined [M d] and scores [M] are written. Sort the top by the scores; items
  /// beyond it keep their old order behind.
  template <Real T>
  void rescore(std::span<const T> query, std::span<const T> descriptors, std::span<T> refined, std::span<T> scores,
               Workspace& workspace) const {
    using namespace simd;
    const std::size_t d = query.size(), m = scores.size();
    RANKGRAD_EXPECTS(d > 0 && descriptors.size() == m * d && refined.size() == m * d,
                     "descriptors and refined are not as many rows as scores");
    if (m == 0) return;
    const auto frame = workspace.frame();
    const std::size_t chosen = std::min(neighbours, m - 1) + 1;
    double* const keys = workspace.take<double>(m);
    std::uint32_t* const ranking = workspace.take<std::uint32_t>(m);
    const auto row = [&](std::size_t i) { return descriptors.data() + i * d; };
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < m; ++j) keys[j] = dot(row(i), row(j), d);
      std::size_t self = i;
      const double own_key = keys[i];
      if (!most_similar_is_self) keys[i] = std::numeric_limits<double>::max();   // first, whatever it is
      plackett_luce::top_by_key(keys, m, chosen, ranking, workspace);
      if (most_similar_is_self) self = ranking[0];
      keys[i] = own_key;
      T* const to = refined.data() + i * d;
      std::copy_n(row(self), d, to);
      double total = 1;
      for (std::size_t r = 1; r < chosen; ++r) {
        const double weight = beta * keys[ranking[r]];
        total += weight;
        add(row(ranking[r]), weight, d, to);
      }
      const Pack<T> inverse(static_cast<T>(1 / total));
      for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE { at.store(to + c, inverse * at.load(to + c, T(0))); });
      scores[i] = static_cast<T>(dot(query.data(), static_cast<const T*>(to), d));
    }
    for (std::size_t i = 0; i < m; ++i) keys[i] = static_cast<double>(scores[i]);
    plackett_luce::top_by_key(keys, m, chosen, ranking, workspace);
    T* const expanded = workspace.take<T>(d);
    std::copy_n(refined.data() + ranking[0] * d, d, expanded);
    for (std::size_t r = 1; r < chosen; ++r)
      for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
        at.store(expanded + c, larger(at.load(expanded + c, T(0)), at.load(refined.data() + ranking[r] * d + c, T(0))));
      });
    for (std::size_t i = 0; i < m; ++i) {
      const double to_expanded = dot<T>(expanded, refined.data() + i * d, d);
      scores[i] = static_cast<T>((keys[i] + to_expanded) / 2);
    }
  }

 private:
  template <Real T>
  static void add(const T* row, double weight, std::size_t d, T* to) {
    const simd::Pack<T> w(static_cast<T>(weight));
    simd::for_each_pack<T>(d, [&](std::size_t c, auto at) RANKGRAD_INLINE {
      at.store(to + c, simd::fma(w, at.load(row + c, T(0)), at.load(to + c, T(0))));
    });
  }
};

}  // namespace rankgrad
