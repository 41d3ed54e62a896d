// Part of backends/library.cpp: the losses over something else than lists, called as a user calls them.
#pragma once

#include "support/problem.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>
#include <rankgrad/contrastive/symmetric_info_nce.hpp>
#include <rankgrad/policy/grpo.hpp>
#include <rankgrad/preference/dpo.hpp>
#include <rankgrad/tokens/cross_entropy.hpp>
#include <rankgrad/triplet/hardest_negative.hpp>
#include <rankgrad/triplet/multi_similarity.hpp>
#include <rankgrad/triplet/sum_hinge.hpp>
#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

#include <memory>

namespace bench::RANKGRAD_BUILD {
namespace {

namespace rg = rankgrad;

// What the library is shown of an input.

template <class T>
rg::ComparisonView<T> view_of(const Comparisons<T>& in) {
  const auto* outcome = reinterpret_cast<const rg::Outcome*>(in.outcome.data());   // an enumeration over the same type
  return {.scores = in.scores, .first = in.first, .second = in.second, .outcome = {outcome, in.outcome.size()}};
}
template <class T>
rg::SimilarityView<T> view_of(const Similarities<T>& in) {
  return {.similarity = in.matrix, .ids = in.ids};
}
template <class T>
rg::GroupedSimilarityView<T> groups_of(const Similarities<T>& in) {
  const std::size_t queries = in.ids.size();
  return {.similarity = in.matrix, .queries = queries, .group = in.matrix.size() / (queries * queries)};
}
template <class T>
rg::PreferenceView<T> view_of(const Preferences<T>& in) {
  return {.chosen = in.chosen, .rejected = in.rejected, .reference_chosen = in.reference_chosen, .reference_rejected = in.reference_rejected};
}
template <class T>
rg::RolloutView<T> view_of(const Rollouts<T>& in) {
  return {.log_probs = in.log_probs, .old_log_probs = in.old_log_probs, .reference_log_probs = in.reference_log_probs,
          .sequence_offsets = in.sequence_offsets, .group_offsets = in.group_offsets, .rewards = in.rewards};
}

/// The method of a loss: view(input) is what it is given.
template <class Input, class L, class View>
auto method_of(const L& loss, View view) {
  using T = typename Input::value_type;
  const auto run = [loss, view, workspace = std::make_shared<rg::Workspace>()](const Input& in, std::span<T> gradient) {
    return static_cast<double>(rg::value_and_gradient(loss, view(in), gradient, *workspace));
  };
  return Method<T, Input>{RANKGRAD_BUILD_NAME, run};
}
template <class Input, class L>
auto method_of(const L& loss) {
  return method_of<Input>(loss, [](const Input& in) { return view_of(in); });
}

template <class T>
void append_for(std::string_view name, Methods<Comparisons<T>>& methods) {
  using Input = Comparisons<T>;
  if (name == "bradley_terry/bradley_terry") methods.push_back(method_of<Input>(rg::BradleyTerry{}));
  if (name == "bradley_terry/rao_kupper") methods.push_back(method_of<Input>(rg::RaoKupper{}));
  if (name == "bradley_terry/davidson") methods.push_back(method_of<Input>(rg::Davidson{}));
}

template <class T>
void append_for(std::string_view name, Methods<Similarities<T>>& methods) {
  using Input = Similarities<T>;
  if (name == "triplet/triplet_log_sum_exp") methods.push_back(method_of<Input>(rg::TripletLogSumExp{}));
  if (name == "triplet/hardest_negative") methods.push_back(method_of<Input>(rg::HardestNegativeTriplet{}));
  if (name == "triplet/sum_hinge") methods.push_back(method_of<Input>(rg::SumHingeTriplet{}));
  if (name == "triplet/multi_similarity") methods.push_back(method_of<Input>(rg::MultiSimilarity{}));
  if (name == "contrastive/symmetric_info_nce") methods.push_back(method_of<Input>(rg::SymmetricInfoNce{}));
  if (name == "contrastive/grouped_info_nce")
    methods.push_back(method_of<Input>(rg::GroupedInfoNce{}, [](const Input& in) { return groups_of(in); }));
  if (name == "tokens/cross_entropy") {
    const auto logits = [targets = std::make_shared<std::vector<std::uint32_t>>()](const Input& in) {
      targets->assign(in.ids.begin(), in.ids.end());
      return rg::TokenView<T>{.logits = in.matrix, .vocabulary = in.matrix.size() / in.ids.size(), .targets = *targets};
    };
    methods.push_back(method_of<Input>(rg::TokenCrossEntropy{}, logits));
  }
}

template <class T>
void append_for(std::string_view name, Methods<Rollouts<T>>& methods) {
  using Input = Rollouts<T>;
  const auto without_reference = [](const Input& in) {
    auto view = view_of(in);
    view.reference_log_probs = {};
    return view;
  };
  if (name == "policy/grpo") methods.push_back(method_of<Input>(rg::Grpo{}));
  if (name == "policy/dapo")
    methods.push_back(method_of<Input>(rg::Grpo{.clip_high = 0.28, .reduction = rg::TokenReduction::token_mean}, without_reference));
  if (name == "policy/dr_grpo")
    methods.push_back(method_of<Input>(
        rg::Grpo{.reduction = rg::TokenReduction::sequence_sum, .advantage = {.scale_by_std = false}}, without_reference));
}

template <class T>
void append_for(std::string_view name, Methods<Preferences<T>>& methods) {
  if (name == "preference/dpo") methods.push_back(method_of<Preferences<T>>(rg::Dpo{}));
}

}  // namespace
}  // namespace bench::RANKGRAD_BUILD
