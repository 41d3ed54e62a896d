#include "distributed/spread.hpp"
#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/distributed/auc.hpp>

#include <array>
#include <cmath>
#include <limits>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;
using Strings = std::vector<std::string>;

namespace {

constexpr std::size_t rank_counts[] = {1, 2, 3, 4, 7};

template <class T>
struct Found {
  std::vector<rg::Contribution<T>> values;   // of each rank
  std::vector<std::uint64_t> reduced, exchanged, gathered;
  Strings errors;
};
template <class T>
Found<T> over_ranks(std::size_t ranks, const rg::Auc& metric, const rg::ListView<T>& list) {
  Found<T> f{std::vector<rg::Contribution<T>>(ranks), {}, {}, {}, {}};
  for (auto* each : {&f.reduced, &f.exchanged, &f.gathered}) each->resize(ranks);
  f.errors = test::on_parts(list.size(), ranks, [&](auto& comm, std::size_t first, std::size_t count) {
    const std::size_t r = comm.rank();
    f.values[r] = dist::value(comm, metric, list.part(first, count, 0));
    f.reduced[r] = comm.reduced, f.exchanged[r] = comm.exchanged, f.gathered[r] = comm.gathered;
  });
  return f;
}

void check_everywhere(const Found<double>& found, double expected) {
  CHECK(found.errors == Strings(found.values.size()));
  for (const auto& v : found.values) {
    CHECK(v.valid);
    CHECK(v.value == found.values[0].value);
    CHECK(std::abs(v.value - expected) <= 1e-14);
  }
}

}  // namespace

TEST_CASE("AUC over ranks is that of the whole list: with ties and weights, whole and in part", "[distributed][metric]") {
  for (const bool tied : {false, true})
    for (const bool weights : {false, true}) {
      const auto list = test::make_list<double>(500, 3, {.spread = 2, .grades = 3, .weights = weights, .tied_scores = tied});
      for (const auto ties : {rg::Ties::expected, rg::Ties::optimistic, rg::Ties::pessimistic})
        for (const rg::Auc& metric : {rg::Auc{}, rg::Auc{.max_fpr = 0.3, .min_fpr = 0.1, .min_tpr = 0.05, .relevant_above = 1},
                                      rg::Auc{.max_fpr = 0.5, .scale = rg::RocScale::mcclish}, rg::Auc{.scale = rg::RocScale::area}}) {
          rg::Auc with_ties = metric;
          with_ties.ties = ties;
          const double expected = rg::value(with_ties, list.view());
          for (const std::size_t ranks : rank_counts) {
            INFO(ranks << " ranks, ties " << static_cast<int>(ties));
            check_everywhere(over_ranks(ranks, with_ties, list.view()), expected);
          }
        }
    }
}

TEST_CASE("AUC over ranks by hand: pairs across ranks, a tie across ranks", "[distributed][metric]") {
  // Two ranks of 2 and 4 items. Positives 3, 1, 1; negatives 2, 1, 0: of 9 pairs 3 + 1 + 1 are in order, two are tied.
  const std::vector<double> scores{1, 2, 3, 1, 0, 1}, labels{1, 0, 1, 0, 0, 1};
  check_everywhere(over_ranks(2, rg::Auc{}, rg::ListView<double>{.scores = scores, .labels = labels}), 6.0 / 9);
}

TEST_CASE("AUC over ranks: the bytes are those that are promised", "[distributed][metric]") {
  for (const bool weights : {false, true}) {
    const auto list = test::make_list<float>(300, 3, {.grades = 2, .weights = weights});
    for (const std::size_t ranks : {2u, 3u, 7u}) {
      const auto begins = test::borders(300, ranks);
      const auto found = over_ranks(ranks, rg::Auc{}, list.view());
      for (std::size_t r = 0; r < ranks; ++r) {
        const std::size_t next = (r + 1) % ranks;
        CHECK(found.exchanged[r] == (300 - (begins[next + 1] - begins[next])) * (weights ? 8 : 4));
        CHECK(found.gathered[r] == 48);
        CHECK(found.reduced[r] == 8 * 15 + 8);
      }
    }
  }
}

TEST_CASE("AUC over ranks: masks, infinities, NaN, and no signal", "[distributed][metric]") {
  auto list = test::make_list<double>(200, 3, {.grades = 2, .weights = true});
  list.scores[20] = std::numeric_limits<double>::infinity();
  list.scores[90] = -std::numeric_limits<double>::infinity();
  check_everywhere(over_ranks(3, rg::Auc{}, list.view()), rg::value(rg::Auc{}, list.view()));
  for (std::size_t i = 0; i < 200; ++i) list.mask.push_back(i % 5 != 0);
  list.scores[100] = std::numeric_limits<double>::quiet_NaN();   // masked
  check_everywhere(over_ranks(3, rg::Auc{}, list.view()), rg::value(rg::Auc{}, list.view()));

  list.scores[101] = std::numeric_limits<double>::quiet_NaN();
  for (const auto& v : over_ranks(3, rg::Auc{}, list.view()).values) CHECK((v.valid && std::isnan(v.value)));

  std::fill(list.labels.begin(), list.labels.end(), 0.0);
  for (const auto& v : over_ranks(3, rg::Auc{}, list.view()).values) CHECK_FALSE(v.valid);
  for (const auto& v : over_ranks(3, rg::Auc{}, rg::ListView<double>{}).values) CHECK_FALSE(v.valid);
}

TEST_CASE("AUC over ranks: what is wrong on one rank is an error on all", "[distributed][metric]") {
  auto list = test::make_list<double>(100, 3, {.grades = 2});
  CHECK(over_ranks(2, rg::Auc{.ties = rg::Ties::stable}, list.view()).errors ==
        Strings(2, "rankgrad: rank 0 of 2: Auc.ties is by place in the list; over ranks it must be expected, optimistic or pessimistic"));
  list.labels[99] = std::numeric_limits<double>::infinity();
  const Strings errors = over_ranks(4, rg::Auc{}, list.view()).errors;
  CHECK(errors == Strings(4, errors[0]));
  CHECK_THAT(errors[0], contains("rank 3 of 4: labels[39] is inf"));
}
