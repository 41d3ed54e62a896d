// Scalar twins, see backends/twins_pairwise.hpp: policies that are trained on samples (GRPO) and on preferences (DPO).
#pragma once

#include "backends/twins_pairwise.hpp"

namespace bench::RANKGRAD_TWINS {

/// GRPO: advantages from the rewards of the group; for each token the clipped ratio, and k3 towards the reference.
struct Grpo {
  enum class Per { sequence, token, constant };   ///< what the terms of a sequence are divided by before they are averaged

  double clip_low = 0.2, clip_high = 0.2, beta = 0.04;
  Per per = Per::sequence;
  bool by_deviation = true;

  template <class T>
  double operator()(const Rollouts<T>& in, std::span<T> gradient) const {
    const std::size_t sequences = in.rewards.size();
    const double whole = static_cast<double>(per == Per::token ? in.log_probs.size() : sequences);
    double total = 0;
    for (std::size_t group = 0; group + 1 < in.group_offsets.size(); ++group) {
      const std::size_t first = in.group_offsets[group], last = in.group_offsets[group + 1];
      const double count = static_cast<double>(last - first);
      double mean = 0, squares = 0;
      for (std::size_t q = first; q < last; ++q) mean += static_cast<double>(in.rewards[q]) / count;
      for (std::size_t q = first; q < last; ++q) squares += std::pow(static_cast<double>(in.rewards[q]) - mean, 2);
      const double unit = by_deviation ? 1 / (std::sqrt(squares / (count - 1)) + 1e-4) : 1;
      for (std::size_t q = first; q < last; ++q) {
        const std::size_t begin = in.sequence_offsets[q], end = in.sequence_offsets[q + 1];
        const double share = 1 / (whole * (per == Per::sequence ? static_cast<double>(end - begin) : 1));
        const T advantage = static_cast<T>((static_cast<double>(in.rewards[q]) - mean) * unit);
        total += share * (beta > 0 ? sequence<true>(in, begin, end, advantage, share, gradient.data())
                                   : sequence<false>(in, begin, end, advantage, share, gradient.data()));
      }
    }
    return total;
  }

 private:
  template <bool Penalty, class T>
  double sequence(const Rollouts<T>& in, std::size_t begin, std::size_t end, T advantage, double share, T* gradient) const {
    const T lowest = static_cast<T>(1 - clip_low), highest = static_cast<T>(1 + clip_high);
    const T weight = static_cast<T>(share), penalty = static_cast<T>(beta);
    double total = 0;
    for (std::size_t t = begin; t < end; ++t) {
      const T ratio = std::exp(in.log_probs[t] - in.old_log_probs[t]), kept = std::clamp(ratio, lowest, highest);
      const T plain = ratio * advantage, clipped = kept * advantage;
      T value = -std::min(plain, clipped), slope = plain > clipped ? T(0) : -plain;
      if constexpr (Penalty) {
        const T d = in.reference_log_probs[t] - in.log_probs[t], e = std::expm1(d);
        value += penalty * (e - d);
        slope -= penalty * e;
      }
      total += static_cast<double>(value);
      gradient[t] = weight * slope;
    }
    return total;
  }
};

/// DPO with beta 0.1: the logistic loss of how much more the policy prefers the chosen answer than the reference does.
struct Dpo {
  template <class T>
  double operator()(const Preferences<T>& in, std::span<T> gradient) const {
    const std::size_t m = in.chosen.size();
    const T beta = T(0.1), share = beta / static_cast<T>(m);
    double total = 0;
    for (std::size_t i = 0; i < m; ++i) {
      const T chosen = in.chosen[i] - in.reference_chosen[i], rejected = in.rejected[i] - in.reference_rejected[i];
      const Slope<T> term = Logistic::of(beta * (chosen - rejected));
      total += static_cast<double>(term.value);
      gradient[i] = share * term.slope;
      gradient[m + i] = -gradient[i];
    }
    return total / static_cast<double>(m);
  }
};

}  // namespace bench::RANKGRAD_TWINS
