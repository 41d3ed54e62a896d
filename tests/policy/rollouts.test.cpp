#include <rankgrad/policy/rollouts.hpp>

#include "support/catch.hpp"

#include <limits>
#include <string>
#include <vector>

namespace rg = rankgrad;

namespace {
struct Rollouts {
  std::vector<double> log_probs{-1, -2, -3, -4}, old, reference, rewards{1, 0, 0.5}, advantages, weights;
  std::vector<std::uint32_t> sequences{0, 2, 3, 4}, groups;
  std::vector<std::uint8_t> mask;
  rg::Status status() const {
    return rg::validate(rg::RolloutView<double>{.log_probs = log_probs, .old_log_probs = old, .reference_log_probs = reference,
                                                .sequence_offsets = sequences, .group_offsets = groups, .rewards = rewards,
                                                .advantages = advantages, .weights = weights, .mask = mask});
  }
  bool complains(const char* about) const {
    const rg::Status s = status();
    INFO(s.message());
    return !s && std::string(s.message()).find(about) != std::string::npos;
  }
};
}  // namespace

TEST_CASE("rollouts: what validate() finds", "[policy]") {
  Rollouts r;
  CHECK(r.status());
  r.groups = {0, 2, 3};
  r.old = r.reference = r.log_probs;
  r.weights = {1, 0, 2};
  r.mask = {1, 0, 1, 1};
  CHECK(r.status());

  SECTION("sizes") {
    r.old.pop_back();
    CHECK(r.complains("old_log_probs has 3 elements where 4"));
    r.old.clear();
    r.reference.pop_back();
    CHECK(r.complains("reference_log_probs has 3"));
    r.reference.clear();
    r.mask.pop_back();
    CHECK(r.complains("mask has 3"));
    r.mask.clear();
    r.weights.pop_back();
    CHECK(r.complains("weights has 2 elements where 3"));
    r.weights.clear();
    r.rewards.pop_back();
    CHECK(r.complains("rewards has 2 elements where 3"));
    r.rewards.clear();
    CHECK(r.complains("rewards has 0 elements where 3"));
    r.advantages = {1};
    CHECK(r.complains("advantages has 1 elements where 3"));
    r.advantages = {1, -1, 0};
    CHECK(r.status());
    r.rewards = {1, 0, 0};
    CHECK(r.complains("both rewards and advantages"));
  }
  SECTION("offsets") {
    r.sequences = {};
    CHECK(r.complains("sequence_offsets is empty"));
    r.sequences = {1, 2, 3, 4};
    CHECK(r.complains("sequence_offsets[0] is 1"));
    r.sequences = {0, 3, 2, 4};
    CHECK(r.complains("sequence_offsets[2] is 2"));
    r.sequences = {0, 2, 3, 5};
    CHECK(r.complains("the last of sequence_offsets is 5; there are 4 log_probs"));
    r.sequences = {0, 2, 2, 4};
    CHECK(r.status());
    r.groups = {0, 2};
    CHECK(r.complains("the last of group_offsets is 2; there are 3 sequences"));
  }
  SECTION("values") {
    r.rewards[1] = std::numeric_limits<double>::quiet_NaN();
    CHECK(r.complains("rewards[1]"));
    r.rewards.clear();
    r.advantages = {0, 1, std::numeric_limits<double>::infinity()};
    CHECK(r.complains("advantages[2]"));
    r.advantages[2] = 0;
    r.weights[0] = -1;
    CHECK(r.complains("weights[0] is -1"));
  }
}
