// The elementary functions beside the standard library's, on 4096 numbers.
#include "support/harness.hpp"

#include <rankgrad/simd/math.hpp>

namespace {

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

/// Arguments; the "gradient" is where the results go, one after the other in blocks of 4096.
template <class T>
struct Numbers {
  std::vector<T> x;
  std::size_t results;
  std::size_t gradient_size() const { return results * x.size(); }
  double items() const { return static_cast<double>(x.size()); }
  double pairs() const { return 0; }
};

template <class T, class Scalar, class Packed>
void add(const char* name, double low, double high, std::size_t results, Scalar scalar, Packed packed) {
  const auto make = [=](std::size_t set) {
    rg::Random random(20261123, set);
    Numbers<T> numbers{std::vector<T>(4096), results};
    for (T& x : numbers.x) x = static_cast<T>(low + (high - low) * random.uniform());
    return numbers;
  };
  const auto one_by_one = [scalar](const Numbers<T>& in, std::span<T> out) {
    for (std::size_t i = 0; i < in.x.size(); ++i) scalar(in.x[i], &out[i], in.x.size());
    return 0.0;
  };
  const auto in_packs = [packed](const Numbers<T>& in, std::span<T> out) {
    for (std::size_t i = 0; i < in.x.size(); i += simd::lanes<T>) packed(simd::load(&in.x[i]), &out[i], in.x.size());
    return 0.0;
  };
  bench::add<T, Numbers<T>>(std::string("elementary/") + name + "/" + bench::type_name<T>() + "/4096", 4, make, bench::Count::items,
                            bench::Backend{"scalar", one_by_one}, bench::Backend{"rankgrad", in_packs});
}

template <class T>
void add_all() {
  using simd::Pack;
  add<T>("exp", -20, 0, 1, [](T x, T* out, std::size_t) { *out = std::exp(x); },
         [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::exp_nonpositive<T>(x)); });
  add<T>("log1p", 0, 1, 1, [](T x, T* out, std::size_t) { *out = std::log1p(x); },
         [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::log1p_unit<T>(x)); });
  add<T>("log", 0.01, 100, 1, [](T x, T* out, std::size_t) { *out = std::log(x); },
         [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::log_positive<T>(x)); });
  add<T>("softplus_sigmoid", -20, 20, 2,
         [](T x, T* out, std::size_t n) {
           const T e = std::exp(-std::abs(x));
           out[0] = std::max(x, T(0)) + std::log1p(e);
           out[n] = (x < T(0) ? e : T(1)) / (T(1) + e);
         },
         [](Pack<T> x, T* out, std::size_t n) {
           const auto both = simd::softplus_sigmoid<T>(x);
           simd::store(out, both.softplus);
           simd::store(out + n, both.sigmoid);
         });
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
