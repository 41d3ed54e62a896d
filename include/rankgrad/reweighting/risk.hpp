// rankgrad/reweighting/risk.hpp: what to minimise where it is not the mean loss over queries that counts, but how uneven it
// is, or its worst part.
// SPDX-License-Identifier: MIT
//
// A risk is a function of the losses l_q of a batch and their weights u_q >= 0 (empty: 1 for all; samples with u = 0 are as
// good as deleted), with its derivatives:
//
//   Contribution<T> value_and_gradient(losses, weights, gradient, workspace)      gradient[q] = dR/dl_q, written over
//
// By the chain rule that gradient weighs the gradients of the lists: reweighted(loss, Cvar{}) of reweighting/reweighted.hpp.
// Unlike the weights of loss_weights.hpp these are the whole derivative.
#pragma once

#include <rankgrad/core/validate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

template <class R, class T>
concept Risk = Real<T> && requires(const R risk, std::span<const T> in, std::span<T> out, Workspace& scratch) {
  { risk.value_and_gradient(in, in, out, scratch) } -> std::same_as<Contribution<T>>;
};

namespace reweighting {
template <Real T>
double weight_of(std::span<const T> weights, std::size_t q) { return weights.empty() ? 1 : static_cast<double>(weights[q]); }
template <Real T>
double total_weight(std::span<const T> losses, std::span<const T> weights, std::span<T> gradient) {
  require(detail::check_length("the gradient by the losses", gradient.size(), losses.size()));
  require(detail::check_optional_length("the weights of the losses", weights.size(), losses.size()));
  double total = 0;
  for (std::size_t q = 0; q < losses.size(); ++q) total += weight_of(weights, q);
  simd::clear(gradient.data(), gradient.size());
  return total;
}
}  // namespace reweighting

/// Mean and variance of the losses.
///
///   R        = a mean + lambda Var,   mean = sum u l / U,   Var = sum u (l - mean)^2 / U,   U = sum u,   a = 1 or 0
///   dR/dl_q  = (u_q / U) (a + 2 lambda (l_q - mean))
///
/// Derivatives may be negative: a list far below the mean is made worse where lambda is large. Var >= 0 in two passes.
/// No signal   no weight.
/// Cost        O(Q).
/// Parameters  lambda >= 0. with_mean: false for the variance alone, as a regulariser to add elsewhere.
/// Source      variance of performance over queries as robustness: Wu et al., Are neural ranking models robust?, ACM TOIS 2022;
///             as a loss and its derivative: worked out here.
struct MeanVariance {
  static constexpr std::string_view name = "mean_variance";
  double lambda = 1;
  bool with_mean = true;

  Status check() const { return check_parameter("MeanVariance.lambda", lambda, 0, true); }

  template <Real T>
  Contribution<T> value_and_gradient(std::span<const T> losses, std::span<const T> weights, std::span<T> gradient,
                                     Workspace&) const {
    const double total = reweighting::total_weight(losses, weights, gradient);
    if (!(total > 0)) return {};
    const auto each = [&](const auto& body) {
      for (std::size_t q = 0; q < losses.size(); ++q)
        if (const double u = reweighting::weight_of(weights, q) / total; u > 0) body(q, u, static_cast<double>(losses[q]));
    };
    double mean = 0, variance = 0;
    each([&](std::size_t, double u, double l) { mean += u * l; });
    each([&](std::size_t q, double u, double l) {
      variance += u * (l - mean) * (l - mean);
      gradient[q] = static_cast<T>(u * ((with_mean ? 1 : 0) + 2 * lambda * (l - mean)));
    });
    return {static_cast<T>((with_mean ? mean : 0) + lambda * variance), true};
  }
};

/// CVaR: the mean of the worst `fraction` of the losses.
///
///   R        = sum_q t_q l_q / (fraction U),   t_q <= u_q: the weight that the highest losses have until fraction U is reached,
///              the last of them in part;   U = sum u
///   dR/dl_q  = t_q / (fraction U)
///
/// Losses that tie at the border share what is left of it by their weights, so that the order of the lists does not matter:
/// there the derivative is one of many. fraction = 1 is the mean; towards 0 the highest loss alone. A loss that is NaN or
/// infinite is returned as the value, with gradient 0.
/// No signal   no weight.
/// Cost        O(Q log Q), Q scratch.
/// Source      Rockafellar, Uryasev, Optimization of conditional value-at-risk, Journal of Risk 2000.
struct Cvar {
  static constexpr std::string_view name = "cvar";
  double fraction = 0.1;

  Status check() const {
    if (Status status = check_parameter("Cvar.fraction", fraction, 0); !status) return status;
    return check_parameter_between("Cvar.fraction", fraction, 0, 1);
  }

  template <Real T>
  Contribution<T> value_and_gradient(std::span<const T> losses, std::span<const T> weights, std::span<T> gradient,
                                     Workspace& workspace) const {
    const double total = reweighting::total_weight(losses, weights, gradient), mass = fraction * total;
    if (!(total > 0)) return {};
    const auto frame = workspace.frame();
    std::uint32_t* order = workspace.take<std::uint32_t>(losses.size());
    std::size_t n = 0;
    for (std::size_t q = 0; q < losses.size(); ++q)
      if (reweighting::weight_of(weights, q) > 0) {
        if (!is_finite(losses[q])) return {losses[q], true};
        order[n++] = static_cast<std::uint32_t>(q);
      }
    std::sort(order, order + n, [&](std::uint32_t a, std::uint32_t b) {
      return losses[a] != losses[b] ? losses[a] > losses[b] : a < b;
    });
    double value = 0, left = mass;
    for (std::size_t first = 0, last = 0; first < n && left > 0; first = last) {
      double group = 0;
      for (; last < n && losses[order[last]] == losses[order[first]]; ++last)
        group += reweighting::weight_of(weights, order[last]);
      const double share = std::min(1.0, left / group);
      for (std::size_t r = first; r < last; ++r)
        gradient[order[r]] = static_cast<T>(share * reweighting::weight_of(weights, order[r]) / mass);
      value += share * group / mass * static_cast<double>(losses[order[first]]);
      left -= share * group;
    }
    return {static_cast<T>(value), true};
  }
};

}  // namespace rankgrad
