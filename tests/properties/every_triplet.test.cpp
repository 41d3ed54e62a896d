// The properties that every loss of a similarity matrix must have. Oracles: properties/oracles/triplet.hpp.
#include "properties/oracles/triplet.hpp"

#include <rankgrad/core/combinators.hpp>

namespace {
namespace rg = rankgrad;
using test::OwnedMatrix;

template <class L, class T>
test::Result<T> run(const L& loss, const OwnedMatrix<T>& m) {
  test::Result<T> r;
  r.gradient.assign(m.similarity.size(), T(0));
  r.curvature.assign(m.similarity.size(), T(0));
  rg::Workspace workspace;
  const auto part = rg::evaluate_view(loss, m.view(), rg::GradientSink<T>{r.gradient.data(), r.curvature.data()}, workspace);
  r.value = part.value;
  r.valid = part.valid;
  return r;
}

template <class T>
constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

template <class L>
constexpr bool has_margin = requires(const L& loss) { loss.margin; };

/// Over which difference of similarities a loss bends.
template <class L>
double bend_of(const L& loss) {
  if constexpr (has_margin<L>) return loss.temperature;
  else return 1 / std::max(loss.alpha, loss.beta);
}

/// The size of the terms of which a value is the sum: what its rounding is relative to.
template <class L, class T>
double term_size(const L& loss, const OwnedMatrix<T>& m) {
  double entry = test::largest(m.similarity);
  if constexpr (has_margin<L>) entry += loss.margin + loss.temperature;
  else entry += std::abs(loss.base) + 2 / std::min(loss.alpha, loss.beta);
  return entry * static_cast<double>(m.size()) * (loss.normalize == rg::Normalize::mean ? 1.0 / static_cast<double>(m.size()) : 1.0) *
         (std::is_same_v<L, rg::SumHingeTriplet> ? static_cast<double>(m.size()) : 1.0);
}

/// A derivative of the definition by one entry, by differences in long double, softmax weights of the positives held
/// constant; `smooth` is false where two steps disagree: an anchor has its kink between them.
struct Slope {
  long double value;
  bool smooth;
};
template <class L, class M>
Slope difference(const L& loss, const M& m, std::size_t entry, int order) {
  const std::vector<long double> rest(m.similarity.begin(), m.similarity.end());
  std::vector<long double> moved = rest;
  const auto estimate = [&](long double h) {
    const auto f = [&](int steps) {
      moved[entry] = rest[entry] + steps * h;
      return triplet_value(loss, m, moved, rest);
    };
    if (order == 1) return (45 * (f(1) - f(-1)) - 9 * (f(2) - f(-2)) + (f(3) - f(-3))) / (60 * h);
    const long double centre = f(0);
    return (270 * (f(1) + f(-1) - 2 * centre) - 27 * (f(2) + f(-2) - 2 * centre) + 2 * (f(3) + f(-3) - 2 * centre)) / (180 * h * h);
  };
  const long double h = bend_of(loss) * (order == 1 ? 1e-3L : 1e-2L), value = estimate(h), half = estimate(h / 2);
  return {value, fabsl(value - half) <= 1e-7L * std::max(1.0L, fabsl(value)) / powl(bend_of(loss), order - 1)};
}

template <class L, class T>
void check_derivatives(const L& loss, const OwnedMatrix<T>& m, const std::vector<T>& got, int order) {
  std::vector<T> smooth_got;
  std::vector<long double> smooth_expected;
  for (std::size_t k = 0; k < got.size(); ++k) {
    const Slope expected = difference(loss, m, k, order);
    if (!expected.smooth) continue;
    smooth_got.push_back(got[k]);
    smooth_expected.push_back(expected.value);
  }
  CHECK(10 * smooth_got.size() >= 7 * got.size());   // a kink takes a row and a column out
  const double noise = sizeof(T) == 8 ? (order == 1 ? 4096 : 1e6) : 1;   // the differences are good to 1e-12, and 1e-9
  test::check_close(smooth_got, smooth_expected, 128 * noise, std::max(0.1 / std::pow(bend_of(loss), order - 1), test::largest(got)),
                    order == 1 ? "gradient" : "curvature");
}

template <class L, class T>
void check_definition(const L& loss, const OwnedMatrix<T>& m, bool derivatives) {
  const std::vector<long double> exact(m.similarity.begin(), m.similarity.end());
  const long double expected = triplet_value(loss, m, exact, exact);
  const test::Result<T> r = run(loss, m);
  if (!r.valid) {
    CHECK(static_cast<double>(expected) == 0.0);
    CHECK(test::largest(r.gradient) == 0.0);
    return;
  }
  INFO("value " << r.value << ", defined " << static_cast<double>(expected));
  CHECK(std::abs(static_cast<double>(r.value) - static_cast<double>(expected)) <= 16 * epsilon<T> * std::max(term_size(loss, m), static_cast<double>(expected)));
  for (const T h : r.curvature) CHECK(h >= T(0));
  if (!derivatives) return;
  check_derivatives(loss, m, r.gradient, 1);
  check_derivatives(loss, m, r.curvature, 2);
}

template <class L, class T>
void check_every_triplet_property() {
  constexpr std::size_t lanes = rg::simd::lanes<T>;
  std::size_t number = 0;
  for (const L& loss : test::TripletOracle<L>::instances()) {
    INFO(rg::name_of<L>() << ", instance " << number++ << ", " << (sizeof(T) == 4 ? "float" : "double"));
    REQUIRE(rg::validate_parameters(loss));

    // --- value, gradient, curvature of the definition on sizes around the pack, with one, few and many positives
    for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{3}, lanes - 1, lanes, lanes + 1, 2 * lanes + 3})
      for (const double per_identity : {0.01, 1.5, 4.0})
        for (const bool weights : {false, true}) {
          INFO("n = " << n << ", per identity " << per_identity << ", weights " << weights);
          check_definition(loss, test::make_matrix(n, 3, 0.2, per_identity, weights).template as<T>(),
                           weights && n <= lanes + 1);
        }
    check_definition(loss, test::make_matrix(301, 4, 0.2, 3, true).template as<T>(), false);   // crosses the column flush

    const OwnedMatrix<T> m = test::make_matrix(2 * lanes + 5, 8, 0.2, 2, true).template as<T>();
    const std::size_t n = m.size();
    const test::Result<T> base = run(loss, m);
    const double scale = test::largest(base.gradient);
    REQUIRE(base.valid);
    REQUIRE(scale > 0.0);

    // --- asking for curvature changes nothing else; the sink is added to, scaled
    {
      std::vector<T> gradient(n * n);
      CHECK(rg::value_and_gradient(loss, m.view(), gradient) == base.value);
      CHECK(gradient == base.gradient);
      std::vector<T> filled(n * n, T(1)), bent(n * n, T(2)), expected, expected_bent;
      rg::Workspace workspace;
      rg::evaluate_view(loss, m.view(), rg::GradientSink<T>{filled.data(), bent.data(), T(0.5)}, workspace);
      for (std::size_t k = 0; k < n * n; ++k) {
        expected.push_back(T(1) + base.gradient[k] / 2);
        expected_bent.push_back(T(2) + base.curvature[k] / 2);
      }
      test::check_close(filled, expected, 8, 1 + scale, "prefilled gradient");
      test::check_close(bent, expected_bent, 8, 2 + test::largest(base.curvature), "prefilled curvature");
      const std::size_t growths = workspace.growths();
      rg::evaluate_view(loss, m.view(), rg::GradientSink<T>{filled.data(), bent.data()}, workspace);
      CHECK(workspace.growths() == growths);
    }

    // --- pull and push of an anchor balance: the gradient of one direction sums to 0 over each of its anchors
    if (has_margin<L> && loss.direction != rg::Direction::both)
      for (std::size_t i = 0; i < n; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < n; ++j)
          sum += static_cast<double>(loss.direction == rg::Direction::rows ? base.gradient[i * n + j] : base.gradient[j * n + i]);
        CHECK(std::abs(sum) <= 8 * epsilon<T> * scale * static_cast<double>(n));
      }

    // --- the transposed matrix with the directions exchanged has the transposed gradient
    {
      L other = loss;
      if (loss.direction != rg::Direction::both)
        other.direction = loss.direction == rg::Direction::rows ? rg::Direction::columns : rg::Direction::rows;
      const test::Result<T> r = run(other, m.transposed());
      CHECK(std::abs(static_cast<double>(r.value - base.value)) <= 16 * epsilon<T> * term_size(loss, m));
      std::vector<T> back(n * n), back_curvature(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) back[i * n + j] = r.gradient[j * n + i], back_curvature[i * n + j] = r.curvature[j * n + i];
      test::check_close(back, base.gradient, 64, scale, "transposed gradient");
      test::check_close(back_curvature, base.curvature, 64, test::largest(base.curvature), "transposed curvature");
    }

    // --- the order of the samples does not matter
    {
      std::vector<std::uint32_t> order(n);
      std::iota(order.begin(), order.end(), 0u);
      rg::Random(5).shuffle(order.data(), n);
      OwnedMatrix<T> shuffled = m;
      for (std::size_t i = 0; i < n; ++i) {
        shuffled.ids[i] = m.ids[order[i]];
        shuffled.weights[i] = m.weights[order[i]];
        for (std::size_t j = 0; j < n; ++j) shuffled.at(i, j) = m.at(order[i], order[j]);
      }
      const test::Result<T> r = run(loss, shuffled);
      CHECK(std::abs(static_cast<double>(r.value - base.value)) <= 16 * epsilon<T> * term_size(loss, m));
      std::vector<T> back(n * n);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) back[order[i] * n + order[j]] = r.gradient[i * n + j];
      test::check_close(back, base.gradient, 64, scale, "permuted gradient");
    }

    // --- masking is deletion of the row and the column, whatever stands in them
    {
      OwnedMatrix<T> masked = m;
      for (std::size_t i = 0; i < n; ++i) masked.mask.push_back(i % 3 != 1);
      const OwnedMatrix<T> kept = masked.compacted();
      for (std::size_t i = 1; i < n; i += 3) {
        masked.weights[i] = std::numeric_limits<T>::quiet_NaN();
        for (std::size_t j = 0; j < n; ++j)
          masked.at(i, j) = masked.at(j, i) = j % 2 ? std::numeric_limits<T>::quiet_NaN() : std::numeric_limits<T>::infinity();
      }
      REQUIRE(rg::validate(masked.view()));
      const test::Result<T> a = run(loss, masked), b = run(loss, kept);
      CHECK(std::abs(static_cast<double>(a.value - b.value)) <= 16 * epsilon<T> * term_size(loss, kept));
      std::vector<T> present, present_curvature;
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          if (masked.mask[i] && masked.mask[j]) {
            present.push_back(a.gradient[i * n + j]);
            present_curvature.push_back(a.curvature[i * n + j]);
          } else {
            CHECK(a.gradient[i * n + j] == T(0));
            CHECK(a.curvature[i * n + j] == T(0));
          }
        }
      test::check_close(present, b.gradient, 64, scale, "masked gradient");
      test::check_close(present_curvature, b.curvature, 64, test::largest(b.curvature), "masked curvature");
      masked.mask.assign(n, 0);
      CHECK_FALSE(run(loss, masked).valid);
      CHECK(test::largest(run(loss, masked).gradient) == 0.0);
    }

    // --- weights: 1 is none, 0 takes a sample out as an anchor, the loss is their sum with the losses of the samples
    {
      OwnedMatrix<T> ones = m, none = m, weightless = m;
      std::fill(ones.weights.begin(), ones.weights.end(), T(1));
      none.weights.clear();
      std::fill(weightless.weights.begin(), weightless.weights.end(), T(0));
      CHECK(run(loss, ones).value == run(loss, none).value);
      CHECK(run(loss, ones).gradient == run(loss, none).gradient);
      CHECK_FALSE(run(loss, weightless).valid);
      CHECK(test::largest(run(loss, weightless).gradient) == 0.0);

      std::vector<T> losses(n, T(-1)), unweighted(n);
      rg::per_sample_losses(loss, m.view(), losses);
      rg::per_sample_losses(loss, weightless.view(), unweighted);
      CHECK(losses == unweighted);
      double sum = 0, weight = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += static_cast<double>(m.weights[i]) * static_cast<double>(losses[i]);
        weight += static_cast<double>(m.weights[i]);
      }
      if (loss.normalize == rg::Normalize::mean) sum /= weight;
      CHECK(static_cast<double>(base.value) == Approx(sum).epsilon(16 * epsilon<T>));
    }

    // --- nothing, one sample, one identity
    {
      CHECK_FALSE(run(loss, OwnedMatrix<T>{}).valid);
      OwnedMatrix<T> same = m;
      std::fill(same.ids.begin(), same.ids.end(), 42);
      CHECK_FALSE(run(loss, same).valid);
      CHECK(test::largest(run(loss, same).gradient) == 0.0);
      std::vector<T> losses(n, T(-1));
      rg::per_sample_losses(loss, same.view(), losses);
      CHECK(test::largest(losses) == 0.0);
    }

    // --- extremes stay finite and right
    for (const double spread : {1e4, 1e8, 1e30, 1e-30, 1e-42, 0.0}) {
      const OwnedMatrix<T> extreme = test::make_matrix(lanes + 3, 6, spread, 1.5).template as<T>();
      INFO("spread " << spread);
      const test::Result<T> r = run(loss, extreme);
      CHECK(rg::is_finite(r.value));
      for (const T g : r.gradient) CHECK(rg::is_finite(g));
      for (const T h : r.curvature) CHECK((rg::is_finite(h) && h >= T(0)));
      check_definition(loss, extreme, false);
    }

    // --- NaN shows in the value, wherever it stands, and only in the row and column that it is in
    for (const auto& [i, j] : {std::pair<std::size_t, std::size_t>{0, 0}, {1, n - 1}, {n - 1, 1}, {lanes, 0}}) {
      if constexpr (!has_margin<L>)
        if (i == j && !loss.self_pairs) continue;   // is no pair
      OwnedMatrix<T> broken = m;
      broken.at(i, j) = std::numeric_limits<T>::quiet_NaN();
      const test::Result<T> r = run(loss, broken);
      CHECK_FALSE(rg::is_finite(r.value));
      for (std::size_t a = 0; a < n; ++a)
        for (std::size_t b = 0; b < n; ++b)
          if (a != i && b != j) CHECK(rg::is_finite(r.gradient[a * n + b]));
    }

    // --- float against double
    if constexpr (sizeof(T) == 4) {
      const test::Result<double> wide = run(loss, m.template as<double>());
      CHECK(std::abs(static_cast<double>(base.value) - wide.value) <= 16 * epsilon<T> * term_size(loss, m));
      test::check_close(base.gradient, wide.gradient, 256, test::largest(wide.gradient), "float against double");
    }

    // --- mixtures
    {
      std::vector<T> gradient(n * n), expected;
      const T value = rg::value_and_gradient(rg::plus(rg::weighted(0.5, loss), loss), m.view(), gradient);
      CHECK(static_cast<double>(value) == Approx(1.5 * static_cast<double>(base.value)).epsilon(1e-6));
      CHECK(rg::value(0.5 * loss + loss, m.view()) == value);
      for (const T g : base.gradient) expected.push_back(T(1.5) * g);
      test::check_close(gradient, expected, 8, scale, "mixture");
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("every triplet loss has every property", "[properties]", rg::TripletLogSumExp, rg::HardestNegativeTriplet, rg::SumHingeTriplet,
                   rg::MultiSimilarity) {
  check_every_triplet_property<TestType, float>();
  if constexpr (test::in_both_types) check_every_triplet_property<TestType, double>();
}
