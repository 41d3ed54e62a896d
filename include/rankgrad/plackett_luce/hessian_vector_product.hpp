// rankgrad/plackett_luce/hessian_vector_product.hpp: H v of ListMLE in O(n), for Newton-CG and full-list boosting.
// SPDX-License-Identifier: MIT
//
// With e = e^s, D_k and f of plackett_luce/scan.hpp (f = 0 but for Efron), every term c_k log D_k has the Hessian
// c_k (diag(p) - p p'), p_j = [1 - f_k in k's group, 1 below it] e_j / D_k. With m_k = sum_j p_j v_j:
//   (H v)_j = e_j ( a_j v_j - q_j ),   q_j = sum_{k above j's group} c_k m_k / D_k + sum_{k in it} c_k (1 - f_k) m_k / D_k
// Everything is held relative to Z_g of the group, as in the wide form of the scan: M_g is the mean of v over the group
// and all below it under e / Z_g, and m_k = ((1 - f) M_g + f r M_{g+1}) / (D_k / Z_g) with r = Z_{g+1} / Z_g.
//
// Read first: plackett_luce/list_mle.hpp.
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace plackett_luce {

/// Overwrites product [n], for scores, v and product in target order.
inline void hessian_vector_product(const Target& target, const double* place, const double* v, double* product,
                                   Workspace& workspace) {
  const auto frame = workspace.frame();
  const std::size_t n = target.n, groups = target.groups;
  double *logs = workspace.take<double>(groups), *means = workspace.take<double>(groups);
  const auto ratio = [&](std::size_t g) { return g + 1 < groups ? std::exp(logs[g + 1] - logs[g]) : 0; };
  for (std::size_t g = groups; g-- > 0;) {
    const std::size_t b = target.begin(g), e = target.end(g);
    logs[g] = log_sum(target.scores, b, e, e < n, e < n ? logs[g + 1] : 0);
    means[g] = e < n ? ratio(g) * means[g + 1] : 0;
    for (std::size_t k = b; k < e; ++k) means[g] += std::exp(target.scores[k] - logs[g]) * v[k];
  }
  double a = 0, q = 0;   // of the groups above, in units of 1 / Z_g
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t b = target.begin(g), e = target.end(g);
    const double r = ratio(g), below = e < n ? r * means[g + 1] : 0;
    double a_own = a, q_own = q;
    for (std::size_t k = b; k < e; ++k) {
      const double share = target.share(k, b, e), d = share + (1 - share) * r;
      const double term = place[k] / d, mean = (share * means[g] + (1 - share) * below) / d;
      a_own += term * share;
      q_own += term * share * mean;
      a += term;
      q += term * mean;
    }
    for (std::size_t k = b; k < e; ++k) product[k] = std::exp(target.scores[k] - logs[g]) * (a_own * v[k] - q_own);
    a *= r;
    q *= r;
  }
}

}  // namespace plackett_luce

/// product = H v with H the full Hessian of ListMle over the scores of a list; overwritten. Masked items get 0 and their
/// v is not read. 0 where the list has no signal. H is positive semi-definite and H 1 = 0. TargetTies::exact is refused:
/// break its ties by efron for this purpose.
template <Real T>
void hessian_vector_product(const ListMle& loss, const ListView<T>& list, std::type_identity_t<std::span<const T>> v,
                            std::type_identity_t<std::span<T>> product, Workspace& workspace) {
  check_at_the_door(loss, list);
  RANKGRAD_EXPECTS(v.size() == list.size() && product.size() == list.size(), "v, product and scores differ in size");
  RANKGRAD_EXPECTS(loss.ties != TargetTies::exact, "hessian_vector_product has no TargetTies::exact; use efron");
  std::fill(product.begin(), product.end(), T(0));
  const auto frame = workspace.frame();
  const Kept kept = list.mask.empty() ? Kept{} : kept_by(list.mask, workspace);
  const ListView<T> present = kept.at ? compacted(list, kept, workspace) : list;
  const std::size_t n = present.size();
  if (n < 2) return;
  const auto weighted = plackett_luce::order_target(present, loss.target_options(), workspace);
  if (!(weighted.total > 0)) return;
  const auto item = [&](std::size_t k) { return kept.at ? kept.at[weighted.order[k]] : weighted.order[k]; };
  double *sorted = workspace.take<double>(n), *result = workspace.take<double>(n);
  for (std::size_t k = 0; k < n; ++k) sorted[k] = static_cast<double>(v[item(k)]);
  plackett_luce::hessian_vector_product(weighted.target, weighted.place, sorted, result, workspace);
  const double factor = (loss.normalize == Normalize::mean ? 1 / weighted.total : 1) / (loss.temperature * loss.temperature);
  for (std::size_t k = 0; k < n; ++k) product[item(k)] = T(factor * result[k]);
}

}  // namespace rankgrad
