#include "properties/oracles/plackett_luce.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/plackett_luce/hessian_vector_product.hpp>

#include <limits>

namespace rg = rankgrad;

namespace {

const std::vector<double> scores{0.5, -1.0, 2.0, 0.25};
const std::vector<double> given_order{4, 3, 2, 1};
const std::vector<double> tied{1, 0, 2, 1};   // groups {2}, {0, 3}, {1}

struct Derivatives {
  double value;
  std::vector<double> gradient, curvature;
};
Derivatives derive(const rg::ListMle& loss, const std::vector<double>& s, const std::vector<double>& y, const std::vector<double>& w = {}) {
  Derivatives d{0, std::vector<double>(s.size()), std::vector<double>(s.size())};
  d.value = rg::value_gradient_and_curvature(loss, rg::ListView<double>{.scores = s, .labels = y, .weights = w}, d.gradient, d.curvature);
  return d;
}
void check_all(const std::vector<double>& got, const std::vector<double>& expected, double margin = 1e-11) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(margin).epsilon(1e-10));
}

/// -log of the probability that a list's tie groups come in label order, by adding up all orders within the groups.
double by_enumeration(const std::vector<double>& s, const std::vector<double>& y) {
  std::vector<std::size_t> order(s.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  long double total = 0;
  do {
    bool sorted = true;
    for (std::size_t k = 1; k < order.size(); ++k) sorted = sorted && y[order[k - 1]] >= y[order[k]];
    if (!sorted) continue;
    long double probability = 1;
    for (std::size_t k = 0; k < order.size(); ++k) {
      long double below = 0;
      for (std::size_t j = k; j < order.size(); ++j) below += expl(static_cast<long double>(s[order[j]]) - s[order[k]]);
      probability /= below;
    }
    total += probability;
  } while (std::next_permutation(order.begin(), order.end()));
  return static_cast<double>(-logl(total));
}

}  // namespace

TEST_CASE("ListMLE: golden values", "[plackett_luce]") {
  for (const auto ties : {rg::TargetTies::stable, rg::TargetTies::shuffled, rg::TargetTies::breslow, rg::TargetTies::efron, rg::TargetTies::exact}) {
    const auto d = derive({.ties = ties}, scores, given_order);
    CHECK(d.value == Approx(5.231268618170774).epsilon(1e-14));
    check_all(d.gradient, {-0.845765174716, -0.924895255686, 1.360471916984, 0.410188513418});
    check_all(d.curvature, {0.130446443954, 0.072264689784, 0.488888567812, 0.353671593417});
  }
  SECTION("p-ListMLE, as published and scaled") {
    const auto raw = derive({.position_weight = rg::PositionWeight::p_list_mle_raw()}, scores, given_order);
    CHECK(raw.value == Approx(22.850473547429157).epsilon(1e-14));
    check_all(raw.gradient, {-5.920356223011, -2.637028001995, 7.142440269981, 1.414943955024});
    check_all(raw.curvature, {0.913125107676, 0.349714419345, 2.068127729809, 1.231515610222});
    const auto scaled = derive({.position_weight = rg::PositionWeight::p_list_mle()}, scores, given_order);
    CHECK(scaled.value == Approx(raw.value / 8).epsilon(1e-15));
    const std::vector<double> own{7, 3, 1, 0};
    CHECK(derive({.position_weight = rg::PositionWeight::custom(own)}, scores, given_order).value == raw.value);
  }
  SECTION("1 + 1 / log2(1 + k) is ListMLE and its log2 form together") {
    const auto both = derive({.position_weight = rg::PositionWeight::one_plus_log2()}, scores, given_order);
    const auto one = derive({}, scores, given_order), log2 = derive({.position_weight = rg::PositionWeight::log2()}, scores, given_order);
    CHECK(both.value == Approx(one.value + log2.value).epsilon(1e-14));
    for (std::size_t i = 0; i < 4; ++i) CHECK(both.gradient[i] == Approx(one.gradient[i] + log2.gradient[i]).epsilon(1e-13));
  }
  SECTION("top-2") {
    const auto d = derive({.k = 2}, scores, given_order);
    CHECK(d.value == Approx(5.071044467732687).epsilon(1e-14));
    check_all(d.gradient, {-0.845765174716, -0.924895255686, 1.508519115016, 0.262141315387});
    CHECK(derive({.k = 3}, scores, given_order).value == Approx(5.231268618170774));   // the last place is certain
    double sum = 0;
    for (const double s : scores) sum += std::exp(s);
    CHECK(derive({.k = 1}, scores, given_order).value == Approx(std::log(sum) - 0.5));
  }
  SECTION("ties") {
    const auto breslow = derive({.ties = rg::TargetTies::breslow}, scores, tied);
    CHECK(breslow.value == Approx(2.007503371252082).epsilon(1e-14));
    check_all(breslow.gradient, {0.153270284911, 0.257329383367, -0.308767469258, -0.101832199019});
    const auto efron = derive({}, scores, tied);
    CHECK(efron.value == Approx(1.420028381719331).epsilon(1e-14));
    check_all(efron.gradient, {0.103178415127, 0.346432840563, -0.308767469258, -0.140843786432});
    CHECK(derive({.ties = rg::TargetTies::exact}, scores, tied).value == Approx(0.7169491667491843).epsilon(1e-14));
  }
}

TEST_CASE("ListMLE: spreads that overflow e^s are exact", "[plackett_luce]") {
  const std::vector<double> s{1000, -1000, 500, -500};
  for (const auto ties : {rg::TargetTies::stable, rg::TargetTies::efron, rg::TargetTies::exact}) {
    const auto d = derive({.ties = ties}, s, given_order);
    CHECK(d.value == 1500);
    if (ties == rg::TargetTies::exact) check_all(d.gradient, {0, -1, 1, 0}, 1e-200);   // e^-500 is not rounded away
    else CHECK(d.gradient == std::vector<double>{0, -1, 1, 0});
  }
  // 1e8 apart, tied in the middle: the group as a whole is 1e8 too low for what lies below it.
  const std::vector<double> far{0, -1e8, -1e8 + 1, 0}, labels{3, 2, 2, 1};
  CHECK(derive({.ties = rg::TargetTies::breslow}, far, labels).value == Approx(std::log(2) + 2e8 - 1).epsilon(1e-15));
  const auto exact = derive({.ties = rg::TargetTies::exact}, far, labels);
  // P = 2 e^(x1 + x2): every order of two exponentials that are far rarer than the rest.
  CHECK(exact.value == Approx(std::log(2) + 2e8 - 1 - std::log(2)).epsilon(1e-15));
  check_all(exact.gradient, {-0.5, -1, -1, 2.5}, 1e-9);
}

TEST_CASE("ListMLE: the narrow and the wide form of the scan agree", "[plackett_luce]") {
  for (const auto ties : {rg::TargetTies::stable, rg::TargetTies::breslow, rg::TargetTies::efron}) {
    for (const std::size_t n : {2u, 7u, 100u, 1000u}) {
      const auto list = test::make_list<double>(n, 8, {.spread = 2, .weights = true});
      auto s = list.scores, y = list.labels, w = list.weights;
      // One more item, 150 above everything and first in the target: it switches the form and adds nothing.
      const auto narrow = derive({.ties = ties}, s, y, w);
      s.push_back(200);
      y.push_back(9);
      w.push_back(1);
      const auto wide = derive({.ties = ties}, s, y, w);
      CHECK(wide.value == Approx(narrow.value).epsilon(1e-13));
      for (std::size_t i = 0; i < n; ++i) {
        CHECK(wide.gradient[i] == Approx(narrow.gradient[i]).margin(1e-12));
        CHECK(wide.curvature[i] == Approx(narrow.curvature[i]).margin(1e-12));
      }
      CHECK(std::abs(wide.gradient[n]) <= 1e-12);
    }
  }
}

TEST_CASE("ListMLE: exact ties are the sum over all orders", "[plackett_luce]") {
  double worst = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    for (const double spread : {0.3, 2., 6.}) {
      const auto list = test::make_list<double>(7, seed, {.spread = spread, .grades = 2 + seed % 2});
      const double expected = by_enumeration(list.scores, list.labels);
      const double value = derive({.ties = rg::TargetTies::exact}, list.scores, list.labels).value;
      worst = std::max(worst, std::abs(value / expected - 1));
    }
  }
  INFO("worst relative error " << worst);
  CHECK(worst < 1e-14);
  // Equal scores: any m of n items come first with probability 1 / C(n, m).
  for (const std::size_t m : {2u, 20u, 300u, 5000u}) {
    const std::size_t n = 2 * m + 1;
    std::vector<double> s(n, 0.25), y(n, 0);
    std::fill_n(y.begin(), m, 1);
    const double log_choose = std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(m) + 1) - std::lgamma(static_cast<double>(n - m) + 1);
    const auto d = derive({.ties = rg::TargetTies::exact}, s, y);
    CHECK(d.value == Approx(log_choose).epsilon(1e-13));
    double sum = 0, top = 0;
    for (std::size_t i = 0; i < n; ++i) sum += d.gradient[i], top += i < m ? d.gradient[i] : 0;
    CHECK(std::abs(sum) < 1e-9);
    // With rate e^x for each of the group, P = prod_{i = 1 .. m} i e^x / (i e^x + n - m); d(-log P)/dx at x = 0:
    double expected = 0;
    for (std::size_t i = 1; i <= m; ++i) expected -= static_cast<double>(n - m) / static_cast<double>(n - m + i);
    CHECK(top == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("ListMLE: which lists carry a signal", "[plackett_luce]") {
  const auto valid = [](const rg::ListMle& loss, const std::vector<double>& s, const std::vector<double>& y, const std::vector<double>& w = {}) {
    rg::Workspace workspace;
    std::vector<double> gradient(s.size());
    return loss.value_and_gradient(rg::ListView<double>{.scores = s, .labels = y, .weights = w}, rg::GradientSink<double>{gradient.data()}, workspace).valid;
  };
  CHECK_FALSE(valid({}, {}, {}));
  CHECK_FALSE(valid({}, {1}, {1}));
  CHECK(valid({}, {1, 2}, {1, 1}));
  CHECK_FALSE(valid({.ties = rg::TargetTies::exact}, {1, 2}, {1, 1}));
  CHECK_FALSE(valid({}, {1, 2}, {1, 0}, {0, 0}));
  CHECK_FALSE(valid({.ties = rg::TargetTies::exact}, {1, 2, 3}, {1, 0, 0}, {0, 1, 1}));
  const auto tie = derive({}, {1, -1}, {1, 1});   // efron pulls tied scores together
  CHECK(tie.gradient[0] > 0.3);
  CHECK(tie.gradient[0] == Approx(-tie.gradient[1]));
}

TEST_CASE("ListMLE: shuffled ties depend on the seed and the list, and average to the mean order", "[plackett_luce]") {
  const std::vector<double> s{0.3, -0.7, 1.1, 0.2}, y{1, 1, 0, 0};
  const auto value = [&](std::uint64_t seed, std::uint64_t index) {
    return rg::value(rg::ListMle{.ties = rg::TargetTies::shuffled, .seed = seed}, rg::ListView<double>{.scores = s, .labels = y, .index = index});
  };
  CHECK(value(1, 0) == value(1, 0));
  double mean = 0, expected = 0;
  constexpr int draws = 4000;
  for (int i = 0; i < draws; ++i) mean += value(7, static_cast<std::uint64_t>(i)) / draws;
  for (const auto& order : {std::vector<double>{4, 3, 2, 1}, {3, 4, 2, 1}, {4, 3, 1, 2}, {3, 4, 1, 2}})
    expected += derive({.ties = rg::TargetTies::stable}, s, order).value / 4;
  CHECK(mean == Approx(expected).epsilon(0.02));
}

TEST_CASE("ListMLE: Hessian-vector product", "[plackett_luce]") {
  rg::Workspace workspace;
  std::vector<double> product(4);
  const std::vector<double> v{1, 0, -1, 2};
  rg::hessian_vector_product(rg::ListMle{}, rg::ListView<double>{.scores = scores, .labels = given_order}, v, product, workspace);
  check_all(product, {0.200005752547, 0.031910586132, -1.245965534586, 1.014049195907});

  SECTION("against differences of the gradient, and on the diagonal") {
    double worst = 0;
    for (const auto ties : {rg::TargetTies::stable, rg::TargetTies::shuffled, rg::TargetTies::breslow, rg::TargetTies::efron}) {
      for (const double spread : {1.0, 90.0}) {
        const rg::ListMle loss{.temperature = 0.7, .k = 9, .ties = ties, .position_weight = rg::PositionWeight::log2(), .normalize = rg::Normalize::mean};
        const auto list = test::make_list<double>(17, 4, {.spread = spread, .grades = 4, .weights = true});
        const std::size_t n = list.size();
        const auto base = derive(loss, list.scores, list.labels, list.weights);
        const double scale = test::largest(base.curvature);
        for (std::size_t j = 0; j < n; ++j) {
          std::vector<double> unit(n), column(n);
          unit[j] = 1;
          rg::hessian_vector_product(loss, list.view(), unit, column, workspace);
          CHECK(column[j] == Approx(base.curvature[j]).margin(1e-14));
          auto up = list.scores, down = list.scores;
          const double h = 1e-4;
          up[j] += h, down[j] -= h;
          const auto above = derive(loss, up, list.labels, list.weights), below = derive(loss, down, list.labels, list.weights);
          for (std::size_t i = 0; i < n; ++i)
            worst = std::max(worst, std::abs(column[i] - (above.gradient[i] - below.gradient[i]) / (2 * h)) / std::max(scale, 0.01));
        }
        std::vector<double> ones(n, 1), nothing(n);
        rg::hessian_vector_product(loss, list.view(), ones, nothing, workspace);
        CHECK(test::largest(nothing) < 1e-14);
      }
    }
    INFO("worst " << worst);
    CHECK(worst < 1e-7);
  }
  SECTION("a mask is a deletion") {
    const std::vector<double> s{0.5, 9, -1.0, 2.0, 0.25}, y{4, 7, 3, 2, 1}, w{1, std::nan(""), 0, -1, 2};
    const std::vector<double> u{1, std::nan(""), 0, -1, 2};
    const std::vector<std::uint8_t> mask{1, 0, 1, 1, 1};
    std::vector<double> masked(5, 3);
    rg::hessian_vector_product(rg::ListMle{}, rg::ListView<double>{.scores = s, .labels = y, .mask = mask}, u, masked, workspace);
    CHECK(masked == std::vector<double>{product[0], 0, product[1], product[2], product[3]});
  }
  SECTION("exact ties are refused") {
    CHECK_THROWS(rg::hessian_vector_product(rg::ListMle{.ties = rg::TargetTies::exact},
                                            rg::ListView<double>{.scores = scores, .labels = tied}, v, product, workspace));
  }
}

TEST_CASE("ListMLE: parameters", "[plackett_luce]") {
  CHECK_FALSE(rg::ListMle{.temperature = 0}.check());
  CHECK_FALSE(rg::ListMle{.position_weight = rg::PositionWeight::exponential(0)}.check());
  const std::vector<double> negative{1, -1};
  CHECK_FALSE(rg::ListMle{.position_weight = rg::PositionWeight::custom(negative)}.check());
  CHECK(rg::ListMle{.position_weight = rg::PositionWeight::exponential(3)}.check());
}

TEST_CASE("ListMLE: raw position weights refuse a list too long for them before anything is written", "[plackett_luce]") {
  const rg::ListMle raw{.position_weight = rg::PositionWeight::p_list_mle_raw()};
  const std::vector<float> items(160, 1.f);
  std::vector<float> gradient(121, 7.f), all(160, 7.f);
  const auto part = std::span<const float>(items).first(121);
  std::vector<std::uint8_t> mask(121, std::uint8_t{1});
  rg::ListView<float> list{.scores = part, .labels = part, .mask = mask};
  CHECK_THROWS_WITH(rg::value_and_gradient(raw, list, gradient), contains("list 0 has 121 items; 2^(n-k) - 1 overflows beyond 120"));
  CHECK_THROWS_WITH(rg::value_and_gradient(0.5 * raw + rg::ListMle{}, list, gradient), contains("list 0 has 121 items"));
  CHECK(gradient == std::vector<float>(121, 7.f));
  mask[17] = 0;   // what is masked does not count
  CHECK_NOTHROW(rg::value_and_gradient(raw, list, gradient));

  const std::vector<std::uint32_t> offsets{0, 20, 20, 160};
  const rg::RaggedBatch<float> batch{.scores = items, .labels = items, .offsets = offsets};
  const rg::exec::Threads pool(2);
  rg::BatchEvaluator<float> evaluate;
  CHECK_THROWS_WITH(evaluate(raw, batch, all, rg::Reduction::mean, pool), contains("list 2 has 140 items"));
  CHECK(all == std::vector<float>(160, 7.f));
  // Offsets that are wrong themselves are named as such.
  const std::vector<std::uint32_t> falling{0, 20, 10, 160}, beyond{0, 20, 161, 160};
  CHECK_THROWS_WITH(evaluate(raw, rg::RaggedBatch<float>{.scores = items, .labels = items, .offsets = falling}, all), contains("offsets[2] is 10"));
  CHECK_THROWS_WITH(evaluate(raw, rg::RaggedBatch<float>{.scores = items, .labels = items, .offsets = beyond}, all), contains("offsets[3] is 160"));
  const std::vector<double> wide(500, 1.0);
  std::vector<double> slopes(500);
  CHECK_NOTHROW(rg::value_and_gradient(raw, rg::ListView<double>{.scores = wide, .labels = wide}, slopes));
}

TEST_CASE("ListMLE: NaN below the cut-off shows, too", "[plackett_luce]") {
  for (std::size_t where = 0; where < 40; ++where) {
    auto list = test::make_list<double>(40, 3);
    list.scores[where] = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(rg::value(rg::ListMle{.k = 3}, list.view())));
  }
}

TEST_CASE("ListMLE: a value that is small beside the length of its list keeps its digits", "[plackett_luce]") {
  for (const double gap : {0.5, 5.0, 20.0, 45.0}) {
    const std::vector<double> apart{2 * gap, gap, 0}, falling{2, 1, 0};
    const long double g = static_cast<long double>(gap);
    const long double expected = std::log1p(std::exp(-g) + std::exp(-2 * g)) + std::log1p(std::exp(-g));
    CHECK(rg::value(rg::ListMle{}, rg::ListView<double>{.scores = apart, .labels = falling}) ==
          Approx(static_cast<double>(expected)).epsilon(1e-14));
  }
}
