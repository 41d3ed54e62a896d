// Sums of logarithms against long double, in each case at every number of terms about a fold and far past it.
#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/log_of_product.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

namespace {

// Through a volatile pointer, so that -ffast-math does not put its own short form in its place.
long double (*volatile exact_log)(long double) = logl;

template <template <class> class Sum, class T>
double total_of(const std::vector<T>& x, T absent) {
  Sum<T> sum;
  for (std::size_t i = 0; i < x.size(); i += simd::lanes<T>)
    sum.add(x.size() - i < simd::lanes<T> ? simd::load_n(&x[i], x.size() - i, absent) : simd::load(&x[i]));
  return sum.total();
}

constexpr std::size_t sizes[] = {0, 1, 3, 16, 17, 479, 480, 481, 1919, 1920, 1921, 16000, 16001, 100000};

}  // namespace

TEMPLATE_TEST_CASE("log of a product: all magnitudes, and all factors near 1", "[simd][accuracy]", float, double) {
  using T = TestType;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double widest = -0.99 * static_cast<double>(simd::ExpConstants<T>::lowest);
  for (const std::size_t n : sizes) {
    for (const int kind : {0, 1, 2, 3, 4}) {
      rg::Random random(n, static_cast<std::uint64_t>(kind));
      std::vector<T> x;
      long double exact = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double u = random.uniform();
        x.push_back(kind == 0   ? T(std::exp(widest * (2 * u - 1)))
                    : kind == 1 ? T(1 - 8 * epsilon * u)   // mantissas near 2, exponents -1
                    : kind == 2 ? T(1 + 8 * epsilon * u)
                    : kind == 3 ? T(2 - 8 * epsilon * u)   // the product grows as fast as it can
                                : T(0.5 + u));
        exact += exact_log(static_cast<long double>(x.back()));
      }
      INFO("n = " << n << ", kind " << kind);
      const double terms = static_cast<double>(n);
      CHECK(std::abs(total_of<simd::LogOfProduct>(x, T(1)) - static_cast<double>(exact)) <=
            epsilon * (terms / 2 + 2 * static_cast<double>(simd::lanes<T>)) + 1e-15 * std::abs(static_cast<double>(exact)));
    }
  }
}

TEMPLATE_TEST_CASE("sums of logarithms show NaN", "[simd]", float, double) {
  using T = TestType;
  for (const std::size_t n : {5u, 5000u}) {
    std::vector<T> x(n, T(0.75));
    x[3] = std::numeric_limits<T>::quiet_NaN();
    CHECK(std::isnan(total_of<simd::LogOfProduct>(x, T(1))));
  }
}
