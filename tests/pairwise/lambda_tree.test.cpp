// LambdaRank's paths against the literal definition in long double: every path forced, every shape of scores.
#include "support/catch.hpp"
#include "support/derivatives.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

namespace rg = rankgrad;
namespace tree = rankgrad::pairwise::lambda_tree;

namespace {

using test::check_against;
using test::Result;
using Reference = test::Defined;

/// Ranks as the loss finds them are part of the definition where scores are tied and the policy is not `stable`.
template <class T>
Reference definition(const rg::LambdaRank& loss, const rg::ListView<T>& list) {
  const std::size_t n = list.size(), top = loss.k ? std::min(loss.k, n) : n;
  std::vector<std::uint32_t> order(n);
  rg::Workspace workspace;
  rg::rank_order(list, loss.ties, loss.seed, order.data(), workspace);
  const auto discount = [&](std::size_t place) {
    const long double rank = 1 + static_cast<long double>(place);
    return place >= top ? 0.0L : loss.discount == rg::Discount::log2 ? 1 / std::log2(1 + rank) : 1 / rank;
  };
  std::vector<long double> d(n), g(n);
  for (std::size_t r = 0; r < n; ++r) d[order[r]] = discount(r);
  for (std::size_t i = 0; i < n; ++i)
    g[i] = loss.gain == rg::Gain::linear ? static_cast<long double>(list.labels[i]) : std::exp2(static_cast<long double>(list.labels[i])) - 1;
  std::vector<long double> sorted = g;
  std::sort(sorted.rbegin(), sorted.rend());
  long double ideal = 0, weight = 0;
  for (std::size_t r = 0; r < n; ++r) ideal += sorted[r] * discount(r);
  Reference out;
  out.gradient.assign(n, 0);
  out.curvature.assign(n, 0);
  const long double sigma = loss.sigma;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (!(list.labels[i] > list.labels[j])) continue;
      const long double w = static_cast<long double>(list.weight(i)) * static_cast<long double>(list.weight(j));
      const long double omega = w * std::abs(g[i] - g[j]) * std::abs(d[i] - d[j]) / ideal;
      const long double x = sigma * (static_cast<long double>(list.scores[i]) - static_cast<long double>(list.scores[j]));
      const long double e = std::exp(-std::abs(x)), wrong = (x >= 0 ? e : 1.0L) / (1 + e), bend = e / ((1 + e) * (1 + e));
      weight += w;
      out.value += omega * (std::max(-x, 0.0L) + std::log1p(e));
      out.gradient[i] -= omega * sigma * wrong;
      out.gradient[j] += omega * sigma * wrong;
      out.curvature[i] += omega * sigma * sigma * bend;
      out.curvature[j] += omega * sigma * sigma * bend;
    }
  const long double factor = loss.normalize == rg::Normalize::mean ? 1 / weight : 1.0L;
  out.value *= factor;
  for (std::size_t i = 0; i < n; ++i) {
    out.gradient[i] *= factor;
    out.curvature[i] *= factor;
  }
  return out;
}

template <class T>
Result<T> run(const rg::LambdaRank& loss, tree::Path path, const rg::ListView<T>& list, bool with_curvature = true) {
  return test::result_of<T>(list.size(), with_curvature, [&](const rg::GradientSink<T>& out, rg::Workspace& workspace) {
    return tree::evaluate(loss, path, list, out, workspace);
  });
}

enum class Shape { spread, half_integers, class_offset, separated, inverted, large_offset, all_equal, clusters, geometric };
constexpr Shape shapes[] = {Shape::spread,   Shape::half_integers, Shape::class_offset, Shape::separated, Shape::inverted,
                            Shape::large_offset, Shape::all_equal, Shape::clusters, Shape::geometric};

/// A list of one shape; grades as skewed as judgements are.
template <class T>
test::OwnedList<T> make_shape(Shape shape, std::size_t n, double spread, bool weights, std::uint64_t seed) {
  rg::Random random(seed, n);
  test::OwnedList<T> list;
  for (std::size_t i = 0; i < n; ++i) {
    const auto u = random.below(100);
    const double y = u < 50 ? 0 : u < 75 ? 1 : u < 90 ? 2 : u < 97 ? 3 : 4, z = spread * random.normal();
    double s = z + 0.4 * spread * y;
    if (shape == Shape::half_integers) s = std::round(2 * s) / 2;
    if (shape == Shape::class_offset) s = z + (y > 2 ? 20 : 0);
    if (shape == Shape::separated) s = z + 20 * y;
    if (shape == Shape::inverted) s = z - 20 * y;
    if (shape == Shape::large_offset) s += 1e5;
    if (shape == Shape::all_equal) s = -0.75;
    if (shape == Shape::clusters) s = std::round(s / 0.01) * 0.01 + 1e-7 * random.normal();
    if (shape == Shape::geometric) s = std::exp2(static_cast<double>(random.below(60)) - 30.0) * (random.below(2) ? 1 : -1);
    list.scores.push_back(static_cast<T>(s));
    list.labels.push_back(static_cast<T>(y));
    if (weights) list.weights.push_back(static_cast<T>(0.25) * static_cast<T>(random.below(5)));
  }
  return list;
}

}  // namespace

TEMPLATE_TEST_CASE("LambdaRank: tree and direct pairs against the definition", "[pairwise][lambda_tree][long]", float, double) {
  using T = TestType;
  const long double tolerance = sizeof(T) == 4 ? 1e-6L : 1e-11L;
  const rg::LambdaRank losses[] = {{}, {.sigma = 0.7, .gain = rg::Gain::linear, .discount = rg::Discount::reciprocal, .normalize = rg::Normalize::mean}, {.sigma = 3, .k = 20}};
  for (const Shape shape : shapes)
    for (const double spread : {1e-3, 0.05, 1.0, 5.0, 100.0})
      for (const std::size_t n : {17u, 128u, 700u})
        for (std::size_t which = 0; which < 3; ++which) {
          if (spread != 1.0 && (shape == Shape::all_equal || shape == Shape::geometric)) continue;
          const auto list = make_shape<T>(shape, n, spread, which == 1, 11 * n + which);
          INFO("shape " << static_cast<int>(shape) << ", spread " << spread << ", n " << n << ", loss " << which);
          const Reference expected = definition(losses[which], list.view());
          if (expected.top_curvature() < 1e-25L) continue;   // underflow of a float, by definition
          check_against(expected, run<T>(losses[which], tree::Path::tree, list.view()), tolerance);
          const auto [low, high] = std::minmax_element(list.scores.begin(), list.scores.end());
          if (losses[which].sigma * static_cast<double>(*high - *low) <= 2 * tree::reach<T>)
            check_against(expected, run<T>(losses[which], tree::Path::direct, list.view()), tolerance);
        }
}

TEMPLATE_TEST_CASE("LambdaRank: a long list on the path it takes", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  for (const std::size_t n : {2000u, 4096u}) {
    const auto list = make_shape<T>(Shape::spread, n, 1.5, n == 2000u, n);
    check_against(definition(rg::LambdaRank{}, list.view()), run<T>(rg::LambdaRank{}, tree::Path::automatic, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
  }
}

TEMPLATE_TEST_CASE("LambdaRank: the tree around one and two packs, bins, and leaves", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  for (std::size_t n = 2; n < 70; ++n) {
    auto list = make_shape<T>(Shape::spread, n, 1, true, n);
    list.labels[0] = T(4), list.labels[1] = T(0);
    list.weights[0] = list.weights[1] = T(1);
    INFO("n " << n);
    check_against(definition(rg::LambdaRank{}, list.view()), run<T>(rg::LambdaRank{}, tree::Path::tree, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
  }
  for (const std::size_t n : {95u, 96u, 97u, 98u, 193u}) {   // a leaf, and one item more, too wide to be swept
    const auto list = make_shape<T>(Shape::spread, n, 0.2, false, n);
    check_against(definition(rg::LambdaRank{}, list.view()), run<T>(rg::LambdaRank{}, tree::Path::tree, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
  }
}

TEMPLATE_TEST_CASE("LambdaRank: how many grades", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  const rg::LambdaRank loss{.gain = rg::Gain::linear};
  for (const std::size_t grades : {2u, 3u, 8u, 9u, 16u, 32u, 33u, 400u}) {   // beyond 32 the tree hands over to pairs
    auto list = test::make_list<T>(400, grades, {.spread = 2, .grades = grades});
    for (T& label : list.labels) label = label * T(0.75) + T(0.25);   // not whole
    INFO("grades " << grades);
    const auto expected = definition(loss, list.view());
    for (const auto path : {tree::Path::tree, tree::Path::automatic, tree::Path::direct}) check_against(expected, run<T>(loss, path, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
  }
}

TEST_CASE("LambdaRank: ties are ranked as asked on every path", "[pairwise][lambda_tree]") {
  const auto list = make_shape<double>(Shape::half_integers, 500, 1, false, 3);
  for (const auto ties : {rg::Ties::stable, rg::Ties::optimistic, rg::Ties::pessimistic, rg::Ties::shuffled}) {
    const rg::LambdaRank loss{.ties = ties, .seed = 5};
    const auto expected = definition(loss, list.view());
    for (const auto path : {tree::Path::tree, tree::Path::direct, tree::Path::engine}) check_against(expected, run<double>(loss, path, list.view()), 1e-11L);
  }
}

TEMPLATE_TEST_CASE("LambdaRank: a hundred thousand equal scores", "[pairwise][lambda_tree]", float, double) {
  // log 2 of weight and slopes of 1/2: everything follows from sums over ranks.
  using T = TestType;
  constexpr std::size_t n = 100000;
  auto list = make_shape<T>(Shape::all_equal, n, 1, false, 9);
  std::vector<long double> d(n), gain(n);
  std::size_t size[5] = {};
  for (std::size_t i = 0; i < n; ++i) {
    d[i] = 1 / std::log2(2 + static_cast<long double>(i));
    gain[i] = std::exp2(static_cast<long double>(list.labels[i])) - 1;
    ++size[static_cast<std::size_t>(list.labels[i])];
  }
  long double ideal = 0;
  for (std::size_t g = 5, r = 0; g-- > 0;)
    for (std::size_t i = 0; i < size[g]; ++i) ideal += (std::exp2(static_cast<long double>(g)) - 1) * d[r++];
  long double count[5] = {}, sum[5] = {}, value = 0, all = 0, all_d = 0, all_g = 0, all_gd = 0, top = 0;
  std::vector<long double> slope(n);
  for (const int direction : {1, -1}) {   // sums over the items above, then over those below
    all = all_d = all_g = all_gd = 0;
    for (std::size_t step = 0; step < n; ++step) {
      const std::size_t i = direction == 1 ? step : n - 1 - step, own = static_cast<std::size_t>(list.labels[i]);
      if (direction == 1)
        for (std::size_t g = 0; g < 5; ++g) value += std::abs(gain[i] - (std::exp2(static_cast<long double>(g)) - 1)) * (sum[g] - count[g] * d[i]);
      slope[i] += direction * 0.5L * (all_gd - gain[i] * all_d - d[i] * all_g + gain[i] * d[i] * all);
      all += 1, all_d += d[i], all_g += gain[i], all_gd += gain[i] * d[i];
      if (direction == 1) count[own] += 1, sum[own] += d[i];
    }
  }
  for (const long double x : slope) top = std::max(top, std::abs(x));
  const auto r = run<T>(rg::LambdaRank{}, tree::Path::automatic, list.view());
  const long double tolerance = sizeof(T) == 4 ? 2e-7L : 1e-11L;
  CHECK(std::abs(static_cast<long double>(r.value) - value * std::log(2.0L) / ideal) <= tolerance * value * std::log(2.0L) / ideal);
  long double worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(static_cast<long double>(r.gradient[i]) - slope[i] / ideal));
  CHECK(worst <= tolerance * top / ideal);
}

TEMPLATE_TEST_CASE("LambdaRank: only the pairs that touch the first k ranks", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  for (const Shape shape : shapes)
    for (const std::size_t n : {2u, 40u, 600u})
      for (const std::size_t k : {1u, 10u, 150u}) {
        auto list = make_shape<T>(shape, n, 2, k == 10, n + k);
        list.labels[0] = T(3), list.labels[1] = T(0);
        if (k == 10) list.weights[0] = list.weights[1] = T(1);
        const rg::LambdaRank loss{.sigma = 1.3, .k = k, .normalize = n == 40 ? rg::Normalize::mean : rg::Normalize::sum};
        INFO("shape " << static_cast<int>(shape) << ", n " << n << ", k " << k);
        const auto expected = definition(loss, list.view());
        if (expected.top_curvature() < 1e-25L) continue;
        check_against(expected, run<T>(loss, tree::Path::top, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
        check_against(expected, run<T>(loss, tree::Path::tree, list.view()), sizeof(T) == 4 ? 1e-6L : 1e-11L);
      }
}

TEST_CASE("LambdaRank: signed zeros are one score", "[pairwise][lambda_tree]") {
  auto list = make_shape<float>(Shape::all_equal, 300, 1, false, 4), mixed = list;
  for (std::size_t i = 0; i < 300; ++i) {
    list.scores[i] = 0.0f;
    mixed.scores[i] = i % 3 ? 0.0f : -0.0f;
  }
  CHECK(run<float>({}, tree::Path::tree, mixed.view()).gradient == run<float>({}, tree::Path::tree, list.view()).gradient);
}

TEMPLATE_TEST_CASE("LambdaRank: a score that is not a number shows, whatever the path", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  for (const auto path : {tree::Path::automatic, tree::Path::tree, tree::Path::direct})
    for (const std::size_t where : {0u, 7u, 999u}) {
      auto list = make_shape<T>(Shape::spread, 1000, 1, false, 5);
      list.scores[where] = std::numeric_limits<T>::quiet_NaN();
      CHECK(std::isnan(run<T>({}, path, list.view()).value));
    }
}

TEMPLATE_TEST_CASE("LambdaRank: scores at the ends of their type", "[pairwise][lambda_tree]", float, double) {
  using T = TestType;
  auto list = make_shape<T>(Shape::spread, 800, 1, false, 6);
  for (T& s : list.scores) s *= T(1e8);   // every item in a bin of its own
  auto expected = definition(rg::LambdaRank{}, list.view());
  const auto r = run<T>({}, tree::Path::automatic, list.view());
  CHECK(static_cast<long double>(r.value) == Approx(static_cast<double>(expected.value)).epsilon(1e-6));
  for (T& s : list.scores) s *= std::numeric_limits<T>::max() / T(1e10);
  const auto extreme = run<T>({}, tree::Path::tree, list.view());
  CHECK(extreme.valid);
  for (const T g : extreme.gradient) CHECK(std::isfinite(g));
}

TEST_CASE("LambdaRank: no signal on any path", "[pairwise][lambda_tree]") {
  auto list = make_shape<double>(Shape::spread, 300, 1, true, 7);
  for (const auto path : {tree::Path::tree, tree::Path::direct, tree::Path::engine}) {
    auto flat = list, weightless = list, worthless = list;
    for (std::size_t i = 0; i < 300; ++i) {
      flat.labels[i] = 2;
      if (list.labels[i] > 0) weightless.weights[i] = 0;
      worthless.labels[i] = -1 - list.labels[i];
    }
    CHECK_FALSE(run<double>({}, path, flat.view()).valid);
    CHECK_FALSE(run<double>({}, path, weightless.view()).valid);
    CHECK_FALSE(run<double>({.gain = rg::Gain::linear}, path, worthless.view()).valid);
    CHECK(run<double>({}, path, weightless.view()).gradient == std::vector<double>(300, 0.0));
    CHECK_FALSE(run<double>({}, path, rg::ListView<double>{}).valid);
  }
}

TEST_CASE("LambdaRank: the tree adds, scales, repeats to the bit and stops allocating", "[pairwise][lambda_tree]") {
  const auto list = make_shape<float>(Shape::spread, 3000, 2, true, 8);
  test::check_sink<float>(3000, [&](const rg::GradientSink<float>& out, rg::Workspace& workspace) {
    return tree::evaluate(rg::LambdaRank{}, tree::Path::tree, list.view(), out, workspace);
  });
  CHECK(run<float>({}, tree::Path::tree, list.view(), false).gradient == run<float>({}, tree::Path::tree, list.view(), true).gradient);
}
