// The library as a user calls it: one list through value_and_gradient(), batches through a BatchEvaluator, with the
// default input checks. Compiled twice: RANKGRAD_BUILD is `native`, or `avx2` for x86-64-v3 on a machine that has more.
#include "backends/library_views.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/contrastive/arcface.hpp>
#include <rankgrad/contrastive/distribution_alignment.hpp>
#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/jensen_shannon.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambda_loss.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/rank_margin.hpp>
#include <rankgrad/pairwise/rank_weighted_ranknet.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>
#include <rankgrad/pointwise/confusion_loss.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

namespace bench::RANKGRAD_BUILD {
namespace {

namespace simd = rankgrad::simd;

constexpr bool is_native = std::string_view(RANKGRAD_BUILD_NAME) == "rankgrad";

template <class T>
rg::RaggedBatch<T> batch_of(const Lists<T>& lists) {
  return {.scores = lists.scores, .labels = lists.labels, .weights = lists.weights, .easiness = lists.easiness, .offsets = lists.offsets};
}
template <class T>
rg::ListView<T> only_list_of(const Lists<T>& lists) {
  return {.scores = lists.scores, .labels = lists.labels, .weights = lists.weights, .easiness = lists.easiness};
}

/// What a training loop keeps from call to call.
template <class T>
struct Kept {
  rg::Workspace workspace;
  rg::BatchEvaluator<T> evaluator;
  std::vector<T> curvature;
};

template <class T, class L>
auto call(const L& loss) {
  return [loss, kept = std::make_shared<Kept<T>>()](const Lists<T>& lists, std::span<T> gradient) -> double {
    if (lists.size() == 1)
      return static_cast<double>(rg::value_and_gradient(loss, only_list_of(lists), gradient, kept->workspace));
    return static_cast<double>(kept->evaluator(loss, batch_of(lists), gradient));
  };
}
template <class T, class L>
auto call_with_curvature(const L& loss) {
  return [loss, kept = std::make_shared<Kept<T>>()](const Lists<T>& lists, std::span<T> gradient) -> double {
    kept->curvature.resize(gradient.size());
    return static_cast<double>(rg::value_gradient_and_curvature(loss, only_list_of(lists), gradient, kept->curvature, T(0), kept->workspace));
  };
}
template <class T, class L>
auto call_with_two_threads(const L& loss) {
  static const rg::exec::Threads pool(2);
  return [loss, kept = std::make_shared<Kept<T>>()](const Lists<T>& lists, std::span<T> gradient) -> double {
    return static_cast<double>(kept->evaluator(loss, batch_of(lists), gradient, rg::Reduction::mean, pool));
  };
}

/// The losses by the name they have in the table, given to `use`.
template <class Use>
void with_loss(std::string_view name, const Use& use) {
  const auto take = [&](std::string_view candidate, const auto& loss) {
    if (name == candidate) use(loss);
  };
  take("pointwise/sigmoid_cross_entropy", rg::SigmoidCrossEntropy{});
  take("pointwise/mean_squared_error", rg::MeanSquaredError{});
  take("listwise/softmax", rg::Softmax{});
  take("listwise/listnet", rg::ListNet{});
  take("listwise/approx_ndcg", rg::ApproxNdcg{.temperature = 1});
  take("listwise/jensen_shannon", rg::JensenShannon{});
  take("contrastive/info_nce", rg::InfoNce{.temperature = 1});
  take("contrastive/distribution_alignment", rg::DistributionAlignment{.temperature = 1, .label_temperature = 1});
  take("pointwise/soft_f1", rg::ConfusionLoss{.amplification = 10});
  take("pairwise/rank_weighted_ranknet", rg::RankWeightedRankNet{});
  take("contrastive/arcface", rg::ArcFace{});
  take("pairwise/rank_margin", rg::RankMargin{.reduction = rg::GapReduction::sum});
  take("pairwise/rank_margin_per_gap", rg::RankMargin{});
  take("plackett_luce/listmle", rg::ListMle{.ties = rg::TargetTies::stable});
  take("pairwise/ranknet", rg::RankNet{});
  take("pairwise/hinge", rg::Hinge{});
  take("pairwise/squared_hinge", rg::SquaredHinge{});
  take("pairwise/pairwise_softmax", rg::PairwiseSoftmax{});
  take("pairwise/lambdarank", rg::LambdaRank{});
  take("pairwise/ndcg_loss2", rg::LambdaLoss{});
  take("pairwise/ndcg_loss2pp", rg::LambdaLoss{.scheme = rg::LambdaScheme::ndcg_loss2pp});
  take("curriculum/ranknet", rg::Curriculum<rg::RankNet>{.loss = {}, .progress = 0.25});
  take("auc/mann_whitney_logistic", rg::MannWhitney{});
  take("auc/mann_whitney_hinge", rg::MannWhitney{.surrogate = rg::Surrogate::hinge});
  take("auc/mann_whitney_squared_hinge", rg::MannWhitney{.surrogate = rg::Surrogate::squared_hinge});
  take("auc/mann_whitney_square", rg::MannWhitney{.surrogate = rg::Surrogate::square});
  take("auc/mann_whitney_exponential", rg::MannWhitney{.surrogate = rg::Surrogate::exponential});
}

// --- what the library is measured against from inside

/// The logistic function of a pair with an exp of its own, in a type that no faster path knows.
struct ExpPerPair {
  template <class T>
  RANKGRAD_INLINE rg::Term<T> operator()(simd::Pack<T> d) const { return rg::pairwise::Logistic{}.template operator()<T>(d); }
};
/// The logistic pair losses pair by pair, whatever is faster for long lists.
template <class Phi, class Weigh>
struct AllPairs {
  rg::Normalize normalize;
  bool classes;   ///< y > 0 against y <= 0
  Weigh weigh;
  static constexpr rg::Curvature curvature = rg::Curvature::diagonal;

  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace& workspace) const {
    const auto frame = workspace.frame();
    T* labels = workspace.take<T>(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) labels[i] = classes ? T(list.labels[i] > T(0)) : list.labels[i];
    const auto pairs = rg::pairwise::sort_by_label(list, labels, workspace);
    return rg::pairwise::comparable_pairs(Phi{}, weigh(list, pairs, workspace), normalize, pairs, out, workspace);
  }
};

constexpr std::size_t longest_for_pairs = 10'000;

template <class T>
void append_all_pairs(std::string_view loss, Methods<Lists<T>>& methods) {
  const auto uniform = [](const auto&, const auto&, auto&) { return rg::pairwise::Uniform{}; };
  const auto by_ndcg = [](const auto& list, const auto& pairs, auto& workspace) { return rg::LambdaRank{}.weighting(list, pairs, workspace); };
  const auto add = [&](std::string_view name, rg::Normalize normalize, bool classes, auto weigh) {
    if (loss != name) return;
    methods.push_back({"simd_exp", call<T>(AllPairs<ExpPerPair, decltype(weigh)>{normalize, classes, weigh}), longest_for_pairs});
    methods.push_back({"simd_brute", call<T>(AllPairs<rg::pairwise::Logistic, decltype(weigh)>{normalize, classes, weigh}), longest_for_pairs});
  };
  add("pairwise/ranknet", rg::Normalize::mean, false, uniform);
  add("auc/mann_whitney_logistic", rg::Normalize::mean, true, uniform);
  add("pairwise/lambdarank", rg::Normalize::sum, false, by_ndcg);
  if (loss == "listwise/approx_ndcg")
    methods.push_back({"simd_brute", call<T>(rg::ApproxNdcg{.temperature = 1, .path = rg::listwise::RankPath::pairs}), longest_for_pairs});
}

/// Scores and labels read, a gradient written, nothing computed: what no list loss can beat.
template <class T>
double copy_floor(const Lists<T>& lists, std::span<T> gradient) {
  const T *s = lists.scores.data(), *y = lists.labels.data();
  const std::size_t n = gradient.size(), whole = n - n % simd::lanes<T>;
  for (std::size_t i = 0; i < whole; i += simd::lanes<T>) simd::store(gradient.data() + i, simd::load(s + i) + simd::load(y + i));
  for (std::size_t i = whole; i < n; ++i) gradient[i] = s[i] + y[i];
  return 0;
}

/// Keys and sort alone: what any loss that orders its items pays first. Its "value" is the last item.
template <class T>
auto sort_by(std::vector<T> Lists<T>::*key) {
  return [key, workspace = std::make_shared<rg::Workspace>()](const Lists<T>& lists, std::span<T>) -> double {
    double last = 0;
    for (std::size_t q = 0; q < lists.size(); ++q) {
      const auto frame = workspace->frame();
      const std::size_t first = lists.offsets[q], n = lists.offsets[q + 1] - first;
      auto* order = workspace->take<std::uint32_t>(n);
      for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
      simd::sort_descending((lists.*key).data() + first, order, n, *workspace);
      last = static_cast<double>(order[n - 1]);
    }
    return last;
  };
}

/// Losses with a parameter or an output that must not cost much more than the plain call.
template <class T>
void append_variant(std::string_view name, Methods<Lists<T>>& methods) {
  const auto add = [&](std::string_view candidate, auto run) {
    if (name == candidate) methods.push_back({RANKGRAD_BUILD_NAME, run});
  };
  add("variant/mann_whitney_2_bins", call<T>(rg::MannWhitney{}));
  add("variant/mann_whitney_100_bins", call<T>(rg::MannWhitney{}));
  add("variant/mann_whitney_weights", call<T>(rg::MannWhitney{}));
  add("variant/mann_whitney_tau", call<T>(rg::MannWhitney{.temperature = 0.7}));
  add("variant/mann_whitney_curvature", call_with_curvature<T>(rg::MannWhitney{}));
  add("variant/lambdarank_curvature", call_with_curvature<T>(rg::LambdaRank{}));
  auto uniform = [](const auto&, const auto&, auto&) { return rg::pairwise::Uniform{}; };
  for (const char* all_pairs : {"variant/all_pairs", "variant/all_pairs_wide"})
    add(all_pairs, call<T>(AllPairs<rg::pairwise::Logistic, decltype(uniform)>{rg::Normalize::mean, true, uniform}));
}

template <class T>
void append_for(std::string_view loss, Methods<Lists<T>>& methods) {
  constexpr std::string_view threads = "threads/";
  if (loss.starts_with(threads)) {
    if constexpr (is_native)
      with_loss(loss.substr(threads.size()), [&](const auto& l) {
        methods.push_back({"rankgrad", call<T>(l)});
        methods.push_back({"rankgrad_2_threads", call_with_two_threads<T>(l), ~std::size_t{0}, Compare::exact});
      });
    return;
  }
  if constexpr (is_native) {
    append_all_pairs<T>(loss, methods);
    append_variant<T>(loss, methods);
    const bool streams = loss.starts_with("listwise/") && loss != "listwise/approx_ndcg";
    if (streams || loss.starts_with("pointwise/") || loss == "auc/mann_whitney_square")
      methods.push_back({"copy_floor", copy_floor<T>, ~std::size_t{0}, Compare::nothing});
  }
  with_loss(loss, [&](const auto& l) { methods.push_back({RANKGRAD_BUILD_NAME, call<T>(l)}); });
  if (loss == "sort/by_score") methods.push_back({RANKGRAD_BUILD_NAME, sort_by<T>(&Lists<T>::scores)});
  if (loss == "sort/by_label") methods.push_back({RANKGRAD_BUILD_NAME, sort_by<T>(&Lists<T>::labels)});
  if (loss == "metric/ndcg") {
    const auto ndcg = [kept = std::make_shared<Kept<T>>()](const Lists<T>& lists, std::span<T>) {
      return kept->evaluator.metric(rg::Ndcg{}, batch_of(lists));
    };
    methods.push_back({RANKGRAD_BUILD_NAME, ndcg});
  }
}

/// Elementary functions: name, and body(x, where the result goes, how far on the next result goes).
template <class T>
void append_for(std::string_view function, Methods<Numbers<T>>& methods) {
  using simd::Pack;
  const auto add = [&](std::string_view name, auto body) {
    if (function != name) return;
    methods.push_back({RANKGRAD_BUILD_NAME, [body](const Numbers<T>& in, std::span<T> out) {
                         const std::size_t n = in.x.size();   // copies, which no store can change
                         const T* const x = in.x.data();
                         T* const to = out.data();
                         for (std::size_t i = 0; i < n; i += simd::lanes<T>) body(simd::load(x + i), to + i, n);
                         return 0.0;
                       }});
  };
  add("elementary/exp", [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::exp_nonpositive<T>(x)); });
  add("elementary/log1p", [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::log1p_unit<T>(x)); });
  add("elementary/log", [](Pack<T> x, T* out, std::size_t) { simd::store(out, simd::log_positive<T>(x)); });
  add("elementary/softplus_sigmoid", [](Pack<T> x, T* out, std::size_t n) {
    const auto both = simd::softplus_sigmoid<T>(x);
    simd::store(out, both.softplus);
    simd::store(out + n, both.sigmoid);
  });
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
template void append(std::string_view, Methods<Numbers<float>>&);
template void append(std::string_view, Methods<Numbers<double>>&);

}  // namespace bench::RANKGRAD_BUILD
