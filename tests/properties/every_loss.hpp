// The properties that every loss of one list must have, as functions of the loss and its oracle.
//
// An oracle (properties/oracles/*.hpp) is the literal definition of the loss in long double, written from the formula
// without looking at the kernel, plus what may be expected of it:
//
//   template <> struct test::Oracle<rg::RankNet> {
//     static std::vector<rg::RankNet> instances();                 // parameter settings to test
//     static long double value(const rg::RankNet&, const test::Definition& list);
//     static constexpr Traits traits{.shift_invariant = true};
//   };
//
// A family's properties/every_<family>.test.cpp lists its losses and calls check_every_property<L, T>().
#pragma once

#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/check/gradient_check.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/threads.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace test {

/// A list in long double, without mask; weights always filled.
struct Definition {
  std::vector<long double> scores, labels, weights, easiness;
  std::size_t size() const { return scores.size(); }

  template <class T>
  static Definition of(const OwnedList<T>& list) {
    Definition d{{list.scores.begin(), list.scores.end()}, {list.labels.begin(), list.labels.end()},
                 {list.weights.begin(), list.weights.end()}, {list.easiness.begin(), list.easiness.end()}};
    if (d.weights.empty()) d.weights.assign(d.size(), 1);
    return d;
  }
};

struct Traits {
  bool shift_invariant = false;       ///< adding a constant to all scores changes nothing: the gradient sums to 0
  bool smooth = true;                 ///< finite differences apply everywhere (not hinges, not rank weights)
  bool permutation = true;            ///< items may come in any order (not where ties break by index)
  bool weights_duplicate = false;     ///< weight 2 is the same as listing the item twice
  bool exact_curvature = false;       ///< the curvature is the second derivative of the oracle
  bool survives_extremes = true;      ///< scores to +-1e4 and beyond stay finite (not exponential losses in float)
  bool constant_without_order = true; ///< all labels equal: no signal
  bool needs_binary = false;          ///< labels are made 0 or 1 first
  double tolerance = 64;              ///< in epsilon, of the value, and of the derivatives relative to their largest entry
  double unit = 0.1;                  ///< the size of the terms that cancel in a small derivative
};

template <class L>
struct Oracle;

/// softplus and sigmoid of the definitions.
inline long double softplus(long double x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
inline long double sigmoid(long double x) { return x > 0 ? 1 / (1 + expl(-x)) : expl(x) / (1 + expl(x)); }

template <class T>
struct Result {
  T value{};
  bool valid = false;
  std::vector<T> gradient, curvature;
};

template <class L, class T>
Result<T> run(const L& loss, const OwnedList<T>& list) {
  Result<T> r;
  r.gradient.assign(list.size(), T(0));
  r.curvature.assign(list.size(), T(0));
  rg::Workspace workspace;
  const auto part = rg::evaluate_unmasked(loss, list.view(), rg::GradientSink<T>{r.gradient.data(), r.curvature.data()}, workspace);
  r.value = part.value;
  r.valid = part.valid;
  return r;
}

template <class T>
double largest(const std::vector<T>& values) {
  double top = 0;
  for (const T v : values) top = std::max(top, std::abs(static_cast<double>(v)));
  return top;
}

/// |a - b| <= tolerance * epsilon * scale for all entries, said once with the worst.
template <class T, class U>
void check_close(const std::vector<T>& got, const std::vector<U>& expected, double tolerance, double scale, const char* what) {
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (!(error <= worst)) worst = error, where = i;
  }
  const double allowed = tolerance * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::max(scale, 1e-300);
  INFO(what << ": worst at item " << where << ", error " << worst << ", allowed " << allowed);
  CHECK(worst <= allowed);
}

template <class L>
OwnedList<double> suited(OwnedList<double> list) {
  if (Oracle<L>::traits.needs_binary)
    for (double& y : list.labels) y = y > 2 ? 1 : 0;
  return list;
}
template <class L, class T>
OwnedList<T> sample_list(std::size_t n, std::uint64_t seed, const ListOptions& options = {}) {
  return suited<L>(make_list<double>(n, seed, options)).template as<T>();
}

/// The gradient of the definition by differences in long double: error about 1e-14 relative.
template <class L>
std::vector<long double> definition_gradient(const L& loss, const Definition& at) {
  std::vector<long double> slopes;
  Definition d = at;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const long double rest = d.scores[i], h = 1e-4L * std::max(1.0L, fabsl(rest));
    const auto f = [&](long double s) { d.scores[i] = s; const long double v = Oracle<L>::value(loss, d); d.scores[i] = rest; return v; };
    slopes.push_back((45 * (f(rest + h) - f(rest - h)) - 9 * (f(rest + 2 * h) - f(rest - 2 * h)) + (f(rest + 3 * h) - f(rest - 3 * h))) / (60 * h));
  }
  return slopes;
}

/// The second derivatives of the definition, likewise.
template <class L>
std::vector<long double> definition_curvature(const L& loss, const Definition& at) {
  std::vector<long double> bends;
  Definition d = at;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const long double rest = d.scores[i], h = 2e-3L * std::max(1.0L, fabsl(rest));
    const auto f = [&](long double s) { d.scores[i] = s; const long double v = Oracle<L>::value(loss, d); d.scores[i] = rest; return v; };
    const long double centre = f(rest);
    bends.push_back((270 * (f(rest + h) + f(rest - h) - 2 * centre) - 27 * (f(rest + 2 * h) + f(rest - 2 * h) - 2 * centre) +
                     2 * (f(rest + 3 * h) + f(rest - 3 * h) - 2 * centre)) / (180 * h * h));
  }
  return bends;
}

template <class L, class T>
void check_against_definition(const L& loss, const OwnedList<T>& list) {
  constexpr Traits traits = Oracle<L>::traits;
  const Definition definition = Definition::of(list);
  const long double expected = Oracle<L>::value(loss, definition);
  const Result<T> got = run(loss, list);
  if (!got.valid) {
    CHECK(static_cast<double>(expected) == 0.0);
    return;
  }
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  INFO("value " << got.value << ", defined " << static_cast<double>(expected));
  CHECK(std::abs(static_cast<double>(got.value) - static_cast<double>(expected)) <=
        traits.tolerance * epsilon * std::max(static_cast<double>(fabsl(expected)), 1e-30));
  if (traits.smooth) {
    const auto slopes = definition_gradient(loss, definition);
    const double numeric_noise = sizeof(T) == 8 ? 64 : 1;   // the differences themselves are good to about 1e-14
    check_close(got.gradient, slopes, traits.tolerance * numeric_noise, std::max(traits.unit, largest(got.gradient)), "gradient");
    if (traits.exact_curvature)
      check_close(got.curvature, definition_curvature(loss, definition), sizeof(T) == 8 ? 1e6 : traits.tolerance,
                  std::max(traits.unit, largest(got.curvature)), "curvature");
  }
}

template <class L, class T>
void check_every_property() {
  constexpr Traits traits = Oracle<L>::traits;
  constexpr std::size_t lanes = rg::simd::lanes<T>;
  const double tolerance = traits.tolerance;
  std::size_t instance_number = 0;
  for (const L& loss : Oracle<L>::instances()) {
    INFO(rg::name_of<L>() << ", instance " << instance_number++ << ", " << (sizeof(T) == 4 ? "float" : "double"));
    REQUIRE(rg::validate_parameters(loss));

    // --- the value, gradient and curvature of the definition, on lengths around the pack size
    for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{3}, lanes - 1, lanes, lanes + 1, 3 * lanes + 1, std::size_t{67}}) {
      for (const bool weights : {false, true}) {
        INFO("n = " << n << ", weights " << weights);
        check_against_definition(loss, sample_list<L, T>(n, 11, {.spread = 1.5, .weights = weights}));
        check_against_definition(loss, sample_list<L, T>(n, 12, {.spread = 0.7, .offset = 3, .grades = 2, .weights = weights}));
        check_against_definition(loss, sample_list<L, T>(n, 13, {.spread = 2, .grades = 0, .weights = weights}));
      }
    }
    if (traits.smooth) check_against_definition(loss, sample_list<L, T>(40, 14, {.tied_scores = true}));

    const OwnedList<T> list = sample_list<L, T>(3 * lanes + 5, 21, {.spread = 1.3, .weights = true});
    const std::size_t n = list.size();
    const Result<T> base = run(loss, list);
    const double scale = std::max(largest(base.gradient), 1e-30);
    REQUIRE(base.valid);

    // --- curvature is never negative, and asking for it changes nothing else
    for (const T h : base.curvature) CHECK(h >= T(0));
    {
      std::vector<T> gradient(n);
      const T value = rg::value_and_gradient(loss, list.view(), gradient);
      CHECK(value == base.value);
      check_close(gradient, base.gradient, 4, scale, "gradient without curvature");
    }

    // --- the sink is added to, scaled
    {
      std::vector<T> gradient(n, T(1)), curvature(n, T(2)), expected_gradient, expected_curvature;
      rg::Workspace workspace;
      rg::evaluate_unmasked(loss, list.view(), rg::GradientSink<T>{gradient.data(), curvature.data(), T(0.5)}, workspace);
      for (std::size_t i = 0; i < n; ++i) {
        expected_gradient.push_back(T(1) + base.gradient[i] / 2);
        expected_curvature.push_back(T(2) + base.curvature[i] / 2);
      }
      check_close(gradient, expected_gradient, 4, 1 + scale, "prefilled gradient");
      check_close(curvature, expected_curvature, 4, 2 + largest(base.curvature), "prefilled curvature");
    }

    // --- shift invariance
    if (traits.shift_invariant) {
      double sum = 0;
      for (const T g : base.gradient) sum += static_cast<double>(g);
      CHECK(std::abs(sum) <= tolerance * static_cast<double>(std::numeric_limits<T>::epsilon()) * scale * static_cast<double>(n));
    }

    // --- permutation
    if (traits.permutation) {
      std::vector<std::uint32_t> order(n);
      std::iota(order.begin(), order.end(), 0u);
      rg::Random(5).shuffle(order.data(), n);
      OwnedList<T> shuffled;
      for (const std::uint32_t i : order) shuffled.append(list, i);
      const Result<T> other = run(loss, shuffled);
      std::vector<T> back(n), back_curvature(n);
      for (std::size_t r = 0; r < n; ++r) back[order[r]] = other.gradient[r], back_curvature[order[r]] = other.curvature[r];
      CHECK(std::abs(static_cast<double>(other.value) - static_cast<double>(base.value)) <=
            tolerance * static_cast<double>(std::numeric_limits<T>::epsilon()) * std::abs(static_cast<double>(base.value)));
      check_close(back, base.gradient, tolerance, scale, "permuted gradient");
      check_close(back_curvature, base.curvature, tolerance, largest(base.curvature), "permuted curvature");
    }

    // --- masking is deletion, whatever stands in the masked places
    {
      OwnedList<T> masked, kept;
      const T nan = std::numeric_limits<T>::quiet_NaN();
      for (std::size_t i = 0; i < n; ++i) {
        if (i % 3 == 1) {
          masked.append(list, i);
          masked.scores.back() = i % 2 ? nan : T(1e30f);
          masked.labels.back() = nan;
          masked.weights.back() = nan;
          masked.easiness.back() = nan;
          masked.mask.push_back(0);
        }
        masked.append(list, i);
        masked.mask.push_back(1);
        kept.append(list, i);
      }
      REQUIRE(rg::validate(masked.view()));
      const Result<T> a = run(loss, masked), b = run(loss, kept);
      CHECK(a.value == b.value);
      std::size_t k = 0;
      for (std::size_t i = 0; i < masked.size(); ++i) {
        CHECK(a.gradient[i] == (masked.mask[i] ? b.gradient[k] : T(0)));
        CHECK(a.curvature[i] == (masked.mask[i] ? b.curvature[k] : T(0)));
        k += masked.mask[i];
      }
      masked.mask.assign(masked.size(), 0);
      const Result<T> nothing = run(loss, masked);
      CHECK_FALSE(nothing.valid);
      CHECK(nothing.value == T(0));
      CHECK(largest(nothing.gradient) == 0.0);
    }

    // --- weights of 1 are no weights; a weight of 2 is the item twice
    {
      OwnedList<T> ones = list, none = list, twice = list;
      std::fill(ones.weights.begin(), ones.weights.end(), T(1));
      none.weights.clear();
      CHECK(run(loss, ones).value == run(loss, none).value);
      CHECK(run(loss, ones).gradient == run(loss, none).gradient);
      if (traits.weights_duplicate) {
        OwnedList<T> heavy = ones;
        twice.weights = ones.weights;
        heavy.weights[1] = T(2);
        twice.append(ones, 1);
        const Result<T> a = run(loss, heavy), b = run(loss, twice);
        CHECK(static_cast<double>(a.value) == Approx(static_cast<double>(b.value)).epsilon(sizeof(T) == 4 ? 1e-5 : 1e-13));
        std::vector<T> merged(b.gradient.begin(), b.gradient.end() - 1);
        merged[1] += b.gradient.back();
        check_close(a.gradient, merged, tolerance, scale, "duplicated item");
      }
    }

    // --- empty lists, one item, no order among the labels, no weight
    {
      CHECK_FALSE(run(loss, OwnedList<T>{}).valid);
      const Result<T> one = run(loss, sample_list<L, T>(1, 3));
      CHECK(rg::is_finite(one.value));
      CHECK(rg::is_finite(one.gradient[0]));
      OwnedList<T> equal = list;
      std::fill(equal.labels.begin(), equal.labels.end(), T(0));
      const Result<T> flat = run(loss, equal);
      for (const T g : flat.gradient) CHECK(rg::is_finite(g));
      if (traits.constant_without_order) {
        CHECK_FALSE(flat.valid);
        CHECK(largest(flat.gradient) == 0.0);
      }
      OwnedList<T> weightless = list;
      std::fill(weightless.weights.begin(), weightless.weights.end(), T(0));
      const Result<T> zero = run(loss, weightless);
      CHECK_FALSE(zero.valid);
      CHECK(zero.value == T(0));
      CHECK(largest(zero.gradient) == 0.0);
    }

    // --- extremes: large spreads and offsets, tiny spreads, denormals
    if (traits.survives_extremes) {
      for (const auto& options : {ListOptions{.spread = 1e4}, ListOptions{.spread = 1e3, .offset = 1e5}, ListOptions{.spread = 1e8},
                                  ListOptions{.spread = 1e-30}, ListOptions{.spread = 1e-42}}) {
        const OwnedList<T> extreme = sample_list<L, T>(2 * lanes + 3, 31, options);
        INFO("spread " << options.spread << ", offset " << options.offset);
        const Result<T> r = run(loss, extreme);
        CHECK(rg::is_finite(r.value));
        for (const T g : r.gradient) CHECK(rg::is_finite(g));
        for (const T h : r.curvature) CHECK((rg::is_finite(h) && h >= T(0)));
        const double expected = static_cast<double>(Oracle<L>::value(loss, Definition::of(extreme)));
        // Below the smallest normal number there are no digits left to compare.
        CHECK(static_cast<double>(r.value) == Approx(expected).epsilon(tolerance * static_cast<double>(std::numeric_limits<T>::epsilon()))
                                                  .margin(static_cast<double>(std::numeric_limits<T>::min())));
      }
    }

    // --- NaN in a score shows in the value of its list
    {
      OwnedList<T> broken = list;
      broken.scores[2] = std::numeric_limits<T>::quiet_NaN();
      const Result<T> r = run(loss, broken);
      CHECK_FALSE(rg::is_finite(r.value));
    }

    // --- float against double
    if constexpr (sizeof(T) == 4) {
      const Result<double> wide = run(loss, list.template as<double>());
      CHECK(static_cast<double>(base.value) == Approx(wide.value).epsilon(tolerance * 1.2e-7));
      check_close(base.gradient, wide.gradient, tolerance, largest(wide.gradient), "float against double");
    }

    // --- a batch: the same bits on any number of threads, no growth once warm, a list twice is twice the sum
    {
      auto batch = make_batch<T>(57, 0, 40, 99, {.spread = 1.2, .weights = true});
      if (traits.needs_binary)
        for (T& y : batch.items.labels) y = y > T(2) ? T(1) : T(0);
      const auto view = batch.view();
      std::vector<T> serial(view.items()), serial_curvature(view.items()), other(view.items()), other_curvature(view.items());
      rg::BatchEvaluator<T> evaluate;
      const T value = evaluate.with_curvature(loss, view, serial, serial_curvature, T(0));
      for (const std::size_t workers : {1u, 2u, 5u}) {
        const rg::exec::Threads pool(workers);
        rg::BatchEvaluator<T> threaded;
        const T again = threaded.with_curvature(loss, view, other, other_curvature, T(0), rg::Reduction::mean, pool);
        CHECK(again == value);
        CHECK(other == serial);
        CHECK(other_curvature == serial_curvature);
      }
      const std::size_t growths = evaluate.growths();
      evaluate.with_curvature(loss, view, other, other_curvature, T(0));
      CHECK(evaluate.growths() == growths);
      CHECK(other == serial);
    }
  }
}

}  // namespace test
