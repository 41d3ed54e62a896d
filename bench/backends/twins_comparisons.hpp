// Scalar twins, see backends/twins_pairwise.hpp: Bradley-Terry and its relatives with ties.
#pragma once

#include "backends/twins_pairwise.hpp"

namespace bench::RANKGRAD_TWINS {

// The loss of one comparison and its slope by d = s_first - s_second, for each outcome: 0 first, 1 second, 2 tie.

/// softplus(-x) and s(-x), from one exp.
template <class T>
Slope<T> loss_of_win(T x) {
  const T e = std::exp(-std::abs(x));
  return {std::max(-x, T(0)) + std::log1p(e), (x < T(0) ? T(1) : e) / (T(1) + e)};
}

struct BradleyTerry {
  template <class T>
  static Slope<T> of(T d, std::uint8_t outcome) {
    const auto win = loss_of_win(d);
    switch (outcome) {
      case 0: return {win.value, -win.slope};
      case 1: return {win.value + d, T(1) - win.slope};
      default: return {win.value + d / T(2), T(0.5) - win.slope};
    }
  }
};
struct RaoKupper {
  template <class T>
  static Slope<T> of(T d, std::uint8_t outcome) {
    static const T tie_constant = static_cast<T>(std::log(std::expm1(2.0)));   // log(e^{2 eta} - 1), eta = 1
    if (outcome == 0) {
      const auto win = loss_of_win(d - T(1));
      return {win.value, -win.slope};
    }
    const auto loss = loss_of_win(-d - T(1));
    if (outcome == 1) return {loss.value, loss.slope};
    const auto win = loss_of_win(d - T(1));
    return {win.value + loss.value - tie_constant, loss.slope - win.slope};
  }
};
struct Davidson {
  template <class T>
  static Slope<T> of(T d, std::uint8_t outcome) {
    const T top = std::abs(d) / T(2);   // kappa = 0 is never above it
    const T first = std::exp(d / T(2) - top), second = std::exp(-d / T(2) - top), tie = std::exp(-top);
    const T sum = first + second + tie, log_sum = top + std::log(sum), slope = (first - second) / (T(2) * sum);
    switch (outcome) {
      case 0: return {log_sum - d / T(2), slope - T(0.5)};
      case 1: return {log_sum + d / T(2), slope + T(0.5)};
      default: return {log_sum, slope};
    }
  }
};

/// The mean over all comparisons.
template <class Model>
struct OverComparisons {
  template <class T>
  double operator()(const Comparisons<T>& in, std::span<T> gradient) const {
    std::fill(gradient.begin(), gradient.end(), T(0));
    double total = 0;
    const std::size_t count = in.first.size();
    for (std::size_t c = 0; c < count; ++c) {
      const Slope<T> term = Model::of(in.scores[in.first[c]] - in.scores[in.second[c]], in.outcome[c]);
      total += static_cast<double>(term.value);
      gradient[in.first[c]] += term.slope;
      gradient[in.second[c]] -= term.slope;
    }
    for (T& g : gradient) g /= static_cast<T>(count);
    return total / static_cast<double>(count);
  }
};

}  // namespace bench::RANKGRAD_TWINS
