// rankgrad/triplet/anchors.hpp: what is known of the samples of a similarity matrix while a triplet loss works on it.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/simd/math.hpp>
#include <rankgrad/simd/rows.hpp>
#include <rankgrad/triplet/similarity_view.hpp>

namespace rankgrad::inline RANKGRAD_ABI::triplet {

using simd::Pack;

/// identity[i] numbers the different ids 0, 1, ...; it is -1 for absent samples and in the padding.
template <Real T>
struct Samples {
  std::size_t n = 0, identities = 0;
  T* identity = nullptr;
  bool present(std::size_t i) const { return identity[i] >= T(0); }
};

template <Real T>
Samples<T> number_identities(const SimilarityView<T>& view, Workspace& workspace) {
  struct Key {
    std::int64_t id;
    std::uint32_t sample;
  };
  Samples<T> samples{view.size(), 0, workspace.take<T>(view.size(), T(-1))};
  Key* keys = workspace.take<Key>(samples.n);
  std::size_t present = 0;
  for (std::size_t i = 0; i < samples.n; ++i)
    if (view.present(i)) keys[present++] = {view.ids[i], static_cast<std::uint32_t>(i)};
  std::sort(keys, keys + present, [](const Key& a, const Key& b) { return a.id < b.id; });
  for (std::size_t k = 0; k < present; ++k) {
    if (k == 0 || keys[k].id != keys[k - 1].id) ++samples.identities;
    samples.identity[keys[k].sample] = T(samples.identities - 1);
  }
  return samples;
}

/// Highest positive and negative, and the number of the first hardest negative (-1: none above the lowest number).
template <Real T, bool WithHardest>
struct Tops {
  Pack<T> positive = Pack<T>(std::numeric_limits<T>::lowest()), negative = positive, hardest = Pack<T>(T(-1));

  template <class Choice>
  RANKGRAD_INLINE void update(Pack<T> s, Choice is_positive, Choice is_negative, Pack<T> number) {
    positive = simd::select(is_positive & (s > positive), s, positive);
    if constexpr (WithHardest) {
      // Nothing but the maximum will see the negatives: NaN, once met, stays. Said with ==, because the != of some
      // xsimd versions is false for NaN.
      const auto open = is_negative & (negative == negative), stays = s <= negative;
      hardest = simd::select(open, simd::select(stays, hardest, number), hardest);
      negative = simd::select(open, simd::select(stays, negative, s), negative);
    } else {
      negative = simd::select(is_negative & (s > negative), s, negative);
    }
  }
};

/// All that is known of the K anchors of one direction. `part` are sums of columns that have not moved to double yet.
template <Real T>
struct Anchors {
  bool used = false;
  T *positive_top, *negative_top, *hardest, *reference, *inverse, *push, *pull, *part[2];
  double *positives[2], *negatives[2];

  Anchors(bool use, std::size_t n, Workspace& workspace) : used(use) {
    for (T** array : {&positive_top, &negative_top}) *array = workspace.take<T>(n, std::numeric_limits<T>::lowest());
    for (T** array : {&reference, &inverse, &push, &pull, &part[0], &part[1]}) *array = workspace.take<T>(n, T(0));
    for (double** array : {&positives[0], &positives[1], &negatives[0], &negatives[1]}) *array = workspace.take<double>(n, 0.0);
    hardest = workspace.take<T>(n, T(-1));
  }

  template <bool WithHardest>
  void keep(std::size_t i, const Tops<T, WithHardest>& tops) {
    positive_top[i] = simd::highest(tops.positive);
    alignas(64) T value[simd::lanes<T>], number[simd::lanes<T>];
    simd::store(value, tops.negative);
    simd::store(number, tops.hardest);
    for (std::size_t l = 0; l < simd::lanes<T>; ++l) {
      T &best = negative_top[i], &where = hardest[i];
      const bool first = value[l] == best && number[l] >= T(0) && (where < T(0) || number[l] < where);
      // By the bits, so that NaN stays the highest also under -ffast-math.
      if (is_finite(best) && (!is_finite(value[l]) || value[l] > best || first)) best = value[l], where = number[l];
    }
  }
  void flush(double* const* sums, std::size_t n) {
    for (int k = 0; k < 2; ++k) simd::move_sums(part[k], n, sums[k]);
  }
};

}  // namespace rankgrad::triplet
