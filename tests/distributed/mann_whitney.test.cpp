#include "distributed/spread.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/mann_whitney.hpp>

#include <array>
#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;
using rg::Surrogate;
using dist::Way;

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7};
constexpr std::array surrogates{Surrogate::logistic, Surrogate::hinge, Surrogate::squared_hinge, Surrogate::square,
                                Surrogate::exponential};
using Strings = std::vector<std::string>;

template <class T>
struct Found {
  std::vector<T> values, gradient, curvature;   // values: of each rank
  std::vector<std::uint64_t> reduced, exchanged, gathered;
  Strings errors;
};

template <class T>
Found<T> over_ranks(std::size_t ranks, const rg::MannWhitney& loss, const rg::ListView<T>& list, Way way = Way::automatic) {
  const std::size_t n = list.size();
  Found<T> f{std::vector<T>(ranks), std::vector<T>(n, T(7)), std::vector<T>(n, T(7)), {}, {}, {}, {}};
  for (auto* each : {&f.reduced, &f.exchanged, &f.gathered}) each->resize(ranks);
  f.errors = test::on_parts(n, ranks, [&](auto& comm, std::size_t first, std::size_t count) {
    rg::Workspace workspace;
    const std::size_t r = comm.rank();
    f.values[r] = dist::value_gradient_and_curvature(comm, loss, list.part(first, count, 0), std::span(f.gradient).subspan(first, count),
                                                     std::span(f.curvature).subspan(first, count), T(0), workspace, way);
    f.reduced[r] = comm.reduced, f.exchanged[r] = comm.exchanged, f.gathered[r] = comm.gathered;
  });
  return f;
}

/// Of the whole list in one process, in double.
struct Reference {
  double value;
  std::vector<double> gradient, curvature;
};
template <class T>
Reference reference(const rg::MannWhitney& loss, const test::OwnedList<T>& list) {
  const auto wide = list.template as<double>();
  Reference r{0, std::vector<double>(list.size()), std::vector<double>(list.size())};
  r.value = rg::value_gradient_and_curvature(loss, wide.view(), r.gradient, r.curvature, 0.0);
  return r;
}

template <class T>
void check_close(const std::vector<T>& found, const std::vector<double>& expected, double tolerance) {
  double top = 0, worst = 0;
  for (const double x : expected) top = std::max(top, std::abs(x));
  for (std::size_t i = 0; i < expected.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(found[i]) - expected[i]));
  CHECK(worst <= tolerance * top);
}
template <class T>
void check_same(const Found<T>& found, const Reference& expected) {
  constexpr bool narrow = sizeof(T) == 4;
  CHECK(found.errors == Strings(found.values.size()));
  for (const T value : found.values) {
    CHECK(value == found.values[0]);   // to the bit
    CHECK(std::abs(static_cast<double>(value) - expected.value) <= (narrow ? 1e-6 : 1e-12) * std::abs(expected.value));
  }
  check_close(found.gradient, expected.gradient, narrow ? 1e-5 : 1e-11);
  check_close(found.curvature, expected.curvature, narrow ? 1e-5 : 1e-11);
}

template <class T>
test::OwnedList<T> some_list(std::size_t n, std::uint64_t seed, bool weights, double spread = 3, double offset = 0) {
  return test::make_list<T>(n, seed, {.spread = spread, .offset = offset, .grades = 2, .weights = weights});
}

/// Bins of width 2 tau from the lowest to the highest score.
template <class T>
std::size_t bins_of(const test::OwnedList<T>& list, double temperature) {
  const auto [low, high] = std::minmax_element(list.scores.begin(), list.scores.end());
  const auto bin = [&](T s) { return std::nearbyint(static_cast<double>(s) / temperature / 2); };
  return static_cast<std::size_t>(bin(*high) - bin(*low) + 1);
}

constexpr std::size_t before = 8 * (1 + 2 * 5) + 8 * 4;   // bytes of agree() and of the range

}  // namespace

TEMPLATE_TEST_CASE("Mann-Whitney over ranks is that of the whole list", "[distributed][auc]", float, double) {
  for (const Surrogate surrogate : surrogates)
    for (const bool weights : {false, true}) {
      const auto list = some_list<TestType>(600, 5, weights);
      for (const rg::Normalize normalize : {rg::Normalize::mean, rg::Normalize::sum}) {
        const rg::MannWhitney loss{.temperature = 0.7, .margin = 0.8, .surrogate = surrogate, .normalize = normalize};
        const Reference expected = reference(loss, list);
        for (const Way way : {Way::automatic, Way::ring})
          for (const std::size_t ranks : rank_counts) {
            INFO(static_cast<int>(surrogate) << (weights ? " weighted, " : ", ") << ranks << " ranks, way " << static_cast<int>(way));
            check_same(over_ranks(ranks, loss, list.view(), way), expected);
          }
      }
    }
}

TEST_CASE("Mann-Whitney over ranks: lists of some thousands, and scores far from 0", "[distributed][auc]") {
  for (const double offset : {0.0, 1000.0}) {
    const auto list = some_list<float>(20000, 9, false, 2, offset);
    for (const Surrogate surrogate : surrogates) {
      const rg::MannWhitney loss{.surrogate = surrogate};
      INFO(static_cast<int>(surrogate) << " at " << offset);
      check_same(over_ranks(4, loss, list.view()), reference(loss, list));
    }
  }
}

TEST_CASE("Mann-Whitney over ranks: the bytes are those that are promised", "[distributed][auc]") {
  for (const bool weights : {false, true}) {
    const auto list = some_list<float>(600, 5, weights);
    for (const std::size_t ranks : {2u, 3u, 4u, 7u}) {
      const auto begins = test::borders(600, ranks);
      for (const Surrogate surrogate : surrogates) {
        INFO(static_cast<int>(surrogate) << " on " << ranks);
        const rg::MannWhitney loss{.temperature = 0.5, .surrogate = surrogate};
        const auto found = over_ranks(ranks, loss, list.view());
        const auto round = over_ranks(ranks, loss, list.view(), Way::ring);
        std::size_t sums = 0;
        if (surrogate == Surrogate::logistic) sums = 8 * 2 * bins_of(list, 0.5) * 16;
        if (surrogate == Surrogate::square) sums = 8 * 10;
        if (surrogate == Surrogate::exponential) sums = 8 * 4;
        for (std::size_t r = 0; r < ranks; ++r) {
          const std::size_t next = (r + 1) % ranks, passed = (600 - (begins[next + 1] - begins[next])) * (weights ? 8 : 4);
          CHECK(round.reduced[r] == before + 8);
          CHECK(round.exchanged[r] == passed);
          CHECK(round.gathered[r] == 48);
          CHECK(found.reduced[r] == before + (sums ? sums : 8));
          CHECK(found.exchanged[r] == (sums ? 0 : passed));
          CHECK(found.gathered[r] == (sums ? 0 : 48));
        }
      }
    }
  }
}

TEST_CASE("Mann-Whitney over ranks: scores too far apart for a grid go round", "[distributed][auc]") {
  auto list = some_list<float>(600, 5, false);
  for (std::size_t i = 0; i < 600; i += 50) list.scores[i] *= 300;
  const rg::MannWhitney logistic{.temperature = 0.1};
  const auto sparse = over_ranks(3, logistic, list.view());
  check_same(sparse, reference(logistic, list));
  CHECK(sparse.exchanged[0] > 0);
  check_same(over_ranks(3, logistic, list.view(), Way::sums), reference(logistic, list));   // the grid, however large

  const auto wide = list.as<double>();   // e^(2 * 320) is near the end of what a double holds
  const auto [low, high] = std::minmax_element(wide.scores.begin(), wide.scores.end());
  const rg::MannWhitney exponential{.temperature = (*high - *low) / 640, .surrogate = Surrogate::exponential};
  const auto far = over_ranks(3, exponential, wide.view());
  check_same(far, reference(exponential, wide));
  CHECK(far.exchanged[0] > 0);
}

TEST_CASE("Mann-Whitney over ranks: without a positive or a negative anywhere there is no signal", "[distributed][auc]") {
  auto list = some_list<float>(60, 5, false);
  std::fill(list.labels.begin(), list.labels.end(), 1.0f);
  for (const Surrogate surrogate : surrogates)
    for (const Way way : {Way::automatic, Way::ring}) {
      const auto found = over_ranks(3, rg::MannWhitney{.surrogate = surrogate}, list.view(), way);
      CHECK(found.errors == Strings(3));
      CHECK(found.values == std::vector<float>(3));
      CHECK(found.gradient == std::vector<float>(60));
      CHECK(found.curvature == std::vector<float>(60));
    }
  const auto nothing = over_ranks(3, rg::MannWhitney{}, rg::ListView<float>{});
  CHECK(nothing.errors == Strings(3));
  CHECK(nothing.values == std::vector<float>(3));
}

TEST_CASE("Mann-Whitney over ranks: one rank with all positives, another with all negatives", "[distributed][auc]") {
  auto list = some_list<double>(90, 5, false);
  const auto begins = test::borders(90, 2);
  for (std::size_t i = 0; i < 90; ++i) list.labels[i] = i < begins[1] ? 1 : 0;
  for (const Surrogate surrogate : surrogates)
    for (const Way way : {Way::automatic, Way::ring}) {
      const rg::MannWhitney loss{.surrogate = surrogate};
      check_same(over_ranks(2, loss, list.view(), way), reference(loss, list));
    }
}

TEST_CASE("Mann-Whitney over ranks: masked items are as good as deleted", "[distributed][auc]") {
  auto list = some_list<float>(200, 5, true);
  for (std::size_t i = 0; i < 200; ++i) list.mask.push_back(i % 3 != 0);
  for (std::size_t i = 0; i < 200; i += 3) list.scores[i] = std::numeric_limits<float>::quiet_NaN();
  for (const Surrogate surrogate : surrogates) {
    const rg::MannWhitney loss{.surrogate = surrogate};
    check_same(over_ranks(3, loss, list.view()), reference(loss, list));
  }
}

TEST_CASE("Mann-Whitney over ranks: a NaN score shows in the value of every rank", "[distributed][auc]") {
  auto list = some_list<float>(100, 5, false);
  list.scores[70] = std::numeric_limits<float>::quiet_NaN();
  for (const Surrogate surrogate : surrogates)
    for (const Way way : {Way::automatic, Way::ring}) {
      const auto found = over_ranks(3, rg::MannWhitney{.surrogate = surrogate}, list.view(), way);
      CHECK(found.errors == Strings(3));
      for (const float value : found.values) CHECK(std::isnan(value));
    }
}

TEST_CASE("Mann-Whitney over ranks: what is wrong on one rank is an error on all, and nothing is written", "[distributed][auc]") {
  auto list = some_list<float>(100, 5, false);
  list.labels[70] = std::numeric_limits<float>::quiet_NaN();
  const auto found = over_ranks(4, rg::MannWhitney{}, list.view());
  CHECK(found.errors == Strings(4, "rankgrad: rank 3 of 4: labels[10] is nan; expected a finite number between -3.40282e+38 and 3.40282e+38"));
  CHECK(found.gradient == std::vector<float>(100, 7));

  list.labels[70] = 0;
  const auto on_three = [&](const auto& own) {
    return test::on_parts(100, 3, [&](auto& comm, std::size_t first, std::size_t count) {
      std::vector<float> gradient(count + (comm.rank() == own.longer ? 1 : 0));
      dist::value_and_gradient(comm, own.loss(comm.rank()), list.view().part(first, count, 0), gradient);
    });
  };
  struct Own {
    std::size_t longer;
    rg::MannWhitney (*loss)(std::size_t rank);
  };
  const auto of_length = on_three(Own{1, [](std::size_t) { return rg::MannWhitney{}; }});
  CHECK(of_length == Strings(3, "rankgrad: rank 1 of 3: gradient has 1 elements where 0 are expected"));
  const auto temperature = on_three(Own{9, [](std::size_t rank) { return rg::MannWhitney{.temperature = rank == 2 ? 0.5 : 1}; }});
  CHECK(temperature == Strings(3, "rankgrad: MannWhitney.temperature is 1 on rank 0 and 0.5 on rank 2; it must be the same on all ranks"));
  const auto bad = on_three(Own{9, [](std::size_t rank) { return rg::MannWhitney{.margin = rank == 1 ? -1.0 : 1}; }});
  CHECK(bad == Strings(3, "rankgrad: rank 1 of 3: MannWhitney.margin is -1; it must be finite and at least 0"));
}

TEST_CASE("Mann-Whitney over ranks: averaged over ranks, P times the gradient is that of the whole", "[distributed][auc]") {
  // A model with one parameter: score = theta x. Each rank has d loss / d theta of its part; their mean, times P.
  const auto list = some_list<double>(90, 5, false, 1);
  std::vector<double> gradient(90);
  rg::value_and_gradient(rg::MannWhitney{}, list.view(), gradient);
  double whole = 0;
  for (std::size_t i = 0; i < 90; ++i) whole += gradient[i] * list.scores[i];
  std::vector<double> parts(3);
  test::on_parts(90, 3, [&](auto& comm, std::size_t first, std::size_t count) {
    std::vector<double> own(count);
    dist::value_and_gradient(comm, rg::MannWhitney{}, list.view().part(first, count, 0), own);
    for (std::size_t i = 0; i < count; ++i) parts[comm.rank()] += 3 * own[i] * list.scores[first + i];
  });
  CHECK((parts[0] + parts[1] + parts[2]) / 3 == Approx(whole).epsilon(1e-12));
}
