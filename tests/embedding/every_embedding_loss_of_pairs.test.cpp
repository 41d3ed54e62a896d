#include "properties/oracles/embedding_pairs.hpp"

#define EVERY_EMBEDDING_LOSS                                                                                             \
  rankgrad::InBatchSigmoid, rankgrad::InBatchTripletLogSumExp, rankgrad::InBatchHardestNegativeTriplet,                  \
      rankgrad::InBatchSumHingeTriplet, rankgrad::InBatchMultiSimilarity
#include "embedding/every_embedding_loss_cases.hpp"
