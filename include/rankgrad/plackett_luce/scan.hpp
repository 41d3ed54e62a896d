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
// A narrow list goes by the pieces of pieces.hpp: what is summed over a piece is added up in their order, and is the start
// of the sums inside the next. Wide ones are rare, and as each of their groups waits for the one before it, they stay with
// one worker.
//
// Read first: plackett_luce/pieces.hpp, plackett_luce/running_sums.hpp, simd/math.hpp. Reader's map: Target (the input),
// Scan::Scan (the denominators), Scan::value, Scan::derivatives.
#pragma once

#include <rankgrad/plackett_luce/narrow_derivatives.hpp>
#include <rankgrad/plackett_luce/pieces.hpp>
#include <rankgrad/plackett_luce/running_sums.hpp>
#include <rankgrad/simd/range_by_pieces.hpp>

namespace rankgrad::inline RANKGRAD_ABI::plackett_luce {

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
  Scan(const Target& target, Workspace& workspace)
      : target_(target), workspace_(workspace), pieces_(target, workspace), n_(target.n) {
    exponentials_ = workspace.take<double>(n_);
    const simd::Range<double> range = simd::range_by_pieces(target_.scores, n_, workspace);
    highest_ = range.high;
    narrow_ = range.span() <= 100;   // false where a score is not finite
    narrow_ ? prepare_narrow() : prepare_wide();
  }

  /// `ones`: this many places, the first, weigh 1 and the others 0, as do the items there; 0: the weights are of any kind.
  double value(const double* place, const double* item, std::size_t ones = 0) const {
    if (narrow_ && ones > 0 && denominators_[0] > 0) {   // NaN in any score: false, and it shows below
      const double value = pieces_.sum([&](const Piece& piece, Workspace&) {
        const std::size_t m = std::max(std::min(piece.end, ones), piece.begin) - piece.begin;
        return sum_of_logs(denominators_ + piece.begin, m) - sum_below(piece.begin, m);
      });
      if (!(value < 0.25 * static_cast<double>(ones))) return value;
    }
    const double value = narrow_ ? sum_of_terms(place) : wide_sum_of_terms(place);
    if (place == item) return value;
    // The sum above took c_k s_k where w_k s_k was due; within a group the two weights have the same sum.
    return value + pieces_.sum([&](const Piece& piece, Workspace&) {
      double sum = 0;
      for_each_tie(target_, piece, [&](std::size_t b, std::size_t, std::size_t from, std::size_t to) {
        for (std::size_t k = from; k < to; ++k) sum += (place[k] - item[k]) * (target_.scores[k] - target_.scores[b]);
      });
      return sum;
    });
  }

  /// Overwrites gradient [n] and, where not null, curvature [n]: the exact diagonal, for place weights >= 0.
  void derivatives(const double* place, const double* item, double* gradient, double* curvature = nullptr) const {
    if (!narrow_) return wide_derivatives(place, item, gradient, curvature);
    const auto narrow = [&]<bool curved>(std::bool_constant<curved>) {
      NarrowDerivatives<curved>(target_, exponentials_, denominators_, place, item, gradient, curvature).run(pieces_, workspace_);
    };
    curvature ? narrow(std::true_type{}) : narrow(std::false_type{});
  }

 private:
  /// sum of s_k - highest over m places from b on.
  double sum_below(std::size_t b, std::size_t m) const {
    Pack sum[2] = {Pack(0.0), Pack(0.0)};
    const Pack top(highest_);
    simd::for_each_pack<double>(m, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      sum[at.slot] = sum[at.slot] + (at.load(target_.scores + b + i, highest_) - top);
    });
    return simd::sum(sum[0] + sum[1]);
  }

  double wide_sum_of_terms(const double* place) const {
    Pack sum(0.0);
    simd::for_each_pack<double>(n_, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      sum = simd::fma(at.load(place + i, 0.0), at.load(logs_ + i, 0.0), sum);
    });
    return simd::sum(sum);
  }

  /// sum of c_k log(D_k / e_k).
  double sum_of_terms(const double* place) const {
    return pieces_.sum([&](const Piece& piece, Workspace& workspace) {
      const auto frame = workspace.frame();
      const std::size_t begin = piece.begin, n = piece.end - begin;
      const double* rests = denominators_ + begin + 1;   // D_k - e_k
      if (target_.starts) {
        double* own = workspace.take<double>(n);
        std::copy_n(rests, n, own);
        for_each_tie(target_, piece, [&](std::size_t, std::size_t, std::size_t from, std::size_t to) {
          for (std::size_t k = from; k < to; ++k) own[k - begin] = denominators_[k] - exponentials_[k];
        });
        rests = own;
      }
      const double *const denominators = denominators_ + begin, *const exponentials = exponentials_ + begin;
      Pack sum(0.0);
      simd::for_each_pack<double>(n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
        const Pack d = at.load(denominators + i, 1.0), e = at.load(exponentials + i, 1.0), rest = at.load(rests + i, 0.0);
        sum = simd::fma(at.load(place + begin + i, 0.0), log_ratio(d, e, rest), sum);
      });
      return simd::sum(sum);
    });
  }

  void prepare_narrow() {
    double* const sums = workspace_.take<double>(n_ + 1);
    sums[n_] = 0;
    denominators_ = sums;
    if (pieces_.size() == 1) {
      exponentiate<false>(0, n_);
      suffix_sums(exponentials_, sums, n_);
      return put_shares(pieces_[0], sums);
    }
    const auto frame = workspace_.frame();
    double* const below = workspace_.take<double>(pieces_.size());   // first the sums of the pieces, then of all below them
    // By whole packs here, which do not reach into the next piece: for sums, groups of ties do not matter.
    const auto pack_at = [&](std::size_t k) { return k == n_ ? n_ : k / simd::lanes<double> * simd::lanes<double>; };
    pieces_.for_each([&](std::size_t p, const Piece& piece, Workspace&) {
      below[p] = exponentiate<true>(pack_at(piece.begin), pack_at(piece.end));
    });
    double sum = 0;
    for (std::size_t p = pieces_.size(); p-- > 0;) sum += std::exchange(below[p], sum);
    pieces_.for_each([&](std::size_t p, const Piece& piece, Workspace&) {
      const std::size_t b = pack_at(piece.begin), e = pack_at(piece.end);
      suffix_sums(exponentials_ + b, sums + b, e - b, below[p]);
    });
    if (target_.starts) pieces_.for_each([&](std::size_t, const Piece& piece, Workspace&) { put_shares(piece, sums); });
  }

  /// e_k for the places [b, e) and, if they are `summed`, their sum. Whole packs are written: the workspace is padded.
  template <bool summed>
  double exponentiate(std::size_t b, std::size_t e) const {
    const double *const scores = target_.scores + b, fill = highest_;
    double* const exponentials = exponentials_ + b;
    const Pack top(fill);
    Pack sum(0.0);
    simd::for_each_pack<double>(e - b, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const Pack power = simd::exp_nonpositive<double>((summed ? at.load(scores + i, fill) : simd::load(scores + i)) - top);
      simd::store(exponentials + i, power);
      if constexpr (summed) sum = sum + power * at.load_ones();
    });
    return simd::sum(sum);
  }

  /// D of a piece from Z, in place: the first place of every group keeps Z_g, which is all that the others read.
  void put_shares(const Piece& piece, double* sums) const {
    for_each_tie(target_, piece, [&](std::size_t b, std::size_t e, std::size_t from, std::size_t to) RANKGRAD_INLINE {
      const Pack z(sums[b]), below(sums[e]), f = target_.step(b, e);
      for (std::size_t k = std::max(from, b + 1); k < to; k += simd::lanes<double>) {
        const Pack share = Target::shares(k, b, f), d = simd::fma(share, z, (Pack(1.0) - share) * below);
        simd::store_up_to(sums + k, to - k, d);
      }
    });
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
      if (e - b == 1) logs_[b] = e < n_ ? simd::softplus(below - scores[b]) : 0;   // without the subtraction
    }
    denominators_ = denominators;
  }

  void wide_derivatives(const double* place, const double* item, double* gradient, double* curvature) const {
    struct {
      double a = 0, b = 0;
    } above;   // in units of 1 / Z_g
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
  Pieces pieces_;
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
