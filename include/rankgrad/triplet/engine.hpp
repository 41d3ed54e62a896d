// rankgrad/triplet/engine.hpp: every sample of a similarity matrix against its positives and its negatives.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_i w_i (row_i + column_i),     row_i = f(S+_i, {S_ij : j negative of i}),  column_i the same on S^T
//   S+_i = sum_{j positive of i} a_ij S_ij,       a_ij = softmax of S_ij / tau over the positives, held constant
//
// with sample weights w and W = sum_i w_i for Normalize::mean, 1 for sum. What f is, the loss says (see Violation).
//
// The matrix is read row by row. Each entry belongs to two anchors, the sample of its row and the sample of its column:
// a sweep keeps what the row collects in registers and what the columns collect in arrays of K, so that the column
// direction needs no transposed copy. Sweeps: tops, sums over positives, sums over negatives, gradient.
//
// Read first: triplet/similarity_view.hpp, triplet/anchors.hpp. Reader's map: Violation (what a loss provides),
// find_tops, add_up, add_gradient (the sweeps), evaluate (what a loss calls).
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/triplet/anchors.hpp>

namespace rankgrad::inline RANKGRAD_ABI::triplet {

/// What an anchor loses: its value, how much of the gradient goes to its positives (pull) and its negatives (push), and
/// what the entries of the negatives are multiplied by before that. A loss provides
///   hardest_only                         the gradient of the negatives goes to the hardest one and nowhere else
///   slack(number of negatives)           no loss where this + highest negative - S+ is not above 0
///   reference(S+, highest negative)      what the negatives are compared with
///   operator()(s, reference)             one or two numbers (`sums`), summed over the negatives (not for hardest_only)
///   violation(S+, reference, sums...)    the loss of the anchor
///   entry(s, reference, inverse)         slope and curvature at one negative (not for hardest_only)
struct Violation {
  double value = 0, pull = 0, push = 0, inverse = 0;
};
template <class T>
struct Sums {
  Pack<T> first, second;
};
template <class T>
struct Entry {
  Pack<T> slope, curvature;
};

template <bool WithHardest, Real T>
void find_tops(const SimilarityView<T>& view, const Samples<T>& samples, Anchors<T>& rows, Anchors<T>& columns) {
  using namespace simd;
  const Pack<T> zero(T(0)), lane = iota<T>(T(0));
  for (std::size_t i = 0; i < samples.n; ++i) {
    if (!samples.present(i)) continue;
    const Pack<T> identity(samples.identity[i]), number = Pack<T>(T(i));
    Tops<T, WithHardest> row;
    for_each_pack<T>(samples.n, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack<T> s = at.load(view.row(i) + j, T(0)), other = load(samples.identity + j);
      const auto positive = other == identity, negative = (other != identity) & (other >= zero);
      row.update(s, positive, negative, lane + Pack<T>(T(j)));
      if (!columns.used) return;
      Tops<T, WithHardest> column{load(columns.positive_top + j), load(columns.negative_top + j), load(columns.hardest + j)};
      column.update(s, positive, negative, number);
      store(columns.positive_top + j, column.positive);
      store(columns.negative_top + j, column.negative);
      if constexpr (WithHardest) store(columns.hardest + j, column.hardest);
    });
    rows.keep(i, row);
  }
}

/// The sums of term(s, reference) over the positives, or the negatives, of every anchor.
template <bool Positives, Real T, class Term>
void add_up(const Term term, const SimilarityView<T> view, const Samples<T>& samples, Anchors<T>& rows, Anchors<T>& columns) {
  using namespace simd;
  constexpr std::size_t rows_per_flush = 128;   // so that float errors of column sums do not grow with K
  const auto reference = [](const Anchors<T>& a) { return Positives ? a.positive_top : a.reference; };
  const auto sums = [](const Anchors<T>& a) { return Positives ? a.positives : a.negatives; };
  const Pack<T> zero(T(0));
  for (std::size_t i = 0; i < samples.n; ++i) {
    if (samples.present(i)) {
      const Pack<T> identity(samples.identity[i]), row_reference(reference(rows)[i]);
      BlockedSum<T> first, second;
      for_each_pack<T>(samples.n, [&](std::size_t j, auto at) RANKGRAD_INLINE {
        const Pack<T> other = load(samples.identity + j);
        const auto positive = other == identity;
        if (Positives && !any(positive)) return;   // positives are few
        const auto chosen = Positives ? positive : (other != identity) & (other >= zero);
        const Pack<T> s = at.load(view.row(i) + j, T(0));
        if (rows.used) {
          const Sums<T> t = term.template operator()<T>(s, row_reference);
          first.add(select(chosen, t.first, zero), at);
          if constexpr (Term::sums == 2) second.add(select(chosen, t.second, zero), at);
        }
        if (columns.used) {
          const Sums<T> t = term.template operator()<T>(s, load(reference(columns) + j));
          accumulate(columns.part[0] + j, select(chosen, t.first, zero));
          if constexpr (Term::sums == 2) accumulate(columns.part[1] + j, select(chosen, t.second, zero));
        }
      });
      sums(rows)[0][i] = first.total();
      sums(rows)[1][i] = second.total();
    }
    if (columns.used && ((i + 1) % rows_per_flush == 0 || i + 1 == samples.n)) columns.flush(sums(columns), samples.n);
  }
}

/// e = exp((s - highest) / tau) and e (s - highest): the normaliser of a, and S+ - highest times it.
struct SoftmaxOfPositives {
  static constexpr int sums = 2;
  double temperature;
  template <class T>
  Sums<T> operator()(Pack<T> s, Pack<T> highest) const {
    const Pack<T> below = s - highest, e = simd::exp_nonpositive<T>(below * Pack<T>(T(1 / temperature)));
    return {e, e * below};
  }
};

template <Real T, class Rule>
void add_gradient(const Rule rule, double temperature, const SimilarityView<T> view, const Samples<T>& samples,
                  const Anchors<T>& rows, const Anchors<T>& columns, const GradientSink<T>& out) {
  using namespace simd;
  const std::size_t n = samples.n;
  const Pack<T> zero(T(0));
  const SoftmaxOfPositives softmax{temperature};
  for (std::size_t i = 0; i < n; ++i) {
    if (!samples.present(i)) continue;
    const bool row_on = rows.used && rows.pull[i] != T(0);
    const Pack<T> identity(samples.identity[i]), row_pull(rows.pull[i]), row_push(rows.push[i]);
    const Pack<T> row_top(rows.positive_top[i]), row_reference(rows.reference[i]), row_inverse(rows.inverse[i]);
    for_each_pack<T>(n, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack<T> pull = load(columns.pull + j);
      const bool column_on = columns.used && any(bit_cast<Bits<T>>(pull) != Pack<Bits<T>>(Bits<T>(0)));   // NaN is on
      if (!row_on && !column_on) return;
      const Pack<T> s = at.load(view.row(i) + j, T(0)), other = load(samples.identity + j);
      const auto positive = other == identity, negative = (other != identity) & (other >= zero);
      Pack<T> slope = zero, curvature = zero;
      if constexpr (!Rule::hardest_only) {
        if (row_on) {
          const Entry<T> e = rule.template entry<T>(s, row_reference, row_inverse);
          slope = row_push * e.slope;
          curvature = row_push * e.curvature;
        }
        if (column_on) {
          const Pack<T> push = load(columns.push + j);
          const Entry<T> e = rule.template entry<T>(s, load(columns.reference + j), load(columns.inverse + j));
          slope += push * e.slope;
          curvature += push * e.curvature;
        }
        slope = select(negative, slope, zero);
        if (out.hess) at.accumulate(out.hess + i * n + j, select(negative, curvature, zero));
      }
      if (any(positive)) {
        Pack<T> down = zero;
        if (row_on) down = row_pull * softmax.template operator()<T>(s, row_top).first;
        if (column_on) down += pull * softmax.template operator()<T>(s, load(columns.positive_top + j)).first;
        slope = select(positive, -down, slope);
      }
      at.accumulate(out.grad + i * n + j, slope);
    });
    if (!Rule::hardest_only) continue;
    if (row_on && rows.hardest[i] >= T(0)) out.grad[i * n + static_cast<std::size_t>(rows.hardest[i])] += rows.push[i];
    if (columns.used && columns.pull[i] != T(0) && columns.hardest[i] >= T(0))
      out.grad[static_cast<std::size_t>(columns.hardest[i]) * n + i] += columns.push[i];
  }
}

/// What check() of these losses says.
template <class L>
Status check_parameters(const L& loss) {
  if (!is_finite(loss.margin))
    return Status::error("rankgrad: the margin of a triplet loss is %g; it must be finite", loss.margin);
  return check_parameter("the temperature of a triplet loss", loss.temperature, 0);
}

/// The loss (temperature, direction, normalize, negatives()) on a view. The gradient is added to `out` where one is
/// given; the losses of the samples, without weights, are written to `per_sample` [K] where that is.
template <Real T, class L>
Contribution<T> evaluate(const L& loss, const SimilarityView<T>& view, const GradientSink<T>* out, T* per_sample,
                         Workspace& workspace) {
  const std::size_t n = checked_size(view);
  if (per_sample) std::fill_n(per_sample, n, T(0));
  const auto frame = workspace.frame();
  const Samples<T> samples = number_identities(view, workspace);
  double total_weight = 0;
  for (std::size_t i = 0; i < n; ++i) total_weight += view.present(i) ? static_cast<double>(view.weight(i)) : 0;
  if (samples.identities < 2 || !(total_weight > 0 || per_sample)) return {};   // with one identity nobody has a negative

  const auto rule = loss.negatives();
  constexpr bool hardest_only = decltype(rule)::hardest_only;
  Anchors<T> rows(loss.direction != Direction::columns, n, workspace), columns(loss.direction != Direction::rows, n, workspace);
  find_tops<hardest_only>(view, samples, rows, columns);
  add_up<true>(SoftmaxOfPositives{loss.temperature}, view, samples, rows, columns);
  const auto positive = [](const Anchors<T>& a, std::size_t i) {
    return static_cast<double>(a.positive_top[i]) + a.positives[1][i] / a.positives[0][i];
  };
  for (Anchors<T>* anchors : {&rows, &columns})
    for (std::size_t i = 0; i < n; ++i)
      anchors->reference[i] = T(rule.reference(positive(*anchors, i), static_cast<double>(anchors->negative_top[i])));
  if constexpr (!hardest_only) add_up<false>(rule, view, samples, rows, columns);

  const double factor = loss.normalize == Normalize::mean ? 1 / total_weight : 1;
  double value = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!samples.present(i)) continue;
    const double weight = factor * static_cast<double>(view.weight(i)),
                 scale = out ? weight * static_cast<double>(out->scale) : 0;
    double own = 0;
    for (Anchors<T>* a : {&rows, &columns}) {
      if (!a->used) continue;
      const Violation v =
          rule.violation(positive(*a, i), static_cast<double>(a->reference[i]), a->negatives[0][i], a->negatives[1][i]);
      own += v.value;
      a->pull[i] = T(scale * v.pull / a->positives[0][i]);
      a->push[i] = T(scale * v.push);
      a->inverse[i] = T(v.inverse);
    }
    value += weight * own;
    if (per_sample) per_sample[i] = T(own);
  }
  if (out) add_gradient(rule, loss.temperature, view, samples, rows, columns, *out);
  return {T(value), true};
}

}  // namespace rankgrad::triplet

namespace rankgrad::inline RANKGRAD_ABI {

/// The loss of every sample, both directions together, without sample weights; 0 for absent samples and where nobody
/// has a negative. For consensus_division(), which makes sample weights of them. Overwrites `losses` [K].
template <class L, Real T>
void per_sample_losses(const L& loss, const SimilarityView<T>& view, std::type_identity_t<std::span<T>> losses,
                       Workspace& workspace) {
  check_at_the_door(loss, view);
  RANKGRAD_EXPECTS(losses.size() == view.size(), "losses and ids differ in size");
  if constexpr (requires { loss.per_sample(view, losses, workspace); }) loss.per_sample(view, losses, workspace);
  else triplet::evaluate<T>(loss, view, nullptr, losses.data(), workspace);
}
template <class L, Real T>
void per_sample_losses(const L& loss, const SimilarityView<T>& view, std::type_identity_t<std::span<T>> losses) {
  Workspace workspace;
  per_sample_losses(loss, view, losses, workspace);
}

}  // namespace rankgrad
