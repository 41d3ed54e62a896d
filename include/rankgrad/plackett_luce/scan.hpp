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
// the sums are plain prefix and suffix sums, scanned in registers (simd/scan.hpp). Only groups of two or more are looked at
// one by one: the others are runs of packs, in which D_k = Z_k and a is the prefix sum of c / D. For
// wider lists every group works relative to its own log Z_g, with r = Z_{g+1} / Z_g = exp(l_{g+1} - l_g) <= 1 carrying
// a and b from one group to the next: no exponent is ever positive, so a spread of 1e8 is as exact as one of 1.
//
// The value of a narrow list is sum c_k log(D_k / e_k), a logarithm a place, with log1p where rest / e is small. Where the
// first m places weigh 1 and the others nothing, sum_{k < m} log D_k - sum_{k < m} (s_k - highest) is the same with one
// logarithm in all (running_sums.hpp). Its error is absolute, some m 2^-53, where that of the other is relative; it is
// therefore taken where the value is at least m / 4, as it is until a ranking is all but learned.
//
// Read first: plackett_luce/running_sums.hpp, simd/math.hpp. Reader's map: Target (the input), Scan::Scan (the
// denominators), Scan::value, Scan::derivatives.
#pragma once

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/plackett_luce/running_sums.hpp>
#include <rankgrad/simd/horizontal.hpp>

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
    const simd::Range<double> range = simd::range_of(target.scores, n_);
    highest_ = range.high;
    narrow_ = range.span() <= 100;   // false where a score is not finite
    narrow_ ? prepare_narrow() : prepare_wide();
  }

  /// `ones`: this many places, the first, weigh 1 and the others 0, as do the items there; 0: the weights are of any kind.
  double value(const double* place, const double* item, std::size_t ones = 0) const {
    if (narrow_ && ones > 0 && denominators_[0] > 0) {   // NaN in any score: false, and it shows below
      const double value = sum_of_logs(denominators_, ones) - sum_below(ones);
      if (!(value < 0.25 * static_cast<double>(ones))) return value;
    }
    double value = sum_of_terms(place);
    if (place == item) return value;
    // The sum above took c_k s_k where w_k s_k was due; within a group the two weights have the same sum.
    for (std::size_t g = 0; g < target_.groups; ++g)
      for (std::size_t b = target_.begin(g), k = b + 1; k < target_.end(g); ++k)
        value += (place[k] - item[k]) * (target_.scores[k] - target_.scores[b]);
    return value;
  }

  /// Overwrites gradient [n] and, where not null, curvature [n]: the exact diagonal, for place weights >= 0.
  void derivatives(const double* place, const double* item, double* gradient, double* curvature = nullptr) const {
    if (!narrow_) return wide_derivatives(place, item, gradient, curvature);
    curvature ? narrow_derivatives<true>(place, item, gradient, curvature)
              : narrow_derivatives<false>(place, item, gradient, nullptr);
  }

 private:
  /// sum of s_k - highest over the first m places.
  double sum_below(std::size_t m) const {
    Pack sum[2] = {Pack(0.0), Pack(0.0)};
    const Pack top(highest_);
    simd::for_each_pack<double>(m, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      sum[at.slot] = sum[at.slot] + (at.load(target_.scores + i, highest_) - top);
    });
    return simd::sum(sum[0] + sum[1]);
  }

  /// sum of c_k log(D_k / e_k).
  double sum_of_terms(const double* place) const {
    Pack sum(0.0);
    if (!narrow_) {
      simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        sum = simd::fma(at.load(place + i, 0.0), at.load(logs_ + i, 0.0), sum);
      });
      return simd::sum(sum);
    }
    const auto frame = workspace_.frame();
    const double* rests = denominators_ + 1;   // D_k - e_k
    if (target_.starts) {
      double* own = workspace_.take<double>(n_);
      std::copy_n(rests, n_, own);
      for_each_tie([&](std::size_t b, std::size_t e) {
        for (std::size_t k = b; k < e; ++k) own[k] = denominators_[k] - exponentials_[k];
      });
      rests = own;
    }
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack d = at.load(denominators_ + i, 1.0), e = at.load(exponentials_ + i, 1.0), rest = at.load(rests + i, 0.0);
      sum = simd::fma(at.load(place + i, 0.0), log_ratio(d, e, rest), sum);
    });
    return simd::sum(sum);
  }

  /// body(b, e) for every group [b, e) of two or more.
  template <class Body>
  void for_each_tie(const Body& body) const {
    if (target_.starts)
      for (std::size_t g = 0; g < target_.groups; ++g)
        if (target_.starts[g + 1] - target_.starts[g] > 1) body(target_.starts[g], target_.starts[g + 1]);
  }
  /// 1 - f of the places k, k + 1, ... of the group that begins at b.
  static Pack shares(std::size_t k, std::size_t b, Pack step) {
    return simd::fnma(step, simd::iota<double>(0) + Pack(static_cast<double>(k - b)), Pack(1.0));
  }
  Pack step(std::size_t b, std::size_t e) const { return Pack(target_.efron ? 1 / static_cast<double>(e - b) : 0.0); }

  void prepare_narrow() {
    double* sums = workspace_.take<double>(n_ + 1);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto) RANKGRAD_INLINE {   // the workspace is padded
      simd::store(exponentials_ + i, simd::exp_nonpositive<double>(simd::load(target_.scores + i) - Pack(highest_)));
    });
    suffix_sums(exponentials_, sums, n_);
    sums[n_] = 0;
    denominators_ = sums;
    // In place: the first place of every group keeps Z_g, which is all that the others read.
    for_each_tie([&](std::size_t b, std::size_t e) {
      const Pack z(sums[b]), below(sums[e]), f = step(b, e);
      for (std::size_t k = b; k < e; k += simd::lanes<double>) {
        const Pack share = shares(k, b, f), d = simd::fma(share, z, (Pack(1.0) - share) * below);
        simd::store_up_to(sums + k, e - k, d);
      }
    });
  }

  template <bool Curved>
  void narrow_derivatives(const double* place, const double* item, double* gradient, double* curvature) const {
    Above above{};
    std::size_t done = 0;
    for_each_tie([&](std::size_t b, std::size_t e) {
      untied<Curved>(done, b, place, item, gradient, curvature, above);
      tied<Curved>(b, e, place, item, gradient, curvature, above);
      done = e;
    });
    untied<Curved>(done, n_, place, item, gradient, curvature, above);
  }

  /// The parts of a and b that come from the places above.
  struct Above {
    double a = 0, b = 0;
  };

  /// x[k], x[k + 1], ... as far as they stand before `to`, and `fill` behind.
  static Pack first(const double* x, std::size_t k, std::size_t to, double fill) {
    return simd::load_up_to(x + k, to - k, fill);
  }

  /// The places [from, to), none of them tied.
  template <bool Curved>
  void untied(std::size_t from, std::size_t to, const double* place, const double* item, double* gradient, double* curvature,
              Above& above) const {
    Pack a_above(above.a), b_above(above.b);
    for (std::size_t k = from; k < to; k += simd::lanes<double>) {   // what runs over is overwritten by the next group
      const Pack e = simd::load(exponentials_ + k), d = first(denominators_, k, to, 1), t = first(place, k, to, 0) / d;
      const Pack s = simd::prefix_sum(t);
      const Pack a = a_above + s;
      a_above = a_above + simd::last_everywhere(s);
      simd::store(gradient + k, simd::fma(e, a, -simd::load(item + k)));
      if constexpr (Curved) {
        const Pack s2 = simd::prefix_sum(t / d), h = e * simd::fnma(e, b_above + s2, a);
        b_above = b_above + simd::last_everywhere(s2);
        simd::store(curvature + k, simd::select(h < Pack(0.0), Pack(0.0), h));
      }
    }
    above = {simd::sum(a_above) / static_cast<double>(simd::lanes<double>),
             simd::sum(b_above) / static_cast<double>(simd::lanes<double>)};
  }

  /// The group [from, to): a and b are the same for all of it.
  template <bool Curved>
  void tied(std::size_t from, std::size_t to, const double* place, const double* item, double* gradient, double* curvature,
            Above& above) const {
    const Pack f = step(from, to);
    Pack a_own(0.0), b_own(0.0), a_all(0.0), b_all(0.0);
    for (std::size_t k = from; k < to; k += simd::lanes<double>) {
      const Pack share = shares(k, from, f), d = first(denominators_, k, to, 1), t = first(place, k, to, 0) / d;
      a_own = simd::fma(t, share, a_own);
      a_all = a_all + t;
      if constexpr (Curved) {
        const Pack t2 = t / d;
        b_own = simd::fma(t2, share * share, b_own);
        b_all = b_all + t2;
      }
    }
    const Pack a(above.a + simd::sum(a_own)), b(Curved ? above.b + simd::sum(b_own) : 0.0);
    above = {above.a + simd::sum(a_all), Curved ? above.b + simd::sum(b_all) : 0.0};
    for (std::size_t k = from; k < to; k += simd::lanes<double>) {   // as above
      const Pack e = simd::load(exponentials_ + k);
      simd::store(gradient + k, simd::fma(e, a, -simd::load(item + k)));
      if constexpr (Curved) {
        const Pack h = e * simd::fnma(e, b, a);
        simd::store(curvature + k, simd::select(h < Pack(0.0), Pack(0.0), h));
      }
    }
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

  void wide_derivatives(const double* place, const double* item, double* gradient, double* curvature) const {
    Above above{};   // in units of 1 / Z_g
    for (std::size_t g = 0; g < target_.groups; ++g) {
      const std::size_t from = target_.begin(g), to = target_.end(g);
      double a = above.a, b = above.b;
      for (std::size_t k = from; k < to; ++k) {
        const double t = place[k] / denominators_[k], t2 = t / denominators_[k];
        a += t * shares_[k];
        b += t2 * shares_[k] * shares_[k];
        above.a += t;
        above.b += t2;
      }
      for (std::size_t k = from; k < to; ++k) {
        const double e = exponentials_[k], h = e * (a - e * b);
        gradient[k] = e * a - item[k];
        if (curvature) curvature[k] = h < 0 ? 0 : h;
      }
      above.a *= ratios_[g];
      above.b *= ratios_[g] * ratios_[g];
    }
  }

  Target target_;
  Workspace& workspace_;
  std::size_t n_;
  bool narrow_ = true;
  double highest_ = 0;
  double* exponentials_ = nullptr;         // e_k; in the wide form e_k / Z_g
  const double* denominators_ = nullptr;   // D_k; in the wide form D_k / Z_g
  double* shares_ = nullptr;               // wide: 1 - f_k
  double* ratios_ = nullptr;               // wide: Z_{g+1} / Z_g
  double* logs_ = nullptr;                 // wide: log(D_k / e_k)
};

}  // namespace rankgrad::plackett_luce
