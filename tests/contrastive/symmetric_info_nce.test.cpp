#include <rankgrad/contrastive/symmetric_info_nce.hpp>

#include "properties/oracles/triplet.hpp"
#include "support/catch.hpp"

#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/core/combinators.hpp>

namespace rg = rankgrad;
using test::OwnedMatrix;

namespace {

/// The definition: every anchor against its candidates, literally.
long double defined(const rg::SymmetricInfoNce& loss, const OwnedMatrix<double>& m, const std::vector<long double>& similarity) {
  const std::size_t n = m.size();
  const auto present = [&](std::size_t i) { return m.mask.empty() || m.mask[i]; };
  long double value = 0, total = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!present(i)) continue;
    const long double w = m.weights.empty() ? 1.0 : m.weights[i];
    total += w;
    for (const bool column : {false, true}) {
      if (loss.direction == (column ? rg::Direction::rows : rg::Direction::columns)) continue;
      long double sum = 0, positives = 0, candidates = 0, pull = 0, all = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const bool same = m.ids[i] == m.ids[j];
        if (!present(j) || (loss.same_id == rg::SameId::left_out && same && i != j)) continue;
        const long double x = similarity[column ? j * n + i : i * n + j] / loss.temperature;
        sum += expl(x), all += x, ++candidates;
        if (same) pull += x, ++positives;
      }
      value += w * (logl(sum) - (1 - loss.smoothing) * pull / positives - loss.smoothing * all / candidates);
    }
  }
  if (loss.direction == rg::Direction::both && loss.average_directions) value /= 2;
  return loss.normalize == rg::Normalize::mean ? value / total : value;
}

template <class T>
test::Result<T> run(const rg::SymmetricInfoNce& loss, const OwnedMatrix<T>& m) {
  test::Result<T> r{T(0), false, std::vector<T>(m.similarity.size()), std::vector<T>(m.similarity.size())};
  rg::Workspace workspace;
  const auto part = rg::evaluate_view(loss, m.view(), rg::GradientSink<T>{r.gradient.data(), r.curvature.data()}, workspace);
  r.value = part.value, r.valid = part.valid;
  return r;
}

const std::vector<rg::SymmetricInfoNce> settings{{},
                                                 {.temperature = 0.3, .smoothing = 0, .direction = rg::Direction::rows},
                                                 {.temperature = 0.2, .direction = rg::Direction::columns, .normalize = rg::Normalize::sum},
                                                 {.temperature = 0.5, .same_id = rg::SameId::left_out, .average_directions = false}};
}  // namespace

TEMPLATE_TEST_CASE("symmetric InfoNCE is its definition, its gradient and its curvature too", "[contrastive]", float, double) {
  using T = TestType;
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const rg::SymmetricInfoNce& loss : settings)
    for (const std::size_t n : {std::size_t{2}, std::size_t{3}, std::size_t{8}, std::size_t{19}}) {
      const auto m = test::make_matrix(n, 5, 0.3, 1.3, n > 3);
      const auto got = run(loss, m.as<T>());
      if (!got.valid) continue;   // all of one id
      std::vector<long double> wide(m.similarity.begin(), m.similarity.end());
      INFO("n = " << n << ", temperature " << loss.temperature);
      CHECK(static_cast<double>(got.value) == Approx(static_cast<double>(defined(loss, m, wide))).epsilon(64 * epsilon));
      const double top = test::largest(got.gradient), bend = test::largest(got.curvature);
      for (std::size_t k = 0; k < n * n; ++k) {
        const long double rest = wide[k], h = 1e-3L;
        const auto f = [&](int steps) {
          wide[k] = rest + steps * h;
          const long double v = defined(loss, m, wide);
          wide[k] = rest;
          return v;
        };
        const long double slope = (45 * (f(1) - f(-1)) - 9 * (f(2) - f(-2)) + (f(3) - f(-3))) / (60 * h);
        const long double curve = (270 * (f(1) + f(-1) - 2 * f(0)) - 27 * (f(2) + f(-2) - 2 * f(0)) + 2 * (f(3) + f(-3) - 2 * f(0))) / (180 * h * h);
        CHECK(std::abs(static_cast<double>(got.gradient[k]) - static_cast<double>(slope)) <= 128 * epsilon * top + 1e-9);
        CHECK(std::abs(static_cast<double>(got.curvature[k]) - static_cast<double>(curve)) <= 128 * epsilon * bend + 1e-6);
      }
    }
}

TEST_CASE("symmetric InfoNCE by hand", "[contrastive]") {
  // Rows: probabilities 1/4 3/4, 1/2 1/2; columns: 1/3 2/3 downwards of (1, 2), 3/5 2/5 of (3, 2). All in units of tau.
  const double tau = 0.07;
  const std::vector<double> s{0, tau * std::log(3.0), tau * std::log(2.0), tau * std::log(2.0)};
  const std::vector<std::int64_t> ids{5, -5};
  const rg::SimilarityView<double> view{.similarity = s, .ids = ids};
  std::vector<double> gradient(4);
  const rg::SymmetricInfoNce loss{.smoothing = 0};
  CHECK(rg::value_and_gradient(loss, view, gradient) == Approx((std::log(4) + std::log(2) + std::log(3) + std::log(2.5)) / 4));
  CHECK(gradient[0] == Approx((-3 / 4.0 - 2 / 3.0) / (4 * tau)));
  CHECK(gradient[1] == Approx((3 / 4.0 + 3 / 5.0) / (4 * tau)));
  CHECK(gradient[2] == Approx((1 / 2.0 + 2 / 3.0) / (4 * tau)));
  CHECK(gradient[3] == Approx((-1 / 2.0 - 3 / 5.0) / (4 * tau)));
}

TEST_CASE("the gradient of a learned scale", "[contrastive]") {
  const auto m = test::make_matrix(11, 6);
  std::vector<double> gradient(121);
  const auto at = [&](double theta) { return rg::value(rg::SymmetricInfoNce{.temperature = std::exp(-theta)}, m.view()); };
  const double theta = std::log(1 / 0.07), h = 1e-3;
  rg::value_and_gradient(rg::SymmetricInfoNce{}, m.view(), gradient);
  CHECK(rg::log_scale_gradient<double>(m.similarity, gradient) ==
        Approx((8 * (at(theta + h) - at(theta - h)) - (at(theta + 2 * h) - at(theta - 2 * h))) / (12 * h)).epsilon(1e-8));
}

TEST_CASE("symmetric InfoNCE: a mask is deletion, whatever stands in the absent places", "[contrastive]") {
  for (const rg::SymmetricInfoNce& loss : settings) {
    auto m = test::make_matrix(23, 8, 0.2, 1.5, true);
    for (std::size_t i = 0; i < 23; ++i) m.mask.push_back(i % 4 != 2);
    for (std::size_t i = 0; i < 23; ++i)
      for (std::size_t j = 0; j < 23; ++j)
        if (!m.mask[i] || !m.mask[j]) m.at(i, j) = (i + j) % 2 ? std::numeric_limits<double>::quiet_NaN() : 1e30;
    const auto kept = m.compacted();
    const auto a = run(loss, m), b = run(loss, kept);
    CHECK(a.value == Approx(b.value));
    std::size_t k = 0;
    for (std::size_t i = 0; i < 23; ++i)
      for (std::size_t j = 0; j < 23; ++j) {
        const bool present = m.mask[i] && m.mask[j];
        CHECK(a.gradient[i * 23 + j] == Approx(present ? b.gradient[k] : 0.0).margin(1e-14));
        CHECK(a.curvature[i * 23 + j] == Approx(present ? b.curvature[k] : 0.0).margin(1e-12));
        k += present;
      }
  }
}

TEST_CASE("symmetric InfoNCE: extremes, NaN, no signal, the sink", "[contrastive]") {
  auto m = test::make_matrix(9, 3, 1e4).as<float>();
  const auto far = run(rg::SymmetricInfoNce{}, m);
  CHECK(rg::is_finite(far.value));
  for (const float g : far.gradient) CHECK(rg::is_finite(g));
  m.at(2, 3) = std::numeric_limits<float>::quiet_NaN();
  for (const auto direction : {rg::Direction::rows, rg::Direction::columns, rg::Direction::both})
    CHECK_FALSE(rg::is_finite(run(rg::SymmetricInfoNce{.direction = direction}, m).value));

  auto one_id = test::make_matrix(5, 3);
  one_id.ids.assign(5, 7);
  CHECK_FALSE(run(rg::SymmetricInfoNce{}, one_id).valid);
  CHECK_FALSE(run(rg::SymmetricInfoNce{}, OwnedMatrix<double>{}).valid);
  auto weightless = test::make_matrix(5, 3);
  weightless.weights.assign(5, 0.0);
  CHECK_FALSE(run(rg::SymmetricInfoNce{}, weightless).valid);

  const auto some = test::make_matrix(13, 4);
  const auto base = run(rg::SymmetricInfoNce{}, some);
  std::vector<double> gradient(169, 1.0), curvature(169, 2.0);
  rg::Workspace workspace;
  const auto add = [&] { return rg::SymmetricInfoNce{}.value_and_gradient(some.view(), rg::GradientSink<double>{gradient.data(), curvature.data(), 0.5}, workspace); };
  add();
  for (std::size_t k = 0; k < 169; ++k) {
    CHECK(gradient[k] == Approx(1 + base.gradient[k] / 2));
    CHECK(curvature[k] == Approx(2 + base.curvature[k] / 2));
  }
  const std::size_t warm = workspace.growths();
  add();
  CHECK(workspace.growths() == warm);
  CHECK(rg::value(0.5 * rg::SymmetricInfoNce{} + rg::SymmetricInfoNce{}, some.view()) == Approx(1.5 * base.value));
}

TEST_CASE("grouped InfoNCE: rows are lists, columns are the queries of a positive", "[contrastive]") {
  constexpr std::size_t queries = 5, group = 3, documents = queries * group;
  rg::Random random(4);
  std::vector<double> s(queries * documents), weights;
  for (double& v : s) v = 0.1 * random.normal();
  for (std::size_t i = 0; i < queries; ++i) weights.push_back(0.5 + random.uniform());
  for (const bool weighted : {false, true})
    for (const bool both : {false, true}) {
      const rg::GroupedSimilarityView<double> view{.similarity = s, .queries = queries, .group = group,
                                                   .weights = weighted ? std::span<const double>(weights) : std::span<const double>{}};
      double expected = 0, total = 0;
      std::vector<double> slopes(s.size(), 0.0), bends(s.size(), 0.0), gradient(s.size()), curvature(s.size());
      for (std::size_t i = 0; i < queries; ++i) total += view.weight(i);
      for (std::size_t i = 0; i < queries; ++i) {
        const auto add = [&](std::size_t n, auto entry, std::size_t positive) {
          std::vector<double> scores(n), labels(n, 0.0), g(n), h(n);
          for (std::size_t k = 0; k < n; ++k) scores[k] = s[entry(k)];
          labels[positive] = 1;
          const double w = view.weight(i) / total;
          expected += w * rg::value_gradient_and_curvature(rg::InfoNce{.temperature = 0.02},
                                                           rg::ListView<double>{.scores = scores, .labels = labels}, g, h);
          for (std::size_t k = 0; k < n; ++k) slopes[entry(k)] += w * g[k], bends[entry(k)] += w * h[k];
        };
        add(documents, [&](std::size_t c) { return i * documents + c; }, i * group);
        if (both) add(queries, [&](std::size_t k) { return k * documents + i * group; }, i);
      }
      const double value = rg::value_gradient_and_curvature(rg::GroupedInfoNce{.bidirectional = both}, view, gradient, curvature);
      CHECK(value == Approx(expected));
      for (std::size_t k = 0; k < s.size(); ++k) {
        CHECK(gradient[k] == Approx(slopes[k]).margin(1e-12));
        CHECK(curvature[k] == Approx(bends[k]).margin(1e-10));
      }
    }
}

TEST_CASE("grouped InfoNCE: no number is above that of the queries, however large the groups", "[contrastive]") {
  std::vector<float> queries(3), documents(12);
  rg::contrastive::number_groups(3, 4, queries.data(), documents.data());
  CHECK(queries == std::vector<float>{0, 1, 2});
  CHECK(documents == std::vector<float>{0, 3, 3, 3, 1, 3, 3, 3, 2, 3, 3, 3});
}

TEST_CASE("grouped InfoNCE: the contract and the smallest batches", "[contrastive]") {
  const std::vector<double> s{1, 2, 3, 4};
  std::vector<double> gradient(4);
  const rg::GroupedSimilarityView<double> view{.similarity = s, .queries = 1, .group = 4};
  CHECK(rg::value_and_gradient(rg::GroupedInfoNce{.temperature = 1, .bidirectional = true}, view, gradient) ==
        Approx(std::log(1 + std::exp(1.0) + std::exp(2.0) + std::exp(3.0))));   // the one query is alone in its column: 0
  CHECK(rg::value(rg::GroupedInfoNce{}, rg::GroupedSimilarityView<double>{}) == 0.0);
  CHECK(rg::value(rg::GroupedInfoNce{}, rg::GroupedSimilarityView<double>{.similarity = std::span(s).first(1), .queries = 1}) == 0.0);
  CHECK_THAT(rg::validate(rg::GroupedSimilarityView<double>{.similarity = s, .queries = 2, .group = 2}).message(), contains("similarity has 4 elements where 8"));
  CHECK_THAT(rg::validate(rg::GroupedSimilarityView<double>{.queries = 0, .group = 0}).message(), contains("group is 0"));
  CHECK_THROWS_AS(rg::value(rg::GroupedInfoNce{.temperature = -1}, view), std::invalid_argument);
  CHECK_THROWS_AS(rg::value(rg::GroupedInfoNce{.smoothing = 1}, view), std::invalid_argument);
}
