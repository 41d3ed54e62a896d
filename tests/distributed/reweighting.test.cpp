#include "distributed/spread.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/reweighting.hpp>

#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;
using Strings = std::vector<std::string>;

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7}, n = 50;

template <class T>
std::vector<T> numbers(std::uint64_t seed, double low = 0, double high = 2) {
  rg::Random random(seed);
  std::vector<T> made(n);
  for (T& x : made) x = static_cast<T>(low + (high - low) * random.uniform());
  return made;
}

/// Runs f(communicator, part) on each rank; part(vector) is the rank's part of it.
template <class F>
void on_all(std::size_t ranks, const F& f) {
  INFO(ranks << " ranks");
  CHECK(test::on_parts(n, ranks, [&](auto& comm, std::size_t first, std::size_t count) {
    f(comm, [&](auto& all) { return all.empty() ? std::span(all) : std::span(all).subspan(first, count); });
  }) == Strings(ranks));
}

template <class T>
void check_close(const std::vector<T>& found, const std::vector<T>& expected) {
  T worst = 0, top = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(found[i] - expected[i]));
    top = std::max(top, std::abs(expected[i]));
  }
  CHECK(found.size() == expected.size());
  CHECK(worst <= (sizeof(T) == 4 ? T(1e-6) : T(1e-13)) * top);
}

}  // namespace

TEMPLATE_TEST_CASE("weights from losses over ranks are those of the whole batch", "[distributed][reweighting]", float, double) {
  auto losses = numbers<TestType>(1), prior = numbers<TestType>(2);
  losses[7] = std::numeric_limits<TestType>::quiet_NaN(), prior[9] = 0;
  const std::vector<TestType> none;
  const auto run = [&](const auto& map, const std::vector<TestType>& before) {
    std::vector<TestType> expected(n);
    rg::loss_weights(map, std::span<const TestType>(losses), expected, before);
    for (const std::size_t ranks : rank_counts) {
      std::vector<TestType> found(n, TestType(9));
      on_all(ranks, [&](auto& comm, auto part) {
        dist::loss_weights(comm, map, std::span<const TestType>(part(losses)), part(found), part(before));
        if (ranks > 1 && comm.gathered != 24 + 32) throw std::runtime_error("bytes");
      });
      check_close(found, expected);
    }
  };
  run(rg::LinUpper{}, none);
  run(rg::LinUpper{}, prior);
  run(rg::Extremes{.temperature = 0.05}, prior);
  run(rg::WarmedUp<rg::Quadratic>{{}, 2000}, none);
}

TEST_CASE("risks over ranks are those of the whole batch", "[distributed][reweighting]") {
  const auto losses = numbers<double>(1);
  for (const bool weighted : {false, true}) {
    const std::vector<double> weights = weighted ? numbers<double>(2) : std::vector<double>{};
    const auto run = [&](const auto& risk) {
      std::vector<double> expected(n);
      rg::Workspace scratch;
      const auto whole = risk.value_and_gradient(std::span<const double>(losses), std::span<const double>(weights), std::span(expected), scratch);
      for (const std::size_t ranks : rank_counts) {
        std::vector<double> found(n, 9);
        on_all(ranks, [&](auto& comm, auto part) {
          rg::Workspace workspace;
          const auto own = dist::risk(comm, risk, part(losses), part(weights), part(found), workspace);
          if (own.value != whole.value || own.valid != whole.valid) throw std::runtime_error("another value");
        });
        CHECK(found == expected);
      }
    };
    run(rg::MeanVariance{.lambda = 0.7});
    run(rg::Cvar{.fraction = 0.3});
  }
  const auto errors = test::on_parts(n, 3, [&](auto& comm, std::size_t first, std::size_t count) {
    rg::Workspace workspace;
    std::vector<double> out(count), weights(comm.rank() == 2 ? count : 0, 1.0);
    dist::risk(comm, rg::Cvar{}, std::span(losses).subspan(first, count), weights, out, workspace);
  });
  CHECK(errors == Strings(3, "rankgrad: some ranks have weights of their losses and others none"));
}

TEST_CASE("sums over the batch of learned and coupled weights, over ranks", "[distributed][reweighting]") {
  const auto losses = numbers<double>(1), weights = numbers<double>(2), labels = numbers<double>(3, -1, 1);
  std::vector<double> normalised = weights, by_loss(n), by_weight(n), reweighted(n);
  const double factor = rg::self_normalise(std::span<const double>(labels), normalised);
  const double rescaled = rg::rescaled_loss(std::span<const double>(losses), weights, by_loss, by_weight);
  rg::reweighted_by_gradient(std::span<const double>(labels), reweighted);
  for (const std::size_t ranks : rank_counts) {
    std::vector<double> own_normalised = weights, own_by_loss(n), own_by_weight(n), own_reweighted(n);
    on_all(ranks, [&](auto& comm, auto part) {
      const auto close = [](double a, double b) { return std::abs(a - b) <= 1e-13 * std::abs(b); };
      if (!close(dist::self_normalise(comm, part(labels), part(own_normalised)), factor)) throw std::runtime_error("factor");
      if (!close(dist::rescaled_loss(comm, part(losses), part(weights), part(own_by_loss), part(own_by_weight)), rescaled))
        throw std::runtime_error("rescaled loss");
      dist::reweighted_by_gradient(comm, part(labels), part(own_reweighted));
    });
    check_close(own_normalised, normalised);
    check_close(own_by_loss, by_loss);
    check_close(own_by_weight, by_weight);
    check_close(own_reweighted, reweighted);
  }
}

TEST_CASE("windows of training dynamics over ranks are one window", "[distributed][reweighting]") {
  rg::Random random(5);
  rg::DynamicsWindow whole(2);
  std::vector<rg::SampleStatistics> samples(n);
  for (std::size_t i = 0; i < n; ++i) {
    samples[i] = {random.uniform(), 0.1 + random.uniform(), random.uniform(), 0.1 + random.uniform(), i % 3 == 0};
    whole.add(i == 20, samples[i]);   // one sample only of class 1
  }
  for (const auto which : {rg::AgreementGroup::all, rg::AgreementGroup::agreeing})
    for (const std::uint32_t label : {0u, 1u}) {
      const rg::GroupDynamics expected = whole.group(label, which);
      for (const std::size_t ranks : rank_counts) {
        INFO(ranks << " ranks, label " << label);
        const auto close = [](const rg::MeanDeviation& a, const rg::MeanDeviation& b) {
          return std::abs(a.mean - b.mean) <= 1e-13 && std::abs(a.deviation - b.deviation) <= 1e-13;
        };
        CHECK(test::on_parts(n, ranks, [&](auto& comm, std::size_t first, std::size_t count) {
          rg::DynamicsWindow window(2);
          for (std::size_t i = first; i < first + count; ++i) window.add(i == 20, samples[i]);
          const rg::GroupDynamics g = dist::group(comm, window, label, which);
          if (g.count != expected.count || !close(g.loss_mean, expected.loss_mean) || !close(g.loss_deviation, expected.loss_deviation) ||
              !close(g.confidence_mean, expected.confidence_mean) || !close(g.confidence_deviation, expected.confidence_deviation) ||
              !close(g.divergence, expected.divergence) || !close(g.overlap, expected.overlap))
            throw std::runtime_error("another group");
        }) == Strings(ranks));
      }
    }
}

TEST_CASE("reweighting over ranks: what is wrong on one rank is an error on all", "[distributed][reweighting]") {
  const auto check = [](auto call, const char* message) {
    const Strings errors = test::on_parts(6, 2, [&](auto& comm, std::size_t, std::size_t) {
      std::vector<double> three(3, 1.0), four(4, 1.0);
      call(comm, std::span(three), comm.rank() == 1 ? std::span(four) : std::span(three));
    });
    CHECK(errors == Strings(2, errors[0]));
    CHECK_THAT(errors[0], contains(message));
  };
  using In = std::span<const double>;
  const char* long_weights = "rank 1 of 2: weights has 4 elements where 3 are expected";
  check([](auto& c, In in, auto out) { dist::loss_weights(c, rg::LinUpper{}, in, out); }, long_weights);
  check([](auto& c, In in, auto out) { dist::loss_weights(c, rg::LinUpper{.temperature = 1.0 + static_cast<double>(c.rank())}, in, out.first(3)); },
        "the temperature of a loss-to-weight map is 1 on rank 0 and 2 on rank 1");
  check([](auto& c, In in, auto out) { dist::self_normalise(c, in, out); }, long_weights);
  check([](auto& c, In in, auto out) { dist::rescaled_loss(c, in, out, {}, {}); }, long_weights);
  check([](auto& c, In in, auto out) { dist::reweighted_by_gradient(c, in, out); }, long_weights);
  check([](auto& c, In in, auto out) {
    rg::Workspace workspace;
    dist::risk(c, rg::Cvar{}, in, {}, out, workspace);
  }, "rank 1 of 2: the gradient by the losses has 4 elements");
  check([](auto& c, In, auto) {
    const rg::DynamicsWindow window(c.rank() == 1 ? 1 : 2);
    dist::group(c, window, 1);
  }, "rank 1 of 2: label 1 has no window; there are 1");
}
