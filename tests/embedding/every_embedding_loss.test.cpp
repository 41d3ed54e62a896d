// The properties that every loss over embeddings must have. A new one: its oracle in properties/oracles/, its name below or in
// another file like this one.
#include "properties/oracles/embedding.hpp"

#define EVERY_EMBEDDING_LOSS rankgrad::InBatchInfoNce
#include "embedding/every_embedding_loss_cases.hpp"
