#include <rankgrad/reward/format_and_accuracy.hpp>
#include <rankgrad/reward/setwise.hpp>

#include "support/catch.hpp"

#include <vector>

namespace reward = rankgrad::reward;

TEST_CASE("set-wise reward", "[reward]") {
  CHECK(reward::setwise(3, 3) == 1.0);
  CHECK(reward::setwise(3, 2) == 0.0);
  CHECK(reward::setwise(3, 3, false) == 0.0);
  const std::vector<std::uint32_t> relevant{2, 5};
  CHECK(reward::setwise(5, relevant) == 1.0);
  CHECK(reward::setwise(3, relevant) == 0.0);
  CHECK(reward::setwise(5, relevant, false) == 0.0);
  CHECK(reward::setwise(5, std::span<const std::uint32_t>{}) == 0.0);

  CHECK(reward::setwise("<think>2 is off topic</think>\n<answer> [3]\n</answer>", "[3]") == 1.0);
  CHECK(reward::setwise("<think>2 is off topic</think>\n<answer>[13]</answer>", "[3]") == 0.0);
  CHECK(reward::setwise("<think></think><answer>[3] is best</answer>", "[3]") == 0.0);
  CHECK(reward::setwise("<think></think><answer>3</answer>", "[3]") == 0.0);
  CHECK(reward::setwise("<answer>[3]</answer>", "[3]") == 0.0);   // nothing for the answer alone
  CHECK(reward::setwise("[3]", "[3]") == 0.0);
  CHECK(reward::setwise("", "") == 0.0);
}

TEST_CASE("format and accuracy", "[reward]") {
  const reward::FormatAndAccuracy reward_of;
  CHECK(reward_of("1", true) == 2.0);
  CHECK(reward_of(" 0\n", false) == 2.0);
  CHECK(reward_of("1", false) == 1.0);
  CHECK(reward_of("0", true) == 1.0);
  for (const char* reply : {"", "2", "01", "1.", "yes", "1 1"}) CHECK(reward_of(reply, true) == 0.0);
  const reward::FormatAndAccuracy other{.format = 0.25, .accuracy = 3};
  CHECK(other.points(true, true) == 3.25);
  CHECK(other.points(true, false) == 0.25);
  CHECK(other.points(false, true) == 0.0);
}
