// Losses over the log-probabilities of a language model: rollouts of n tokens in groups of eight, n pairs of answers.
#include "support/harness.hpp"

namespace {

using namespace bench;

/// After a step or two of training: what was rewarded has become more likely, many tokens were all but certain, and a few ratios
/// are beyond the clipping.
template <class T>
Rollouts<T> make_rollouts(std::size_t tokens, std::size_t set) {
  constexpr std::size_t group = 8;
  rg::Random random(20261123, 5000 * tokens + set);
  const std::size_t groups = std::clamp<std::size_t>(tokens / 2000, 1, 8), sequences = groups * group;
  const auto log_probability = [](double log_odds) { return static_cast<T>(-std::log1p(std::exp(-log_odds))); };
  Rollouts<T> made;
  for (std::size_t q = 0; q < sequences; ++q) {
    const double reward = std::clamp(0.5 + 0.25 * random.normal(), 0.0, 1.0);
    const double usual = static_cast<double>(tokens) / static_cast<double>(sequences);
    const auto length = std::max<std::size_t>(1, static_cast<std::size_t>(usual * (0.5 + random.uniform())));
    made.rewards.push_back(static_cast<T>(reward));
    for (std::size_t t = 0; t < length; ++t) {
      const double log_odds = 2.5 + 2 * random.normal(), learned = 1.2 * (reward - 0.5) + 0.3 * random.normal();
      made.old_log_probs.push_back(log_probability(log_odds));
      made.log_probs.push_back(log_probability(log_odds + learned));
      made.reference_log_probs.push_back(log_probability(log_odds + 0.4 * random.normal()));
    }
    made.sequence_offsets.push_back(static_cast<std::uint32_t>(made.log_probs.size()));
    if ((q + 1) % group == 0) made.group_offsets.push_back(static_cast<std::uint32_t>(q + 1));
  }
  return made;
}

/// Answers of some dozens to hundreds of tokens; the policy has begun to prefer the chosen ones.
template <class T>
Preferences<T> make_preferences(std::size_t pairs, std::size_t set) {
  rg::Random random(20261123, 6000 * pairs + set);
  Preferences<T> made;
  for (std::size_t i = 0; i < pairs; ++i)
    for (const bool chosen : {true, false}) {
      const double reference = -100 * std::exp(0.5 * random.normal()), moved = (chosen ? 3 : -5) + 8 * random.normal();
      (chosen ? made.reference_chosen : made.reference_rejected).push_back(static_cast<T>(reference));
      (chosen ? made.chosen : made.rejected).push_back(static_cast<T>(std::min(reference + moved, 0.0)));
    }
  return made;
}

template <class T>
void add_all() {
  const std::size_t sizes[] = {32, 128, 1000, 10'000, 100'000};
  const auto name = [](const std::string& loss, std::size_t n) { return loss + "/" + type_name<T>() + "/" + std::to_string(n); };
  const auto sets_of = [](std::size_t n) { return std::clamp<std::size_t>(20'000 / n, 3, 128); };
  for (const std::string loss : {"policy/grpo", "policy/dapo", "policy/dr_grpo"})
    for (const std::size_t n : sizes)
      add_made<T, Rollouts<T>>(name(loss, n), sets_of(n), [n](std::size_t set) { return make_rollouts<T>(n, set); }, Count::items,
                               every_method<Rollouts<T>>(loss));
  const std::string dpo = "preference/dpo";
  for (const std::size_t n : sizes)
    add_made<T, Preferences<T>>(name(dpo, n), sets_of(n), [n](std::size_t set) { return make_preferences<T>(n, set); }, Count::pairs,
                                every_method<Preferences<T>>(dpo));
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
