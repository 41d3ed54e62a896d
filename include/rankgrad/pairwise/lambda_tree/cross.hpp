// rankgrad/pairwise/lambda_tree/cross.hpp: all pairs between two neighbouring score intervals, by moments.
// SPDX-License-Identifier: MIT
//
// Every item of the upper interval U stands on a better rank than every item of the lower one L, so for a reference
// discount r between both, |D_u - D_l| = w_u + w_l with w_u = D_u - r and w_l = r - D_l, neither negative: no cancellation.
// An item of grade g then feels, through the matrix of a kernel K (levels.hpp) and moments of the other side's grades h,
//
//   sum_h |G_g - G_h| sum_j (w_i + w_j) K(D_ij) = w_i P(a_i) + Q(a_i),
//   P = F sum_h |G_g - G_h| M0_h,   Q = F sum_h |G_g - G_h| M1_h,   M0_h = sum_j S_k(a_j),   M1_h = sum_j w_j S_k(a_j).
//
// Slopes: a pair in the right order (u more relevant) pulls u by -K and l by +K, an inverted pair by 1 - K in the other
// direction, which is the same K and a constant: P_0 and Q_0 lose the zeroth moments of the inverted grades.
// Loss: l(D), and D more for an inverted pair; the latter is linear in both a and follows from the first two moments.
#pragma once

#include <rankgrad/pairwise/lambda_tree/runs.hpp>
#include <rankgrad/simd/horizontal.hpp>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::lambda_tree {

using simd::Pack;

/// The coordinates of one interval: a = (place - middle) * scale, w = side * (discount - reference); side is 1 for the
/// upper interval and -1 for the lower, and in the sign of scale.
template <class T>
struct Interval {
  T middle, scale, side, reference;
};

/// Moments of every grade, in the workspace; those past the order are 0 as far as packs reach.
template <class T>
struct Moments {
  static constexpr std::size_t stride = Level<T>::stride;
  double (*zeroth)[stride];   ///< sum S_k
  double (*first)[stride];    ///< sum w S_k

  Moments(std::size_t grades, Workspace& workspace)
      : zeroth(reinterpret_cast<double (*)[stride]>(workspace.take<double>(2 * grades * stride))), first(zeroth + grades) {}
};

/// How many packs are worked on together: what hides the latency of the recurrence and fits the registers.
inline constexpr std::size_t together = simd::lanes<float> >= 16 ? 4 : 2;

/// Adds to sums[2 k] and sums[2 k + 1] what `packs` packs give; at[i] says how each reaches memory.
template <std::size_t packs, class T, class At>
RANKGRAD_INLINE inline void add_moments(const Runs<T>& runs, const Interval<T>& interval, std::size_t z, At at,
                                        std::size_t order, Pack<T>* sums) {
  using namespace simd;
  Pack<T> even[packs], odd[packs], twice[packs], w[packs];
  for (std::size_t i = 0; i < packs; ++i) {
    const std::size_t p = z + i * lanes<T>;
    const Pack<T> x = (at.load(runs.places + p, interval.middle) - Pack<T>(interval.middle)) * Pack<T>(interval.scale);
    even[i] = runs.weights ? at.load(runs.weights + p, T(0)) : at.load_ones();
    odd[i] = even[i] * x;
    twice[i] = x + x;
    w[i] = (at.load(runs.discounts + p, interval.reference) - Pack<T>(interval.reference)) * Pack<T>(interval.side);
  }
  for (std::size_t k = 0; k < order; k += 2) {
    Pack<T> s0 = sums[2 * k], s1 = sums[2 * k + 1], s2 = sums[2 * k + 2], s3 = sums[2 * k + 3];
    for (std::size_t i = 0; i < packs; ++i) {
      s0 += even[i];
      s1 = fma(w[i], even[i], s1);
      s2 += odd[i];
      s3 = fma(w[i], odd[i], s3);
      even[i] = fnma(twice[i], odd[i], even[i]);
      odd[i] = fma(twice[i], even[i], odd[i]);
    }
    sums[2 * k] = s0;
    sums[2 * k + 1] = s1;
    sums[2 * k + 2] = s2;
    sums[2 * k + 3] = s3;
  }
}

/// The moments of one run: in T for eight packs, those for eight times, in double beyond. Two stages, since the rounding
/// errors of equal addends (tied scores) do not average out: they would reach 2e-6 in a float sum of 64 packs.
template <class T>
void run_moments(const Runs<T>& runs, const Interval<T>& interval, std::size_t begin, std::size_t end, std::size_t order,
                 double* zeroth, double* first) {
  using namespace simd;
  alignas(64) double total[2 * Level<T>::stride] = {};   // side by side, as sums are
  constexpr std::size_t stage = 8 * lanes<T>;
  Pack<T> sums[2 * Level<T>::max_order], stages[2 * Level<T>::max_order];
  for (std::size_t z = begin; z < end;) {
    for (std::size_t k = 0; k < 2 * order; ++k) sums[k] = Pack<T>(T(0));
    bool fresh = true;   // the first stage needs no place of its own
    for (const std::size_t all = std::min(end, z + 8 * stage); z < all; fresh = false) {
      const std::size_t stop = std::min(all, z + stage);
      if (!fresh)
        for (std::size_t k = 0; k < 2 * order; ++k) stages[k] = Pack<T>(T(0));
      Pack<T>* into = fresh ? sums : stages;
      for (; z + together * lanes<T> <= stop; z += together * lanes<T>)
        add_moments<together>(runs, interval, z, Whole<T>{}, order, into);
      for (; z + lanes<T> <= stop; z += lanes<T>) add_moments<1>(runs, interval, z, Whole<T>{}, order, into);
      if (z < stop) {
        add_moments<1>(runs, interval, z, Part<T>{stop - z}, order, into);
        z = stop;
      }
      if (!fresh)
        for (std::size_t k = 0; k < 2 * order; ++k) sums[k] += stages[k];
    }
    for (std::size_t k = 0; k < 2 * order; k += 4) add_four_sums(total + k, sums + k);   // orders are even
  }
  for (std::size_t k = 0; k < (order + lanes<double> - 1) / lanes<double> * lanes<double>; ++k) {
    zeroth[k] = total[2 * k];
    first[k] = total[2 * k + 1];
  }
}

template <class T>
void moments(const Runs<T>& runs, const Node& node, const Interval<T>& interval, std::size_t order, Moments<T>& out) {
  for (std::size_t g = 0; g < runs.grades; ++g)
    run_moments(runs, interval, node.begin[g], node.end[g], order, out.zeroth[g], out.first[g]);
}

/// Coefficients of what one grade feels: w P + Q for the slope, w R + S for the bend.
template <class T>
struct Field {
  static constexpr std::size_t stride = Level<T>::stride;
  alignas(64) T p[stride], q[stride], r[stride], s[stride];
};

template <bool with_bends, std::size_t packs, class T, class At>
RANKGRAD_INLINE inline void add_field(const Runs<T>& runs, const Interval<T>& interval, std::size_t z, At at, std::size_t order,
                                      const Field<T>& field) {
  using namespace simd;
  Pack<T> even[packs], odd[packs], twice[packs], p[packs], q[packs], r[packs], s[packs];
  for (std::size_t i = 0; i < packs; ++i) {
    odd[i] = (at.load(runs.places + z + i * lanes<T>, interval.middle) - Pack<T>(interval.middle)) * Pack<T>(interval.scale);
    even[i] = Pack<T>(T(1));
    twice[i] = odd[i] + odd[i];
    p[i] = q[i] = r[i] = s[i] = Pack<T>(T(0));
  }
  for (std::size_t k = 0; k < order; k += 2)
    for (std::size_t i = 0; i < packs; ++i) {
      p[i] = fma(odd[i], Pack<T>(field.p[k + 1]), fma(even[i], Pack<T>(field.p[k]), p[i]));
      q[i] = fma(odd[i], Pack<T>(field.q[k + 1]), fma(even[i], Pack<T>(field.q[k]), q[i]));
      if constexpr (with_bends) {
        r[i] = fma(odd[i], Pack<T>(field.r[k + 1]), fma(even[i], Pack<T>(field.r[k]), r[i]));
        s[i] = fma(odd[i], Pack<T>(field.s[k + 1]), fma(even[i], Pack<T>(field.s[k]), s[i]));
      }
      even[i] = fnma(twice[i], odd[i], even[i]);
      odd[i] = fma(twice[i], even[i], odd[i]);
    }
  for (std::size_t i = 0; i < packs; ++i) {
    const std::size_t at_item = z + i * lanes<T>;
    const Pack<T> side(interval.side);
    const Pack<T> w = (at.load(runs.discounts + at_item, T(0)) - Pack<T>(interval.reference)) * side;
    at.accumulate(runs.slopes + at_item, -(side * fma(w, p[i], q[i])));
    if constexpr (with_bends) at.accumulate(runs.bends + at_item, fma(w, r[i], s[i]));
  }
}

/// Adds to the slopes (pulled down in the upper interval, up in the lower) and bends of a run.
template <bool with_bends, class T>
void run_field(const Runs<T>& runs, const Interval<T>& interval, std::size_t begin, std::size_t end, std::size_t order,
               const Field<T>& field) {
  using namespace simd;
  std::size_t z = begin;
  for (; z + together * lanes<T> <= end; z += together * lanes<T>)
    add_field<with_bends, together>(runs, interval, z, Whole<T>{}, order, field);
  for (; z + lanes<T> <= end; z += lanes<T>) add_field<with_bends, 1>(runs, interval, z, Whole<T>{}, order, field);
  if (z < end) add_field<with_bends, 1>(runs, interval, z, Part<T>{end - z}, order, field);
}

/// x = sum_h |G_g - G_h| moments_h.
template <class T>
void mix(const Runs<T>& runs, std::size_t g, const double (*moments_of)[Level<T>::stride], std::size_t order, double* x) {
  using namespace simd;
  for (std::size_t k = 0; k < order; k += lanes<double>) {
    Pack<double> sum(0.0);
    for (std::size_t h = 0; h < runs.grades; ++h) sum = fma(Pack<double>(runs.gap[g][h]), load(moments_of[h] + k), sum);
    store(x + k, sum);
  }
}

/// What the near part of a potential is made of: the mixed moments of the other side for one grade.
template <class T>
struct Mixed {
  alignas(64) double zeroth[Level<T>::stride], first[Level<T>::stride];
};

template <class T>
Mixed<T> mixed(const Runs<T>& runs, std::size_t g, const Moments<T>& other, std::size_t order) {
  Mixed<T> x;
  mix<T>(runs, g, other.zeroth, order, x.zeroth);
  mix<T>(runs, g, other.first, order, x.first);
  return x;
}

/// p, q (r, s) of one grade, in double. `inverted`: the grades of the other side that stand in the wrong order, [from, to).
template <class T>
struct WideField {
  alignas(64) double p[Level<T>::stride], q[Level<T>::stride], r[Level<T>::stride], s[Level<T>::stride];
};

template <bool with_bends, class T>
void near_field(const Runs<T>& runs, const Level<T>& level, std::size_t g, const Mixed<T>& x, const Moments<T>& other,
                std::size_t from, std::size_t to, WideField<T>& field) {
  apply<T>(level.slope, level.order, x.zeroth, field.p);
  apply<T>(level.slope, level.order, x.first, field.q);
  if constexpr (with_bends) {
    apply<T>(level.bend, level.order, x.zeroth, field.r);
    apply<T>(level.bend, level.order, x.first, field.s);
  }
  for (std::size_t h = from; h < to; ++h) {
    field.p[0] -= runs.gap[g][h] * other.zeroth[h][0];
    field.q[0] -= runs.gap[g][h] * other.first[h][0];
  }
}

template <bool with_bends, class T>
Field<T> narrowed(const WideField<T>& wide, std::size_t order) {
  Field<T> field;
  for (std::size_t k = 0; k < order; ++k) {
    field.p[k] = static_cast<T>(wide.p[k]);
    field.q[k] = static_cast<T>(wide.q[k]);
    if constexpr (with_bends) {
      field.r[k] = static_cast<T>(wide.r[k]);
      field.s[k] = static_cast<T>(wide.s[k]);
    }
  }
  return field;
}

/// The loss between grade g above and all grades below: the bilinear form with l, and D for the inverted grades.
template <class T>
double near_loss(const Runs<T>& runs, const Level<T>& level, std::size_t g, const Moments<T>& upper, const Mixed<T>& x,
                 const Moments<T>& lower) {
  alignas(64) double y[Level<T>::stride];
  double total = 0;
  apply<T>(level.loss, level.order, x.zeroth, y);
  for (std::size_t k = 0; k < level.order; ++k) total += upper.first[g][k] * y[k];
  apply<T>(level.loss, level.order, x.first, y);
  for (std::size_t k = 0; k < level.order; ++k) total += upper.zeroth[g][k] * y[k];
  const double *u0 = upper.zeroth[g], *u1 = upper.first[g];
  for (std::size_t h = 0; h < g; ++h) {
    const double *l0 = lower.zeroth[h], *l1 = lower.first[h];
    total += runs.gap[g][h] * level.half *
             (2 * (u1[0] * l0[0] + u0[0] * l1[0]) + (u1[1] * l0[0] + u0[1] * l1[0]) + (u1[0] * l0[1] + u0[0] * l1[1]));
  }
  return total;
}

/// The smallest discount of a node that is not empty: that of its last item.
template <class T>
T last_discount(const Runs<T>& runs, const Node& node) {
  T least = T(0);
  bool any = false;
  for (std::size_t g = 0; g < runs.grades; ++g)
    if (node.end[g] > node.begin[g]) {
      const T d = runs.discounts[node.end[g] - 1];
      least = any && least < d ? least : d;
      any = true;
    }
  return least;
}

/// An upper and a lower node around `border`, seen as intervals.
template <class T>
struct Border {
  Interval<T> above, below;

  Border(const Runs<T>& runs, const Level<T>& level, T border, const Node& up) {
    const T half = static_cast<T>(level.half), scale = T(1) / half, reference = last_discount(runs, up);
    above = {border + half, scale, T(1), reference};
    below = {border - half, -scale, T(-1), reference};
  }
};

/// All pairs of an upper and a lower node: feel(is it the upper that feels?, g, field) for every grade that a node has.
/// Returns the loss.
template <bool with_bends, class T, class Feel>
double cross(const Runs<T>& runs, const Level<T>& level, const Node& up, const Node& low, const Moments<T>& upper,
             const Moments<T>& lower, const Feel& feel) {
  double loss = 0;
  WideField<T> field;
  for (std::size_t g = 0; g < runs.grades; ++g) {
    if (up.end[g] > up.begin[g]) {
      const Mixed<T> x = mixed(runs, g, lower, level.order);
      near_field<with_bends>(runs, level, g, x, lower, 0, g, field);
      feel(std::true_type{}, g, narrowed<with_bends>(field, level.order));
      loss += near_loss(runs, level, g, upper, x, lower);
    }
    if (low.end[g] > low.begin[g]) {
      near_field<with_bends>(runs, level, g, mixed(runs, g, upper, level.order), upper, g + 1, runs.grades, field);
      feel(std::false_type{}, g, narrowed<with_bends>(field, level.order));
    }
  }
  return loss;
}

}  // namespace rankgrad::pairwise::lambda_tree
