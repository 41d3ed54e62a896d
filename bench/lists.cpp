// What is measured on lists: every loss by every method on every shape.
#include "support/harness.hpp"

#include <set>

namespace {

using namespace bench;

struct Row {
  std::string loss;   // as the builds in backends/ know it
  Count count;
  Traits traits{};
};

/// The library needs less than O(n^2) for these: they also run on 1e5 and 1e6 items. A loss that becomes fast belongs here.
const std::set<std::string, std::less<>> long_lists{
    "pointwise/sigmoid_cross_entropy", "pointwise/mean_squared_error", "listwise/softmax", "listwise/listnet", "plackett_luce/listmle",
    "auc/mann_whitney_hinge", "auc/mann_whitney_squared_hinge", "auc/mann_whitney_square", "auc/mann_whitney_exponential",
    "metric/ndcg", "sort/by_score", "sort/by_label", "auc/mann_whitney_logistic", "pairwise/ranknet", "pairwise/hinge",
    "pairwise/squared_hinge", "pairwise/lambdarank", "listwise/approx_ndcg", "listwise/jensen_shannon", "contrastive/info_nce",
    "contrastive/distribution_alignment", "pointwise/soft_f1", "pairwise/rank_margin", "contrastive/arcface",
};

const Row rows[] = {
    {"pointwise/sigmoid_cross_entropy", Count::items},
    {"pointwise/mean_squared_error", Count::items},
    {"listwise/softmax", Count::items},
    {"listwise/listnet", Count::items},
    {"listwise/approx_ndcg", Count::items},
    {"listwise/jensen_shannon", Count::items},
    {"contrastive/info_nce", Count::items},
    {"contrastive/distribution_alignment", Count::items},
    {"contrastive/arcface", Count::items, {.one_class = true}},
    {"pointwise/soft_f1", Count::items, {.binary_labels = true}},
    {"pairwise/rank_weighted_ranknet", Count::pairs},
    {"pairwise/rank_margin", Count::pairs},
    {"pairwise/rank_margin_per_gap", Count::pairs},
    {"plackett_luce/listmle", Count::items},
    {"metric/ndcg", Count::items},
    {"sort/by_score", Count::items},
    {"sort/by_label", Count::items},
    {"pairwise/ranknet", Count::pairs},
    {"pairwise/hinge", Count::pairs},
    {"pairwise/squared_hinge", Count::pairs},
    {"pairwise/pairwise_softmax", Count::pairs},
    {"pairwise/lambdarank", Count::pairs},
    {"pairwise/ndcg_loss2", Count::pairs},
    {"pairwise/ndcg_loss2pp", Count::pairs},
    {"curriculum/ranknet", Count::pairs, {.easiness = true}},
    {"auc/mann_whitney_logistic", Count::pairs, {.binary_labels = true}},
    {"auc/mann_whitney_hinge", Count::pairs, {.binary_labels = true}},
    {"auc/mann_whitney_squared_hinge", Count::pairs, {.binary_labels = true}},
    {"auc/mann_whitney_square", Count::pairs, {.binary_labels = true}},
    {"auc/mann_whitney_exponential", Count::pairs, {.binary_labels = true}},
};

/// Parameters, weights and curvature beside the plain call on one long list, where `of` is fast enough for it. Scores of
/// spread 0.2 fall into two bins of width 2, of spread 20 into a hundred; of spread 12 they have pairs whose e^-x is too
/// small for a normal number, and still no need of an exp per pair.
const struct Variant {
  std::string name, of;
  Traits traits;
  std::size_t n = 100'000;
} variants[] = {
    {"variant/mann_whitney_2_bins", "auc/mann_whitney_logistic", {.binary_labels = true, .spread = 0.2}},
    {"variant/mann_whitney_100_bins", "auc/mann_whitney_logistic", {.binary_labels = true, .spread = 20}},
    {"variant/mann_whitney_weights", "auc/mann_whitney_logistic", {.binary_labels = true, .weights = true}},
    {"variant/mann_whitney_tau", "auc/mann_whitney_logistic", {.binary_labels = true}},
    {"variant/mann_whitney_curvature", "auc/mann_whitney_logistic", {.binary_labels = true}},
    {"variant/lambdarank_curvature", "pairwise/lambdarank", {}},
    {"variant/all_pairs", "auc/mann_whitney_logistic", {.binary_labels = true}, 10'000},
    {"variant/all_pairs_wide", "auc/mann_whitney_logistic", {.binary_labels = true, .spread = 12}, 10'000},
};

template <class T>
void add_row(const Row& row, const Shape& shape, Clock clock = Clock::cpu) {
  Methods<Lists<T>> methods;
  for (auto& method : every_method<Lists<T>>(row.loss))
    if (shape.longest <= method.largest && (method.ragged || shape.equal)) methods.push_back(std::move(method));
  const auto make = [shape, traits = row.traits] { return shape.template shared<T>(traits); };
  add<T, Lists<T>>(row.loss + "/" + type_name<T>() + "/" + shape.name, make, row.count, std::move(methods), clock);
}

template <class T>
void add_all() {
  for (const Row& row : rows)
    for (const Shape& shape : every_shape())
      if (shape.longest <= 10'000 || long_lists.contains(row.loss)) add_row<T>(row, shape);
  for (const Variant& variant : variants)
    if (long_lists.contains(variant.of)) add_row<T>({variant.name, Count::items, variant.traits}, one_list(variant.n));
}

const bool registered = [] {
  add_all<float>();
  add_all<double>();
  for (const char* loss : {"listwise/softmax", "plackett_luce/listmle", "pairwise/ranknet"})
    add_row<float>({std::string("threads/") + loss, Count::items}, equal_lists<1000>(), Clock::wall);
  if (const std::string loss = "auc/mann_whitney_logistic"; long_lists.contains(loss))
    for (const std::size_t n : {100'000u, 1'000'000u, 10'000'000u})
      add_row<float>({"threads/" + loss, Count::items, {.binary_labels = true}}, one_list(n), Clock::wall);
  for (const char* loss : {"plackett_luce/listmle", "pairwise/lambdarank"})
    for (const std::size_t n : {100'000u, 1'000'000u})
      add_row<float>({std::string("threads/") + loss, Count::items}, one_list(n), Clock::wall);
  return true;
}();

}  // namespace
