// train_reranker/trainer.hpp: Adam on mini-batches of queries, early stopping on validation NDCG@10.
// SPDX-License-Identifier: MIT
#pragma once

#include "evaluation.hpp"
#include "losses.hpp"
#include "scorer.hpp"

#include "common/progress.hpp"

#include <cstdint>
#include <vector>

namespace reranker {

using examples::Progress;

struct TrainingOptions {
  Eigen::Index hidden = 16;
  Activation activation = Activation::relu;
  std::size_t epochs = 60, patience = 15;   ///< patience: epochs without a better validation figure before it stops
  std::size_t batch_queries = 16;
  double learning_rate = 0.01;
  std::vector<double> weight_decays{0.1, 1, 6};   ///< all are tried; validation chooses. Few queries ask for much decay
  std::uint64_t seed = 1;
};

struct Epoch {
  double loss, validation_ndcg;   ///< mean over the mini-batches; NDCG@10
};

struct Training {
  Scorer scorer;                ///< of the best epoch
  double weight_decay = 0;      ///< the one chosen
  std::vector<Epoch> curve{};   ///< [epochs run]
  std::size_t best_epoch = 0;   ///< 1-based; 0: none
  bool diverged = false;        ///< the loss or a parameter was not finite; training stopped there

  double validation_ndcg() const { return best_epoch == 0 ? -1 : curve[best_epoch - 1].validation_ndcg; }
};

/// One training for each weight decay; the best on the validation queries.
Training train(const Objective& objective, const Dataset& training, const Dataset& validation, const TrainingOptions& options,
               Progress& progress);

}  // namespace reranker
