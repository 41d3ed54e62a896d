// rankgrad/preference/accuracy.hpp: how often a policy holds the chosen answer for the more probable one, and how often it could.
// SPDX-License-Identifier: MIT
//
// Read first: preference/preference_view.hpp. Each is a weighted mean over the present pairs, and {0, false} where there is none
// or no weight.
//
// Source      Chen et al., Preference learning algorithms do not learn preference rankings, NeurIPS 2024 (arXiv 2405.19534).
#pragma once

#include <rankgrad/preference/preference_view.hpp>

#include <array>
#include <cmath>

namespace rankgrad::inline RANKGRAD_ABI {

/// What of two answers is compared. Who is ahead is the same for log_probability and probability, and for the two per token; how
/// far ahead, which decides a tie, is not.
enum class AnswerLikelihood {
  log_probability,            ///< of the whole answer
  log_probability_per_token,  ///< divided by its length
  probability,                ///< of the whole answer, as the paper prints its rule for ties: 0 for all long answers
  probability_per_token       ///< e^(log-probability / length), as its code
};

namespace preference {

inline bool per_token(AnswerLikelihood of) {
  return of == AnswerLikelihood::log_probability_per_token || of == AnswerLikelihood::probability_per_token;
}
template <Real T>
double likelihood_ahead(const PreferenceView<T>& view, std::size_t i, AnswerLikelihood of) {
  const bool normalised = per_token(of);
  const double a = static_cast<double>(view.chosen[i]) / (normalised ? static_cast<double>(view.chosen_lengths[i]) : 1);
  const double b = static_cast<double>(view.rejected[i]) / (normalised ? static_cast<double>(view.rejected_lengths[i]) : 1);
  if (of == AnswerLikelihood::probability || of == AnswerLikelihood::probability_per_token) return std::exp(a) - std::exp(b);
  return a - b;
}

/// The weighted share of the present pairs for which right(i).
template <Real T, class Right>
Contribution<double> share_of_pairs(const PreferenceView<T>& view, const Right& right) {
  double sum = 0, total = 0;
  for (std::size_t i = 0; i < view.size(); ++i) {
    if (!view.present(i)) continue;
    total += view.weight(i);
    if (right(i)) sum += view.weight(i);
  }
  if (!(total > 0)) return {};
  return {sum / total, true};
}

}  // namespace preference

/// Ranking accuracy: the share of pairs whose chosen answer the policy holds for at least as probable.
///
///   all raters agree (no chosen_share)   [ahead >= 0], with the sign of equality as in the source
///   chosen_share = 1/2                   [ |ahead| < tie_threshold ]
///   else                                 strictly ahead in the direction of the majority
struct RankingAccuracy {
  AnswerLikelihood likelihood = AnswerLikelihood::log_probability;
  double tie_threshold = 0.01;   ///< in the units of `likelihood`

  Status check() const { return check_parameter("RankingAccuracy.tie_threshold", tie_threshold, 0, true); }
  template <class V>
  Status check_input(const V& view) const {
    if (!preference::per_token(likelihood) || view.size() == 0 || !view.chosen_lengths.empty()) return {};
    return Status::error("rankgrad: RankingAccuracy per token needs chosen_lengths and rejected_lengths");
  }

  template <Real T>
  Contribution<double> operator()(const PreferenceView<T>& view) const {
    check_at_the_door(*this, view);
    return preference::share_of_pairs(view, [&](std::size_t i) {
      // The order is that of the logarithms: probabilities of long answers are 0.
      const double order = preference::per_token(likelihood) ? view.policy_ratio_per_token(i) : view.policy_ratio(i);
      if (view.chosen_share.empty()) return order >= 0;
      if (view.share(i) == 0.5) return std::abs(preference::likelihood_ahead(view, i, likelihood)) < tie_threshold;
      return view.share(i) > 0.5 ? order > 0 : order < 0;
    });
  }
};

/// Reward accuracy: [D - R > 0], the share of pairs in which the chosen answer has gained on its reference. It is what trainers
/// log, and it is not the ranking accuracy: a policy may have gained and still rank the pair wrongly.
template <Real T>
Contribution<double> reward_accuracy(const PreferenceView<T>& view) {
  require(validate(view));
  return preference::share_of_pairs(view, [&](std::size_t i) { return view.policy_ratio(i) - view.reference_ratio(i) > 0; });
}

/// Idealised ranking accuracy: that of the optimum of the objective with pull beta to the reference,
///
///   log pi*(chosen) - log pi*(rejected) = R + (1 / beta) log(alpha / (1 - alpha)) > 0,
///
/// alpha = chosen_share, cut to [0.001, 0.999] (all raters agree: the optimum would be at infinity); R the log-ratio of the
/// reference. Where most raters preferred the rejected answer, the ratio is to be below 0. Whole answers, in log space (the
/// source's code multiplies by the quotient of log-probabilities instead).
template <Real T>
Contribution<double> idealised_ranking_accuracy(const PreferenceView<T>& view, double beta) {
  require(check_parameter("beta of idealised_ranking_accuracy()", beta, 0));
  require(validate(view));
  return preference::share_of_pairs(view, [&](std::size_t i) {
    const double alpha = std::clamp(view.share(i), 0.001, 0.999);
    const double ratio = view.reference_ratio(i) + std::log(alpha / (1 - alpha)) / beta;
    return view.share(i) >= 0.5 ? ratio > 0 : ratio < 0;
  });
}

/// The lowest, the median and the highest of the idealised ranking accuracies for several beta; those of the source by default.
struct IdealisedAccuracies {
  double lowest = 0, median = 0, highest = 0;
  bool valid = false;
};
inline constexpr std::array<double, 5> idealised_betas{0.01, 0.1, 1, 5, 10};
template <Real T, std::size_t count = 5>
IdealisedAccuracies idealised_ranking_accuracies(const PreferenceView<T>& view,
                                                 const std::array<double, count>& betas = idealised_betas) {
  static_assert(count > 0);
  std::array<double, count> all{};
  for (std::size_t k = 0; k < count; ++k) {
    const auto one = idealised_ranking_accuracy(view, betas[k]);
    if (!one.valid) return {};
    std::size_t place = k;
    for (; place > 0 && all[place - 1] > one.value; --place) all[place] = all[place - 1];
    all[place] = one.value;
  }
  return {all[0], 0.5 * (all[(count - 1) / 2] + all[count / 2]), all[count - 1], true};
}

/// Idealised minus actual ranking accuracy, of whole answers.
template <Real T>
Contribution<double> alignment_gap(const PreferenceView<T>& view, double beta) {
  const auto ideal = idealised_ranking_accuracy(view, beta), actual = RankingAccuracy{}(view);
  if (!ideal.valid) return {};
  return {ideal.value - actual.value, true};
}

/// More than two answers: do they have the whole order of the raters? `log_probabilities` from the best answer to the worst;
/// equal ones are in order, as above.
template <Real T>
bool ranked_in_order(std::span<const T> log_probabilities) {
  for (std::size_t i = 1; i < log_probabilities.size(); ++i)
    if (!(log_probabilities[i - 1] >= log_probabilities[i])) return false;
  return true;
}

}  // namespace rankgrad
