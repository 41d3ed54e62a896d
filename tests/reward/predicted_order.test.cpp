#include <rankgrad/reward/predicted_order.hpp>
#include <rankgrad/reward/tagged_answer.hpp>

#include "support/catch.hpp"

#include <array>
#include <cmath>
#include <vector>

namespace rg = rankgrad;
namespace reward = rankgrad::reward;
using Ids = std::vector<std::uint32_t>;

TEST_CASE("format of an order", "[reward]") {
  CHECK(reward::order_format(Ids{3, 1, 2, 4}, 4) == 1.0);
  CHECK(reward::order_format(Ids{3, 1, 2}, 4) == 0.75);
  CHECK(reward::order_format(Ids{3, 1, 2, 4, 1}, 4) == 0.75);                   // too long by one; repeated ids are not punished
  CHECK(reward::order_format(Ids{1, 1, 1, 1}, 4) == 1.0);
  CHECK(reward::order_format(Ids{0, 5, 2, 4}, 4) == 0.5);                       // 1-based: 0 and 5 are out of range
  CHECK(reward::order_format(Ids{1, 2, 1, 2, 1}, 2) == Approx(-0.5));           // m = 5 > 2 T
  CHECK(reward::order_format(Ids{3, 1, 2, 4}, 4, false) == 0.0);
  CHECK(reward::order_format(Ids{}, 4) == 0.0);
  CHECK(reward::order_format(Ids{1}, 0) == 0.0);

  // As a reply, where a single id is a list of one (its source gives 0).
  Ids ids(8);
  const auto of = [&](std::string_view text, std::size_t candidates) {
    const auto parsed = reward::tagged_ids(text, ids);
    return reward::order_format(std::span<const std::uint32_t>(ids).first(parsed.count), candidates, parsed.valid);
  };
  CHECK(of("<think>hm</think> <answer>[3, 1, 2, 4]</answer>", 4) == 1.0);
  CHECK(of("<think>hm</think> <answer>[3]</answer>", 4) == 0.25);
  CHECK(of("<answer>[3, 1, 2, 4]</answer>", 4) == 0.0);
}

TEST_CASE("gain of an order with a cubic discount", "[reward]") {
  const reward::OrderGain gain;
  // Pos {1, 4} on ranks 2 and 4: (1/8 + 1/64) / (1 + 1/8) = (9/64) / (9/8)
  CHECK(gain(Ids{3, 1, 2, 4}, Ids{1, 4}) == Approx(0.125).epsilon(1e-14));
  CHECK(gain(Ids{4, 1, 2, 3}, Ids{1, 4}) == Approx(1).epsilon(1e-14));
  CHECK(gain(Ids{2, 1}, Ids{1}) == 0.125);
  CHECK(gain(Ids{2, 3, 1}, Ids{1}) == Approx(1.0 / 27).epsilon(1e-14));
  CHECK(gain(Ids{2, 1, 1}, Ids{1}) == 0.125);                  // the first place counts
  CHECK(gain(Ids{1}, Ids{1, 4}) == Approx(1 / 1.125));         // 4 is missing and stays in the ideal
  CHECK(gain(Ids{}, Ids{1}) == 0.0);
  CHECK(gain(Ids{1, 2}, Ids{}) == 0.0);
  CHECK(reward::OrderGain{.exponent = 1}(Ids{2, 1}, Ids{1}) == 0.5);
  CHECK_THROWS_WITH(reward::OrderGain{.exponent = 0}(Ids{1}, Ids{1}), contains("OrderGain.exponent is 0"));
}

TEST_CASE("repair of an order", "[reward]") {
  rg::Workspace workspace;
  const auto repaired = [&](const Ids& predicted, std::size_t candidates) {
    Ids order(candidates, 99);
    reward::repair_order(predicted, order, workspace);
    return order;
  };
  CHECK(repaired({3, 1, 2}, 3) == Ids{3, 1, 2});
  CHECK(repaired({3}, 4) == Ids{3, 1, 2, 4});
  CHECK(repaired({0, 9, 4, 4, 0xffffffff, 2, 4}, 5) == Ids{4, 2, 1, 3, 5});
  CHECK(repaired({}, 3) == Ids{1, 2, 3});
  CHECK(repaired({1, 2}, 0).empty());
  const std::size_t growths = workspace.growths();
  repaired({3, 1}, 5);
  CHECK(workspace.growths() == growths);
}

TEST_CASE("recall of an order, micro and macro", "[reward]") {
  CHECK(reward::order_recall(Ids{3, 1, 2, 4}, Ids{1, 4}, 1) == 0.0);
  CHECK(reward::order_recall(Ids{3, 1, 2, 4}, Ids{1, 4}, 3) == 0.5);
  CHECK(reward::order_recall(Ids{3, 1, 2, 4}, Ids{1, 4}, 0) == 1.0);
  CHECK(reward::order_recall(Ids{3, 3, 1}, Ids{3, 1}, 5) == 1.0);
  CHECK(reward::order_recall(Ids{}, Ids{1}, 5) == 0.0);
  CHECK(reward::order_recall(Ids{1}, Ids{}, 5) == 0.0);

  const std::vector<double> values{1, 0, 0.5, 1};
  CHECK(reward::micro_mean(values) == 0.625);
  CHECK(reward::macro_mean(values, Ids{0, 3, 3, 4}) == 0.75);   // (0.5 + 1) / 2, the empty group left out
  CHECK(reward::micro_mean({}) == 0.0);
  CHECK(reward::macro_mean({}, Ids{0}) == 0.0);
  CHECK_THROWS_WITH(reward::macro_mean(values, Ids{0, 3}), contains("the last of group_offsets is 3; there are 4 values"));
}
