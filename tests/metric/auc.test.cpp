#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/metric/auc.hpp>

#include <algorithm>

namespace rg = rankgrad;

namespace {
// By rank: P N P N N P N.
const std::vector<double> s{7, 6, 5, 4, 3, 2, 1}, y{1, 0, 2, 0, -1, 1, 0};
const rg::ListView<double> list{.scores = s, .labels = y};
}  // namespace

TEST_CASE("AUC: worked by hand", "[metric]") {
  CHECK(rg::value(rg::Auc{}, list) == Approx((4 + 3 + 1) / 12.0));
  // Up to FPR 1/2 the curve stands at 1/3, then at 2/3.
  CHECK(rg::value(rg::Auc{.max_fpr = 0.5}, list) == Approx(0.5));
  CHECK(rg::value(rg::Auc{.max_fpr = 0.5, .scale = rg::RocScale::area}, list) == Approx(0.25));
  CHECK(rg::value(rg::Auc{.max_fpr = 0.5, .scale = rg::RocScale::mcclish}, list) == Approx(0.5 + 0.5 * (0.25 - 0.125) / (0.5 - 0.125)));
  CHECK(rg::value(rg::Auc{.max_fpr = 0.3, .scale = rg::RocScale::area}, list) == Approx(0.25 / 3 + 0.05 * 2 / 3));
  CHECK(rg::value(rg::Auc{.max_fpr = 0.75, .min_fpr = 0.25, .scale = rg::RocScale::area}, list) == Approx(0.5 * 2 / 3));
  // Two-way: the positives 5 and 2 against the negatives 6 and 4.
  CHECK(rg::value(rg::Auc{.max_fpr = 0.5, .min_tpr = 1 / 3.0}, list) == Approx(1 / 4.0));
}

TEST_CASE("AUC: ties count half, as mid-ranks do", "[metric]") {
  const std::vector<double> tied{2, 2, 2, 1, 1, 0}, label{1, 0, 0, 1, 0, 0};
  const rg::ListView<double> ties{.scores = tied, .labels = label};
  // Mid-ranks from below: 0 is 1, the ones 2.5, the twos 5.
  CHECK(rg::value(rg::Auc{}, ties) == Approx((5 + 2.5 - 3) / 8.0));
  CHECK(rg::value(rg::Auc{.ties = rg::Ties::optimistic}, ties) == Approx((4 + 2) / 8.0));
  CHECK(rg::value(rg::Auc{.ties = rg::Ties::pessimistic}, ties) == Approx((2 + 1) / 8.0));
  const std::vector<double> flat(6, 1.0);
  CHECK(rg::value(rg::Auc{}, rg::ListView<double>{.scores = flat, .labels = label}) == 0.5);
  CHECK(rg::value(rg::Auc{.max_fpr = 0.2, .scale = rg::RocScale::mcclish}, rg::ListView<double>{.scores = flat, .labels = label}) == Approx(0.5));
}

TEST_CASE("AUC: weights are pair weights, and weight 2 is the item twice", "[metric]") {
  auto random = test::make_list<double>(40, 7, {.grades = 2, .weights = true, .tied_scores = true});
  long double wins = 0, pairs = 0;
  for (std::size_t i = 0; i < random.size(); ++i)
    for (std::size_t k = 0; k < random.size(); ++k)
      if (random.labels[i] > 0 && !(random.labels[k] > 0)) {
        const long double w = static_cast<long double>(random.weights[i]) * random.weights[k];
        pairs += w;
        wins += w * (random.scores[i] > random.scores[k] ? 1 : random.scores[i] == random.scores[k] ? 0.5L : 0);
      }
  CHECK(rg::value(rg::Auc{}, random.view()) == Approx(static_cast<double>(wins / pairs)).epsilon(1e-14));

  std::fill(random.weights.begin(), random.weights.end(), 1.0);
  auto twice = random;
  random.weights[5] = 2;
  twice.append(twice, 5);
  for (const double max_fpr : {1.0, 0.37})
    CHECK(rg::value(rg::Auc{.max_fpr = max_fpr}, random.view()) == Approx(rg::value(rg::Auc{.max_fpr = max_fpr}, twice.view())).epsilon(1e-14));
}

TEST_CASE("AUC: undefined without both classes; parameters out of range", "[metric]") {
  const std::vector<double> none(7, 0.0);
  rg::Workspace workspace;
  CHECK_FALSE(rg::Auc{}.value(rg::ListView<double>{.scores = s, .labels = none}, workspace).valid);
  CHECK_FALSE(rg::Auc{}.value(rg::ListView<double>{.scores = s, .labels = y, .weights = none}, workspace).valid);
  CHECK_FALSE(rg::Auc{.relevant_above = 5}.value(list, workspace).valid);
  CHECK_FALSE(rg::Auc{.max_fpr = 0}.check());
  CHECK_FALSE(rg::Auc{.max_fpr = 0.4, .min_fpr = 0.5}.check());
  CHECK_FALSE(rg::Auc{.min_tpr = 1}.check());
  CHECK(rg::Auc{}.check());
}
