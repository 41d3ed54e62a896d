// rankgrad/plackett_luce/list_mle.hpp: the Plackett-Luce likelihood of the target ranking: ListMLE and its relatives.
// SPDX-License-Identifier: MIT
//
// Read first: plackett_luce/scan.hpp, plackett_luce/target_order.hpp.
#pragma once

#include <rankgrad/plackett_luce/exact_ties.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// ListMLE: -log of the Plackett-Luce probability of the ranking by label, with position weights (p-ListMLE), a cut-off
/// (top-k ListMLE) and five treatments of equal labels.
///
///   L(s, y)   = sum_k u_k v_k ( log sum_{j >= k} e^{s_j / tau} - s_k / tau )       k = place in the target ranking,
///                                                              u = position weight, v = weight of the item there
///   dL/ds_j   = ( sum_{k <= j} u_k v_k p_kj - u_j v_j ) / tau                      p_kj = e^{s_j} / sum_{i >= k} e^{s_i}
///   d2L/ds_j2 = sum_{k <= j} u_k v_k p_kj (1 - p_kj) / tau^2
///
/// A group g of m items with equal labels, under breslow and efron, with U = mean(u), V = mean(v) over the group, Z_g the
/// sum of e^{s / tau} over g and all below it, T_g over g alone, f_l = l / m (efron) or 0 (breslow), l = 0 .. m - 1:
///   L_g = V sum_l u_l log( Z_g - f_l T_g ) - U sum_{i in g} v_i s_i / tau
/// which is the form above with u and v replaced by what they are on average over the m! orders. Under exact:
///   L_g = -U V log P(g precedes all below it, in any order)          plackett_luce/exact_ties.hpp
/// breslow and efron estimate the likelihood of one order, exact adds up m! of them: values differ by about log m! a
/// group and must not be compared across modes. Without ties all five agree.
///
///   ListMle{}                                                          Efron for ties
///   ListMle{.ties = TargetTies::stable}                                equal labels in list order
///   ListMle{.position_weight = PositionWeight::p_list_mle()}           p-ListMLE, scaled
///   ListMle{.k = 10}                                                   top-10; k = 1: softmax on the best item
///
/// Curvature   exact diagonal, >= 0, in every mode. H is a graph Laplacian: H <= 2 diag(H). Full products H v:
///             plackett_luce/hessian_vector_product.hpp.
/// Shapes      scores, labels [n]; weights [n] or empty: the weight of an item multiplies the term of its own place; it
///             competes with items above it in full whatever its weight.
/// Units       nats; nats per unit of score.
/// No signal   fewer than two items; all terms weigh 0; exact: nothing that weighs stands above another group. All
///             labels equal: exact has no signal, the other modes keep their gradient (breslow and efron pull the scores
///             together; stable and shuffled teach the order that they made up).
/// Cost        O(n) after one sort; one exp, one log and two to four divisions per item, in packs; about 8 n doubles of
///             scratch. exact: for a group of m > 1, about 120 (1 + log m) nodes of m items with two exps each, twice that
///             where P > 1/2. All workers share a large list; where ties are exact or scores further apart than 100,
///             only its order.
/// Numerics    double inside; scores up to +-1e8 and beyond stay exact (scan.hpp). Terms are summed as log1p where they
///             are small.
/// Parameters  temperature tau > 0. k: only the first k places count, the other items stay in the denominators; 0 = all.
///             A tie group across place k counts by U. ties: see TargetTies. position_weight: see PositionWeight. seed:
///             for shuffled, with the list index. normalize: sum over places (default), or divided by sum_k u_k v_k.
/// Source      Xia, Liu, Wang, Zhang, Li, Listwise approach to learning to rank, ICML 2008; top-k: Xia, Liu, Li, NIPS
///             2009; p-ListMLE: Lan et al., UAI 2014; ties: Breslow 1974 and Efron 1977, for proportional hazards.
struct ListMle {
  static constexpr std::string_view name = "listmle";
  static constexpr Curvature curvature = Curvature::diagonal;

  double temperature = 1;
  std::size_t k = 0;
  TargetTies ties = TargetTies::efron;
  PositionWeight position_weight{};
  std::uint64_t seed = 0;
  Normalize normalize = Normalize::sum;

  plackett_luce::TargetOptions target_options() const { return {temperature, k, ties, position_weight, seed}; }
  Status check() const {
    if (Status status = position_weight.check(); !status) return status;
    return check_parameter("ListMle.temperature", temperature, 0);
  }
  template <class View>
  Status check_input(const View& view) const { return position_weight.check_input(view); }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    if (n < 2) return {};
    const auto frame = workspace.frame();
    const auto weighted = plackett_luce::order_target(list, target_options(), workspace);
    if (!(weighted.total > 0)) return {};
    double* gradient = workspace.take<double>(n);
    double* bends = out.hess ? workspace.take<double>(n) : nullptr;
    double value = 0;
    if (ties == TargetTies::exact) {
      if (!plackett_luce::weighs_above_the_last_group(weighted)) return {};
      value = plackett_luce::exact_ties(weighted, gradient, bends, workspace);
    } else {
      const plackett_luce::Scan scan(weighted.target, workspace);
      value = scan.value(weighted.place, weighted.item, weighted.ones);
      scan.derivatives(weighted.place, weighted.item, gradient, bends);
    }
    const double factor = normalize == Normalize::mean ? 1 / weighted.total : 1;
    const double slope = factor / temperature, bend = slope / temperature;
    const std::uint32_t* const order = weighted.order;
    for_each_stretch(n, workspace, [=](std::size_t b, std::size_t e) {
      for (std::size_t i = b; i < e; ++i) out.grad[order[i]] += out.scale * T(slope * gradient[i]);
      if (bends)
        for (std::size_t i = b; i < e; ++i) out.hess[order[i]] += out.scale * T(bend * bends[i]);
    });
    return {T(factor * value), true};
  }
};

}  // namespace rankgrad
