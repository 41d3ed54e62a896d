#include "properties/oracles/embedding_arcface.hpp"

#define EVERY_EMBEDDING_LOSS rankgrad::InBatchArcFace
#include "embedding/every_embedding_loss_cases.hpp"
