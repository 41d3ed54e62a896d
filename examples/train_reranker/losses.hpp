// train_reranker/losses.hpp: losses chosen by name at run time, alone, as mixtures, under a curriculum.
// SPDX-License-Identifier: MIT
//
// rankgrad's losses are types. A program that takes "0.8*ranknet + 0.2*listmle" from its command line needs one table
// entry per loss, made by a template, and a sum over terms: no type per mixture.
#pragma once

#include "dataset.hpp"

#include <rankgrad/core/batch_evaluator.hpp>

#include <stdexcept>
#include <string_view>

namespace reranker {

/// What a loss may want to know beside the batch.
struct Step {
  double epoch = 0;         ///< counted from 0
  std::uint64_t seed = 0;   ///< new at every step, for losses that sample
  double progress = 1;      ///< of the curriculum; 1: it is over
};

struct NamedLoss {
  using Evaluate = float (*)(rankgrad::BatchEvaluator<float>&, const rankgrad::RaggedBatch<float>&, const Step&, std::span<float> gradient);

  std::string_view name, family, description;
  Evaluate evaluate;
  Evaluate with_curriculum = nullptr;   ///< for the pointwise and pairwise losses
};

std::span<const NamedLoss> all_losses();

enum class Easiness { none, recip, norm, kde };

struct CurriculumOptions {
  Easiness easiness = Easiness::none;
  double epochs = 20;   ///< from then on all samples count the same
};

/// What is trained: weighted losses. `curriculum_NAME` is loss NAME under a curriculum.
struct Objective {
  struct Term {
    const NamedLoss* loss;
    double weight;
    bool curriculum;
  };
  std::string label;
  std::vector<Term> terms;
  CurriculumOptions curriculum;
};

bool uses_curriculum(const Objective& objective);

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Reads "ranknet", "curriculum_ranknet" or "0.8*ranknet + 0.2*listmle". With a curriculum other than none every term
/// that can is put under it. Throws UsageError.
Objective parse_objective(std::string_view text, const CurriculumOptions& curriculum);

/// [items] how easy the first stage makes each candidate; empty where no term asks.
std::vector<float> easiness_of(const Objective& objective, const Dataset& data);

/// Value and gradient of an objective: the batch mean of every term, summed by weight.
class ObjectiveEvaluator {
 public:
  explicit ObjectiveEvaluator(const Objective& objective) : objective_(objective) {}

  /// Overwrites `gradient` [items].
  double operator()(const rankgrad::RaggedBatch<float>& batch, Step step, std::span<float> gradient);

 private:
  const Objective& objective_;
  rankgrad::BatchEvaluator<float> evaluate_;
  std::vector<float> term_gradient_;
};

}  // namespace reranker
