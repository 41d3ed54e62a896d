// One problem, several backends: the same data sets in rotation, the same outputs, checked to be equal before the
// first timing. A benchmark that computes something else than its neighbour fails instead of reporting a number.
#pragma once

#include "support/data.hpp"

#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>

namespace bench {

/// The data sets of one row of the table. They are made when the first of its benchmarks runs, and kept.
template <class T, class Input>
class Problem {
 public:
  using Make = std::function<Input(std::size_t set)>;

  Problem(std::size_t sets, Make make) : sets_(sets), make_(std::move(make)) {}

  void prepare() {
    if (!inputs_.empty()) return;
    for (std::size_t set = 0; set < sets_; ++set) inputs_.push_back(make_(set));
    gradient.resize(largest());
  }
  const std::vector<Input>& inputs() const { return inputs_; }

  /// Compares the backend with the first one on all data sets (one of them where they are large). Empty: equal.
  template <class Backend>
  std::string check(Backend& backend, const std::string& name) {
    const bool long_sums = largest() > 5000;   // which a twin that adds in float gets right to 1e-4
    const std::size_t checked = long_sums ? 1 : sets_;
    const double tolerance = sizeof(T) == 8 ? 1e-11 : long_sums ? 2e-4 : 2e-5;
    for (std::size_t set = 0; set < checked; ++set) {
      std::vector<T> got(inputs_[set].gradient_size());
      const double value = backend(inputs_[set], std::span<T>(got));
      if (values_.size() == set) {
        values_.push_back(value);
        gradients_.push_back(got);
      }
      double scale = 0, worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        scale = std::max(scale, std::abs(static_cast<double>(gradients_[set][i])));
        worst = std::max(worst, std::abs(static_cast<double>(got[i]) - static_cast<double>(gradients_[set][i])));
      }
      const bool same_value = std::abs(value - values_[set]) <= tolerance * std::max(std::abs(values_[set]), 1e-6);
      if (!same_value || !(worst <= tolerance * std::max(scale, 1e-6)))
        return name + " differs from the first backend: value " + std::to_string(value) + " against " +
               std::to_string(values_[set]) + ", gradient off by " + std::to_string(worst) + " of " + std::to_string(scale);
    }
    return {};
  }

  std::vector<T> gradient;

 private:
  std::size_t largest() const {
    std::size_t n = 0;
    for (const Input& input : inputs_) n = std::max(n, input.gradient_size());
    return n;
  }

  std::size_t sets_;
  Make make_;
  std::vector<Input> inputs_;
  std::vector<double> values_;
  std::vector<std::vector<T>> gradients_;
};

/// What a benchmark counts besides items.
enum class Count { items, pairs };

/// A named way to compute value and gradient: double run(const Input&, std::span<T> gradient), overwriting.
template <class Run>
struct Backend {
  const char* name;
  Run run;
};
template <class Run>
Backend(const char*, Run) -> Backend<Run>;

/// Registers `family/loss/T/shape/backend` for every backend; the first is what the others are compared with.
template <class T, class Input, class... Runs>
void add(const std::string& prefix, std::size_t sets, std::function<Input(std::size_t)> make, Count count, Backend<Runs>... backends) {
  auto problem = std::make_shared<Problem<T, Input>>(sets, std::move(make));
  auto all = std::make_shared<std::tuple<Backend<Runs>...>>(backends...);
  const auto verdict = std::make_shared<std::string>();
  const auto once = std::make_shared<std::once_flag>();
  const auto prepare = [problem, all, verdict, once] {
    std::call_once(*once, [&] {
      problem->prepare();
      std::apply([&](auto&... b) { ((*verdict += problem->check(b.run, b.name)), ...); }, *all);
    });
    return *verdict;
  };
  const auto add_one = [&](auto& backend) {
    const auto run = [problem, all, prepare, count, &backend](benchmark::State& state) {
      if (const std::string difference = prepare(); !difference.empty()) return state.SkipWithError(difference.c_str());
      const auto& inputs = problem->inputs();
      std::size_t set = 0;
      double items = 0, pairs = 0;
      std::vector<double> pairs_of;
      for (const Input& input : inputs) pairs_of.push_back(count == Count::pairs ? input.pairs() : 0);
      for (auto _ : state) {
        const Input& input = inputs[set];
        benchmark::DoNotOptimize(backend.run(input, std::span<T>(problem->gradient.data(), input.gradient_size())));
        benchmark::ClobberMemory();
        items += input.items();
        pairs += pairs_of[set];
        if (++set == inputs.size()) set = 0;
      }
      using benchmark::Counter;
      state.counters["time_per_item"] = Counter(items, Counter::kIsRate | Counter::kInvert);
      if (pairs > 0) state.counters["pairs_per_second"] = Counter(pairs, Counter::kIsRate);
    };
    benchmark::RegisterBenchmark((prefix + "/" + backend.name).c_str(), run)->Unit(benchmark::kMicrosecond);
  };
  std::apply([&](auto&... b) { (add_one(b), ...); }, *all);
}

}  // namespace bench
