// rankgrad/pairwise/lambdarank.hpp: the logistic pair loss weighted by what a swap would change in NDCG@k.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/engine.hpp, metric/gain_discount.hpp; for long lists pairwise/lambda_tree/tree.hpp.
#pragma once

#include <rankgrad/metric/gain_discount.hpp>
#include <rankgrad/pairwise/engine.hpp>
#include <rankgrad/pairwise/lambda_tree/paths.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

namespace pairwise {

/// omega_ij = |G_i - G_j| |D_i - D_j|, from the gain and the discount of every item in label order.
template <Real T>
struct DeltaNdcg {
  const T* gains;       ///< divided by the ideal DCG
  const T* discounts;   ///< of the rank the item has now; 0 past the cut-off

  explicit operator bool() const { return gains != nullptr; }   ///< is there any change to weigh by?

  template <class>
  auto row(std::size_t i) const {
    return [gain = simd::Pack<T>(gains[i]), discount = simd::Pack<T>(discounts[i]), this](std::size_t j) {
      return simd::abs(gain - simd::load(gains + j)) * simd::abs(discount - simd::load(discounts + j));
    };
  }
};

}  // namespace pairwise

/// LambdaRank / LambdaMART in the form of a loss (LambdaLoss): the ranks, and so the weights, are held constant.
///
///   L(s, y)  = sum_{y_i > y_j} w_i w_j |dNDCG_ij| softplus(-sigma (s_i - s_j))
///   |dNDCG_ij| = |G(y_i) - G(y_j)| |D(r_i) - D(r_j)| / IDCG@k      r = rank by score, G = 2^y - 1, D = 1/log2(1 + r)
///   dL/ds_i  = -sum_{y_i > y_j} w |dNDCG| sigma s(-sigma d_ij) + sum_{y_j > y_i} w |dNDCG| sigma s(-sigma d_ji)
///   h_i      = sum over both kinds of pairs of w |dNDCG| sigma^2 s(sigma d) s(-sigma d)
///
/// Curvature   Gauss-Newton: the weights jump where ranks change, so no true diagonal exists. LightGBM uses this h
///             unscaled, XGBoost twice this h.
/// Shapes      scores, labels [n]; weights [n] or empty, multiply pairs from both sides.
/// Units       nats (allRank and sentence-transformers report bits: divide by ln 2).
/// No signal   no two labels differ, or IDCG@k is not positive.
/// Cost        two sorts; O(n^2) pairs with one division each up to a few hundred items, O(n) beyond where the labels have at
///             most 32 values (lambda_tree/tree.hpp; why not more: lambda_tree/runs.hpp); O(n) scratch. There a team shares
///             one list (core/executor.hpp).
/// Parameters  sigma > 0. k: cut-off of the NDCG whose change is measured, 0 = none; D is 0 past rank k, so pairs that
///             both stand below k weigh nothing (LightGBM keeps D there). gain, discount: see metric/gain_discount.hpp.
///             ties, seed: how equal scores are ranked. normalize: sum (default; the weight is already divided by the
///             ideal DCG) or mean over pairs.
/// Source      Burges, From RankNet to LambdaRank to LambdaMART, MSR-TR-2010-82, sec. 4; as a loss: Wang et al., The
///             LambdaLoss framework, CIKM 2018, eq. (12).
struct LambdaRank {
  static constexpr std::string_view name = "lambdarank";
  static constexpr Curvature curvature = Curvature::gauss_newton;

  double sigma = 1;
  std::size_t k = 0;
  Gain gain = Gain::exponential;
  Discount discount = Discount::log2;
  Ties ties = Ties::stable;
  std::uint64_t seed = 0;
  Normalize normalize = Normalize::sum;

  pairwise::Logistic phi() const { return {sigma}; }
  Status check() const {
    if (ties == Ties::expected) return Status::error("rankgrad: LambdaRank.ties cannot be `expected`: its pairs need ranks");
    return check_parameter("LambdaRank.sigma", sigma, 0);
  }

  /// The pair weights for a list sorted by label; gains are null where the list has no positive ideal DCG.
  template <Real T>
  pairwise::DeltaNdcg<T> weighting(const ListView<T>& list, const pairwise::PairList<T>& pairs, Workspace& workspace) const {
    const std::size_t n = pairs.n, top = metric::cut_off(k, n);
    T* by_rank = workspace.take<T>(n);
    fill_discounts(discount, k, by_rank, n);
    const double shift = gain_shift(gain, n ? static_cast<double>(pairs.labels[0]) : 0);
    double ideal = 0;
    for (std::size_t i = 0; i < top; ++i)
      ideal += gain_of(gain, static_cast<double>(pairs.labels[i]), shift) * static_cast<double>(by_rank[i]);
    if (!(ideal > 0)) return {nullptr, nullptr};

    std::uint32_t* order = workspace.take<std::uint32_t>(n);
    std::uint32_t* position = workspace.take<std::uint32_t>(n);
    rank_order(list, ties, seed, order, workspace);
    invert_order(order, n, position);
    T* gains = workspace.take<T>(n, T(0));
    T* discounts = workspace.take<T>(n, T(0));
    for (std::size_t i = 0; i < n; ++i) {
      gains[i] = T(gain_of(gain, static_cast<double>(pairs.labels[i]), shift) / ideal);
      discounts[i] = by_rank[position[pairs.order[i]]];
    }
    return {gains, discounts};
  }

  template <Real T>
  Contribution<T> value_and_gradient(ListView<T> list, GradientSink<T> out, Workspace& workspace) const {
    checked_size(list);
    return pairwise::lambda_tree::evaluate(*this, pairwise::lambda_tree::Path::automatic, list, out, workspace);
  }
};

}  // namespace rankgrad
