// The elementary functions beside the standard library's, on 4096 numbers.
#include "support/harness.hpp"

namespace {

using bench::Numbers;

/// scalar(x, where the result goes, how far on the next result goes) beside the library's builds.
template <class T, class Scalar>
void add(const char* name, double low, double high, std::size_t results, Scalar scalar) {
  const auto make = [=](std::size_t set) {
    rankgrad::Random random(20261123, set);
    Numbers<T> numbers{std::vector<T>(4096), results};
    for (T& x : numbers.x) x = static_cast<T>(low + (high - low) * random.uniform());
    return numbers;
  };
  const auto one_by_one = [scalar](const Numbers<T>& in, std::span<T> out) {
    for (std::size_t i = 0; i < in.x.size(); ++i) scalar(in.x[i], &out[i], in.x.size());
    return 0.0;
  };
  const std::string function = std::string("elementary/") + name;
  bench::Methods<Numbers<T>> methods{{"scalar", one_by_one}};
  bench::native::append(function, methods);
#ifdef RANKGRAD_BENCH_AVX2
  bench::avx2::append(function, methods);
#endif
  bench::add_made<T, Numbers<T>>(function + "/" + bench::type_name<T>() + "/4096", 4, make, bench::Count::items, std::move(methods));
}

template <class T>
void add_all() {
  add<T>("exp", -20, 0, 1, [](T x, T* out, std::size_t) { *out = std::exp(x); });
  add<T>("log1p", 0, 1, 1, [](T x, T* out, std::size_t) { *out = std::log1p(x); });
  add<T>("log", 0.01, 100, 1, [](T x, T* out, std::size_t) { *out = std::log(x); });
  add<T>("softplus_sigmoid", -20, 20, 2, [](T x, T* out, std::size_t n) {
    const T e = std::exp(-std::abs(x));
    out[0] = std::max(x, T(0)) + std::log1p(e);
    out[n] = (x < T(0) ? e : T(1)) / (T(1) + e);
  });
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
