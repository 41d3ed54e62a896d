// One problem, several backends: the same data sets in rotation, the same outputs, checked to be equal before the
// first timing. A benchmark that computes something else than its neighbour fails instead of reporting a number.
#pragma once

#include "support/data.hpp"

#include <benchmark/benchmark.h>

#include <limits>
#include <mutex>

namespace bench {

/// What a benchmark counts besides items.
enum class Count { items, pairs };
/// CPU time of the calling thread, or what the clock on the wall says: for work that other threads share.
enum class Clock { cpu, wall };

template <class Input>
using Inputs = std::shared_ptr<const std::vector<Input>>;

/// Where gradients go: one buffer for all benchmarks.
template <class T>
std::span<T> gradient_of(std::size_t n) {
  static std::vector<T> buffer;
  if (buffer.size() < n) buffer.resize(n);
  return {buffer.data(), n};
}

/// Advantages have both signs, and of the value next to nothing may be left: it is compared with its terms without their signs,
/// which are of the size of the gradient.
template <class Input>
constexpr bool terms_cancel = false;
template <class T>
constexpr bool terms_cancel<Rollouts<T>> = true;

/// Compares the other methods with the first on all data sets, or on one of them where they are large. Empty: all equal.
template <class T, class Input>
std::string compare(std::vector<Method<T, Input>>& methods, const std::vector<Input>& inputs) {
  std::string differences;
  const bool long_sums = inputs[0].gradient_size() > 5000;   // which a twin that adds in float gets right to 1e-4
  const double usual = sizeof(T) == 8 ? 1e-11 : long_sums ? 2e-4 : 2e-5;
  for (std::size_t set = 0; set < (long_sums ? 1 : inputs.size()); ++set) {
    std::vector<T> expected(inputs[set].gradient_size()), got(expected.size());
    const double expected_value = methods[0].run(inputs[set], expected);
    double scale = 0, terms = 0;
    for (const T g : expected) {
      scale = std::max(scale, std::abs(static_cast<double>(g)));
      if (terms_cancel<Input>) terms += std::abs(static_cast<double>(g));
    }
    for (std::size_t m = 1; m < methods.size(); ++m) {
      const auto how = methods[m].compare;
      if (how == Compare::nothing) continue;
      const double tolerance = how == Compare::exact ? 0 : how == Compare::all ? usual : 20 * usual;
      const double value = methods[m].run(inputs[set], got);
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i)
        if (const double off = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])); !(off <= worst)) worst = off;
      const bool same_value = how == Compare::gradient_only ||
                              std::abs(value - expected_value) <= tolerance * std::max({std::abs(expected_value), terms, 1e-6});
      if (!same_value || !(worst <= tolerance * std::max(scale, 1e-6)))
        differences += methods[m].name + " differs from " + methods[0].name + ": value " + std::to_string(value) + " against " +
                       std::to_string(expected_value) + ", gradient off by " + std::to_string(worst) + " of " +
                       std::to_string(scale) + "\n";
    }
  }
  return differences;
}

/// Registers `family/loss/T/shape/method` for every method; the first is what the others are compared with.
template <class T, class Input>
void add(const std::string& prefix, std::function<Inputs<Input>()> make, Count count, std::vector<Method<T, Input>> methods,
         Clock clock = Clock::cpu) {
  struct Problem {
    std::function<Inputs<Input>()> make;
    std::vector<Method<T, Input>> methods;
    Inputs<Input> inputs;
    std::vector<double> pairs;
    std::string differences;

    void prepare(Count counted) {
      if (inputs) return;
      inputs = make();
      for (const Input& input : *inputs) pairs.push_back(counted == Count::pairs ? input.pairs() : 0);
      differences = compare(methods, *inputs);
    }
  };
  const auto problem = std::make_shared<Problem>(Problem{std::move(make), std::move(methods), {}, {}, {}});
  for (auto& method : problem->methods) {
    const auto run = [problem, count, &method](benchmark::State& state) {
      problem->prepare(count);
      if (!problem->differences.empty()) return state.SkipWithError(problem->differences.c_str());
      const std::vector<Input>& inputs = *problem->inputs;
      std::size_t set = 0;
      double items = 0, pairs = 0;
      for (auto _ : state) {
        const Input& input = inputs[set];
        benchmark::DoNotOptimize(method.run(input, gradient_of<T>(input.gradient_size())));
        benchmark::ClobberMemory();
        items += input.items();
        pairs += problem->pairs[set];
        if (++set == inputs.size()) set = 0;
      }
      using benchmark::Counter;
      state.counters["time_per_item"] = Counter(items, Counter::kIsRate | Counter::kInvert);
      if (pairs > 0) state.counters["pairs_per_second"] = Counter(pairs, Counter::kIsRate);
    };
    auto* registered = benchmark::RegisterBenchmark((prefix + "/" + method.name).c_str(), run)->Unit(benchmark::kMicrosecond);
    if (clock == Clock::wall) registered->UseRealTime();
  }
}

/// A method as it is written in place: Backend{"name", [](const Input&, std::span<T> gradient) -> double {...}}.
template <class Run>
struct Backend {
  const char* name;
  Run run;
};
template <class Run>
Backend(const char*, Run) -> Backend<Run>;

/// The same with data sets made one by one.
template <class T, class Input>
void add_made(const std::string& prefix, std::size_t sets, std::function<Input(std::size_t)> make, Count count,
              std::vector<Method<T, Input>> methods) {
  const auto make_all = [sets, make = std::move(make)] {
    std::vector<Input> inputs;
    for (std::size_t set = 0; set < sets; ++set) inputs.push_back(make(set));
    return std::make_shared<const std::vector<Input>>(std::move(inputs));
  };
  add<T, Input>(prefix, std::function<Inputs<Input>()>(make_all), count, std::move(methods));
}
/// ... and methods written in place.
template <class T, class Input, class... Runs>
void add(const std::string& prefix, std::size_t sets, std::function<Input(std::size_t)> make, Count count, Backend<Runs>... backends) {
  add_made<T, Input>(prefix, sets, std::move(make), count, {Method<T, Input>{backends.name, backends.run}...});
}

/// What all builds together have for a loss.
template <class Input>
Methods<Input> every_method(std::string_view loss) {
  Methods<Input> methods;
  scalar::append(loss, methods);
  fast_math::append(loss, methods);
#ifdef RANKGRAD_BENCH_LIBTORCH
  libtorch::append(loss, methods);
#endif
  native::append(loss, methods);
#ifdef RANKGRAD_BENCH_AVX2
  avx2::append(loss, methods);
#endif
  return methods;
}

}  // namespace bench
