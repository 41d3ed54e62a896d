// rankgrad/listwise/softmax_short.hpp: softmax cross-entropy of lists of up to 64 packs, one by one or many at once.
// SPDX-License-Identifier: MIT
//
// Formulas and error: listwise/softmax_sums.hpp. What lies past the end of the last pack reads as the highest score; its
// exponential is multiplied by 0 and its label reads as 0.
//
// One list is a chain: highest score, exponentials, sums, one division, derivatives, and a logarithm, each waiting for the
// one before. Many lists are therefore taken in two rounds: first the sums of 16 lists, which do not wait for each other,
// then the derivatives of the 16, which do not either. Between the rounds the exponentials stand where the gradients will,
// and the logarithms are taken by the pack. On a Xeon, 47 instead of 56 ns for a list of 55 with all that is around it; what
// remains is the number of instructions, two fifths of which serve the list and not its items.
//
// One instance for all lengths: with one per number of packs, their arrays in registers, batches of lists of unequal
// lengths are no faster, for each list mispredicts its instance.
#pragma once

#include <rankgrad/core/ragged_batch.hpp>
#include <rankgrad/core/workspace.hpp>
#include <rankgrad/listwise/softmax_sums.hpp>

#include <algorithm>

namespace rankgrad::inline RANKGRAD_ABI::listwise {

template <Real T>
inline constexpr std::size_t longest_short_list = packs_in_block * simd::lanes<T>;

/// The targets of a short list: its labels or, of a distribution, e^{label_scale (label - highest)} in whole packs; by weight.
template <bool Plain, bool Distribution, Real T, class At>
RANKGRAD_INLINE inline simd::Pack<T> target_at(const Problem<T>& list, const T* distribution, std::size_t i, const At& at) {
  simd::Pack<T> t;
  if constexpr (Distribution) t = simd::load(distribution + i);
  else t = at.load(list.targets + i, T(0));
  if constexpr (!Plain)
    if (list.weights) t = t * at.load(list.weights + i, T(0));
  return t;
}

/// sum_i e_i, e_i = e^{scale d_i}, d_i = from_i - highest, with put(i, at, e) and also(i, at, d) for every pack.
template <Real T, class Put, class Also>
RANKGRAD_INLINE inline simd::Pack<T> sum_of_exponentials(const T* from, std::size_t n, double scale, const Put& put,
                                                         const Also& also) {
  using namespace simd;
  const T top = highest(from, n);
  const Pack<T> all(top);
  const ScaledExp<T> power(scale);
  Pack<T> S[2] = {Pack<T>(T(0)), Pack<T>(T(0))};
  for_each_pack<T>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> d = at.load(from + i, top) - all, e = power(d) * at.load_ones();
    put(i, at, e);
    S[at.slot] = S[at.slot] + e;
    also(i, at, d);
  });
  return S[0] + S[1];
}

/// The first round: S, and Y and sum t d still without `target_scale`, which is 1 / sum of the distribution.
struct ShortSums {
  Sums sums;
  double target_scale = 1;

  /// Does the list carry a signal?
  bool valid() const { return sums.targets > 0; }
  Sums scaled() const { return {sums.exponentials, sums.targets * target_scale, sums.weighted * target_scale}; }
};
template <bool Plain, bool Distribution, Real T, class Put>
RANKGRAD_INLINE inline ShortSums first_round(const Problem<T>& list, T* distribution, const Put& put) {
  using namespace simd;
  ShortSums result;
  if constexpr (Distribution) {
    const auto put_target = [&](std::size_t i, const auto&, Pack<T> e) RANKGRAD_INLINE { store(distribution + i, e); };
    const auto nothing = [](auto&&...) RANKGRAD_INLINE {};
    result.target_scale = 1 / wide_sum(sum_of_exponentials(list.targets, list.n, list.label_scale, put_target, nothing));
  }
  Pack<T> Y[2] = {Pack<T>(T(0)), Pack<T>(T(0))}, td[2] = {Pack<T>(T(0)), Pack<T>(T(0))};
  const auto add = [&](std::size_t i, const auto& at, Pack<T> d) RANKGRAD_INLINE {
    const Pack<T> t = target_at<Plain, Distribution>(list, distribution, i, at);
    Y[at.slot] = Y[at.slot] + t;
    td[at.slot] = fma(t, d, td[at.slot]);
  };
  const Pack<T> S = sum_of_exponentials(list.scores, list.n, list.inverse_temperature, put, add);
  const ThreeSums<T> lane = three_sums(S, Y[0] + Y[1], td[0] + td[1]);
  result.sums = {static_cast<double>(lane.a), static_cast<double>(lane.b), static_cast<double>(lane.c)};
  return result;
}

/// One list. `Plain`: no weights, no curvature. `fresh`: over what stands in the sink's arrays.
template <bool Plain, bool Distribution, bool fresh, Real T>
Contribution<T> short_list(const Problem<T>& list, const GradientSink<T>& out) {
  using namespace simd;
  alignas(64) T e[longest_short_list<T>], distribution[Distribution ? longest_short_list<T> : 1];
  const auto put = [&](std::size_t i, const auto&, Pack<T> power) RANKGRAD_INLINE { store(e + i, power); };
  const ShortSums first = first_round<Plain, Distribution>(list, distribution, put);
  const Problem<T> copy = list;   // copies, which no store can change
  T *const grad = out.grad, *const hess = Plain ? nullptr : out.hess;
  if (!first.valid()) return no_signal<fresh>(grad, hess, copy.n);
  const Sums sums = first.scaled();
  const Factors<T> factors(copy, sums, static_cast<double>(out.scale), first.target_scale);
  for_each_pack<T>(copy.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
    factors.template add<fresh>(grad, hess, i, at, load(e + i), target_at<Plain, Distribution>(copy, distribution, i, at));
  });
  return {static_cast<T>(value_of(copy, sums, std::log(sums.exponentials))), true};
}

/// Up to 16 lists of a batch, each short and not empty: add() every one, then finish() all.
template <bool Plain, bool Distribution, Real T>
class ShortLists {
  static constexpr std::size_t room = 16;

 public:
  /// `distribution`: room for the items from list `begin` on.
  ShortLists(const RaggedBatch<T>& batch, const ListsSink<T>& out, std::size_t begin, T* distribution)
      : batch_(batch), out_(out), begin_(batch.offsets[begin]), distribution_(distribution) {}

  bool full() const { return count_ == room; }

  /// The first round of list q.
  RANKGRAD_INLINE void add(std::size_t q, const Problem<T>& list) {
    using namespace simd;
    T* const e = out_.grad + batch_.offsets[q];
    const auto put = [=](std::size_t i, const auto& at, Pack<T> power) RANKGRAD_INLINE { at.store(e + i, power); };
    lists_[count_] = list;
    numbers_[count_] = q;
    firsts_[count_] = first_round<Plain, Distribution>(list, distribution_of(q), put);
    exponentials_[count_] = firsts_[count_].sums.exponentials;
    ++count_;
  }

  /// The second round of all.
  void finish() {
    using namespace simd;
    for (std::size_t k = 0; k < count_; k += lanes<double>) store(logarithms_ + k, log_positive<double>(load(exponentials_ + k)));
    for (std::size_t k = 0; k < count_; ++k) out_.parts[numbers_[k]] = finish(k);
    count_ = 0;
  }

 private:
  T* distribution_of(std::size_t q) const { return Distribution ? distribution_ + (batch_.offsets[q] - begin_) : nullptr; }

  RANKGRAD_INLINE Contribution<T> finish(std::size_t k) {
    using namespace simd;
    const std::size_t q = numbers_[k], first = batch_.offsets[q];
    const Problem<T> list = lists_[k];
    const ShortSums& firsts = firsts_[k];
    T *const grad = out_.grad + first, *const hess = !Plain && out_.hess ? out_.hess + first : nullptr;
    if (!firsts.valid()) return no_signal<true>(grad, hess, list.n);
    const Sums sums = firsts.scaled();
    const Factors<T> factors(list, sums, static_cast<double>(out_.scale(batch_, q)), firsts.target_scale);
    const T* const distribution = distribution_of(q);
    for_each_pack<T>(list.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> e = at.load(grad + i, T(0)), t = target_at<Plain, Distribution>(list, distribution, i, at);
      factors.template add<true>(grad, hess, i, at, e, t);
    });
    return {static_cast<T>(value_of(list, sums, logarithms_[k])), true};
  }

  const RaggedBatch<T>& batch_;
  ListsSink<T> out_;
  std::size_t begin_;
  T* distribution_;
  std::size_t count_ = 0;
  Problem<T> lists_[room];
  std::size_t numbers_[room];
  ShortSums firsts_[room];
  alignas(64) double exponentials_[room + simd::lanes<double>] = {}, logarithms_[room + simd::lanes<double>];
};

}  // namespace rankgrad::listwise
