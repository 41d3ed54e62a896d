// train_reranker/losses.cpp: the table of losses, and what a term of an objective costs in code: one evaluation.
// SPDX-License-Identifier: MIT
#include "losses.hpp"

#include "list_adapters.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>
#include <rankgrad/bradley_terry/win_tie.hpp>
#include <rankgrad/curriculum/curriculum.hpp>
#include <rankgrad/curriculum/difficulty.hpp>
#include <rankgrad/listwise/approx_ndcg.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/hinge.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/pairwise_softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>
#include <rankgrad/plackett_luce/pl_rank.hpp>
#include <rankgrad/pointwise/mean_squared_error.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace reranker {
namespace {

namespace rg = rankgrad;

template <auto make>
float evaluate_loss(rg::BatchEvaluator<float>& evaluate, const rg::RaggedBatch<float>& batch, const Step& step, std::span<float> gradient) {
  return evaluate(make(step), batch, gradient);
}
template <auto make>
float evaluate_under_curriculum(rg::BatchEvaluator<float>& evaluate, const rg::RaggedBatch<float>& batch, const Step& step, std::span<float> gradient) {
  const auto loss = make(step);
  return evaluate(rg::Curriculum<std::remove_cv_t<decltype(loss)>>{.loss = loss, .progress = step.progress}, batch, gradient);
}

/// `make` builds the loss for a step: the one place where its parameters are set.
template <auto make>
NamedLoss entry(std::string_view family, std::string_view description, std::string_view name = {}) {
  using L = decltype(make(Step{}));
  NamedLoss loss{name.empty() ? rg::name_of<L>() : name, family, description, evaluate_loss<make>};
  if constexpr (rg::curriculum::Pointwise<L, float> || rg::curriculum::Pairwise<L, float>)
    loss.with_curriculum = evaluate_under_curriculum<make>;
  return loss;
}

const std::array losses{
    entry<[](const Step&) { return rg::MeanSquaredError{}; }>("pointwise", "squared distance of score and label"),
    entry<[](const Step&) { return rg::SigmoidCrossEntropy{}; }>("pointwise", "each document is a yes/no question"),
    entry<[](const Step&) { return rg::RankNet{}; }>("pairwise", "logistic loss of score differences"),
    entry<[](const Step&) { return rg::Hinge{}; }>("pairwise", "shortfall of score differences below a margin"),
    entry<[](const Step&) { return rg::SquaredHinge{}; }>("pairwise", "the same, squared"),
    entry<[](const Step&) { return rg::PairwiseSoftmax{}; }>("pairwise", "probability on the wrong document of a pair"),
    entry<[](const Step&) { return rg::PairwiseCrossEntropy{.negatives = rg::Negatives::joint}; }>(
        "pairwise", "each document against all less relevant ones at once"),
    entry<[](const Step&) { return rg::LambdaRank{.k = 10}; }>("pairwise", "RankNet weighted by the change of NDCG@10"),
    entry<[](const Step&) { return rg::Softmax{}; }>("listwise", "softmax cross-entropy over the list"),
    entry<[](const Step&) { return rg::ListNet{}; }>("listwise", "cross-entropy between softmaxes of labels and scores"),
    entry<[](const Step&) { return rg::ApproxNdcg{.temperature = 1}; }>("listwise", "NDCG of smooth ranks"),
    entry<[](const Step&) { return rg::ListMle{}; }>("plackett-luce", "likelihood of the order by label"),
    entry<[](const Step&) { return rg::ListMle{.position_weight = rg::PositionWeight::p_list_mle()}; }>(
        "plackett-luce", "the same, the top places weighing more", "p_listmle"),
    entry<[](const Step&) { return rg::ListMle{.ties = rg::TargetTies::exact}; }>(
        "plackett-luce", "the same, equal labels in any order", "listmle_exact"),
    entry<[](const Step& step) { return rg::PlRank{.k = 10, .samples = 8, .seed = step.seed}; }>(
        "plackett-luce", "expected NDCG@10 of sampled orders"),
    entry<[](const Step&) { return rg::MannWhitney{}; }>("auc", "relevant against irrelevant, within each query"),
    entry<[](const Step&) { return rg::MannWhitney{.scope = rg::Scope::batch}; }>(
        "auc", "the same over all queries of a batch together", "mann_whitney_pooled"),
    entry<[](const Step& step) { return OnComparisons<rg::WinTieBradleyTerry>{.loss = {.margin = 1, .tie_weight = 0.1}, .seed = step.seed}; }>(
        "comparisons", "the higher grade wins, equal grades are held within a margin"),
    entry<[](const Step& step) { return OnComparisons<rg::RaoKupper>{.seed = step.seed}; }>(
        "comparisons", "small differences go unnoticed: ties"),
    entry<[](const Step& step) { return OnComparisons<rg::Davidson>{.seed = step.seed}; }>(
        "comparisons", "a tie is a third outcome"),
    entry<[](const Step&) {
      return OnSimilarities<rg::TripletLogSumExp>{
          {.temperature = 1, .margin = 1, .direction = rg::Direction::rows}};
    }>("triplet", "each grade against the log-sum-exp of all below"),
};

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string{} : std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

}  // namespace

std::span<const NamedLoss> all_losses() { return losses; }

Objective parse_objective(std::string_view text, const CurriculumOptions& curriculum) {
  constexpr std::string_view prefix = "curriculum_";
  Objective objective{trimmed(text), {}, curriculum};
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t plus = std::min(text.find('+', at), text.size());
    const std::string term = trimmed(text.substr(at, plus - at));
    at = plus + 1;

    const std::size_t star = term.find('*');
    double weight = 1;
    if (star != term.npos) {
      const std::string number = trimmed(std::string_view(term).substr(0, star));
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
      if (error != std::errc{} || end != number.data() + number.size() || !(weight >= 0) || !std::isfinite(weight))
        throw UsageError(fmt::format("'{}' in the loss '{}' is not a weight, a number from 0 up", number, text));
    }
    std::string name = star == term.npos ? term : trimmed(std::string_view(term).substr(star + 1));
    const bool asks = name.starts_with(prefix);
    if (asks) name.erase(0, prefix.size());
    const auto loss = std::find_if(losses.begin(), losses.end(), [&](const NamedLoss& l) { return l.name == name; });
    if (loss == losses.end()) throw UsageError(fmt::format("there is no loss '{}'; --list-losses shows all", name));
    if (asks && !loss->with_curriculum)
      throw UsageError(fmt::format("{} cannot be put under a curriculum: only pointwise and pairwise losses can", name));
    objective.terms.push_back({&*loss, weight, loss->with_curriculum && (asks || curriculum.easiness != Easiness::none)});
  }
  return objective;
}

bool uses_curriculum(const Objective& objective) {
  return std::any_of(objective.terms.begin(), objective.terms.end(), [](const Objective::Term& term) { return term.curriculum; });
}

std::vector<float> easiness_of(const Objective& objective, const Dataset& data) {
  if (!uses_curriculum(objective)) return {};
  std::vector<float> easiness(data.first_stage.size());
  rg::Workspace workspace;
  const auto fill = [&](const auto& heuristic) {
    rg::curriculum::fill_easiness(heuristic, data.first_stage, data.offsets, easiness, workspace);
  };
  switch (objective.curriculum.easiness) {
    case Easiness::recip: fill(rg::curriculum::ReciprocalRank{}); break;
    case Easiness::norm: fill(rg::curriculum::NormalizedScore{}); break;
    default: fill(rg::curriculum::KernelDensity{}); break;   // what curriculum_NAME means where none is chosen
  }
  return easiness;
}

double ObjectiveEvaluator::operator()(const rg::RaggedBatch<float>& batch, Step step, std::span<float> gradient) {
  step.progress = rg::CurriculumSchedule{.epochs = objective_.curriculum.epochs}.progress(step.epoch);
  std::fill(gradient.begin(), gradient.end(), 0.0f);
  term_gradient_.resize(gradient.size());
  double value = 0;
  for (const auto& [loss, weight, curriculum] : objective_.terms) {
    const auto evaluate = curriculum ? loss->with_curriculum : loss->evaluate;
    value += weight * static_cast<double>(evaluate(evaluate_, batch, step, term_gradient_));
    for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += static_cast<float>(weight) * term_gradient_[i];
  }
  return value;
}

}  // namespace reranker
