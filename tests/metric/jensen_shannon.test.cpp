#include "support/catch.hpp"

#include <rankgrad/metric/jensen_shannon.hpp>

#include <cmath>

namespace metric = rankgrad::metric;

TEST_CASE("the Jensen-Shannon divergence by its definition, from equal to apart", "[metric]") {
  const auto defined = [](long double p, long double q) {   // of (p, 1 - p) and (q, 1 - q)
    const auto kl = [](long double x, long double m) { return x > 0 ? x * logl(x / m) : 0; };
    const long double m = (p + q) / 2;
    return (kl(p, m) + kl(1 - p, 1 - m) + kl(q, m) + kl(1 - q, 1 - m)) / 2;
  };
  for (const double p : {0.5, 0.3, 0.9})
    for (const double q : {0.5, 0.499, 0.1, 0.999}) {
      const double first[] = {p, 1 - p}, second[] = {q, 1 - q};
      CHECK(metric::jensen_shannon(first, second, 2) == Approx(static_cast<double>(defined(p, q))).margin(1e-16).epsilon(1e-9));
    }
  const double left[] = {1, 0}, right[] = {0, 1};
  CHECK(metric::jensen_shannon(left, right, 2) * metric::per_nat(rankgrad::LogBase::two) == Approx(1).epsilon(1e-15));
}

TEST_CASE("shares of sums and of softmax; all zero is uniform", "[metric]") {
  const double values[] = {2, 6, 0}, zeros[] = {0, 0}, large[] = {1e308, 1e308}, logits[] = {1000, 1000 + std::log(3.0)};
  double p[3];
  metric::fill_shares(rankgrad::Shares::of_sum, values, 3, p);
  CHECK(p[1] == Approx(0.75));
  metric::fill_shares(rankgrad::Shares::of_sum, zeros, 2, p);
  CHECK(p[0] == 0.5);
  metric::fill_shares(rankgrad::Shares::of_sum, large, 2, p);
  CHECK(p[1] == 0.5);
  metric::fill_shares(rankgrad::Shares::softmax, logits, 2, p);
  CHECK(p[1] == Approx(0.75));
}
