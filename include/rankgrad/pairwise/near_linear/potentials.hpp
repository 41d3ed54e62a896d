// rankgrad/pairwise/near_linear/potentials.hpp: from the moments of the bins to what each bin feels of all others.
// SPDX-License-Identifier: MIT
//
// Sources with moments S_a[l] = sum_v w T_l(v) in bin a, targets in bin b, D = b - a (chebyshev_tables.hpp):
//
//   near, |D| <= R     sum_l K_D[l][k] S_{b-D}[l]                   the coefficient of T_k(u) in the target's potential
//   far below, D > R   E_q(b) = sum of e^{q (v - 2 D)} over the sources;  times e^{-qu} in the target
//   far above, D < -R  E'_q(b) = sum of e^{-q (v - 2 D)};                 times e^{qu}
//
// E_q goes from one bin to the next by a factor e^{-2 q gap} and the bin that has just become far; all terms are
// positive. So are the weights of the sources far above, which f(-d) = 1 - f(d) asks for, and the sum of their distances
// to the bin, which l(-d) = d + l(d) asks for: they are running sums from the far end, never a total minus a part, which
// would leave 1e-16 of the total where an exponentially small rest should be.
//
// O(bins) vector operations, in double. Bins may be any distance apart: only those with items need to be listed.
#pragma once

#include <rankgrad/core/workspace.hpp>
#include <rankgrad/pairwise/near_linear/chebyshev_tables.hpp>
#include <rankgrad/simd/unroll.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

using simd::Pack;

/// N doubles in packs.
template <std::size_t N>
struct Row {
  static constexpr std::size_t packs = N / simd::lanes<double>;
  Pack<double> v[packs];

  RANKGRAD_INLINE explicit Row(double x = 0) {
    for (std::size_t p = 0; p < packs; ++p) v[p] = Pack<double>(x);
  }
  RANKGRAD_INLINE explicit Row(const double* from) {
    for (std::size_t p = 0; p < packs; ++p) v[p] = simd::load(from + p * simd::lanes<double>);
  }
  RANKGRAD_INLINE void store(double* to) const {
    for (std::size_t p = 0; p < packs; ++p) simd::store(to + p * simd::lanes<double>, v[p]);
  }
  RANKGRAD_INLINE void add(double x, const double* other) {
    for (std::size_t p = 0; p < packs; ++p) v[p] = fma(Pack<double>(x), simd::load(other + p * simd::lanes<double>), v[p]);
  }
  RANKGRAD_INLINE void add_product(const Row& a, const Row& b) {
    for (std::size_t p = 0; p < packs; ++p) v[p] = fma(a.v[p], b.v[p], v[p]);
  }
  RANKGRAD_INLINE Row operator*(const Row& b) const {
    Row product;
    for (std::size_t p = 0; p < packs; ++p) product.v[p] = v[p] * b.v[p];
    return product;
  }
  RANKGRAD_INLINE double total() const {
    Pack<double> sum = v[0];
    for (std::size_t p = 1; p < packs; ++p) sum += v[p];
    return simd::sum(sum);
  }
};

/// The bins that have items, in rising order.
struct Bins {
  std::size_t count = 0;
  const double* id = nullptr;   ///< whole numbers; only their differences count
};

/// Whose potential: f(d) is what targets above their sources feel (the better items), f(-d) those below.
enum class Side { better, worse };

/// What a sweep adds up: sums of these.
inline constexpr unsigned the_value = 1, the_slope = 2, the_curvature = 4;

/// Scratch of one sweep, for all bins.
template <Real T>
struct FarField {
  double *plus, *above;            ///< rows of far_row<T>: sum w e^{qv} of a bin as source; E' at a bin as target
  double *weight_above, *distance_above;

  FarField(std::size_t bins, Workspace& workspace)
      : plus(workspace.take<double>(bins * far_row<T>)), above(workspace.take<double>(bins * far_row<T>)),
        weight_above(workspace.take<double>(bins)), distance_above(workspace.take<double>(bins)) {}
};

/// What a sweep has passed, seen from bin `at`: all a stretch of bins need know of those beyond it.
template <Real T>
struct FarState {
  alignas(64) double terms[far_row<T>] = {};   ///< E, or E' on the way down
  double weight = 0, distance = 0, at = 0;
};

/// The targets [first, last) among the bins, where these are a part of the list (streamed.hpp), and the states of both ways
/// at its ends; taken to the other ends.
template <Real T>
struct Stretch {
  std::size_t first, last;
  FarState<T>*up, *down;
};

template <Real T>
class Sweep {
  static constexpr std::size_t m = Order<T>::m, Q = Order<T>::Q;
  static constexpr int R = Order<T>::R;
  using FarRow = Row<far_row<T>>;
  using DegreeRow = Row<row<T>>;

 public:
  /// alone[b], where given: bin b adds nothing to its own curvature, which the caller does pair by pair.
  Sweep(const Bins& bins, const FarField<T>& far, const std::uint8_t* alone = nullptr)
      : bins_(bins), far_(far), alone_(alone), tables_(Tables<T>::get()) {}

  /// Adds sign * (the potential of the sources) to the coefficients of the targets, and the curvature to theirs; null
  /// where it is not `wanted`. Returns sum l(target - source), which is there for Side::better.
  template <Side side, unsigned wanted>
  RANKGRAD_NOINLINE double add(const double* sources, const double* targets, double sign, double* coefficients,
                               double* curvatures, const Stretch<T>* stretch = nullptr) const {
    const bool far = stretch || (bins_.count > 1 && bins_.id[bins_.count - 1] - bins_.id[0] > R);
    if (far) sweep_down(sources, stretch);
    const std::size_t first = stretch ? stretch->first : 0, last = stretch ? stretch->last : bins_.count;
    double value = 0, weight_below = stretch ? stretch->up->weight : 0, before = stretch ? stretch->up->at : bins_.id[0];
    FarRow below = stretch ? FarRow(stretch->up->terms) : FarRow();   // E at the bin at hand
    DegreeRow near_value;
    for (std::size_t b = first, next = 0, window = 0; b < last; ++b) {
      const double here = bins_.id[b];
      if (far) {
        if (here != before) below = below * decay(here - before);
        before = here;
        for (; here - bins_.id[next] > R; ++next) {
          const double* source = sources + next * row<T>;
          if (source[0] == 0) continue;
          below.add_product(decay(here - bins_.id[next]), FarRow(far_.plus + next * far_row<T>));
          weight_below += source[0];
        }
      }
      while (here - bins_.id[window] > R) ++window;
      const double* target = targets + b * row<T>;
      if (target[0] == 0) continue;
      DegreeRow potential, curvature, values;
      for (std::size_t a = window; a < bins_.count && bins_.id[a] - here <= R; ++a)
        near<side, wanted>(static_cast<std::size_t>(static_cast<int>(here - bins_.id[a]) + R), sources + a * row<T>,
                                   !(alone_ && a == b && alone_[b]), potential, curvature, values);
      if constexpr ((wanted & the_value) != 0) near_value.add_product(values, DegreeRow(target));
      if (far) {
        const FarRow above(far_.above + b * far_row<T>);
        if constexpr ((wanted & the_value) != 0) value += far_value(b, target, below, above);
        far_potential<side, wanted>(below, above, potential, curvature);
      }
      if constexpr ((wanted & the_slope) != 0) {
        double* out = coefficients + b * row<T>;
        DegreeRow sum(out);
        for (std::size_t p = 0; p < DegreeRow::packs; ++p) sum.v[p] = fma(Pack<double>(sign), potential.v[p], sum.v[p]);
        sum.store(out);
        if (far) out[0] += sign * (side == Side::better ? far_.weight_above[b] : weight_below);
      }
      if constexpr ((wanted & the_curvature) != 0) {
        DegreeRow bend(curvatures + b * row<T>);
        for (std::size_t p = 0; p < DegreeRow::packs; ++p) bend.v[p] += curvature.v[p];
        bend.store(curvatures + b * row<T>);
      }
    }
    if (stretch) {
      below.store(stretch->up->terms);
      stretch->up->weight = weight_below;
      stretch->up->at = before;
    }
    return value + near_value.total();
  }

  /// What the sources add to the potentials of bins below: of a stretch, the state of `down` moves to its lower end.
  RANKGRAD_NOINLINE void sweep_down(const double* sources, const Stretch<T>* stretch = nullptr) const {
    const std::size_t first = stretch ? stretch->first : 0, last = stretch ? stretch->last : bins_.count;
    FarRow above = stretch ? FarRow(stretch->down->terms) : FarRow();
    double weight = stretch ? stretch->down->weight : 0, distance = stretch ? stretch->down->distance : 0;
    double before = stretch ? stretch->down->at : bins_.id[last - 1];
    std::size_t next = bins_.count;
    for (std::size_t b = last; b-- > first;) {
      if (const double gap = before - bins_.id[b]; gap > 0) {
        above = above * decay(gap);
        distance += 2 * gap * weight;
        before = bins_.id[b];
      }
      for (; bins_.id[next - 1] - bins_.id[b] > R; --next) {
        const double* source = sources + (next - 1) * row<T>;
        if (source[0] == 0) continue;
        const double gap = bins_.id[next - 1] - bins_.id[b];
        FarRow plus, minus;
        expand(source, plus, minus);
        plus.store(far_.plus + (next - 1) * far_row<T>);
        above.add_product(decay(gap), minus);
        weight += source[0];
        distance += 2 * gap * source[0] + source[1];
      }
      above.store(far_.above + b * far_row<T>);
      far_.weight_above[b] = weight;
      far_.distance_above[b] = distance;
    }
    if (stretch) {
      above.store(stretch->down->terms);
      stretch->down->weight = weight;
      stretch->down->distance = distance;
      stretch->down->at = before;
    }
    for (; next > 0; --next) {   // never far above anything, but far below others
      const double* source = sources + (next - 1) * row<T>;
      if (source[0] == 0) continue;
      FarRow plus, minus;
      expand(source, plus, minus);
      plus.store(far_.plus + (next - 1) * far_row<T>);
    }
  }

 private:
  /// e^(-2 q gap)
  FarRow decay(double gap) const {
    if (gap < static_cast<double>(Tables<T>::gaps)) return FarRow(tables_.decay[static_cast<std::size_t>(gap)]);
    alignas(64) double powers[far_row<T>] = {};
    const double one = std::exp(-2 * gap);
    double power = 1;
    for (std::size_t q = 0; q < Q; ++q) powers[q] = power *= one;
    return FarRow(powers);
  }

  /// sum w e^{qv} and sum w e^{-qv} of a bin.
  RANKGRAD_INLINE void expand(const double* moments, FarRow& plus, FarRow& minus) const {
    FarRow even, odd;
    for (std::size_t l = 0; l < m; l += 2) {
      even.add(moments[l], tables_.expand[l]);
      odd.add(moments[l + 1], tables_.expand[l + 1]);
    }
    for (std::size_t p = 0; p < FarRow::packs; ++p) {
      plus.v[p] = even.v[p] + odd.v[p];
      minus.v[p] = even.v[p] - odd.v[p];
    }
  }

  template <Side side, unsigned wanted>
  RANKGRAD_INLINE void near(std::size_t distance, const double* source, bool bends, DegreeRow& potential, DegreeRow& curvature,
                            DegreeRow& values) const {
    if (source[0] == 0) return;
    const auto& slopes = side == Side::better ? tables_.slope[distance] : tables_.other_slope[distance];
    for (std::size_t l = 0; l < m; ++l) {
      if constexpr ((wanted & the_slope) != 0) potential.add(source[l], slopes[l]);
      if constexpr ((wanted & the_value) != 0) values.add(source[l], tables_.value[distance][l]);
      if (((wanted & the_curvature) != 0) && bends) curvature.add(source[l], tables_.curvature[distance][l]);
    }
  }

  /// f(d) = +-series far below, 1 -+ series far above; c(d) has the same sign on both sides.
  template <Side side, unsigned wanted>
  RANKGRAD_INLINE void far_potential(const FarRow& below, const FarRow& above, DegreeRow& potential, DegreeRow& curvature) const {
    alignas(64) double from_below[far_row<T>], from_above[far_row<T>];
    if constexpr ((wanted & the_slope) != 0) {
      const FarRow sign(tables_.sign);
      (sign * below).store(from_below);
      (sign * above).store(from_above);
      constexpr double low = side == Side::better ? 1 : -1;
      for (std::size_t q = 0; q < Q; ++q) {
        potential.add(low * from_below[q], tables_.at_target_alternating[q]);
        potential.add(-low * from_above[q], tables_.at_target[q]);
      }
    }
    if constexpr ((wanted & the_curvature) != 0) {
      const FarRow times_q(tables_.sign_times_q);
      (times_q * below).store(from_below);
      (times_q * above).store(from_above);
      for (std::size_t q = 0; q < Q; ++q) {
        curvature.add(from_below[q], tables_.at_target_alternating[q]);
        curvature.add(from_above[q], tables_.at_target[q]);
      }
    }
  }

  RANKGRAD_INLINE double far_value(std::size_t b, const double* target, const FarRow& below, const FarRow& above) const {
    FarRow plus, minus, sum;
    expand(target, plus, minus);
    sum.add_product(below, minus);
    sum.add_product(above, plus);
    const double series = (sum * FarRow(tables_.sign_over_q)).total();
    return series + (target[0] * far_.distance_above[b] - far_.weight_above[b] * target[1]);
  }

  Bins bins_;
  FarField<T> far_;
  const std::uint8_t* alone_;
  const Tables<T>& tables_;
};

}  // namespace rankgrad::pairwise::near_linear
