#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/plackett_luce/scan.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace rg = rankgrad;
namespace pl = rankgrad::plackett_luce;

TEST_CASE("log(d / e) keeps its digits where d and e are close, and NaN", "[plackett_luce]") {
  using Pack = rg::simd::Pack<double>;
  for (const double rest : {1e-300, 1e-17, 1e-9, 0.3, 0.999, 1.001, 7., 1e30, -0.3, -0.9})
    CHECK(rg::simd::highest(pl::log_ratio(Pack(2 + 2 * rest), Pack(2.0), Pack(2 * rest))) == Approx(std::log1p(rest)).epsilon(1e-15));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(rg::simd::highest(pl::log_ratio(Pack(nan), Pack(1.0), Pack(nan)))));
  CHECK(std::isnan(rg::simd::highest(pl::log_ratio(Pack(nan), Pack(nan), Pack(1.0)))));
}

TEST_CASE("a scan serves any weights of places: the derivatives are linear in them", "[plackett_luce]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const auto list = test::make_list<double>(37, 3, {.spread = 2});
  const std::size_t n = list.size();
  double *s = workspace.take<double>(n), *c = workspace.take<double>(n), *g = workspace.take<double>(n), *sum = workspace.take<double>(n, 0.0);
  std::copy(list.scores.begin(), list.scores.end(), s);
  const pl::Scan scan({n, s, nullptr, n, false}, workspace);
  std::vector<double> rewards;
  for (std::size_t k = 0; k < n; ++k) rewards.push_back(list.labels[k] - 2);   // of both signs
  double value = 0;
  for (std::size_t k = 0; k < n; ++k) {
    std::fill(c, c + n, 0.0);
    c[k] = rewards[k];
    value += scan.value(c, c);
    scan.derivatives(c, c, g);
    for (std::size_t i = 0; i < n; ++i) sum[i] += g[i];
    // One place: the softmax of all items from it on.
    double total = 0;
    for (std::size_t i = k; i < n; ++i) total += std::exp(s[i]);
    for (std::size_t i = 0; i < n; ++i)
      CHECK(g[i] == Approx(i < k ? 0 : rewards[k] * (std::exp(s[i]) / total - (i == k ? 1 : 0))).margin(1e-14));
  }
  std::copy(rewards.begin(), rewards.end(), c);
  CHECK(scan.value(c, c) == Approx(value).epsilon(1e-13));
  scan.derivatives(c, c, g);
  for (std::size_t i = 0; i < n; ++i) CHECK(g[i] == Approx(sum[i]).margin(1e-13));
}

namespace {

/// The sizes of groups, again and again until there are n places.
std::vector<std::uint32_t> starts_of(std::size_t n, const std::vector<std::size_t>& sizes) {
  std::vector<std::uint32_t> starts;
  for (std::size_t k = 0, g = 0; k < n; k += sizes[g++ % sizes.size()]) starts.push_back(static_cast<std::uint32_t>(k));
  starts.push_back(static_cast<std::uint32_t>(n));
  return starts;
}

const std::vector<std::size_t> singles(3000, 1), pairs(2500, 2);
std::vector<std::vector<std::size_t>> shapes() {
  constexpr std::size_t size = pl::Pieces::piece_size;
  std::vector<std::size_t> mixed{1, size, size - 1, 1, 1, 3 * size + 5, size + 1, 2, size - 1};
  mixed.insert(mixed.end(), singles.begin(), singles.end());
  mixed.insert(mixed.end(), pairs.begin(), pairs.end());
  return {{1}, {2, 1, 5}, {size - 1}, {size}, {5 * size}, {1000000}, mixed};
}

}  // namespace

TEST_CASE("the pieces of a target order are whole groups or parts of one", "[plackett_luce]") {
  constexpr std::size_t size = pl::Pieces::piece_size;
  for (const std::size_t n : {std::size_t{0}, std::size_t{5}, pl::Pieces::long_list - 1, pl::Pieces::long_list, std::size_t{123457}})
    for (const auto& shape : shapes())
      for (const bool tied : {false, true}) {
        const auto starts = starts_of(n, shape);
        const pl::Target target{n, nullptr, tied ? starts.data() : nullptr, tied ? starts.size() - 1 : n, false};
        rg::Workspace workspace;
        const auto frame = workspace.frame();
        const pl::Pieces pieces(target, workspace);
        std::size_t wrong = 0, place = 0, group = 0;
        for (std::size_t p = 0; p < pieces.size(); ++p) {
          const pl::Piece& piece = pieces[p];
          wrong += piece.begin != place || piece.group != group;
          wrong += n >= pl::Pieces::long_list && piece.end - piece.begin >= 2 * size;
          if (piece.part) wrong += piece.end > target.end(group) || target.end(group) - target.begin(group) < size;
          else wrong += piece.begin != (n ? target.begin(group) : 0) || (n && piece.end != target.end(piece.group_end - 1));
          wrong += pieces.ends_group(p) != (!piece.part || piece.end == target.end(group));
          place = piece.end;
          if (pieces.ends_group(p)) group = piece.group_end;
        }
        CHECK(wrong == 0);
        CHECK(place == n);
        CHECK(group == target.groups);
        CHECK(pieces.size() <= 2 * (n / size) + 1);
      }
}

TEST_CASE("a scan by pieces against sums of long doubles", "[plackett_luce][long]") {
  using Real = long double;
  constexpr std::size_t n = 70003;
  for (const auto& shape : shapes())
    for (const bool efron : {false, true})
      for (const std::size_t ones : {std::size_t{0}, std::size_t{30001}, n}) {
        rg::Workspace workspace;
        const auto frame = workspace.frame();
        rg::Random random(n, shape.size());
        const auto starts = starts_of(n, shape);
        double *s = workspace.take<double>(n), *c = workspace.take<double>(n), *w = workspace.take<double>(n);
        double *gradient = workspace.take<double>(n), *curvature = workspace.take<double>(n);
        const bool any_tie = starts.size() - 1 < n;
        const pl::Target target{n, s, any_tie ? starts.data() : nullptr, starts.size() - 1, efron};
        for (std::size_t k = 0; k < n; ++k) {
          s[k] = 3 * random.normal();
          c[k] = w[k] = ones > 0 ? double(k < ones) : random.uniform();
        }
        if (ones == 0)   // within a group the same sum
          for (std::size_t g = 0; g + 1 < starts.size(); ++g) std::reverse(w + starts[g], w + starts[g + 1]);
        std::vector<Real> z(n + 1), d(n), slope(n), bend(n);
        for (std::size_t k = n; k-- > 0;) z[k] = z[k + 1] + std::exp(Real(s[k]));
        Real value = 0, a = 0, b = 0;
        for (std::size_t g = 0; g + 1 < starts.size(); ++g) {
          Real a_own = 0, b_own = 0, a_all = 0, b_all = 0;
          for (std::size_t k = starts[g]; k < starts[g + 1]; ++k) {
            const Real share = efron ? 1 - Real(k - starts[g]) / Real(starts[g + 1] - starts[g]) : 1;
            d[k] = share * z[starts[g]] + (1 - share) * z[starts[g + 1]];
            value += c[k] * std::log(d[k]) - w[k] * Real(s[k]);
            a_own += share * c[k] / d[k], b_own += share * share * c[k] / (d[k] * d[k]);
            a_all += c[k] / d[k], b_all += c[k] / (d[k] * d[k]);
          }
          for (std::size_t k = starts[g]; k < starts[g + 1]; ++k) {
            const Real e = std::exp(Real(s[k]));
            slope[k] = e * (a + a_own) - w[k];
            bend[k] = std::max(Real(0), e * (a + a_own) - e * e * (b + b_own));
          }
          a += a_all, b += b_all;
        }
        const pl::Scan scan(target, workspace);
        CHECK(scan.value(c, w, ones) == Approx(static_cast<double>(value)).epsilon(1e-12));
        scan.derivatives(c, w, gradient, curvature);
        Real off = 0, bend_off = 0;
        for (std::size_t k = 0; k < n; ++k) {
          off = std::max(off, std::abs(slope[k] - gradient[k]) / (1 + std::abs(slope[k])));
          bend_off = std::max(bend_off, std::abs(bend[k] - curvature[k]) / (1 + std::abs(slope[k])));
        }
        INFO("groups " << target.groups << ", efron " << efron << ", ones " << ones);
        CHECK(static_cast<double>(off) < 1e-12);
        CHECK(static_cast<double>(bend_off) < 1e-12);
      }
}
