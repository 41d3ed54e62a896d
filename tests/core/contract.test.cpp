#include "support/catch.hpp"

#include <rankgrad/core/contract.hpp>
#include <rankgrad/core/list_view.hpp>

#include <cstring>
#include <stdexcept>
#include <string>

namespace rg = rankgrad;

TEST_CASE("a status is fine until something is wrong, and then says what", "[core]") {
  CHECK(rg::Status{});
  CHECK(std::string(rg::Status{}.message()).empty());
  const rg::Status error = rg::Status::error("labels[%zu] is %g", std::size_t{3}, 2.5);
  CHECK_FALSE(error);
  CHECK(std::string(error.message()) == "labels[3] is 2.5");
  CHECK(std::string(rg::Status::error("100% plain").message()) == "100% plain");
}

TEST_CASE("a message that is too long is cut, not overrun", "[core]") {
  const std::string text(1000, 'x');
  const rg::Status error = rg::Status::error("%s", text.c_str());
  CHECK(std::strlen(error.message()) == 190);
}

TEST_CASE("a broken contract throws std::invalid_argument with the message", "[core]") {
  CHECK_NOTHROW(rg::require(rg::Status{}));
  CHECK_THROWS_AS(rg::require(rg::Status::error("nope")), std::invalid_argument);
  CHECK_THROWS_WITH(rg::require(rg::Status::error("nope")), "nope");
  CHECK_THROWS_WITH(RANKGRAD_EXPECTS(1 > 2, "one is not above two"), "rankgrad: one is not above two");
}

TEST_CASE("a loss that is called past the door still checks sizes", "[core]") {
  const float three[3] = {0, 1, 2};
  const std::uint8_t mask[3] = {1, 0, 1};
  const std::span<const float> all(three), two(three, 2);
  CHECK(rg::checked_size(rg::ListView<float>{.scores = all, .labels = all, .weights = all, .easiness = all}) == 3);
  CHECK_THROWS_WITH(rg::checked_size(rg::ListView<float>{.scores = all, .labels = two}), contains("labels and scores differ in size"));
  CHECK_THROWS_WITH(rg::checked_size(rg::ListView<float>{.scores = all, .labels = all, .weights = two}), contains("weights and scores differ in size"));
  CHECK_THROWS_WITH(rg::checked_size(rg::ListView<float>{.scores = all, .labels = all, .easiness = two}), contains("easiness and scores differ in size"));
  CHECK_THROWS_WITH(rg::checked_size(rg::ListView<float>{.scores = all, .labels = all, .mask = mask}), contains("called with a mask"));
}
