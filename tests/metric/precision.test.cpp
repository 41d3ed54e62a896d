#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/metric/average_precision.hpp>
#include <rankgrad/metric/precision.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>

#include <vector>

namespace rg = rankgrad;

namespace {
// By rank: irrelevant, relevant, irrelevant, relevant, relevant.
const std::vector<double> s{5, 4, 3, 2, 1}, y{0, 2, 0, 1, 3};
const rg::ListView<double> list{.scores = s, .labels = y};
// Ranks 1; 2 to 4 tied, two of them relevant; 5.
const std::vector<double> tied{9, 5, 5, 5, 1}, z{0, 1, 0, 1, 1};
const rg::ListView<double> ties{.scores = tied, .labels = z};
}  // namespace

TEST_CASE("reciprocal rank: worked by hand", "[metric]") {
  CHECK(rg::value(rg::ReciprocalRank{}, list) == 0.5);
  CHECK(rg::value(rg::Mrr{.k = 1}, list) == 0.0);
  CHECK(rg::value(rg::Mrr{.k = 2}, list) == 0.5);
  CHECK(rg::value(rg::Mrr{.relevant_above = 2}, list) == Approx(0.2));
  // The first relevant of the group stands on rank 2 with 2/3, on rank 3 with 1/3 * 2/2.
  CHECK(rg::value(rg::Mrr{.ties = rg::Ties::expected}, ties) == Approx(2.0 / 3 / 2 + 1.0 / 3 / 3));
  CHECK(rg::value(rg::Mrr{.k = 2, .ties = rg::Ties::expected}, ties) == Approx(2.0 / 3 / 2));
}

TEST_CASE("average precision: worked by hand", "[metric]") {
  CHECK(rg::value(rg::AveragePrecision{}, list) == Approx((1 / 2.0 + 2 / 4.0 + 3 / 5.0) / 3));
  CHECK(rg::value(rg::AveragePrecision{.k = 2}, list) == Approx(0.5 / 3));
  CHECK(rg::value(rg::AveragePrecision{.k = 2, .divide_by = rg::RelevantCount::within_k}, list) == Approx(0.5 / 2));
  CHECK(rg::value(rg::AveragePrecision{.k = 4, .divide_by = rg::RelevantCount::within_k}, list) == Approx(1.0 / 3));
  const std::vector<double> judged{2, 1, 3, 1, 1, 0};
  CHECK(rg::value(rg::AveragePrecision{.judged = {.labels = judged}}, list) == Approx((1 / 2.0 + 2 / 4.0 + 3 / 5.0) / 5));
  // Orders of the group: rel rel irr, rel irr rel, irr rel rel; the last item is relevant on rank 5 in all of them.
  const double a = 1 / 2.0 + 2 / 3.0, b = 1 / 2.0 + 2 / 4.0, c = 1 / 3.0 + 2 / 4.0;
  CHECK(rg::value(rg::AveragePrecision{.ties = rg::Ties::expected}, ties) == Approx(((a + b + c) / 3 + 3 / 5.0) / 3));
}

TEST_CASE("precision, recall and hit: worked by hand", "[metric]") {
  CHECK(rg::value(rg::Precision{.k = 2}, list) == 0.5);
  CHECK(rg::value(rg::Precision{}, list) == Approx(0.6));
  CHECK(rg::value(rg::Precision{.k = 10}, list) == Approx(0.3));
  CHECK(rg::value(rg::Precision{.k = 10, .short_list = rg::ShortList::length}, list) == Approx(0.6));
  CHECK(rg::value(rg::Recall{.k = 2}, list) == Approx(1.0 / 3));
  CHECK(rg::value(rg::Recall{.k = 10}, list) == 1.0);
  const std::vector<double> judged{2, 1, 3, 1, 1, 0};
  CHECK(rg::value(rg::Recall{.k = 4, .judged = {.labels = judged}}, list) == Approx(2.0 / 5));
  CHECK(rg::value(rg::Hit{.k = 1}, list) == 0.0);
  CHECK(rg::value(rg::Hit{.k = 2}, list) == 1.0);

  CHECK(rg::value(rg::Precision{.k = 2, .ties = rg::Ties::expected}, ties) == Approx(2.0 / 3 / 2));
  CHECK(rg::value(rg::Recall{.k = 3, .ties = rg::Ties::expected}, ties) == Approx(4.0 / 3 / 3));
  CHECK(rg::value(rg::Hit{.k = 2, .ties = rg::Ties::expected}, ties) == Approx(2.0 / 3));
  CHECK(rg::value(rg::Hit{.k = 3, .ties = rg::Ties::expected}, ties) == 1.0);
}
