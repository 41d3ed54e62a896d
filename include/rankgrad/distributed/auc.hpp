// rankgrad/distributed/auc.hpp: the AUC of a list that is spread over ranks, exactly.
// SPDX-License-Identifier: MIT
//
// Read first: metric/auc.hpp, distributed/communicator.hpp. As a loss: distributed/mann_whitney.hpp.
#pragma once

#include <rankgrad/distributed/ring.hpp>
#include <rankgrad/metric/auc.hpp>

#include <functional>

namespace rankgrad::inline RANKGRAD_ABI::distributed {

namespace detail {

/// A score of the own list: the weight of the positives and negatives of all ranks above it, and of those that tie with it.
struct Standing {
  double positives_above = 0, positives_tied = 0, negatives_above = 0, negatives_tied = 0;
};

/// count(g, weight above, weight tied) for each score, scores and part both falling. Weights of 1 are counted exactly.
template <Real T, class Count>
void count_above(const T* scores, std::size_t n, const ClassPart<T>& part, const Count& count) {
  double above = 0;
  for (std::size_t g = 0, k = 0; g < n; ++g) {
    for (; k < part.n && part.scores[k] > scores[g]; ++k) above += part.weight_of(k);
    double tied = 0;
    for (; k < part.n && part.scores[k] == scores[g]; ++k) tied += part.weight_of(k);
    count(g, above, tied);
    above += tied;
  }
}

template <Communicator C>
struct PooledAuc {
  C* comm;
  Auc metric;

  template <Real T>
  Contribution<T> value(ListView<T> own, Workspace& workspace) const {
    const auto frame = workspace.frame();
    ClassRing<C, T> ring(
        *comm, own, [&](std::size_t i) { return static_cast<double>(own.labels[i]) > metric.relevant_above; }, workspace);
    const double A = ring.all().positive_weight, B = ring.all().negative_weight;
    if (!(A > 0 && B > 0)) return {};
    if (ring.all().nan) return {std::numeric_limits<T>::quiet_NaN(), true};
    ring.sort();
    T* scores = workspace.take<T>(own.size());
    std::copy(own.scores.begin(), own.scores.end(), scores);
    std::sort(scores, scores + own.size(), std::greater<T>());
    const auto n = static_cast<std::size_t>(std::unique(scores, scores + own.size()) - scores);
    Standing* standing = workspace.take<Standing>(n, Standing{});
    double* here = workspace.take<double>(n);   // the weight of the own items with this score
    ring.pass([&](const ClassParts<T>&, const ClassParts<T>& theirs, bool same) {
      count_above(scores, n, theirs.positives, [&](std::size_t g, double above, double tied) {
        standing[g].positives_above += above, standing[g].positives_tied += tied;
      });
      count_above(scores, n, theirs.negatives, [&](std::size_t g, double above, double tied) {
        standing[g].negatives_above += above, standing[g].negatives_tied += tied;
      });
      for (std::size_t g = 0; same && g < n; ++g) here[g] = standing[g].positives_tied + standing[g].negatives_tied;
    });
    // The area of tied items is shared out by weight among the ranks that have some of them.
    double area[1] = {0};
    for (std::size_t g = 0; g < n; ++g) {
      const Standing& s = standing[g];
      if (!(here[g] > 0)) continue;
      const double f0 = s.negatives_above / B, f1 = (s.negatives_above + s.negatives_tied) / B, t0 = s.positives_above / A,
                   t1 = (s.positives_above + s.positives_tied) / A;
      double under = 0;
      if (metric.ties == Ties::optimistic) under = metric.inside(f0, t0, f0, t1) + metric.inside(f0, t1, f1, t1);
      else if (metric.ties == Ties::pessimistic) under = metric.inside(f0, t0, f1, t0) + metric.inside(f1, t0, f1, t1);
      else under = metric.inside(f0, t0, f1, t1);
      area[0] += under * (here[g] / (s.positives_tied + s.negatives_tied));
    }
    comm->all_reduce_sum(area);
    return {T(metric.scaled(area[0])), true};
  }
};

}  // namespace detail

/// The AUC over the positives and negatives of all ranks, whole or in part: what metric/auc.hpp says of the list put together,
/// the same on every rank. {0, false} where no rank has a positive, or none a negative.
///
/// Shapes      own list [n], n may be 0 and differ between ranks. Masks are removed.
/// Ties        expected, optimistic, pessimistic: there is no place in the list to go by.
/// Bytes       of one rank: gathered 48, exchanged (N - n of the next rank) sizeof(T), twice that with weights; reduced 8 (1 + 2 *
///             7) + 8.
/// Cost        sorts the own part, then merges it with each of the others: O(n log n + P n + N). Scratch for the largest part, not
///             for N. Counts are exact up to 2^53.
/// Errors      as those of the loss: the same on every rank. A NaN score on any rank is the value on all.
template <Communicator C, Real T>
Contribution<T> value(C& comm, const Auc& metric, const ListView<T>& own, Workspace& workspace) {
  Status status = status_at_the_door(metric, own);
  if (status && (metric.ties == Ties::stable || metric.ties == Ties::shuffled))
    status = Status::error("rankgrad: Auc.ties is by place in the list; over ranks it must be expected, optimistic or pessimistic");
  agree(comm, status, {{"Auc.max_fpr", metric.max_fpr}, {"Auc.min_fpr", metric.min_fpr}, {"Auc.min_tpr", metric.min_tpr},
                       {"Auc.scale", static_cast<int>(metric.scale)}, {"Auc.relevant_above", metric.relevant_above},
                       {"Auc.ties", static_cast<int>(metric.ties)}, {"the size of a score", sizeof(T)}});
  return evaluate_unmasked(detail::PooledAuc<C>{&comm, metric}, own, workspace);
}
template <Communicator C, Real T>
Contribution<T> value(C& comm, const Auc& metric, const ListView<T>& own) {
  Workspace workspace;
  return value(comm, metric, own, workspace);
}

}  // namespace rankgrad::distributed
