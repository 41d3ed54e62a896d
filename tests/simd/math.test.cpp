// The accuracy of the elementary functions in units of the last place, against long double, and their special values.
//
// The budgets are the worst over the instruction sets, rounded up.
#include "support/catch.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/simd/math.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

namespace {

// -ffast-math replaces divisions by reciprocals and one Newton step.
#ifdef __FAST_MATH__
constexpr double slack = 1.7;
#else
constexpr double slack = 1;
#endif

/// The function of packs over any number of arguments.
template <class T, class F>
std::vector<T> map(const std::vector<T>& x, F f) {
  std::vector<T> y(x.size());
  simd::for_each_pack<T>(x.size(), [&](std::size_t i, auto at) { at.store(&y[i], f(at.load(&x[i], x[0]))); });
  return y;
}
template <class T, class F>
T one(F f, T x) {
  return map(std::vector<T>{x}, f)[0];
}

/// |got - exact| over the distance of neighbours at `exact`.
template <class T>
double ulps(T got, long double exact) {
  const T near = std::abs(static_cast<T>(exact));
  const long double step = near < std::numeric_limits<T>::min()
                               ? static_cast<long double>(std::numeric_limits<T>::denorm_min())
                               : static_cast<long double>(near) - static_cast<long double>(std::nextafter(near, T(0)));
  return static_cast<double>(fabsl(static_cast<long double>(got) - exact) / step);
}

template <class T, class F, class Exact>
double worst_ulps(const std::vector<T>& x, F f, Exact exact, const char* name) {
  const std::vector<T> y = map(x, f);
  double worst = 0;
  T where = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], exact(static_cast<long double>(x[i])));
    if (!(error <= worst)) worst = error, where = x[i];
  }
  UNSCOPED_INFO(name << (sizeof(T) == 4 ? " float" : " double") << ": " << worst << " ulp, at " << where);
  return worst;
}

/// Uniform between a and b, and as dense near 0 as floating point is: half the points have uniform exponents.
template <class T>
std::vector<T> points(double a, double b, double smallest, std::uint64_t seed) {
  rg::Random random(seed);
  std::vector<T> x{T(a), T(b)};
  const double width = std::log(std::max(std::abs(a), std::abs(b)) / smallest);
  for (int i = 0; i < 100000; ++i) {
    x.push_back(T(a + (b - a) * random.uniform()));
    const double small = smallest * std::exp(width * random.uniform());
    const bool negative = a < 0 && (b <= 0 || random.uniform() < 0.5);
    const T value = T(negative ? -small : small);
    if (value >= T(a) && value <= T(b)) x.push_back(value);
  }
  return x;
}

// Through a volatile pointer, so that -ffast-math does not put its own short forms in their place.
long double (*volatile exact_exp)(long double) = expl;
long double (*volatile exact_log)(long double) = logl;
long double (*volatile exact_log1p)(long double) = log1pl;
long double exact_softplus(long double x) { return x > 0 ? x + exact_log1p(exact_exp(-x)) : exact_log1p(exact_exp(x)); }
long double exact_sigmoid(long double x) { return x > 0 ? 1 / (1 + exact_exp(-x)) : exact_exp(x) / (1 + exact_exp(x)); }

constexpr auto exp_np = [](auto x) { return simd::exp_nonpositive(x); };
constexpr auto exp_any = [](auto x) { return simd::exp(x); };
constexpr auto log1p_u = [](auto x) { return simd::log1p_unit(x); };
constexpr auto log_p = [](auto x) { return simd::log_positive(x); };
constexpr auto softplus = [](auto x) { return simd::softplus_sigmoid(x).softplus; };
constexpr auto sigma = [](auto x) { return simd::softplus_sigmoid(x).sigmoid; };
constexpr auto other = [](auto x) { return simd::softplus_sigmoid(x).other; };
constexpr auto sigmoid = [](auto x) { return simd::sigmoid(x); };

}  // namespace

TEMPLATE_TEST_CASE("elementary functions are as accurate as stated", "[simd][accuracy]", float, double) {
  using T = TestType;
  const double lowest = static_cast<double>(simd::ExpConstants<T>::lowest), tiny = sizeof(T) == 4 ? 1e-30 : 1e-290;
  CHECK(worst_ulps<T>(points<T>(lowest, 0, tiny, 1), exp_np, [](long double x) { return exact_exp(x); }, "exp") <= 1.1);
  const std::vector<T> all = points<T>(lowest, static_cast<double>(simd::ExpConstants<T>::highest), tiny, 6);
  CHECK(worst_ulps<T>(all, exp_any, [](long double x) { return exact_exp(x); }, "exp") <= 1.1);
  CHECK(worst_ulps<T>(points<T>(0, 1, tiny, 2), log1p_u, [](long double x) { return exact_log1p(x); }, "log1p") <= 2.0 * slack);
  const std::vector<T> both = points<T>(lowest + 1, -lowest, tiny, 3);
  CHECK(worst_ulps<T>(both, softplus, exact_softplus, "softplus") <= 3.0 * slack);
  CHECK(worst_ulps<T>(both, sigma, exact_sigmoid, "softplus_sigmoid.sigmoid") <= 2.4 * slack);
  CHECK(worst_ulps<T>(both, other, [](long double x) { return exact_sigmoid(-x); }, "softplus_sigmoid.other") <= 2.4 * slack);
  CHECK(worst_ulps<T>(both, sigmoid, exact_sigmoid, "sigmoid") <= 2.4 * slack);
  std::vector<T> positive = points<T>(0.25, 4, 0.3, 4);
  rg::Random random(5);
  for (int i = 0; i < 100000; ++i) positive.push_back(T(std::exp(0.98 * lowest * (2 * random.uniform() - 1))));
  for (int i = 0; i < 10000; ++i) positive.push_back(T(1 + (random.uniform() - 0.5) * std::exp(-35 * random.uniform())));
  positive.push_back(std::numeric_limits<T>::min());
  positive.push_back(std::numeric_limits<T>::max());
  CHECK(worst_ulps<T>(positive, log_p, [](long double x) { return exact_log(x); }, "log") <= 2.1 * slack);
}

TEST_CASE("the binades where the float functions are worst", "[simd][accuracy]") {
  std::vector<float> x;
  for (std::uint32_t bits = 0x3f800000; bits < 0x40c00000; bits += 37) x.push_back(-std::bit_cast<float>(bits));   // -1 to -6
  CHECK(worst_ulps<float>(x, exp_np, [](long double v) { return exact_exp(v); }, "exp") <= 1.1);
  CHECK(worst_ulps<float>(x, softplus, exact_softplus, "softplus") <= 3.0 * slack);
  CHECK(worst_ulps<float>(x, sigma, exact_sigmoid, "softplus_sigmoid.sigmoid") <= 2.4 * slack);
}

TEMPLATE_TEST_CASE("exp of what is not positive: ends and special values", "[simd]", float, double) {
  using T = TestType;
  using C = simd::ExpConstants<T>;
  const T infinity = std::numeric_limits<T>::infinity();
  CHECK(one<T>(exp_np, T(0)) == T(1));
  CHECK(one<T>(exp_np, -T(0)) == T(1));
  CHECK(one<T>(exp_np, -std::numeric_limits<T>::denorm_min()) == T(1));
  CHECK(one<T>(exp_np, C::lowest) >= std::numeric_limits<T>::min());
  CHECK(one<T>(exp_np, std::nextafter(C::lowest, -infinity)) == T(0));
  for (const T x : {T(-1e3), T(-1e30), -std::numeric_limits<T>::max(), -infinity}) CHECK(one<T>(exp_np, x) == T(0));
  CHECK(std::isnan(one<T>(exp_np, std::numeric_limits<T>::quiet_NaN())));
}

TEMPLATE_TEST_CASE("exp of a scaled difference: accuracy", "[simd][accuracy]", float, double) {
  using T = TestType;
  const T most = -simd::ExpConstants<T>::lowest;
  for (const double scale : {1.0, 1 / 0.7, 3e-5, 2e4}) {
    const simd::ScaledExp<T> power(scale);
    const auto exp = [&](auto d) { return power(d); };
    double worst = 0;
    const std::vector<T> d = points<T>(-0.998 * static_cast<double>(most) / scale, 0, 1e-30, 7), got = map(d, exp);
    for (std::size_t i = 0; i < d.size(); ++i) {
      const long double x = static_cast<long double>(scale) * static_cast<long double>(d[i]);
      const double rounding = static_cast<double>(-x) * (simd::fused ? 1.05 : 2.1);   // of the constant; of the product
      worst = std::max(worst, ulps(got[i], exact_exp(x)) - rounding);
    }
    CHECK(worst <= 2.5 * slack);
  }
}

TEMPLATE_TEST_CASE("exp of a scaled difference: ends and special values", "[simd]", float, double) {
  using T = TestType;
  const T infinity = std::numeric_limits<T>::infinity(), most = -simd::ExpConstants<T>::lowest;
  for (const double scale : {1.0, 1 / 0.7, 3e-5, 2e4}) {
    const simd::ScaledExp<T> power(scale);
    const auto exp = [&](auto d) { return power(d); };
    CHECK(one<T>(exp, T(0)) == T(1));
    CHECK(one<T>(exp, -T(0)) == T(1));
    CHECK(one<T>(exp, static_cast<T>(-0.99 * static_cast<double>(most) / scale)) >= std::numeric_limits<T>::min());
    for (const T far : {T(1.001), T(2), T(1e3)}) CHECK(one<T>(exp, static_cast<T>(-static_cast<double>(far * most) / scale)) == T(0));
    for (const T far : {std::numeric_limits<T>::max(), infinity}) CHECK(one<T>(exp, -far) == T(0));
    CHECK(std::isnan(one<T>(exp, std::numeric_limits<T>::quiet_NaN())));
  }
  for (const double scale : {0.0, 1e-300, 1e300, 0.9 * static_cast<double>(std::numeric_limits<T>::max())}) {   // beyond T, rounded in it
    const simd::ScaledExp<T> power(scale);
    CHECK(one<T>([&](auto d) { return power(d); }, T(0)) == T(1));
    CHECK(one<T>([&](auto d) { return power(d); }, T(-1)) == T(scale < 1 ? 1 : 0));
  }
}

TEMPLATE_TEST_CASE("exp of anything: ends and special values", "[simd]", float, double) {
  using T = TestType;
  using C = simd::ExpConstants<T>;
  const T infinity = std::numeric_limits<T>::infinity();
  CHECK(one<T>(exp_any, T(0)) == T(1));
  CHECK(one<T>(exp_any, C::highest) <= std::numeric_limits<T>::max());
  CHECK(one<T>(exp_any, std::nextafter(C::highest, infinity)) == infinity);
  CHECK(one<T>(exp_any, C::lowest) >= std::numeric_limits<T>::min());
  CHECK(one<T>(exp_any, std::nextafter(C::lowest, -infinity)) == T(0));
  for (const T x : {T(1e3), T(1e30), std::numeric_limits<T>::max(), infinity}) {
    CHECK(one<T>(exp_any, x) == infinity);
    CHECK(one<T>(exp_any, -x) == T(0));
  }
  CHECK(std::isnan(one<T>(exp_any, std::numeric_limits<T>::quiet_NaN())));
}

TEMPLATE_TEST_CASE("a register table is read by the low bits of each lane's own index", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t size = simd::RegisterTable<T>::size;
  std::vector<T> entries;
  for (std::size_t k = 0; k < size; ++k) entries.push_back(T(100 + k));
  const simd::RegisterTable<T> table(entries.data());
  for (std::size_t first = 0; first < 3 * size; ++first) {
    std::vector<simd::Bits<T>> index;
    std::vector<T> lane(simd::lanes<T>);
    for (std::size_t l = 0; l < simd::lanes<T>; ++l) index.push_back(static_cast<simd::Bits<T>>(7 * l + first) - 40);
    simd::store(lane.data(), table[simd::load(index.data())]);
    for (std::size_t l = 0; l < simd::lanes<T>; ++l) CHECK(lane[l] == entries[static_cast<std::size_t>(index[l]) % size]);
  }
}

TEMPLATE_TEST_CASE("log1p, log, softplus and sigmoid: ends and special values", "[simd]", float, double) {
  using T = TestType;
  const T infinity = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN(), huge = T(1e30);
  CHECK(one<T>(log1p_u, T(0)) == T(0));
  const T denormal = std::numeric_limits<T>::denorm_min() * T(1000);
  CHECK(static_cast<double>(one<T>(log1p_u, denormal) / denormal) == Approx(1).epsilon(2e-3));
  CHECK(std::isnan(one<T>(log1p_u, nan)));
  CHECK(one<T>(log_p, T(1)) == T(0));

  CHECK(one<T>(softplus, huge) == huge);
  CHECK(one<T>(softplus, -huge) == T(0));
  CHECK(one<T>(softplus, infinity) == infinity);
  CHECK(one<T>(softplus, -infinity) == T(0));
  CHECK(std::isnan(one<T>(softplus, nan)));
  CHECK(static_cast<double>(one<T>(softplus, T(0))) == Approx(0.6931471805599453).epsilon(1e-7));

  for (const auto f : {+[](simd::Pack<T> x) { return simd::sigmoid(x); }, +[](simd::Pack<T> x) { return simd::softplus_sigmoid(x).sigmoid; },
                       +[](simd::Pack<T> x) { return simd::softplus_sigmoid(-x).other; }}) {
    CHECK(one<T>(f, T(0)) == T(0.5));
    CHECK(one<T>(f, huge) == T(1));
    CHECK(one<T>(f, -huge) == T(0));
    CHECK(one<T>(f, infinity) == T(1));
    CHECK(one<T>(f, -infinity) == T(0));
    CHECK(std::isnan(one<T>(f, nan)));
  }
}

TEST_CASE("softplus and sigmoid of one number: accuracy", "[simd][accuracy]") {
  double worst_softplus = 0, worst_sigmoid = 0;
  for (const double x : points<double>(-700, 700, 1e-290, 8)) {
    worst_softplus = std::max(worst_softplus, ulps(simd::softplus(x), exact_softplus(static_cast<long double>(x))));
    worst_sigmoid = std::max(worst_sigmoid, ulps(simd::sigmoid(x), exact_sigmoid(static_cast<long double>(x))));
  }
  INFO(worst_softplus << " and " << worst_sigmoid << " ulp");
  CHECK(worst_softplus <= 1.5 * slack);
  CHECK(worst_sigmoid <= 2 * slack);
}

TEST_CASE("softplus and sigmoid of one number: ends and special values", "[simd]") {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  CHECK((simd::softplus(0) == std::log(2.0) && simd::sigmoid(0) == 0.5));
  for (const double x : {1e30, infinity}) {
    CHECK((simd::softplus(x) == x && simd::softplus(-x) == 0));
    CHECK((simd::sigmoid(x) == 1 && simd::sigmoid(-x) == 0));
  }
  CHECK((std::isnan(simd::softplus(nan)) && std::isnan(simd::sigmoid(nan))));
}

TEMPLATE_TEST_CASE("NaN in one lane stays in that lane", "[simd]", float, double) {
  using T = TestType;
  std::vector<T> x(simd::lanes<T>, T(-1));
  x.back() = std::numeric_limits<T>::quiet_NaN();
  const std::vector<T> y = map(x, softplus);
  for (std::size_t l = 0; l < x.size(); ++l) CHECK(std::isnan(y[l]) == (l + 1 == x.size()));
}
