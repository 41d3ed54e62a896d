// train_reranker/generator.hpp: a made-up search engine, for trying the trainer without data.
// SPDX-License-Identifier: MIT
#pragma once

#include "rows.hpp"

namespace reranker {

/// Every number is a function of these.
struct GeneratorOptions {
  std::uint64_t seed = 1;         ///< what makes a document relevant differs between seeds
  std::uint64_t first_query = 0;  ///< queries are numbered; those of equal number and seed are equal
  std::size_t queries = 300;
  double label_noise = 0.1;       ///< the part of the documents whose grade is a random one
};

/// The feature that holds the first-stage score.
inline constexpr std::uint32_t generated_first_stage = 1;

/// A query has 10 to 40 candidates. What makes a candidate d good is hidden:
///
///   u = w . z + 0.6 z_1 z_2 + 0.4 (z_3^2 - 1) + 0.3 e        z ~ N(0, I_8), e ~ N(0, 1), w of length 1 is the seed's
///   grade = how many of 0.9, 1.5, 2.1 lie below u            0 to 3: most candidates are irrelevant
///
/// What a ranker sees are the features
///
///   1        the first-stage score: 12 + 3 (u + 0.8 e) for an easy query; for a hard one (3 in 10) the first stage is
///            misled, 12 + 3 (-0.5 u + 0.8 e), and relevant documents stand low
///   2 - 9    z_j + 0.3 e, the first three with the query's own level b ~ N(0, 1) on top: they compare candidates of one
///            query, and mean little between queries
///   10       b + 0.5 e, the same for all candidates of a query
///   11 - 12  noise
///
/// with a new e at every place. Two of the terms of u are not linear: a hidden layer has something to find.
Rows generate(const GeneratorOptions& options);

}  // namespace reranker
