// rankgrad/curriculum/curriculum.hpp: any pointwise or pairwise loss with its samples weighted by their easiness.
// SPDX-License-Identifier: MIT
//
// Read first: curriculum/schedule.hpp, pointwise/engine.hpp, pairwise/engine.hpp, pairwise/joint.hpp.
#pragma once

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/curriculum/schedule.hpp>
#include <rankgrad/pairwise/joint.hpp>
#include <rankgrad/pointwise/engine.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// per_sample: every sample's loss times its own weight.  batch_mean: mean loss times mean weight, as the source's code.
enum class CurriculumWeighting { per_sample, batch_mean };

namespace curriculum {

/// phi(score, label): a loss of single items.
template <class L, class T>
concept Pointwise = requires(const L& loss, simd::Pack<T> x) {
  { loss.phi().template operator()<T>(x, x) } -> std::same_as<Term<T>>;
};
/// phi(score difference): a loss of pairs.
template <class L, class T>
concept Pairwise = requires(const L& loss, simd::Pack<T> d) {
  { loss.phi().template operator()<T>(d) } -> std::same_as<Term<T>>;
};

/// The loss's own option; a loss without one is taken as a mean.
template <class L>
constexpr Normalize normalize_of(const L& loss) {
  if constexpr (requires { { loss.normalize } -> std::convertible_to<Normalize>; }) return loss.normalize;
  else return Normalize::mean;
}
template <class L>
constexpr bool takes_negatives_jointly(const L& loss) {
  if constexpr (requires { { loss.negatives } -> std::convertible_to<Negatives>; }) return loss.negatives == Negatives::joint;
  else return false;
}

/// omega_ij = inner_ij * W((D_i - D_j + 1) / 2), where W(D) = share * 2 D + floor.
template <Real T, class Inner>
struct PairWeights {
  const T* easiness;   ///< in label order, padded
  T share, floor;
  Inner inner;

  template <class>
  auto row(std::size_t i) const {
    using simd::Pack;
    return [omega = inner.template row<T>(i), above = Pack<T>(T(1) + easiness[i]), scale = Pack<T>(share),
            least = Pack<T>(floor), below = easiness](std::size_t j) {
      return omega(j) * simd::fma(above - simd::load(below + j), scale, least);
    };
  }
};

/// The mean of D_i - D_j over the comparable pairs, weighted by w_i w_j. 0 where there is none.
template <Real T>
double mean_difference(const pairwise::PairList<T>& pairs, const T* easiness) {
  double total = 0, pair_weight = 0, above = 0, above_easiness = 0;
  for (std::size_t i = 0; i < pairs.n;) {
    double group = 0, group_easiness = 0;
    for (const std::size_t end = pairs.worse_than(i); i < end; ++i) {
      group += static_cast<double>(pairs.weights[i]);
      group_easiness += static_cast<double>(pairs.weights[i]) * static_cast<double>(easiness[i]);
    }
    total += above_easiness * group - above * group_easiness;
    pair_weight += above * group;
    above += group;
    above_easiness += group_easiness;
  }
  return pair_weight > 0 ? total / pair_weight : 0;
}

}  // namespace curriculum

/// Curriculum: a loss L whose samples b (items, pairs, or anchors with all their negatives) weigh what the schedule gives
/// their easiness D_b, as seen by the first stage (ListView::easiness; curriculum/difficulty.hpp fills it).
///
///   L(s, y)   per_sample  (1/W) sum_b w_b C_b L_b,   C_b = (D_b + 1e-8)(1 - p) + p
///             batch_mean  (1/W) sum_b w_b L_b * (sum_b w_b C_b / sum_b w_b)
///   D_b       item        D_i where y_i > 0, 1 - D_i elsewhere
///             pair        (D_i - D_j + 1) / 2, i the more relevant
///             anchor      (D_i - max_j D_j + 1) / 2, the minimum over its pairs (joint negatives)
///   gradient  C held constant: (1/W) sum_b w_b C_b dL_b/ds; curvature likewise, and of the same kind as the loss's.
///
/// The normaliser W is the loss's own and does not contain C: an easy list then counts more than a hard one. A loss with
/// pair weights of its own (LambdaRank::weighting) keeps them: they multiply.
///
/// Composes    with every loss that has phi(): of (score, label) for items, of a score difference for pairs; your own too
///             (`normalize` is read where it exists). With joint negatives where the loss has `negatives`.
/// Shapes      as the loss; easiness [n] in [0, 1], needed while p < 1.
/// No signal   as the loss.
/// Cost        as the loss, and one multiplication per sample; pairs: n scratch more.
/// Parameters  loss. progress p >= 0: 0 at the start, at 1 and beyond the plain loss to the last bit (CurriculumSchedule).
///             weighting. anti: D -> 1 - D, hard samples first. scope: for pointwise losses only, `batch` takes all lists
///             as one, and with it batch_mean is the source's mean over a whole training batch. For pairs, where pooling
///             would compare items of different queries, the batch of batch_mean is the list.
/// Errors      no easiness although p < 1 and there are items: raised at the door.
/// Source      MacAvaney et al., Training curricula for open domain answer re-ranking, SIGIR 2020; the paper multiplies per
///             sample, its released code (OpenNIR) the two batch means.
template <class L>
struct Curriculum {
  static constexpr std::string_view name = "curriculum";
  static constexpr Curvature curvature = curvature_of<L>();

  L loss{};
  double progress = 0;
  CurriculumWeighting weighting = CurriculumWeighting::per_sample;
  bool anti = false;
  Scope scope = Scope::list;

  Status check() const {
    if (Status status = check_parameter("Curriculum.progress", progress, 0, true); !status) return status;
    if (scope == Scope::batch && !curriculum::Pointwise<L, float>)
      return Status::error(
          "rankgrad: Curriculum.scope is `batch` for a loss of pairs: pooling would pair items of different lists");
    return validate_parameters(loss);
  }
  template <class View>
  Status check_input(const View& view) const {
    if (progress < 1 && view.easiness.empty() && !view.scores.empty())
      return Status::error("rankgrad: Curriculum needs `easiness`, one number in [0, 1] per score, until its progress is 1");
    return validate_input(loss, view);
  }

  template <Real T>
    requires Loss<L, T> && (curriculum::Pointwise<L, T> || curriculum::Pairwise<L, T>)
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    if (progress >= 1 || list.size() == 0) return loss.value_and_gradient(list, out, workspace);
    checked_size(list);
    RANKGRAD_EXPECTS(!list.easiness.empty(),
                     "Curriculum needs `easiness`, one number in [0, 1] per score, until its progress is 1");
    if constexpr (curriculum::Pointwise<L, T>) return over_items(list, out, workspace);
    else return over_pairs(list, out, workspace);
  }

 private:
  double least() const { return curriculum_floor * (1 - progress) + progress; }   // C for D = 0

  template <Real T>
  Contribution<T> scaled(double weight, const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    const Contribution<T> plain = loss.value_and_gradient(list, out.scaled(T(weight)), workspace);
    return {T(weight) * plain.value, plain.valid};
  }

  template <Real T>
  Contribution<T> over_items(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    using namespace simd;
    const Pack<T> one(T(1)), zero(T(0)), share = Pack<T>(T(1 - progress)), floor = Pack<T>(T(least()));
    const auto weights = [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> easy = at.load(&list.easiness[i], T(0)), opposite = one - easy;
      const auto positive = at.load(&list.labels[i], T(0)) > zero;
      return fma(anti ? select(positive, opposite, easy) : select(positive, easy, opposite), share, floor);
    };
    if (weighting == CurriculumWeighting::per_sample)
      return pointwise::sum_over_items(loss.phi(), curriculum::normalize_of(loss), list, out, weights);
    BlockedSum<T> total, weighted;
    for_each_pack<T>(list.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack<T> w = list.weights.empty() ? at.load_ones() : at.load(&list.weights[i], T(0));
      total.add(w, at);
      weighted.add(w * weights(i, at), at);
    });
    const double sum = total.total();
    return sum > 0 ? scaled(weighted.total() / sum, list, out, workspace) : Contribution<T>{};
  }

  template <Real T>
  Contribution<T> over_pairs(const ListView<T>& list, const GradientSink<T>& out, Workspace& workspace) const {
    const auto frame = workspace.frame();
    auto pairs = pairwise::sort_by_label(list, list.labels.data(), workspace);
    const bool joint = curriculum::takes_negatives_jointly(loss);
    if (joint) pairs = pairwise::without_weightless(pairs);
    T* easiness = pairwise::gather(list.easiness.data(), pairs.order, pairs.n, T(0), workspace);
    if (anti)
      for (std::size_t i = 0; i < pairs.n; ++i) easiness[i] = T(1) - easiness[i];
    const double share = (1 - progress) / 2;
    if (joint) return over_anchors(list, pairs, easiness, share, out, workspace);
    if (weighting == CurriculumWeighting::batch_mean)
      return scaled(share * (1 + curriculum::mean_difference(pairs, easiness)) + least(), list, out, workspace);

    const auto weighted = [&](const auto& inner) {
      const curriculum::PairWeights<T, std::remove_cvref_t<decltype(inner)>> weights{easiness, T(share), T(least()), inner};
      return pairwise::comparable_pairs(loss.phi(), weights, curriculum::normalize_of(loss), pairs, out, workspace);
    };
    if constexpr (requires { loss.weighting(list, pairs, workspace); }) {
      const auto inner = loss.weighting(list, pairs, workspace);
      if constexpr (requires { static_cast<bool>(inner); })
        if (!inner) return Contribution<T>{};
      return weighted(inner);
    } else {
      return weighted(pairwise::Uniform{});
    }
  }

  template <Real T>
  Contribution<T> over_anchors(const ListView<T>& list, const pairwise::PairList<T>& pairs, T* easiness, double share,
                               const GradientSink<T>& out, Workspace& workspace) const {
    const std::size_t n = pairs.n, m = pairwise::anchors(pairs);
    T* weights = workspace.take<T>(n, T(0));
    T easiest_worse = T(0), easiest = n ? easiness[n - 1] : T(0);   // among the groups below, and including the group at hand
    double total = 0, weighted = 0;
    for (std::size_t i = n; i-- > 0;) {
      if (i + 1 < n && pairs.labels[i] != pairs.labels[i + 1]) easiest_worse = easiest;
      easiest = std::max(easiest, easiness[i]);
      if (i >= m) continue;
      weights[i] = T(share * (1 + static_cast<double>(easiness[i]) - static_cast<double>(easiest_worse)) + least());
      total += static_cast<double>(pairs.weights[i]);
      weighted += static_cast<double>(pairs.weights[i]) * static_cast<double>(weights[i]);
    }
    if (m == 0) return {};
    if (weighting == CurriculumWeighting::batch_mean) return scaled(weighted / total, list, out, workspace);
    return pairwise::joint_negatives(loss.phi(), curriculum::normalize_of(loss), pairs, static_cast<const T*>(weights), out,
                                     workspace);
  }
};

}  // namespace rankgrad
