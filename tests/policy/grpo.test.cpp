#include <rankgrad/policy/grpo.hpp>

#include "support/catch.hpp"

#include <rankgrad/core/combinators.hpp>
#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class T>
struct Owned {
  std::vector<T> log_probs, old, reference, rewards, advantages, weights;
  std::vector<std::uint32_t> sequences{0}, groups;
  std::vector<std::uint8_t> mask;

  rg::RolloutView<T> view() const {
    return {.log_probs = log_probs, .old_log_probs = old, .reference_log_probs = reference, .sequence_offsets = sequences,
            .group_offsets = groups, .rewards = rewards, .advantages = advantages, .weights = weights, .mask = mask};
  }
  template <class U>
  Owned<U> as() const {
    const auto cast = [](const std::vector<T>& v) { return std::vector<U>(v.begin(), v.end()); };
    return {cast(log_probs), cast(old), cast(reference), cast(rewards), cast(advantages), cast(weights), sequences, groups, mask};
  }
};

struct Options {
  bool old = true, reference = true, weights = false;
  double spread = 0.3;
};

/// Sequences of lengths 0 .. 3 packs in groups of four; numbers through float.
Owned<double> make(std::size_t sequences, std::uint64_t seed, const Options& options = {}) {
  rg::Random random(seed);
  const auto number = [&](double centre, double spread) { return static_cast<double>(static_cast<float>(centre + spread * random.normal())); };
  Owned<double> made;
  for (std::size_t g = 0; g < sequences; ++g) {
    if (g % 4 == 0) made.groups.push_back(static_cast<std::uint32_t>(g));
    const std::size_t n = g == 2 ? 0 : g == 3 ? 1 : random.below(3 * rg::simd::lanes<float> + 2);
    for (std::size_t t = 0; t < n; ++t) {
      const double l = number(-2, 0.5);
      made.log_probs.push_back(l);
      if (options.old) made.old.push_back(number(l, options.spread));
      if (options.reference) made.reference.push_back(number(l, t % 3 ? options.spread : 1e-3));
    }
    made.sequences.push_back(static_cast<std::uint32_t>(made.log_probs.size()));
    made.rewards.push_back(number(0.5, 1));
    if (options.weights) made.weights.push_back(static_cast<double>(static_cast<float>(0.5 + random.uniform())));
  }
  made.groups.push_back(static_cast<std::uint32_t>(sequences));
  return made;
}

/// The formula, and its derivatives, in long double.
struct Defined {
  long double value = 0;
  std::vector<long double> gradient, curvature;
};
Defined defined(const rg::Grpo& loss, const Owned<double>& r) {
  Defined d;
  const std::size_t sequences = r.rewards.size();
  long double total = 0;
  for (std::size_t g = 0; g < sequences; ++g) {
    const long double n = r.sequences[g + 1] - r.sequences[g];
    if (n > 0) total += (r.weights.empty() ? 1 : r.weights[g]) * (loss.reduction == rg::TokenReduction::token_mean ? n : 1);
  }
  for (std::size_t q = 0; q + 1 < r.groups.size(); ++q) {
    const std::uint32_t begin = r.groups[q], end = r.groups[q + 1];
    long double mean = 0, squares = 0, count = end - begin;
    for (std::uint32_t g = begin; g < end; ++g) mean += r.rewards[g] / count;
    for (std::uint32_t g = begin; g < end; ++g) squares += (r.rewards[g] - mean) * (r.rewards[g] - mean);
    for (std::uint32_t g = begin; g < end; ++g) {
      const long double A = count < 2 ? 0 : (r.rewards[g] - mean) / (sqrtl(squares / (count - 1)) + 1e-4L);
      const long double w = r.weights.empty() ? 1 : r.weights[g];
      const std::uint32_t n = r.sequences[g + 1] - r.sequences[g];
      for (std::uint32_t t = r.sequences[g]; t < r.sequences[g + 1]; ++t) {
        long double share = w / total;
        if (loss.reduction == rg::TokenReduction::sequence_mean) share /= n;
        if (loss.reduction == rg::TokenReduction::sequence_sum) share /= loss.length;
        const long double rho = r.old.empty() ? 1 : expl(static_cast<long double>(r.log_probs[t]) - r.old[t]);
        const long double low = 1 - static_cast<long double>(loss.clip_low), high = 1 + static_cast<long double>(loss.clip_high);
        const long double term = std::min(rho * A, std::clamp(rho, low, high) * A), slope = term == rho * A ? -rho * A : 0;
        long double kl = 0, pull = 0, bend = 0;
        if (!r.reference.empty()) {
          const long double gap = static_cast<long double>(r.reference[t]) - r.log_probs[t];
          kl = expm1l(gap) - gap;
          pull = -expm1l(gap);
          bend = expl(gap);
        }
        d.value += share * (-term + loss.beta * kl);
        d.gradient.push_back(share * (slope + loss.beta * pull));
        d.curvature.push_back(share * (std::abs(slope) + loss.beta * bend));
      }
    }
  }
  return d;
}

template <class T>
struct Result {
  rg::Contribution<T> part;
  std::vector<T> gradient, curvature;
};
template <class T, class L>
Result<T> run(const L& loss, const Owned<T>& r) {
  Result<T> result{{}, std::vector<T>(r.log_probs.size()), std::vector<T>(r.log_probs.size())};
  rg::Workspace workspace;
  result.part = rg::evaluate_view(loss, r.view(), rg::GradientSink<T>{result.gradient.data(), result.curvature.data()}, workspace);
  return result;
}

template <class T, class U>
void check_near(const std::vector<T>& got, const std::vector<U>& expected, double tolerance) {
  REQUIRE(got.size() == expected.size());
  double scale = 0, worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    scale = std::max(scale, std::abs(static_cast<double>(expected[i])));
    worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  }
  INFO("worst " << worst << " of " << scale);
  CHECK(worst <= tolerance * scale);
}

const std::vector<rg::Grpo> settings{
    {},
    {.clip_low = 0.1, .clip_high = 0.28, .beta = 0.5, .reduction = rg::TokenReduction::token_mean},
    {.clip_low = 1, .clip_high = 0, .beta = 0.001, .reduction = rg::TokenReduction::sequence_sum, .length = 50},
    {.beta = 0},
};

}  // namespace

TEST_CASE("GRPO: numbers by hand", "[policy]") {
  // rho = e^.3 > 1.2 with A = 1: clipped, -1.2; e^-.05 and e^-.4 < .8 with A = -1: the second clipped, .8.
  // d = -.4, -.05, .6: beta (e^d - d - 1). Three sequences of one token, so all reductions agree.
  Owned<double> r{{-0.7, -0.55, -2.4}, {-1, -0.5, -2}, {-1.1, -0.6, -1.8}, {}, {1, -1, -1}, {}, {0, 1, 2, 3}, {}, {}};
  const double value = (-1.2 + std::exp(-0.05) + 0.8 + 0.04 * (std::exp(-0.4) - 0.6 + std::exp(-0.05) - 0.95 + std::exp(0.6) - 1.6)) / 3;
  const std::vector<double> gradient{0.04 * (1 - std::exp(-0.4)) / 3, (std::exp(-0.05) + 0.04 * (1 - std::exp(-0.05))) / 3,
                                     0.04 * (1 - std::exp(0.6)) / 3};
  CHECK(value == Approx(0.18765872).margin(5e-9));
  CHECK(gradient[0] == Approx(0.00439573).margin(5e-9));
  CHECK(gradient[1] == Approx(0.31772675).margin(5e-9));
  CHECK(gradient[2] == Approx(-0.01096158).margin(5e-9));
  for (const auto reduction : {rg::TokenReduction::sequence_mean, rg::TokenReduction::token_mean, rg::TokenReduction::sequence_sum}) {
    const Result<double> got = run(rg::Grpo{.reduction = reduction}, r);
    CHECK(got.part.value == Approx(value).epsilon(1e-14));
    check_near(got.gradient, gradient, 1e-14);
  }
  // One sequence of three tokens needs one advantage.
  r.sequences = {0, 3};
  r.advantages = {-1};
  CHECK(run(rg::Grpo{.reduction = rg::TokenReduction::sequence_sum, .length = 1}, r).part.value ==
        Approx(3 * run(rg::Grpo{}, r).part.value).epsilon(1e-14));
}

TEMPLATE_TEST_CASE("GRPO: the definition", "[policy]", float, double) {
  using T = TestType;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const rg::Grpo& loss : settings) {
    REQUIRE(rg::validate_parameters(loss));
    for (const bool old : {false, true})
      for (const bool reference : {false, true})
        for (const bool weights : {false, true}) {
          const Owned<double> made = make(13, 5, {.old = old, .reference = reference, .weights = weights});
          const Defined expected = defined(loss, made);
          const Result<T> got = run(loss, made.as<T>());
          CHECK(got.part.valid);
          double size = 0;   // the terms have both signs
          for (const double r : made.rewards) size = std::max(size, std::abs(r));
          CHECK(std::abs(static_cast<double>(got.part.value) - static_cast<double>(expected.value)) <= 8 * epsilon * size);
          check_near(got.gradient, expected.gradient, 16 * epsilon);
          check_near(got.curvature, expected.curvature, 16 * epsilon);
        }
  }
}

TEST_CASE("GRPO: the gradient is that of the value, the curvature bounds its slope", "[policy]") {
  for (const rg::Grpo& loss : settings) {
    Owned<double> r = make(9, 8, {.weights = true});
    const Result<double> base = run(loss, r);
    const double h = 1e-6;
    for (std::size_t t = 0; t < r.log_probs.size(); ++t) {
      const double rest = r.log_probs[t];
      r.log_probs[t] = rest + h;
      const Result<double> up = run(loss, r);
      r.log_probs[t] = rest - h;
      const Result<double> down = run(loss, r);
      r.log_probs[t] = rest;
      CHECK(base.gradient[t] == Approx((up.part.value - down.part.value) / (2 * h)).margin(1e-8));
      CHECK(std::abs(up.gradient[t] - down.gradient[t]) / (2 * h) <= base.curvature[t] * (1 + 1e-5) + 1e-8);
    }
  }
}

TEST_CASE("GRPO: on the policy that sampled the gradient is -A", "[policy]") {
  const Owned<double> made = make(8, 3, {.old = false, .reference = false});
  Owned<double> same = made;
  same.old = same.log_probs;
  const Result<double> a = run(rg::Grpo{}, made), b = run(rg::Grpo{}, same);
  CHECK(a.part.value == Approx(b.part.value).margin(1e-15));
  CHECK(a.gradient == b.gradient);
  CHECK(a.gradient[0] != 0.0);
  CHECK(a.curvature == b.curvature);
  for (std::size_t i = 0; i < a.gradient.size(); ++i) CHECK(a.curvature[i] == std::abs(a.gradient[i]));
}

TEST_CASE("GRPO: rewards or advantages", "[policy]") {
  const Owned<double> made = make(12, 4);
  Owned<double> own = made;
  own.advantages.resize(made.rewards.size());
  const rg::GroupAdvantage unscaled{.scale_by_std = false};
  rg::fill_group_advantages(unscaled, made.rewards, made.groups, own.advantages);
  own.rewards.clear();
  CHECK(run(rg::Grpo{.advantage = unscaled}, made).gradient == run(rg::Grpo{}, own).gradient);
  CHECK(run(rg::Grpo{}, made).gradient != run(rg::Grpo{}, own).gradient);

  // All rewards of a group equal: only the KL term acts.
  Owned<double> solved = made;
  std::fill(solved.rewards.begin(), solved.rewards.end(), 1.0);
  const Result<double> r = run(rg::Grpo{}, solved), none = run(rg::Grpo{.beta = 0}, solved);
  CHECK(none.part.valid);
  CHECK(none.part.value == 0.0);
  for (const double g : none.gradient) CHECK(g == 0.0);
  CHECK(r.part.value > 0);
  // Without offsets all sequences are one group.
  Owned<double> one = made, implied = made;
  one.groups = {0, 12};
  implied.groups.clear();
  CHECK(run(rg::Grpo{}, one).gradient == run(rg::Grpo{}, implied).gradient);
}

TEMPLATE_TEST_CASE("GRPO: masking is deletion, sequences without tokens do not count", "[policy]", float, double) {
  using T = TestType;
  for (const rg::Grpo& loss : settings) {
    const Owned<T> made = make(9, 6, {.weights = true}).as<T>();
    Owned<T> masked = made;
    masked.log_probs.clear(), masked.old.clear(), masked.reference.clear(), masked.sequences = {0};
    const T nan = std::numeric_limits<T>::quiet_NaN();
    const auto absent = [&] {
      for (std::vector<T>* v : {&masked.log_probs, &masked.old, &masked.reference}) v->push_back(nan);
      masked.mask.push_back(0);
    };
    for (std::size_t g = 0; g < made.rewards.size(); ++g) {
      for (std::uint32_t t = made.sequences[g]; t < made.sequences[g + 1]; ++t) {
        if (t % 3 == 0) absent();
        masked.log_probs.push_back(made.log_probs[t]), masked.old.push_back(made.old[t]);
        masked.reference.push_back(made.reference[t]), masked.mask.push_back(1);
      }
      absent();   // sequence 2 has this token alone
      masked.sequences.push_back(static_cast<std::uint32_t>(masked.mask.size()));
    }
    REQUIRE(rg::validate(masked.view()));
    const Result<T> a = run(loss, masked), b = run(loss, made);
    CHECK(a.part.value == b.part.value);
    std::size_t k = 0;
    for (std::size_t t = 0; t < masked.mask.size(); ++t) {
      CHECK(a.gradient[t] == (masked.mask[t] ? b.gradient[k] : T(0)));
      CHECK(a.curvature[t] == (masked.mask[t] ? b.curvature[k] : T(0)));
      k += masked.mask[t];
    }
    CHECK(k == made.log_probs.size());
    std::fill(masked.mask.begin(), masked.mask.end(), std::uint8_t{0});
    const Result<T> nothing = run(loss, masked);
    CHECK_FALSE(nothing.part.valid);
    for (const T g : nothing.gradient) CHECK(g == T(0));
  }
}

TEST_CASE("GRPO: a weight of 2 is the sequence twice", "[policy]") {
  for (const rg::Grpo& loss : settings) {
    Owned<double> made = make(6, 7);
    made.advantages.resize(6);
    rg::fill_group_advantages({}, made.rewards, made.groups, made.advantages);
    made.rewards.clear(), made.groups.clear();
    Owned<double> twice = made, heavy = made, ones = made, weightless = made;
    for (std::uint32_t t = made.sequences[4]; t < made.sequences[5]; ++t) {
      twice.log_probs.push_back(made.log_probs[t]), twice.old.push_back(made.old[t]), twice.reference.push_back(made.reference[t]);
    }
    twice.sequences.push_back(static_cast<std::uint32_t>(twice.log_probs.size()));
    twice.advantages.push_back(made.advantages[4]);
    heavy.weights = {1, 1, 1, 1, 2, 1};
    ones.weights.assign(6, 1);
    weightless.weights.assign(6, 0);
    Result<double> a = run(loss, heavy), b = run(loss, twice);
    CHECK(a.part.value == Approx(b.part.value).epsilon(1e-12));
    const std::size_t n = made.log_probs.size();
    for (std::uint32_t t = made.sequences[4], c = 0; t < made.sequences[5]; ++t, ++c) b.gradient[t] += b.gradient[n + c];
    b.gradient.resize(n);
    check_near(a.gradient, b.gradient, 1e-14);
    CHECK(run(loss, ones).gradient == run(loss, made).gradient);
    CHECK(run(loss, ones).part.value == run(loss, made).part.value);
    CHECK_FALSE(run(loss, weightless).part.valid);
  }
}

TEMPLATE_TEST_CASE("GRPO: extremes stay finite, and go on along the tangent", "[policy]", float, double) {
  using T = TestType;
  for (const double gap : {-1e4, -700.0, -21.0, 21.0, 90.0, 1e4})
    for (const T advantage : {T(-1), T(1)}) {
      Owned<T> r{{T(-1e4)}, {T(-1e4 - gap)}, {T(-1e4 + gap)}, {}, {advantage}, {}, {0, 1}, {}, {}};
      const Result<T> got = run(rg::Grpo{}, r);
      INFO("gap " << gap << ", advantage " << advantage);
      const double e20 = std::exp(20.0), past = gap > 20 ? e20 * (1 + gap - 20) : std::exp(gap);
      const double rho = advantage > 0 ? std::min(past, 1.2) : std::max(past, 0.8);
      const double slope = advantage > 0 ? (gap < 0 ? -std::exp(gap) : 0) : (gap < 0 ? 0 : e20);
      const double tolerance = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
      CHECK(static_cast<double>(got.part.value) == Approx(-static_cast<double>(advantage) * rho + 0.04 * (past - 1 - gap)).epsilon(tolerance));
      CHECK(static_cast<double>(got.gradient[0]) == Approx(slope + 0.04 * (gap > 20 ? 1 - e20 : 1 - std::exp(gap))).epsilon(tolerance));
      CHECK(rg::is_finite(got.curvature[0]));
    }
  // NaN shows in the value and in its own token.
  Owned<T> r = make(5, 9).template as<T>();
  r.log_probs[1] = std::numeric_limits<T>::quiet_NaN();
  const Result<T> got = run(rg::Grpo{}, r);
  CHECK_FALSE(rg::is_finite(got.part.value));
  for (std::size_t t = 0; t < r.log_probs.size(); ++t) CHECK(rg::is_finite(got.gradient[t]) == (t != 1));
}

TEMPLATE_TEST_CASE("GRPO: k3 keeps its digits", "[policy]", float, double) {
  using T = TestType;
  using P = rg::simd::Pack<T>;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (double size = 1e-12; size < 1e2; size *= 1.37)
    for (const double sign : {-1.0, 1.0}) {
      const T d = static_cast<T>(sign * size);
      const auto got = rg::policy::k3<T>(P(d), P(T(20)));
      const long double x = static_cast<long double>(d), e20 = expl(20.0L), e = x > 20 ? e20 * (x - 19) : expl(x);
      long double series = 0, power = x * x / 2;
      for (int k = 3; k < 40; ++k) series += power, power *= x / k;
      const long double value = fabsl(x) < 1 ? series : e - 1 - x, slope = x > 20 ? e20 - 1 : expm1l(x);
      INFO("d = " << d);
      CHECK(rg::simd::highest(got.value) == Approx(static_cast<double>(value)).epsilon(16 * epsilon).margin(1e-37));
      CHECK(rg::simd::highest(got.slope) == Approx(static_cast<double>(slope)).epsilon(8 * epsilon));
    }
  CHECK(rg::simd::highest(rg::policy::k3<T>(P(T(0)), P(T(20))).value) == T(0));
}

TEMPLATE_TEST_CASE("GRPO: the sink, the workspace, mixtures", "[policy]", float, double) {
  using T = TestType;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  Owned<T> r = make(9, 10, {.weights = true}).template as<T>();
  r.mask.assign(r.log_probs.size(), 1);
  r.mask[3] = 0;
  const rg::Grpo loss;
  const Result<T> base = run(loss, r);
  const std::size_t n = r.log_probs.size();
  std::vector<T> gradient(n, T(1)), curvature(n, T(2)), alone(n), mixed(n), expected;
  rg::Workspace workspace;
  rg::evaluate_view(loss, r.view(), rg::GradientSink<T>{gradient.data(), curvature.data(), T(0.5)}, workspace);
  for (std::size_t t = 0; t < n; ++t) {
    CHECK(static_cast<double>(gradient[t]) == Approx(1 + static_cast<double>(base.gradient[t]) / 2).epsilon(4 * epsilon));
    CHECK(static_cast<double>(curvature[t]) == Approx(2 + static_cast<double>(base.curvature[t]) / 2).epsilon(4 * epsilon));
  }
  const std::size_t growths = workspace.growths();
  CHECK(rg::value_and_gradient(loss, r.view(), alone, workspace) == base.part.value);
  CHECK(alone == base.gradient);
  CHECK(workspace.growths() == growths);
  rg::value_and_gradient(loss + 0.5 * loss, r.view(), mixed);
  for (const T g : base.gradient) expected.push_back(T(1.5) * g);
  check_near(mixed, expected, 8 * epsilon);

  Owned<T> empty;
  empty.rewards.clear();
  CHECK(rg::validate(empty.view()));
  CHECK_FALSE(run(loss, empty).part.valid);
  CHECK(rg::value(loss, empty.view()) == T(0));
}

TEST_CASE("GRPO: parameters", "[policy]") {
  const auto complains = [](const rg::Grpo& loss, const char* about) {
    const rg::Status s = loss.check();
    return !s && std::string(s.message()).find(about) != std::string::npos;
  };
  CHECK(complains({.clip_low = 1.1}, "Grpo.clip_low"));
  CHECK(complains({.clip_high = -0.1}, "Grpo.clip_high"));
  CHECK(complains({.beta = -1}, "Grpo.beta"));
  CHECK(complains({.length = 0}, "Grpo.length"));
  CHECK(complains({.exponent_limit = 100}, "Grpo.exponent_limit"));
  CHECK(complains({.advantage = {.epsilon = -1}}, "GroupAdvantage.epsilon"));
  Owned<double> r = make(4, 1);
  r.old.pop_back();
  std::vector<double> gradient(r.log_probs.size());
  CHECK_THROWS_WITH(rg::value_and_gradient(rg::Grpo{}, r.view(), gradient), contains("old_log_probs has"));
}

TEST_CASE("a token that has become impossible costs infinitely much and is no NaN", "[policy]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> now{-infinity, -1}, reference{-1, -1}, rewards{1};
  const std::vector<std::uint32_t> sequences{0, 2}, groups{0, 1};
  rg::RolloutView<double> view;
  view.log_probs = now;
  view.reference_log_probs = reference;
  view.sequence_offsets = sequences;
  view.group_offsets = groups;
  view.rewards = rewards;
  std::vector<double> gradient(2);
  rg::Workspace workspace;
  const auto part = rg::Grpo{}.value_and_gradient(view, rg::GradientSink<double>{gradient.data()}, workspace);
  CHECK(part.value == infinity);
  CHECK(std::isfinite(gradient[0]));
  CHECK(gradient[0] < 0);
}
