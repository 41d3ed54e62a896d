// rankgrad/plackett_luce/scan.hpp: the Plackett-Luce likelihood of one list in target order, in O(n), without overflow.
// SPDX-License-Identifier: MIT
//
//   L = sum_k c_k log D_k - sum_k w_k s_k      scores s in target order, best first
//
// Groups of tied items are runs of the order. With Z_g = sum of e^s over group g and everything below it, m_g its size:
//   no ties    D_k = Z_k                                          c_k = w_k: the plain negative log-likelihood
//   Breslow    D_k = Z_g for every place k of the group
//   Efron      D_k = (1 - f) Z_g + f Z_{g+1},  f = l / m_g, l = 0, 1, ... the place within the group
// Efron's D_k is usually written Z_g - f T_g with T_g the sum over the group. The two are equal; the convex combination
// has no subtraction. Derivatives (f = 0 but for Efron; i runs over places):
//   a_j = sum_{i above j's group} c_i / D_i   + sum_{i in it} c_i (1 - f_i) / D_i        dL/ds_j   = e_j a_j - w_j
//   b_j = sum_{i above j's group} c_i / D_i^2 + sum_{i in it} c_i (1 - f_i)^2 / D_i^2    d2L/ds_j2 = e_j a_j - e_j^2 b_j
//
// Two forms, everything in double. Where the scores of the list lie within 100 of each other, e = exp(s - highest) and
// the sums are plain prefix and suffix sums: packs for the elementwise part, four independent chains for the sums. For
// wider lists every group works relative to its own log Z_g, with r = Z_{g+1} / Z_g = exp(l_{g+1} - l_g) <= 1 carrying
// a and b from one group to the next: no exponent is ever positive, so a spread of 1e8 is as exact as one of 1.
//
// Read first: plackett_luce/running_sums.hpp, simd/math.hpp. Reader's map: Target (the input), Scan::Scan (the
// denominators), Scan::value, Scan::derivatives.
#pragma once

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/plackett_luce/running_sums.hpp>

#include <cstdint>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

/// One list in target order. Arrays live in a workspace: they are padded.
struct Target {
  std::size_t n = 0;
  const double* scores = nullptr;          ///< [n], divided by the temperature
  const std::uint32_t* starts = nullptr;   ///< [groups + 1] where groups of tied items begin, and n; null: none is tied
  std::size_t groups = 0;                  ///< n where `starts` is null
  bool efron = false;                      ///< denominators of tied items: Efron's, else Breslow's

  std::size_t begin(std::size_t g) const { return starts ? starts[g] : g; }
  std::size_t end(std::size_t g) const { return starts ? starts[g + 1] : g + 1; }
  /// 1 - f: the share of its own group that is still in the running at place k of group [b, e).
  double share(std::size_t k, std::size_t b, std::size_t e) const {
    return efron ? 1 - static_cast<double>(k - b) / static_cast<double>(e - b) : 1;
  }
};

/// log(d / e) for d = e + rest, accurate also where d and e are close. NaN in any of them stays NaN.
inline simd::Pack<double> log_ratio(simd::Pack<double> d, simd::Pack<double> e, simd::Pack<double> rest) {
  using Pack = simd::Pack<double>;
  const auto far = (rest > e) | (rest < e * Pack(-0.5));
  if (!simd::any(~far)) return simd::log_positive<double>(d / e);   // nearly always, but at the end of the list
  const Pack near = Pack(2.0) * simd::atanh_third<double>(rest / (d + e));
  return simd::select(far, simd::log_positive<double>(d / e), near);
}

/// The denominators of a list, made once; then value, gradient and curvature for any weights of places and items.
/// Weights need not be positive: estimators of expected metrics pass rewards. For every group the weights of its
/// places and of its items must have the same sum. Memory comes from the caller's frame.
class Scan {
  using Pack = simd::Pack<double>;

 public:
  Scan(const Target& target, Workspace& workspace) : target_(target), workspace_(workspace), n_(target.n) {
    exponentials_ = workspace.take<double>(n_);
    Pack top(target.scores[0]), bottom(target.scores[0]);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack s = at.load(target.scores + i, target.scores[0]);
      top = simd::select(s > top, s, top);
      bottom = simd::select(s < bottom, s, bottom);
    });
    const double highest = simd::highest(top), lowest = -simd::highest(Pack(-bottom));
    narrow_ = highest - lowest <= 100;   // NaN: false
    narrow_ ? prepare_narrow(highest) : prepare_wide();
  }

  double value(const double* place, const double* item) const {
    Pack sum(0.0);
    if (narrow_)
      simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const Pack d = at.load(denominators_ + i, 1.0), e = at.load(exponentials_ + i, 1.0), rest = at.load(rests_ + i, 0.0);
        sum = simd::fma(at.load(place + i, 0.0), log_ratio(d, e, rest), sum);
      });
    else
      simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        sum = simd::fma(at.load(place + i, 0.0), at.load(logs_ + i, 0.0), sum);
      });
    double value = simd::sum(sum);
    if (place == item) return value;
    // The sum above took c_k s_k where w_k s_k was due; within a group the two weights have the same sum.
    for (std::size_t g = 0; g < target_.groups; ++g)
      for (std::size_t b = target_.begin(g), k = b + 1; k < target_.end(g); ++k)
        value += (place[k] - item[k]) * (target_.scores[k] - target_.scores[b]);
    return value;
  }

  /// Overwrites gradient [n] and, where not null, curvature [n]: the exact diagonal, for place weights >= 0.
  void derivatives(const double* place, const double* item, double* gradient, double* curvature = nullptr) const {
    const auto frame = workspace_.frame();
    double* a = workspace_.take<double>(n_);
    running_sums<1>(place, a);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto) RANKGRAD_INLINE {   // the workspace is padded
      simd::store(gradient + i, simd::load(exponentials_ + i) * simd::load(a + i) - simd::load(item + i));
    });
    if (!curvature) return;
    double* b = workspace_.take<double>(n_);
    running_sums<2>(place, b);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto) RANKGRAD_INLINE {
      const Pack e = simd::load(exponentials_ + i), h = e * (simd::load(a + i) - e * simd::load(b + i));
      simd::store(curvature + i, simd::select(h < Pack(0.0), Pack(0.0), h));
    });
  }

 private:
  void prepare_narrow(double highest) {
    const double* scores = target_.scores;
    double* sums = workspace_.take<double>(n_ + 1);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto) RANKGRAD_INLINE {
      simd::store(exponentials_ + i, simd::exp_nonpositive<double>(simd::load(scores + i) - Pack(highest)));
    });
    suffix_sums(exponentials_, sums, n_);
    sums[n_] = 0;
    denominators_ = sums;
    rests_ = sums + 1;
    if (!target_.starts) return;
    double *denominators = workspace_.take<double>(n_), *rests = workspace_.take<double>(n_);
    shares_ = workspace_.take<double>(n_);
    for (std::size_t g = 0; g < target_.groups; ++g) {
      const std::size_t b = target_.begin(g), e = target_.end(g);
      const Pack z(sums[b]), below(sums[e]), step(target_.efron ? 1 / static_cast<double>(e - b) : 0.0);
      for (std::size_t k = b; k < e; k += simd::lanes<double>) {   // what runs over is overwritten by the next group
        const Pack f = step * simd::iota<double>(static_cast<double>(k - b)), share = Pack(1.0) - f;
        const Pack d = simd::fma(share, z, f * below);
        simd::store(denominators + k, d);
        simd::store(rests + k, d - simd::load(exponentials_ + k));
        simd::store(shares_ + k, share);
      }
      if (e - b == 1) rests[b] = sums[e];   // without the subtraction
    }
    denominators_ = denominators;
    rests_ = rests;
  }

  void prepare_wide() {
    const double* scores = target_.scores;
    ratios_ = workspace_.take<double>(target_.groups);
    logs_ = workspace_.take<double>(n_);
    shares_ = workspace_.take<double>(n_);
    double* denominators = workspace_.take<double>(n_);   // D_k / Z_g
    double log_z = 0;
    for (std::size_t g = target_.groups; g-- > 0;) {
      const std::size_t b = target_.begin(g), e = target_.end(g);
      const double below = log_z;
      log_z = log_sum(scores, b, e, e < n_, below);
      ratios_[g] = e < n_ ? std::exp(below - log_z) : 0;
      for (std::size_t k = b; k < e; ++k) {
        shares_[k] = target_.share(k, b, e);
        denominators[k] = shares_[k] + (1 - shares_[k]) * ratios_[g];
        exponentials_[k] = std::exp(scores[k] - log_z);
        logs_[k] = log_z - scores[k] + std::log(denominators[k]);
      }
      if (e - b == 1) logs_[b] = e < n_ ? softplus(below - scores[b]) : 0;   // without the subtraction
    }
    denominators_ = denominators;
  }

  /// a (power 1) or b (power 2) of every item.
  template <int power>
  void running_sums(const double* place, double* sums) const {
    const auto frame = workspace_.frame();
    double* terms = workspace_.take<double>(n_);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto) RANKGRAD_INLINE {
      const Pack d = simd::load(denominators_ + i);
      simd::store(terms + i, simd::load(place + i) / (power == 1 ? d : d * d));
    });
    if (narrow_ && !target_.starts) return prefix_sums(terms, sums, n_);
    double above = 0;
    for (std::size_t g = 0; g < target_.groups; ++g) {
      const std::size_t b = target_.begin(g), e = target_.end(g);
      double inside = 0, all = 0;
      std::size_t k = b;
      if (e - b >= 2 * simd::lanes<double>) {
        Pack own(0.0), term(0.0);
        for (; k + simd::lanes<double> <= e; k += simd::lanes<double>) {
          const Pack t = simd::load(terms + k), share = simd::load(shares_ + k);
          own = simd::fma(t, power == 1 ? share : share * share, own);
          term = term + t;
        }
        inside = simd::sum(own), all = simd::sum(term);
      }
      for (; k < e; ++k) {
        inside += terms[k] * (power == 1 ? shares_[k] : shares_[k] * shares_[k]);
        all += terms[k];
      }
      std::fill(sums + b, sums + e, above + inside);
      above += all;
      if (!narrow_) above *= power == 1 ? ratios_[g] : ratios_[g] * ratios_[g];   // from units of 1/Z_g to 1/Z_{g+1}
    }
  }

  Target target_;
  Workspace& workspace_;
  std::size_t n_;
  bool narrow_ = true;
  double* exponentials_ = nullptr;         // e_k; in the wide form e_k / Z_g
  const double* denominators_ = nullptr;   // D_k; in the wide form D_k / Z_g
  const double* rests_ = nullptr;          // D_k - e_k
  double* shares_ = nullptr;               // 1 - f_k, where there are groups
  double* ratios_ = nullptr;               // wide: Z_{g+1} / Z_g
  double* logs_ = nullptr;                 // wide: log(D_k / e_k)
};

}  // namespace rankgrad::plackett_luce
