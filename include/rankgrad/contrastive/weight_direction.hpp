// rankgrad/contrastive/weight_direction.hpp: fine-tuning and contrastive learning of a yes/no reranker, taken apart into how
// strongly and which way each document is pushed.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/tokens/rows.hpp>

#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// One query whose documents were each asked about: "is it relevant, yes or no?"
///
///   yes, no   [n], the logits of the two answers at the last position
///   labels    [n], > 0 is relevant; empty: document 0 is, the others are not
///   mask      [n], 1 = present, 0 = absent. An absent document is as good as deleted.
///
/// The gradient is [2 n]: first that of yes, then that of no. Masks do reach the losses of this view.
template <Real T>
struct YesNoView {
  using value_type = T;

  std::span<const T> yes{};
  std::span<const T> no{};
  std::span<const T> labels{};
  std::span<const std::uint8_t> mask{};

  constexpr std::size_t size() const noexcept { return yes.size(); }
  constexpr bool present(std::size_t i) const noexcept { return mask.empty() || mask[i] != 0; }
  constexpr bool positive(std::size_t i) const noexcept { return labels.empty() ? i == 0 : labels[i] > T(0); }
};

template <Real T>
constexpr std::size_t gradient_size(const YesNoView<T>& view) noexcept { return 2 * view.size(); }

/// Sizes agree, labels are finite. O(n).
template <Real T>
Status validate(const YesNoView<T>& view) {
  const std::size_t n = view.size();
  if (Status s = detail::check_length("no", view.no.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("labels", view.labels.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("mask", view.mask.size(), n); !s) return s;
  constexpr T limit = std::numeric_limits<T>::max();
  return detail::check_values<T>("labels", view.labels, view.mask, -limit, limit);
}

/// How strongly a document is pushed: as supervised fine-tuning does, as contrastive learning does, or all alike.
enum class PushWeight { supervised, contrastive, one };
/// What is pushed: yes - no, or yes alone.
enum class PushDirection { supervised, contrastive };

/// The gradient of a yes/no reranker's loss as weight times direction, each from either of two parents.
///
///   parents       SFT = sum_i softplus(-+(y_i - n_i))              - for a positive, + for a negative
///                 CL  = (1/P) sum_{i positive} ( log(e^{y_i} + sum_{j negative} e^{y_j}) - y_i )
///   W supervised  s(n_i - y_i) for a positive, s(y_i - n_i) for a negative                     s(x) = 1 / (1 + e^-x)
///     contrastive (1 - p_i) / P for a positive, (1/P) sum_i e^{y_j} / (e^{y_i} + sum_k e^{y_k}) for a negative j
///     one         1
///   u supervised  y_i - n_i        contrastive  y_i
///   surrogate     f ( -sum_{i positive} W_i u_i + sum_{j negative} W_j u_j ), W held constant; f = 1, or 1 / (number of
///                 documents) for documents = mean
///   gradient      dL/du_i = -f W_i (positive), +f W_j (negative); of n_i the opposite where u = y - n, else 0
///   value         f times the parent of the weight (of the direction, for W = one): the surrogate's own value says nothing
///
/// Where weight and direction are of one kind this is the parent's value and gradient. One positive: CL is the softmax
/// cross-entropy of the y; with several, each against the negatives.
///
/// Curvature   the diagonal of the Jacobian of the gradient, >= 0: where both are of one kind the exact second derivatives; 0 for
///             W = one.
/// Shapes      yes, no [n], gradient [2 n]; see YesNoView.
/// Units       nats; nats per unit of logit.
/// No signal   no document; for W = contrastive no positive, or no negative. (SFT trains without negatives.)
/// Cost        O(n) time, about 6 n scratch.
/// Numerics    any logits whose differences are finite: 1 - p_i = s(log sum_{negative} e^{y_j} - y_i), not 1 - p_i.
/// Parameters  weight, direction. easy: a positive with s(y - n) > 1 - easy and a negative with s(y - n) < easy get no gradient
///             (0 switches it off, 0.1 is reasonable; below 1/2). documents: sum (default), or mean: SFT as trained is the mean
///             over the documents, CL a value per query, and to compare their gradients this factor must be the same in both.
/// Source      Supervised fine-tuning or contrastive learning, arXiv 2510.14824 (unified reranking loss); derived here, the
///             paper's threshold of the mask is not known.
struct WeightDirection {
  static constexpr std::string_view name = "weight_direction";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = YesNoView<T>;

  PushWeight weight = PushWeight::contrastive;
  PushDirection direction = PushDirection::contrastive;
  double easy = 0;
  Normalize documents = Normalize::sum;

  Status check() const {
    if (is_finite(easy) && easy >= 0 && easy < 0.5) return {};
    return Status::error("rankgrad: WeightDirection.easy is %g; it must be at least 0 and below 0.5", easy);
  }

  template <Real T>
  Contribution<T> value_and_gradient(YesNoView<T> view, GradientSink<T> out, Workspace& workspace) const {
    RANKGRAD_EXPECTS(view.no.size() == view.size(), "yes and no differ in size");
    const auto frame = workspace.frame();
    Group<T> positives(view, true, workspace), negatives(view, false, workspace);
    const std::size_t n = positives.n + negatives.n;
    if (n == 0) return {};
    const bool contrasted = positives.n > 0 && negatives.n > 0;
    if (weight == PushWeight::contrastive && !contrasted) return {};

    const bool by_supervised = weight == PushWeight::supervised ||
                               (weight == PushWeight::one && direction == PushDirection::supervised);
    double value = 0;
    if (by_supervised) value = supervised(positives, -1) + supervised(negatives, 1);
    else if (contrasted) value = contrastive(positives, negatives);
    const double f = documents == Normalize::mean ? 1 / static_cast<double>(n) : 1;
    add(view, positives, -f, out);
    add(view, negatives, f, out);
    return {static_cast<T>(f * value), true};
  }

 private:
  /// The positives, or the negatives, that are present.
  template <Real T>
  struct Group {
    std::size_t n = 0;
    std::uint32_t* at;
    T *yes, *no, *weight, *bend;

    Group(const YesNoView<T>& view, bool positive, Workspace& workspace)
        : at(workspace.take<std::uint32_t>(view.size())), yes(workspace.take<T>(view.size())),
          no(workspace.take<T>(view.size())), weight(workspace.take<T>(view.size())), bend(workspace.take<T>(view.size())) {
      for (std::size_t i = 0; i < view.size(); ++i) {
        if (!view.present(i) || view.positive(i) != positive) continue;
        at[n] = static_cast<std::uint32_t>(i);
        yes[n] = view.yes[i];
        no[n++] = view.no[i];
      }
    }
  };

  /// sum softplus(x), x = sign (yes - no), with W = s(x).
  template <Real T>
  static double supervised(Group<T>& group, double sign) {
    using namespace simd;
    BlockedSum<T> sum;
    const Pack<T> signs(static_cast<T>(sign));
    for_each_pack<T>(group.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const auto s = softplus_sigmoid<T>(signs * (at.load(group.yes + i, T(0)) - at.load(group.no + i, T(0))));
      at.store(group.weight + i, s.sigmoid);
      at.store(group.bend + i, s.sigmoid * s.other);
      sum.add(s.softplus * at.load_ones(), at);
    });
    return sum.total();
  }

  /// Mean over the positives of softplus(x), x = log sum over the negatives e^y - y, with W = s(x) / P; the negatives share
  /// what the positives have.
  template <Real T>
  static double contrastive(Group<T>& positives, Group<T>& negatives) {
    using namespace simd;
    const tokens::RowSums<T> rest = tokens::sums_of<false>(negatives.yes, negatives.n);
    const Pack<T> top(rest.top), above(static_cast<T>(std::log(rest.exponentials)));
    const Pack<T> share(static_cast<T>(1 / static_cast<double>(positives.n)));
    BlockedSum<T> value, weights, bends;
    for_each_pack<T>(positives.n, [&](std::size_t i, auto at) RANKGRAD_INLINE {
      const auto s = softplus_sigmoid<T>((top - at.load(positives.yes + i, rest.top)) + above);
      const Pack<T> w = share * s.sigmoid * at.load_ones(), bend = w * s.other;
      at.store(positives.weight + i, w);
      at.store(positives.bend + i, bend);
      value.add(share * s.softplus * at.load_ones(), at);
      weights.add(w, at);
      bends.add(bend, at);
    });
    const Pack<T> inverse(static_cast<T>(1 / rest.exponentials)), all(static_cast<T>(weights.total()));
    const Pack<T> bent(static_cast<T>(bends.total())), one(T(1));
    const ScaledExp<T> power(1);
    for_each_pack<T>(negatives.n, [&](std::size_t j, auto at) RANKGRAD_INLINE {
      const Pack<T> r = inverse * power(at.load(negatives.yes + j, rest.top) - top);
      at.store(negatives.weight + j, all * r);
      at.store(negatives.bend + j, r * fma(all, max(one - r, Pack<T>(T(0))), bent * r));
    });
    return value.total();
  }

  template <Real T>
  void add(const YesNoView<T>& view, const Group<T>& group, double sign, const GradientSink<T>& out) const {
    const std::size_t n = view.size();
    const double f = std::abs(sign), limit = easy > 0 ? std::log((1 - easy) / easy) : 0;
    for (std::size_t k = 0; k < group.n; ++k) {
      const double easiness = (static_cast<double>(group.yes[k]) - static_cast<double>(group.no[k])) * (sign < 0 ? 1 : -1);
      if (easy > 0 && easiness > limit) continue;
      const double w = weight == PushWeight::one ? 1 : static_cast<double>(group.weight[k]);
      const double bend = weight == PushWeight::one ? 0 : f * static_cast<double>(group.bend[k]);
      out.add(group.at[k], static_cast<T>(sign * w), static_cast<T>(bend));
      if (direction == PushDirection::supervised)
        out.add(n + group.at[k], static_cast<T>(-sign * w), static_cast<T>(weight == PushWeight::supervised ? bend : 0));
    }
  }
};

}  // namespace rankgrad
