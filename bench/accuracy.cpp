// How right the fast kernels are, beside how fast: errors as a counter of benchmarks that run once and take no time worth
// reading. Elementary functions against the standard library in a wider type, in units in the last place; losses against
// their own pass over all pairs in double, on the same numbers, relative to the largest derivative.
#include "support/harness.hpp"

#include <rankgrad/simd/math.hpp>

namespace {

using namespace bench;
namespace simd = rankgrad::simd;

template <class Measure>
void add_error(const std::string& what, const Measure& measure) {
  benchmark::RegisterBenchmark(("accuracy/" + what).c_str(), [measure](benchmark::State& state) {
    double error = 0;
    for (auto _ : state) error = measure();
    state.counters["error"] = error;
  })->Iterations(1);
}

// --- elementary functions

template <class T>
using Wider = std::conditional_t<sizeof(T) == 4, double, long double>;

/// The worst of a million arguments in [low, high], in units in the last place of the true value.
template <class T, class Packed, class Exact>
void add_function(const char* name, double low, double high, const Packed& packed, const Exact& exact) {
  add_error(std::string(name) + "/" + type_name<T>(), [=] {
    rg::Random random(20261125, 1);
    double worst = 0;
    for (int round = 0; round < 1'000'000; round += static_cast<int>(simd::lanes<T>)) {
      T x[simd::lanes<T>], got[simd::lanes<T>];
      for (T& one : x) one = static_cast<T>(low + (high - low) * random.uniform());
      simd::store(got, packed(simd::load(x)));
      for (std::size_t l = 0; l < simd::lanes<T>; ++l) {
        const Wider<T> expected = exact(static_cast<Wider<T>>(x[l]));
        const Wider<T> ulp = std::exp2(std::floor(std::log2(std::abs(expected)))) * std::numeric_limits<T>::epsilon();
        worst = std::max(worst, static_cast<double>(std::abs(static_cast<Wider<T>>(got[l]) - expected) / ulp));
      }
    }
    return worst;
  });
}

template <class T>
void add_functions() {
  using simd::Pack;
  using W = Wider<T>;
  add_function<T>("exp", -80, 0, [](Pack<T> x) { return simd::exp_nonpositive<T>(x); }, [](W x) { return std::exp(x); });
  add_function<T>("softplus", -40, 40, [](Pack<T> x) { return simd::softplus_sigmoid<T>(x).softplus; },
                  [](W x) { return std::max(x, W(0)) + std::log1p(std::exp(-std::abs(x))); });
  add_function<T>("sigmoid", -40, 40, [](Pack<T> x) { return simd::softplus_sigmoid<T>(x).sigmoid; },
                  [](W x) { return (x < 0 ? std::exp(x) : W(1)) / (1 + std::exp(-std::abs(x))); });
}

// --- losses that do not visit every pair

constexpr std::size_t length = 10'000;

template <class To, class From>
Lists<To> converted(const Lists<From>& from) {
  const auto all = [](const std::vector<From>& values) { return std::vector<To>(values.begin(), values.end()); };
  return {all(from.scores), all(from.labels), all(from.weights), all(from.easiness), from.offsets};
}

template <class T>
struct Outcome {
  double value = 0;
  std::vector<T> gradient;
};
template <class T>
Outcome<T> outcome_of(const std::string& loss, const std::string& method, const Lists<T>& lists) {
  Outcome<T> outcome{0, std::vector<T>(lists.scores.size())};
  for (auto& candidate : every_method<Lists<T>>(loss))
    if (candidate.name == method) outcome.value = candidate.run(lists, outcome.gradient);
  return outcome;
}

/// The larger of the relative error of the value and the largest error of the gradient over its largest entry, the worst of
/// several spreads of the scores.
template <class T>
void add_loss(const std::string& loss, const Traits& traits) {
  add_error(loss + "/" + type_name<T>(), [=] {
    double worst = 0;
    for (const double spread : {1e-3, 0.3, 1.0, 5.0, 50.0, 200.0}) {
      Traits spreaded = traits;
      spreaded.spread = spread;
      const Lists<T> lists = one_list(length).make<T>(0, spreaded);
      const auto got = outcome_of(loss, "rankgrad", lists);
      const auto expected = outcome_of(loss, "simd_brute", converted<double>(lists));
      double largest = 0, error = 0;
      for (std::size_t i = 0; i < got.gradient.size(); ++i) {
        largest = std::max(largest, std::abs(expected.gradient[i]));
        error = std::max(error, std::abs(static_cast<double>(got.gradient[i]) - expected.gradient[i]));
      }
      worst = std::max({worst, error / largest, std::abs(got.value - expected.value) / std::abs(expected.value)});
    }
    return worst;
  });
}

template <class T>
void add_losses() {
  add_loss<T>("auc/mann_whitney_logistic", {.binary_labels = true});
  add_loss<T>("pairwise/ranknet", {});
  add_loss<T>("pairwise/lambdarank", {});
  add_loss<T>("listwise/approx_ndcg", {});
}

const bool registered = (add_functions<float>(), add_functions<double>(), add_losses<float>(), add_losses<double>(), true);

}  // namespace
