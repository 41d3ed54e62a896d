// The properties that every loss of comparisons must have. Oracles: properties/oracles/bradley_terry.hpp.
#include "properties/oracles/bradley_terry.hpp"

#include <rankgrad/core/combinators.hpp>

namespace {
namespace rg = rankgrad;
using test::Outcomes;
using test::OwnedComparisons;

template <class L, class T>
test::Result<T> run(const L& loss, const OwnedComparisons<T>& made) {
  test::Result<T> r;
  r.gradient.assign(made.scores.size(), T(0));
  r.curvature.assign(made.scores.size(), T(0));
  rg::Workspace workspace;
  const auto part = rg::evaluate_view(loss, made.view(), rg::GradientSink<T>{r.gradient.data(), r.curvature.data()}, workspace);
  r.value = part.value;
  r.valid = part.valid;
  return r;
}

template <class T>
constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

/// Six-point differences: error about 1e-14 for the first derivative and 1e-11 for the second.
template <class F>
long double difference(F f, int order) {
  const long double h = order == 1 ? 1e-3L : 1e-2L;
  if (order == 1) return (45 * (f(h) - f(-h)) - 9 * (f(2 * h) - f(-2 * h)) + (f(3 * h) - f(-3 * h))) / (60 * h);
  const long double centre = f(0);
  return (270 * (f(h) + f(-h) - 2 * centre) - 27 * (f(2 * h) + f(-2 * h) - 2 * centre) + 2 * (f(3 * h) + f(-3 * h) - 2 * centre)) / (180 * h * h);
}
template <class L, class T>
std::vector<long double> differences(const L& loss, const OwnedComparisons<T>& made, int order) {
  const std::vector<long double> rest(made.scores.begin(), made.scores.end());
  std::vector<long double> moved = rest, slopes;
  for (std::size_t i = 0; i < rest.size(); ++i)
    slopes.push_back(difference([&](long double by) {
      moved[i] = rest[i] + by;
      const long double v = comparison_value(loss, made, moved);
      moved[i] = rest[i];
      return v;
    }, order));
  return slopes;
}

template <class L, class T>
void check_value(const L& loss, const OwnedComparisons<T>& made, const test::Result<T>& r) {
  const double expected = static_cast<double>(comparison_value(loss, made, {made.scores.begin(), made.scores.end()}));
  INFO("value " << r.value << ", defined " << expected);
  CHECK(std::abs(static_cast<double>(r.value) - expected) <= 8 * epsilon<T> * std::abs(expected));
}

template <class L, class T>
void check_definition(const L& loss, const OwnedComparisons<T>& made) {
  const test::Result<T> r = run(loss, made);
  CHECK(r.valid == (made.size() > 0));
  check_value(loss, made, r);
  const double noise = sizeof(T) == 8 ? 256 : 1;
  test::check_close(r.gradient, differences(loss, made, 1), 16 * noise, std::max(0.1, test::largest(r.gradient)), "gradient");
  test::check_close(r.curvature, differences(loss, made, 2), sizeof(T) == 8 ? 1e6 : 16, std::max(0.1, test::largest(r.curvature)), "curvature");
  for (const T h : r.curvature) CHECK(h >= T(0));

  // The slope of the tie parameter, through the door that gives it.
  if constexpr (requires(L& model) { test::ComparisonOracle<L>::tie(model); }) {
    std::vector<T> gradient(made.scores.size());
    T tie_gradient(77);
    CHECK(rg::value_and_gradient(loss, made.view(), gradient, tie_gradient) == r.value);
    CHECK(gradient == r.gradient);
    const std::vector<long double> scores(made.scores.begin(), made.scores.end());
    L copy = loss;
    const double h = 1e-4 * std::min(1.0, std::abs(*test::ComparisonOracle<L>::tie(copy)) + 1e-3);
    const auto at = [&](int steps) {
      L moved = loss;
      double& parameter = *test::ComparisonOracle<L>::tie(moved);
      parameter += steps * h;
      return std::pair<long double, long double>{comparison_value(moved, made, scores), static_cast<long double>(parameter)};
    };
    const auto up = at(1), down = at(-1), up2 = at(2), down2 = at(-2);   // divided by the steps as double has rounded them
    const long double inner = (up.first - down.first) / (up.second - down.second), outer = (up2.first - down2.first) / (up2.second - down2.second);
    const double slope = made.size() ? static_cast<double>((4 * inner - outer) / 3) : 0;
    CHECK(static_cast<double>(tie_gradient) == Approx(slope).epsilon(sizeof(T) == 8 ? 1e-9 : 2e-6).margin(sizeof(T) == 8 ? 1e-10 : 1e-6));
  }
}

template <class L, class T>
void check_every_comparison_property() {
  constexpr std::size_t lanes = rg::simd::lanes<T>;
  std::size_t number = 0;
  for (const L& loss : test::ComparisonOracle<L>::instances()) {
    INFO(rg::name_of<L>() << ", instance " << number++ << ", " << (sizeof(T) == 4 ? "float" : "double"));
    REQUIRE(rg::validate_parameters(loss));

    // --- the definition, on numbers of comparisons around the pack and the chunk
    for (const std::size_t m : {std::size_t{0}, std::size_t{1}, std::size_t{2}, lanes - 1, lanes, lanes + 1, 3 * lanes + 2})
      for (const Outcomes kind : {Outcomes::none, Outcomes::hard, Outcomes::soft})
        for (const bool weights : {false, true}) {
          INFO("m = " << m << ", outcomes " << static_cast<int>(kind) << ", weights " << weights);
          check_definition(loss, test::make_comparisons(9, m, 5, kind, 1.5, weights).template as<T>());
        }
    for (const std::size_t m : {rg::bradley_terry::chunk, 2 * rg::bradley_terry::chunk + 3})
      check_definition(loss, test::make_comparisons(3, m, 5, Outcomes::hard, 1.5, true).template as<T>());
    check_definition(loss, test::make_comparisons(9, 40, 6, Outcomes::hard, 0).template as<T>());   // all scores equal

    const OwnedComparisons<T> made = test::make_comparisons(12, 3 * lanes + 5, 8, Outcomes::hard, 1.5, true).template as<T>();
    const std::size_t n = made.scores.size(), m = made.size();
    const test::Result<T> base = run(loss, made);
    const double scale = test::largest(base.gradient), value = static_cast<double>(base.value);
    REQUIRE(base.valid);

    // --- asking for curvature changes nothing else; the sink is added to, scaled; no growth once warm
    {
      std::vector<T> gradient(n), filled(n, T(1)), bent(n, T(2)), expected, expected_bent;
      CHECK(rg::value_and_gradient(loss, made.view(), gradient) == base.value);
      CHECK(gradient == base.gradient);
      rg::Workspace workspace;
      rg::evaluate_view(loss, made.view(), rg::GradientSink<T>{filled.data(), bent.data(), T(0.5)}, workspace);
      for (std::size_t i = 0; i < n; ++i) {
        expected.push_back(T(1) + base.gradient[i] / 2);
        expected_bent.push_back(T(2) + base.curvature[i] / 2);
      }
      test::check_close(filled, expected, 4, 1 + scale, "prefilled gradient");
      test::check_close(bent, expected_bent, 4, 2 + test::largest(base.curvature), "prefilled curvature");
      const std::size_t growths = workspace.growths();
      rg::evaluate_view(loss, made.view(), rg::GradientSink<T>{filled.data(), bent.data()}, workspace);
      CHECK(workspace.growths() == growths);
    }

    // --- only differences matter: the gradient sums to 0
    {
      double sum = 0;
      for (const T g : base.gradient) sum += static_cast<double>(g);
      CHECK(std::abs(sum) <= 4 * epsilon<T> * scale * static_cast<double>(n));
    }

    // --- the order of the comparisons does not matter, nor which of two items is called the first
    for (const bool exchange : {false, true}) {
      std::vector<std::uint32_t> order(m);
      std::iota(order.begin(), order.end(), 0u);
      rg::Random(5).shuffle(order.data(), m);
      OwnedComparisons<T> other;
      other.scores = made.scores;
      for (const std::uint32_t c : order) other.append(made, c);
      for (std::size_t c = 0; exchange && c < m; c += 2) {
        std::swap(other.first[c], other.second[c]);
        rg::Outcome& o = other.outcome[c];
        o = o == rg::Outcome::first ? rg::Outcome::second : o == rg::Outcome::second ? rg::Outcome::first : o;
      }
      const test::Result<T> r = run(loss, other);
      CHECK(static_cast<double>(r.value) == Approx(value).epsilon(8 * epsilon<T>));
      test::check_close(r.gradient, base.gradient, 8, scale, "permuted gradient");
      test::check_close(r.curvature, base.curvature, 8, test::largest(base.curvature), "permuted curvature");
    }

    // --- hard outcomes are soft ones that are sure
    {
      OwnedComparisons<T> sure = made;
      for (const rg::Outcome o : made.outcome)
        for (const rg::Outcome k : {rg::Outcome::first, rg::Outcome::second, rg::Outcome::tie}) sure.soft_outcome.push_back(o == k ? T(1) : T(0));
      sure.outcome.clear();
      CHECK(run(loss, sure).value == base.value);
      CHECK(run(loss, sure).gradient == base.gradient);
    }

    // --- masking is deletion, whatever stands in the masked places
    for (const Outcomes kind : {Outcomes::none, Outcomes::hard, Outcomes::soft}) {
      const OwnedComparisons<T> full = test::make_comparisons(12, 3 * lanes + 5, 8, kind, 1.5, true).template as<T>();
      OwnedComparisons<T> masked, kept;
      masked.scores = kept.scores = full.scores;
      for (std::size_t c = 0; c < m; ++c) {
        if (c % 3 == 1) {
          masked.append(full, c);
          masked.first.back() = c % 2 ? 0xffffffffu : masked.second.back();
          masked.weights.back() = std::numeric_limits<T>::quiet_NaN();
          if (kind == Outcomes::hard) masked.outcome.back() = static_cast<rg::Outcome>(99);
          if (kind == Outcomes::soft) masked.soft_outcome.back() = T(-7);
          masked.mask.push_back(0);
        }
        masked.append(full, c);
        masked.mask.push_back(1);
        kept.append(full, c);
      }
      REQUIRE(rg::validate(masked.view()));
      const test::Result<T> a = run(loss, masked), b = run(loss, kept);
      CHECK(a.value == b.value);
      CHECK(a.gradient == b.gradient);
      CHECK(a.curvature == b.curvature);
      masked.mask.assign(masked.size(), 0);
      CHECK_FALSE(run(loss, masked).valid);
      CHECK(test::largest(run(loss, masked).gradient) == 0.0);
    }

    // --- weights of 1 are none; a weight of 2 is the comparison twice; weights of 0 are no signal
    {
      OwnedComparisons<T> ones = made, none = made, heavy = made, twice = made, weightless = made;
      std::fill(ones.weights.begin(), ones.weights.end(), T(1));
      none.weights.clear();
      CHECK(run(loss, ones).value == run(loss, none).value);
      CHECK(run(loss, ones).gradient == run(loss, none).gradient);
      heavy.weights[1] *= T(2);
      twice.append(made, 1);
      const test::Result<T> a = run(loss, heavy), b = run(loss, twice);
      CHECK(static_cast<double>(a.value) == Approx(static_cast<double>(b.value)).epsilon(8 * epsilon<T>));
      test::check_close(a.gradient, b.gradient, 8, scale, "doubled comparison");
      std::fill(weightless.weights.begin(), weightless.weights.end(), T(0));
      const test::Result<T> zero = run(loss, weightless);
      CHECK_FALSE(zero.valid);
      CHECK(zero.value == T(0));
      CHECK(test::largest(zero.gradient) == 0.0);
    }

    // --- nothing
    CHECK_FALSE(run(loss, OwnedComparisons<T>{}).valid);

    // --- extremes
    for (const double spread : {1e4, 1e8, 1e30, 1e-30, 1e-42}) {
      const OwnedComparisons<T> extreme = test::make_comparisons(7, 2 * lanes + 3, 6, Outcomes::hard, spread).template as<T>();
      INFO("spread " << spread);
      const test::Result<T> r = run(loss, extreme);
      CHECK(rg::is_finite(r.value));
      for (const T g : r.gradient) CHECK(rg::is_finite(g));
      for (const T h : r.curvature) CHECK((rg::is_finite(h) && h >= T(0)));
      check_value(loss, extreme, r);
    }

    // --- NaN shows in the value and in the gradient of the items that met it, and nowhere else
    {
      OwnedComparisons<T> broken = made;
      const std::uint32_t bad = made.first[0];
      broken.scores[bad] = std::numeric_limits<T>::quiet_NaN();
      const test::Result<T> r = run(loss, broken);
      CHECK_FALSE(rg::is_finite(r.value));
      std::vector<std::uint8_t> met(n, 0);
      for (std::size_t c = 0; c < m; ++c)
        if (made.first[c] == bad || made.second[c] == bad) met[made.first[c]] = met[made.second[c]] = 1;
      for (std::size_t i = 0; i < n; ++i) CHECK(rg::is_finite(r.gradient[i]) == !met[i]);
    }

    // --- float against double
    if constexpr (sizeof(T) == 4) {
      const test::Result<double> wide = run(loss, made.template as<double>());
      CHECK(value == Approx(wide.value).epsilon(8 * epsilon<T>));
      test::check_close(base.gradient, wide.gradient, 16, test::largest(wide.gradient), "float against double");
    }

    // --- mixtures
    {
      std::vector<T> gradient(n), expected;
      CHECK(static_cast<double>(rg::value_and_gradient(rg::plus(rg::weighted(0.5, loss), loss), made.view(), gradient)) == Approx(1.5 * value).epsilon(1e-6));
      CHECK(static_cast<double>(rg::value(0.5 * loss + loss, made.view())) == Approx(1.5 * value).epsilon(1e-6));
      for (const T g : base.gradient) expected.push_back(T(1.5) * g);
      test::check_close(gradient, expected, 8, scale, "mixture");
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every loss of comparisons has every property", "[properties]", rg::BradleyTerry, rg::WinTieBradleyTerry, rg::RaoKupper, rg::Davidson) {
  check_every_comparison_property<TestType, float>();
  if constexpr (test::in_both_types) check_every_comparison_property<TestType, double>();
}
