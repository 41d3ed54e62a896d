// Which scalar twin goes with which loss. Compiled twice: RANKGRAD_TWINS is `scalar`, or `fast_math` with -ffast-math.
#include "backends/twins_auc.hpp"
#include "backends/twins_boosters.hpp"
#include "backends/twins_comparisons.hpp"
#include "backends/twins_distributions.hpp"
#include "backends/twins_listwise.hpp"
#include "backends/twins_matrices.hpp"
#include "backends/twins_policies.hpp"

#include <map>

namespace bench::RANKGRAD_TWINS {
namespace {

#ifdef __FAST_MATH__
constexpr const char* plain_name = "scalar_fast_math";
#else
constexpr const char* plain_name = "scalar";
#endif

/// The mean over the lists that carry a signal, as BatchEvaluator takes it.
template <class T, class Twin>
auto over_lists(Twin twin) {
  return [twin](const Lists<T>& lists, std::span<T> gradient) mutable -> double {
    double total = 0;
    std::size_t valid = 0;
    for (std::size_t q = 0; q < lists.size(); ++q)
      if (const auto value = twin(lists.list(q), gradient.data() + lists.offsets[q])) {
        total += *value;
        ++valid;
      }
    if (valid == 0) return 0;
    if (const T factor = T(1) / static_cast<T>(valid); valid > 1)
      for (T& g : gradient) g *= factor;
    return total / static_cast<double>(valid);
  };
}

/// NDCG has no gradient; a list without a relevant item counts 0.
template <class T>
double mean_ndcg(Ndcg& ndcg, const Lists<T>& lists) {
  double total = 0;
  for (std::size_t q = 0; q < lists.size(); ++q) total += ndcg(lists.list(q), static_cast<T*>(nullptr)).value_or(0.0);
  return total / static_cast<double>(lists.size());
}

/// One call at 10'000 takes half a second, and one type is enough to see what it costs.
template <class T>
constexpr std::size_t longest_for_pairs = sizeof(T) == 4 ? 10'000 : 1'000;

template <class T>
using Table = std::multimap<std::string_view, Method<T, Lists<T>>>;

template <class T, class Phi, class Weight = Unweighted>
void add_pairs(Table<T>& table, std::string_view loss, Weight weight = {}) {
  const auto add = [&](const char* name, auto twin) {
    table.emplace(loss, Method<T, Lists<T>>{name, over_lists<T>(twin), longest_for_pairs<T>});
  };
#ifdef __FAST_MATH__
  add(plain_name, SortedPairs<Phi, Weight>{weight, {}});
#else
  add(plain_name, Pairs<Phi, Weight>{weight, {}});
  add("scalar_sorted", SortedPairs<Phi, Weight>{weight, {}});
#endif
}

template <class T>
Table<T> make_table() {
  Table<T> table;
  const auto add = [&](std::string_view loss, auto twin, std::size_t largest = ~std::size_t{0}) {
    table.emplace(loss, Method<T, Lists<T>>{plain_name, over_lists<T>(twin), largest});
  };
  add("pointwise/sigmoid_cross_entropy", SigmoidCrossEntropy{});
  add("pointwise/mean_squared_error", MeanSquaredError{});
  add("listwise/softmax", Softmax{});
  add("listwise/listnet", ListNet{});
  add("listwise/approx_ndcg", ApproxNdcg{}, longest_for_pairs<T>);
  add("listwise/jensen_shannon", JensenShannon{});
  add("plackett_luce/listmle", ListMle{});
  add("contrastive/info_nce", InfoNce{});
  add("contrastive/distribution_alignment", DistributionAlignment{});
  add("pointwise/soft_f1", SoftF1{});
  add("contrastive/arcface", ArcFace{});
  add("pairwise/rank_margin", RankMargin<false>{}, longest_for_pairs<T>);
  add("pairwise/rank_margin_per_gap", RankMargin<true>{}, longest_for_pairs<T>);
  add_pairs<T, Logistic>(table, "pairwise/rank_weighted_ranknet", RankSum{});
  add_pairs<T, Logistic>(table, "pairwise/ranknet");
  add_pairs<T, Hinge>(table, "pairwise/hinge");
  add_pairs<T, SquaredHinge>(table, "pairwise/squared_hinge");
  add_pairs<T, SoftZeroOne>(table, "pairwise/pairwise_softmax");
  add_pairs<T, Logistic>(table, "pairwise/lambdarank", DeltaNdcg{});
  add_pairs<T, Logistic>(table, "pairwise/ndcg_loss2", GainAndGap<false>{});
  add_pairs<T, Logistic>(table, "pairwise/ndcg_loss2pp", GainAndGap<true>{});
  add_pairs<T, Logistic>(table, "curriculum/ranknet", Easiness{0.25});
  add("auc/mann_whitney_logistic", MannWhitneyLogistic{}, longest_for_pairs<T>);
  add("auc/mann_whitney_hinge", MannWhitneyHinge<false>{});
  add("auc/mann_whitney_squared_hinge", MannWhitneyHinge<true>{});
  add("auc/mann_whitney_square", MannWhitneySquare{});
  add("auc/mann_whitney_exponential", MannWhitneyExponential{});
  const auto ndcg = [twin = Ndcg{}](const Lists<T>& lists, std::span<T>) mutable { return mean_ndcg(twin, lists); };
  table.emplace("metric/ndcg", Method<T, Lists<T>>{plain_name, ndcg});
#ifndef __FAST_MATH__
  if constexpr (sizeof(T) == 4) {
    const auto add_booster = [&](const char* name, auto twin) {
      table.emplace("pairwise/lambdarank",
                    Method<T, Lists<T>>{name, over_lists<T>(twin), longest_for_pairs<T>, Compare::gradient_only});
    };
    add_booster("lightgbm_like", LightGbmLike{});
    add_booster("xgboost_like", XgBoostLike{});
  }
#endif
  return table;
}

template <class T>
void append_for(std::string_view loss, Methods<Lists<T>>& methods) {
  static const Table<T> table = make_table<T>();
  const auto [begin, end] = table.equal_range(loss);
  for (auto entry = begin; entry != end; ++entry) methods.push_back(entry->second);
}
template <class T>
void append_for(std::string_view loss, Methods<Comparisons<T>>& methods) {
  if (loss == "bradley_terry/bradley_terry") methods.push_back({plain_name, OverComparisons<BradleyTerry>{}});
  if (loss == "bradley_terry/rao_kupper") methods.push_back({plain_name, OverComparisons<RaoKupper>{}});
  if (loss == "bradley_terry/davidson") methods.push_back({plain_name, OverComparisons<Davidson>{}});
}
template <class T>
void append_for(std::string_view loss, Methods<Similarities<T>>& methods) {
  if (loss == "triplet/triplet_log_sum_exp") methods.push_back({plain_name, Triplet<LogSumExpOfNegatives>{}});
  if (loss == "triplet/hardest_negative") methods.push_back({plain_name, Triplet<HardestNegative>{}});
  if (loss == "triplet/sum_hinge") methods.push_back({plain_name, Triplet<SumOfHinges>{}});
  if (loss == "triplet/multi_similarity") methods.push_back({plain_name, MultiSimilarity{}});
  if (loss == "contrastive/symmetric_info_nce") methods.push_back({plain_name, SymmetricInfoNce{}});
  if (loss == "contrastive/grouped_info_nce") methods.push_back({plain_name, GroupedInfoNce{}});
  if (loss == "tokens/cross_entropy") methods.push_back({plain_name, TokenCrossEntropy{}});
}
template <class T>
void append_for(std::string_view loss, Methods<Rollouts<T>>& methods) {
  if (loss == "policy/grpo") methods.push_back({plain_name, Grpo{}});
  if (loss == "policy/dapo") methods.push_back({plain_name, Grpo{.clip_high = 0.28, .beta = 0, .per = Grpo::Per::token}});
  if (loss == "policy/dr_grpo") methods.push_back({plain_name, Grpo{.beta = 0, .per = Grpo::Per::constant, .by_deviation = false}});
}
template <class T>
void append_for(std::string_view loss, Methods<Preferences<T>>& methods) {
  if (loss == "preference/dpo") methods.push_back({plain_name, Dpo{}});
}

}  // namespace

template <class Input>
void append(std::string_view loss, Methods<Input>& methods) {
  append_for<typename Input::value_type>(loss, methods);
}
template void append(std::string_view, Methods<Lists<float>>&);
template void append(std::string_view, Methods<Lists<double>>&);
template void append(std::string_view, Methods<Comparisons<float>>&);
template void append(std::string_view, Methods<Comparisons<double>>&);
template void append(std::string_view, Methods<Similarities<float>>&);
template void append(std::string_view, Methods<Similarities<double>>&);
template void append(std::string_view, Methods<Rollouts<float>>&);
template void append(std::string_view, Methods<Rollouts<double>>&);
template void append(std::string_view, Methods<Preferences<float>>&);
template void append(std::string_view, Methods<Preferences<double>>&);

}  // namespace bench::RANKGRAD_TWINS
