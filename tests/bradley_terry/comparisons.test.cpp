#include <rankgrad/bradley_terry/comparisons.hpp>

#include "support/catch.hpp"

#include <limits>
#include <string>
#include <vector>

namespace rg = rankgrad;

namespace {
struct Three {
  std::vector<double> scores{1, 2, 0.5}, soft, weights;
  std::vector<std::uint32_t> first{0, 1, 2}, second{1, 2, 0};
  std::vector<rg::Outcome> outcome;
  std::vector<std::uint8_t> mask;
  rg::Status status() const {
    return rg::validate(rg::ComparisonView<double>{.scores = scores, .first = first, .second = second, .outcome = outcome,
                                                   .soft_outcome = soft, .weights = weights, .mask = mask});
  }
  bool complains(const char* about) const {
    const rg::Status s = status();
    return !s && std::string(s.message()).find(about) != std::string::npos;
  }
};
}  // namespace

TEST_CASE("comparisons: what validate() finds", "[bradley_terry]") {
  Three c;
  CHECK(c.status());
  CHECK(rg::validate(rg::ComparisonView<float>{}));

  SECTION("sizes") {
    c.second.pop_back();
    CHECK(c.complains("second has 2 elements where 3"));
    c = {};
    c.outcome = {rg::Outcome::tie};
    CHECK(c.complains("outcome"));
    c = {};
    c.soft = {1, 0, 0};
    CHECK(c.complains("soft_outcome has 3 elements where 9"));
    c = {};
    c.weights = {1};
    CHECK(c.complains("weights"));
    c = {};
    c.mask = {1};
    CHECK(c.complains("mask"));
  }
  SECTION("places") {
    c.first[1] = 3;
    CHECK(c.complains("comparison 1 is between items 3 and 2; there are 3 scores"));
    c.first[1] = 2;
    CHECK(c.complains("comparison 1 compares item 2 with itself"));
    c.mask = {1, 0, 1};
    CHECK(c.status());
  }
  SECTION("outcomes") {
    c.outcome = {rg::Outcome::tie, rg::Outcome::first, static_cast<rg::Outcome>(3)};
    CHECK(c.complains("outcome[2] is 3"));
    c.mask = {1, 1, 0};
    CHECK(c.status());
    c.outcome[2] = rg::Outcome::second;
    c.soft = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    CHECK(c.complains("both outcome and soft_outcome"));
    c.outcome.clear();
    CHECK(c.status());
    c.soft[3] = 0.5;
    CHECK(c.complains("the soft outcome of comparison 1 is (0.5, 1, 0)"));
    c.soft = {1.0 / 3, 1.0 / 3, 1.0 / 3, -0.5, 1, 0.5, 0, 0, 1};
    CHECK(c.complains("comparison 1"));
    c.soft[3] = std::numeric_limits<double>::quiet_NaN();
    CHECK(c.complains("comparison 1"));
  }
  SECTION("weights") {
    c.weights = {1, 1, -1};
    CHECK(c.complains("weights[2] is -1"));
    c.mask = {1, 1, 0};
    CHECK(c.status());
  }
}

TEST_CASE("comparisons: no outcome means that the first won", "[bradley_terry]") {
  const Three c;
  const rg::ComparisonView<double> view{.scores = c.scores, .first = c.first, .second = c.second};
  CHECK(rg::observed(view, 1).first == 1.0);
  CHECK(rg::observed(view, 1).second == 0.0);
  CHECK(rg::observed(view, 1).tie == 0.0);
}
