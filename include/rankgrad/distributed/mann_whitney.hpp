// rankgrad/distributed/mann_whitney.hpp: the Mann-Whitney loss of a list that is spread over ranks.
// SPDX-License-Identifier: MIT
//
// Read first: auc/mann_whitney.hpp, distributed/communicator.hpp.
#pragma once

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/distributed/ring.hpp>

#include <optional>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

/// How the ranks learn of each other's scores.
///   automatic   `sums` where the surrogate has them and they are less to send than the scores, or less than 1 MiB; else `ring`
///   sums        all-reduced moments; where there are none (the hinges; scores that the grid or one exponent cannot hold) `ring`
///   ring        the scores themselves go round
enum class Way { automatic, sums, ring };

namespace detail {

/// The scores of all ranks.
template <Real T>
struct PooledRange {
  simd::Range<T> scores;
  std::size_t most_items;   ///< of a rank
};
template <Communicator C, Real T>
PooledRange<T> pooled_range(C& comm, const ListView<T>& own, Workspace& workspace) {
  constexpr double none = -std::numeric_limits<double>::max();
  double most[4] = {none, none, 0, static_cast<double>(own.size())};   // minus the lowest; the highest; is any not finite?
  if (own.size() > 0) {
    const simd::Range<T> range = simd::range_by_pieces(own.scores.data(), own.size(), workspace);
    if (!range.finite) most[2] = 1;
    else most[0] = -static_cast<double>(range.low), most[1] = static_cast<double>(range.high);
  }
  comm.all_reduce_max(most);
  const bool finite = !(most[2] > 0) && most[3] > 0;
  return {{finite ? static_cast<T>(-most[0]) : T(0), finite ? static_cast<T>(most[1]) : T(0), finite},
          static_cast<std::size_t>(most[3])};
}

/// Moments of the classes about the means of all ranks: what auc/moments.hpp finds by trying.
template <Communicator C, Real T>
auc::ClassMoments pooled_moments(C& comm, const ListView<T>& own) {
  const auc::ClassMoments here = auc::class_moments(own);
  const auto weighted_mean = [](const auc::PivotSums& s) { return s.weight > 0 ? s.weight * (s.pivot + s.shift()) : 0; };
  double means[4] = {here.positive.weight, weighted_mean(here.positive), here.negative.weight, weighted_mean(here.negative)};
  comm.all_reduce_sum(means);
  const auto mean = [&](std::size_t of) { return means[of] > 0 ? means[of + 1] / means[of] : 0; };
  auc::ClassMoments all = auc::class_moments(own, own.size(), mean(0), mean(2));
  double sums[6];
  double* to = sums;
  for (const auc::PivotSums* s : {&all.positive, &all.negative}) *to++ = s->weight, *to++ = s->first, *to++ = s->second;
  comm.all_reduce_sum(sums);
  const double* from = sums;
  for (auc::PivotSums* s : {&all.positive, &all.negative}) s->weight = *from++, s->first = *from++, s->second = *from++;
  return all;
}

template <Communicator C, Real T>
std::optional<Contribution<T>> logistic_by_sums(C& comm, const MannWhitney& loss, const ListView<T>& own,
                                                const PooledRange<T>& range, const GradientSink<T>& out, Workspace& workspace,
                                                Way way) {
  using namespace pairwise::near_linear;
  const double sigma = 1 / loss.temperature;
  auto placed = place_on_grid(range.scores, sigma);
  if (!placed) return {};
  const double cells = 2 * placed->span, bytes = 2 * cells * static_cast<double>(row<T> * sizeof(double)),
               ring = static_cast<double>(comm.size() * range.most_items * sizeof(T));
  if (way == Way::automatic ? bytes > std::max(ring, 0x1p20) : cells > 0x1p22) return {};   // cells are whole numbers in T
  const Items<T> items{own.scores.data(), own.labels.data(), own.weights.empty() ? nullptr : own.weights.data(), own.size(),
                       Target::two_classes, T(0), 2};
  const Shape shape{static_cast<double>(own.size()), 0, 2, placed->span, items.weights != nullptr};
  const bool registers = fits_registers(shape) && predicted<T>(Path::registers, shape) <= predicted<T>(Path::sorted, shape);
  return on_all_bins(items, *placed, registers ? Path::registers : Path::sorted, sigma, loss.normalize, out, workspace,
                     AddUp<C>{comm});
}

template <Communicator C, Real T>
std::optional<Contribution<T>> mann_whitney_by_sums(C& comm, const MannWhitney& loss, const ListView<T>& own,
                                                    const PooledRange<T>& range, const GradientSink<T>& out,
                                                    Workspace& workspace, Way way) {
  const double radius = 0.5 * range.scores.span();
  switch (loss.surrogate) {
    case Surrogate::logistic: return logistic_by_sums(comm, loss, own, range, out, workspace, way);
    case Surrogate::square:
      return auc::square(own, pooled_moments(comm, own), loss.temperature, loss.margin, true, loss.normalize, out);
    case Surrogate::exponential:
      if (!(radius / loss.temperature <= auc::one_scale_reach)) return {};
      return auc::exponential(own, range.scores.centre(), radius, loss.temperature, loss.normalize, out, workspace,
                              AddUp<C>{comm});
    default: return {};
  }
}

/// share * the mean loss of all pairs of these; its derivatives go to the own items among them.
template <Real T>
double loss_between(const MannWhitney& loss, const ClassPart<T>& positives, const ClassPart<T>& negatives, double factor,
                    const GradientSink<T>& out, Workspace& workspace) {
  const double share = factor * positives.weight * negatives.weight;
  if (share == 0) return 0;
  const auto frame = workspace.frame();
  const std::size_t n = positives.n + negatives.n;
  const auto joined = [&](const T* first, const T* second) {
    T* both = workspace.take<T>(n);
    std::copy_n(second, negatives.n, std::copy_n(first, positives.n, both));
    return std::span<const T>(both, n);
  };
  T* labels = workspace.take<T>(n, T(0));
  std::fill_n(labels, positives.n, T(1));
  ListView<T> list{joined(positives.scores, negatives.scores), {labels, n}};
  if (positives.weights) list.weights = joined(positives.weights, negatives.weights);
  const GradientSink<T> inner{workspace.take<T>(n, T(0)), out.hess ? workspace.take<T>(n, T(0)) : nullptr, static_cast<T>(share)};
  const double mean = static_cast<double>(loss.value_and_gradient(list, inner, workspace).value);
  const auto scatter = [&](const ClassPart<T>& part, std::size_t first) {
    for (std::size_t i = 0; part.items && i < part.n; ++i)
      out.add(part.items[i], inner.grad[first + i], out.hess ? inner.hess[first + i] : T(0));
  };
  scatter(positives, 0);
  scatter(negatives, positives.n);
  return share * mean;
}

template <Communicator C, Real T>
Contribution<T> mann_whitney_by_ring(C& comm, MannWhitney loss, const ListView<T>& own, const GradientSink<T>& out,
                                     Workspace& workspace) {
  const auto frame = workspace.frame();
  ClassRing<C, T> ring(comm, own, [&](std::size_t i) { return own.labels[i] > T(0); }, workspace);
  const double pairs = ring.all().positive_weight * ring.all().negative_weight;
  if (!(pairs > 0)) return {};
  const double factor = loss.normalize == Normalize::mean ? 1 / pairs : 1;
  loss.normalize = Normalize::mean;
  double value[1] = {0};   // each pair counts where its positive is at home
  ring.pass([&](const ClassParts<T>& mine, const ClassParts<T>& theirs, bool same) {
    value[0] += loss_between(loss, mine.positives, theirs.negatives, factor, out, workspace);
    if (!same) loss_between(loss, theirs.positives, mine.negatives, factor, out, workspace);
  });
  comm.all_reduce_sum(value);
  return {static_cast<T>(value[0]), true};
}

/// A loss over one list, each rank having a part of it.
template <Communicator C>
struct PooledMannWhitney {
  static constexpr Scope scope = Scope::batch;

  C* comm;
  MannWhitney loss;
  Way way;

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> own, GradientSink<T> out, Workspace& workspace) const {
    const PooledRange<T> range = pooled_range(*comm, own, workspace);
    if (range.most_items == 0) return {};
    if (way != Way::ring)
      if (const auto result = mann_whitney_by_sums(*comm, loss, own, range, out, workspace, way)) return *result;
    return mann_whitney_by_ring(*comm, loss, own, out, workspace);
  }
};

/// Stands before it: the same loss of scores of one type on all ranks, and nothing wrong on any.
template <Real T, Communicator C>
void agree_on(C& comm, const Status& own, const MannWhitney& loss) {
  agree(comm, own, {{"MannWhitney.temperature", loss.temperature}, {"MannWhitney.margin", loss.margin},
                    {"MannWhitney.surrogate", static_cast<int>(loss.surrogate)},
                    {"MannWhitney.normalize", static_cast<int>(loss.normalize)}, {"the size of a score", sizeof(T)}});
}

}  // namespace detail

/// The Mann-Whitney loss over the positives and negatives of all ranks, each of which has a part of them (or none): the value is
/// that of the whole, the same on every rank; gradient and curvature are those of the rank's own scores.
///
///   L = (1 / AB) sum over positives i and negatives k of all ranks of a_i b_k phi(z_ik)      value: L on every rank
///   gradient[i] = dL / d own score i                                                         the whole derivative, unscaled
///
/// Where the gradients of parameters are *averaged* over P ranks afterwards, as data-parallel training does (DDP), multiply the
/// gradient by P: the average then is the gradient of L. Where they are summed, leave it.
///
/// Shapes      own list [n], n may be 0 and differ between ranks; gradient [n], written over; curvature [n] or empty. Masks are
///             removed. `scope` plays no part.
/// Bytes       of one rank, as distributed/communicator.hpp counts them, K = 5 parameters that must agree:
///               before      reduced 8 (1 + 2 K) + 8 * 4
///               logistic    reduced 8 * 2 bins * row: bins of width 2 tau from the lowest to the highest score, rows of
///                           16 numbers (float) or 24 (double). The size of the lists plays no part.
///               square      reduced 8 * 10
///               exponential reduced 8 * 4
///               ring        gathered 48, exchanged (N - n of the next rank) sizeof(T), twice that with weights, reduced 8
/// Cost        sums: that of the own part, and O(bins). ring: each rank meets every other, with the kernels of the loss: in all
///             4 N items through the sorted or linear kernels, or 2 n N pairs; scratch for the largest part, not for N.
/// Errors      parameters that differ, or input that is wrong, on any rank: the same error on every rank, before anything is
///             written. NaN and infinite scores go the ring's way: they show as in one process.
/// Numerics    as of one list. The same bits on every rank; another number of ranks rounds otherwise.
template <Communicator C, Real T>
T value_gradient_and_curvature(C& comm, const MannWhitney& loss, const ListView<T>& own,
                               std::type_identity_t<std::span<T>> gradient, std::type_identity_t<std::span<T>> curvature,
                               T floor, Workspace& workspace, Way way = Way::automatic) {
  const Status status = first_failure({status_at_the_door(loss, own), check_parameter("the curvature floor", floor, 0, true),
                                       rankgrad::detail::check_length("gradient", gradient.size(), own.size()),
                                       rankgrad::detail::check_optional_length("curvature", curvature.size(), own.size())});
  detail::agree_on<T>(comm, status, loss);
  const GradientSink<T> out{gradient.data(), curvature.empty() ? nullptr : curvature.data()};
  simd::clear(out.grad, out.hess, own.size());
  const T value = evaluate_unmasked(detail::PooledMannWhitney<C>{&comm, loss, way}, own, out, workspace).value;
  for (T& h : curvature) h = std::max(h, floor);
  return value;
}
template <Communicator C, Real T>
T value_and_gradient(C& comm, const MannWhitney& loss, const ListView<T>& own, std::type_identity_t<std::span<T>> gradient,
                     Workspace& workspace, Way way = Way::automatic) {
  return value_gradient_and_curvature(comm, loss, own, gradient, {}, T(0), workspace, way);
}
template <Communicator C, Real T>
T value_and_gradient(C& comm, const MannWhitney& loss, const ListView<T>& own, std::type_identity_t<std::span<T>> gradient) {
  Workspace workspace;
  return value_and_gradient(comm, loss, own, gradient, workspace);
}

}  // namespace rankgrad::distributed
