// What this machine can do at best, measured beside the losses: one instruction after the other on independent registers,
// and arrays read and copied. No benchmark here computes anything useful.
#include "support/data.hpp"

#include <rankgrad/simd/math.hpp>

#include <benchmark/benchmark.h>

#include <array>

namespace {

namespace simd = rankgrad::simd;

template <class T>
std::string name(const char* what) { return std::string("ceiling/") + what + "/" + bench::type_name<T>(); }

void report(benchmark::State& state, double items) {
  using benchmark::Counter;
  state.counters["time_per_item"] = Counter(items * static_cast<double>(state.iterations()), Counter::kIsRate | Counter::kInvert);
}

/// step() on twelve registers that do not wait for each other.
template <class T, class Step>
void add_registers(const char* what, const Step& step) {
  benchmark::RegisterBenchmark(name<T>(what).c_str(), [step](benchmark::State& state) {
    constexpr std::size_t rounds = 1000, chains = 12;
    T start = T(1.25);
    for (auto _ : state) {
      benchmark::DoNotOptimize(start);
      std::array<simd::Pack<T>, chains> x;
      for (std::size_t c = 0; c < chains; ++c) x[c] = simd::Pack<T>(start + static_cast<T>(c));
      const simd::Pack<T> a(start), b(T(0.5) * start);
      for (std::size_t r = 0; r < rounds; ++r)
        for (std::size_t c = 0; c < chains; ++c) x[c] = step(x[c], a, b);
      simd::Pack<T> all = x[0];
      for (std::size_t c = 1; c < chains; ++c) all += x[c];
      benchmark::DoNotOptimize(simd::sum(all));
    }
    report(state, static_cast<double>(rounds * chains * simd::lanes<T>));
  });
}

/// pass(from, to, n) over arrays of `bytes` each.
template <class T, class Pass>
void add_arrays(const char* what, std::size_t bytes, const Pass& pass) {
  benchmark::RegisterBenchmark(name<T>(what).c_str(), [bytes, pass](benchmark::State& state) {
    const std::size_t n = bytes / sizeof(T);
    std::vector<T> from(n, T(-1)), to(n, T(0));
    for (auto _ : state) {
      benchmark::DoNotOptimize(from.data());
      pass(from.data(), to.data(), n);
      benchmark::DoNotOptimize(to.data());
      benchmark::ClobberMemory();
    }
    report(state, static_cast<double>(n));
  })->Unit(benchmark::kMicrosecond);
}

template <class T>
void add_all() {
  using P = simd::Pack<T>;
  add_registers<T>("divide", [](P x, P a, P) { return a / x; });
  add_registers<T>("fma", [](P x, P a, P b) { return simd::fma(x, a, b); });
  const auto each = [](auto f) {
    return [f](const T* from, T* to, std::size_t n) {
      for (std::size_t i = 0; i < n; i += simd::lanes<T>) simd::store(to + i, f(simd::load(from + i)));
    };
  };
  const auto copy = each([](P x) { return x; });
  const auto read = [](const T* from, T* to, std::size_t n) {
    std::array<P, 8> sums;
    sums.fill(P(T(0)));
    for (std::size_t i = 0; i < n; i += 8 * simd::lanes<T>)
      for (std::size_t k = 0; k < 8; ++k) sums[k] += simd::load(from + i + k * simd::lanes<T>);
    for (std::size_t k = 1; k < 8; ++k) sums[0] += sums[k];
    simd::store(to, sums[0]);
  };
  constexpr std::size_t in_l1 = 8 << 10, in_dram = 256 << 20;
  add_arrays<T>("exp", in_l1, each([](P x) { return simd::exp_nonpositive<T>(x); }));
  add_arrays<T>("read_l1", in_l1, read);
  add_arrays<T>("copy_l1", in_l1, copy);
  add_arrays<T>("read_dram", in_dram, read);
  add_arrays<T>("copy_dram", in_dram, copy);
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
