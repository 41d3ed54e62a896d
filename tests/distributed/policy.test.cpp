#include "distributed/spread.hpp"
#include "support/catch.hpp"

#include <rankgrad/distributed/policy.hpp>

#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;
using Strings = std::vector<std::string>;

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7};
constexpr std::size_t groups = 5, group_size = 8;

/// Five groups of eight rollouts with 0 to 9 tokens; or those of them that one rank has, in the same groups.
template <class T>
struct Rollouts {
  std::vector<T> log_probs, old, reference, rewards, advantages, weights;
  std::vector<std::uint32_t> sequences{0}, group_offsets{0};
  std::vector<std::uint8_t> mask;
  std::vector<std::size_t> token_of, rollout_of;   // their places among all

  rg::RolloutView<T> view() const {
    return {.log_probs = log_probs, .old_log_probs = old, .reference_log_probs = reference, .sequence_offsets = sequences,
            .group_offsets = group_offsets, .rewards = rewards, .advantages = advantages, .weights = weights, .mask = mask};
  }
};

enum class Given { rewards, advantages };

/// keep(rollout): is it here? The second group has equal rewards.
template <class T, class Keep>
Rollouts<T> rollouts(std::uint64_t seed, Given given, bool masked, const Keep& keep) {
  rg::Random random(seed);
  Rollouts<T> made;
  std::size_t token = 0;
  for (std::size_t g = 0; g < groups * group_size; ++g) {
    const bool here = keep(g);
    for (std::size_t n = random.below(10); n > 0; --n, ++token) {
      const double l = -2 + 0.5 * random.normal(), o = l + 0.3 * random.normal(), r = l + 0.2 * random.normal();
      const bool present = !masked || random.uniform() < 0.7;
      if (!here) continue;
      made.log_probs.push_back(static_cast<T>(static_cast<float>(l)));
      made.old.push_back(static_cast<T>(static_cast<float>(o)));
      made.reference.push_back(static_cast<T>(static_cast<float>(r)));
      if (masked) made.mask.push_back(present);
      made.token_of.push_back(token);
    }
    const double reward = g / group_size == 1 ? 1 / 3.0 : random.normal(), weight = 0.5 + random.uniform();
    if (here) {
      made.sequences.push_back(static_cast<std::uint32_t>(made.log_probs.size()));
      (given == Given::rewards ? made.rewards : made.advantages).push_back(static_cast<T>(static_cast<float>(reward)));
      made.weights.push_back(static_cast<T>(static_cast<float>(weight)));
      made.rollout_of.push_back(g);
    }
    if ((g + 1) % group_size == 0) made.group_offsets.push_back(static_cast<std::uint32_t>(made.rollout_of.size()));
  }
  return made;
}
const auto all_of_them = [](std::size_t) { return true; };
/// Of which rank a rollout is; with three ranks or more rank 1 has none.
std::size_t home(std::size_t rollout, std::size_t ranks) {
  const std::size_t r = rollout * rollout * 7 / 3 % ranks;
  return ranks > 2 && r == 1 ? 0 : r;
}
const auto of_rank = [](std::size_t rank, std::size_t ranks) {
  return [rank, ranks](std::size_t rollout) { return home(rollout, ranks) == rank; };
};

/// f(communicator that counts) on every rank; what each throws.
template <class F>
Strings on_ranks(std::size_t ranks, const F& f) {
  return test::on_parts(ranks, ranks, [&](auto& comm, std::size_t, std::size_t) { f(comm); });
}

}  // namespace

TEST_CASE("advantages over ranks are those of the whole groups; equal rewards have exactly 0", "[distributed][policy]") {
  const auto whole = rollouts<double>(3, Given::rewards, false, all_of_them);
  for (const bool scaled : {true, false})
    for (const std::size_t ranks : rank_counts) {
      const rg::GroupAdvantage advantage{.scale_by_std = scaled};
      std::vector<double> expected(40), found(40, 99);
      rg::fill_group_advantages(advantage, whole.rewards, whole.group_offsets, expected);
      CHECK(on_ranks(ranks, [&](auto& comm) {
        const auto own = rollouts<double>(3, Given::rewards, false, of_rank(comm.rank(), ranks));
        std::vector<double> out(own.rewards.size());
        dist::fill_group_advantages(comm, advantage, own.rewards, own.group_offsets, out);
        for (std::size_t g = 0; g < out.size(); ++g) found[own.rollout_of[g]] = out[g];
        if (ranks > 1 && comm.reduced != 8 * (1 + 2 * 5) + 32 * groups) throw std::runtime_error("bytes");
      }) == Strings(ranks));
      for (std::size_t g = 0; g < 40; ++g) {
        CHECK(std::abs(found[g] - expected[g]) <= 1e-13);
        if (g / group_size == 1) CHECK(found[g] == 0);
      }
    }
}

TEST_CASE("advantages over ranks: rewards far from 0 keep their digits; without offsets all are one group", "[distributed][policy]") {
  std::vector<double> rewards{1e9, 1e9 + 1, 1e9 + 2, 1e9, 1e9 + 5}, expected(5), found(5);
  rg::fill_group_advantages(rg::GroupAdvantage{}, rewards, {}, expected);
  CHECK(test::on_parts(5, 3, [&](auto& comm, std::size_t first, std::size_t count) {
    dist::fill_group_advantages(comm, rg::GroupAdvantage{}, std::span(rewards).subspan(first, count), {},
                                std::span(found).subspan(first, count));
  }) == Strings(3));
  for (std::size_t g = 0; g < 5; ++g) CHECK(std::abs(found[g] - expected[g]) <= 1e-7);   // the mean is a double near 1e9
}

TEST_CASE("advantages over ranks: a rollout that is alone in its group on all ranks", "[distributed][policy]") {
  const std::vector<double> rewards{0.7, 0.2, 0.4};   // ranks 0 and 1 in group 0, rank 2 alone in group 1
  std::vector<double> found(3);
  CHECK(on_ranks(3, [&](auto& comm) {
    const std::size_t r = comm.rank();
    const std::vector<std::uint32_t> offsets = r == 2 ? std::vector<std::uint32_t>{0, 0, 1} : std::vector<std::uint32_t>{0, 1, 1};
    const rg::GroupAdvantage advantage{.scale_by_std = false, .lone = rg::LoneRollout::reward};
    dist::fill_group_advantages(comm, advantage, std::span(rewards).subspan(r, 1), offsets, std::span(found).subspan(r, 1));
  }) == Strings(3));
  CHECK(found[0] == Approx(0.25));
  CHECK(found[1] == Approx(-0.25));
  CHECK(found[2] == 0.4);
}

TEMPLATE_TEST_CASE("GRPO over ranks is that of all rollouts", "[distributed][policy]", float, double) {
  constexpr double tolerance = sizeof(TestType) == 4 ? 1e-5 : 1e-12;
  for (const Given given : {Given::rewards, Given::advantages})
    for (const bool masked : {false, true})
      for (const auto reduction : {rg::TokenReduction::sequence_mean, rg::TokenReduction::token_mean, rg::TokenReduction::sequence_sum}) {
        const rg::Grpo loss{.reduction = reduction, .length = 4};
        const auto whole = rollouts<double>(5, given, masked, all_of_them);
        std::vector<double> expected(whole.log_probs.size());
        const double value = rg::value_and_gradient(loss, whole.view(), expected);
        for (const std::size_t ranks : rank_counts) {
          INFO(ranks << " ranks, reduction " << static_cast<int>(reduction));
          std::vector<double> found(expected.size(), 99);
          std::vector<TestType> values(ranks);
          CHECK(on_ranks(ranks, [&](auto& comm) {
            const auto own = rollouts<TestType>(5, given, masked, of_rank(comm.rank(), ranks));
            std::vector<TestType> gradient(own.log_probs.size(), TestType(9));
            values[comm.rank()] = dist::value_and_gradient(comm, loss, own.view(), gradient);
            for (std::size_t t = 0; t < gradient.size(); ++t) found[own.token_of[t]] = static_cast<double>(gradient[t]);
            const std::size_t bytes = 8 * (1 + 2 * 11) + 16 + 8 + 8 + (given == Given::rewards ? 32 * groups : 0);
            if (ranks > 1 && comm.reduced != bytes) throw std::runtime_error("bytes");
          }) == Strings(ranks));
          for (const TestType v : values) {
            CHECK(v == values[0]);
            CHECK(std::abs(static_cast<double>(v) - value) <= 0.1 * tolerance * std::abs(value));
          }
          double top = 0, worst = 0;
          for (std::size_t t = 0; t < expected.size(); ++t) {
            top = std::max(top, std::abs(expected[t]));
            worst = std::max(worst, std::abs(found[t] - expected[t]));
          }
          CHECK(worst <= tolerance * top);
        }
      }
}

TEST_CASE("GRPO over ranks: what is wrong on one rank is an error on all", "[distributed][policy]") {
  const auto run = [](std::size_t ranks, auto change) {
    return on_ranks(ranks, [&](auto& comm) {
      auto own = rollouts<float>(5, Given::rewards, false, of_rank(comm.rank(), ranks));
      rg::Grpo loss;
      change(comm.rank(), own, loss);
      std::vector<float> gradient(own.log_probs.size());
      dist::value_and_gradient(comm, loss, own.view(), gradient);
    });
  };
  const auto check = [&](auto change, const char* message) {
    const Strings errors = run(3, change);
    CHECK(errors == Strings(3, errors[0]));
    CHECK_THAT(errors[0], contains(message));
  };
  check([](std::size_t rank, auto& own, auto&) { if (rank == 2) own.rewards[3] = std::numeric_limits<float>::quiet_NaN(); },
        "rank 2 of 3: rewards[3] is nan");
  check([](std::size_t rank, auto& own, auto&) { if (rank == 1) own.group_offsets.push_back(0); },
        "the number of groups is 5 on rank 0 and 6 on rank 1");
  check([](std::size_t rank, auto&, auto& loss) { if (rank == 2) loss.beta = 0; }, "Grpo.beta is 0.04 on rank 0 and 0 on rank 2");
  check([](std::size_t rank, auto& own, auto&) { if (rank == 2) own.rewards.swap(own.advantages); },
        "some ranks have rewards and others advantages");
}
