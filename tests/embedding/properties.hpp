// The properties of losses over embeddings; see embedding/every_embedding_loss.hpp.
#pragma once

#include "embedding/every_embedding_loss.hpp"

#include <rankgrad/exec/threads.hpp>
#ifdef _OPENMP
#include <rankgrad/exec/openmp.hpp>
#endif

#include <array>
#include <string>

namespace test {

/// body(loss) for all settings of a loss.
template <class L, class Body>
void for_each_instance(const Body& body) {
  std::size_t number = 0;
  for (const L& loss : EmbeddingOracle<L>::instances()) {
    INFO(L::name << ", instance " << number++);
    REQUIRE(loss.check());
    body(loss);
  }
}

/// Everything that a batch can have, masks included, and what is absent is not even a number.
template <class T>
OwnedEmbeddings<T> make_holey(std::uint64_t seed, EmbeddingOptions options, bool queries = true, bool documents = true) {
  OwnedEmbeddings<T> batch = make_embeddings<T>(seed, options);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const auto spoil = [&](std::vector<T>& vectors, std::vector<T>& numbers, std::vector<std::uint8_t>& mask, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      mask.push_back(i % 3 != 1);
      if (mask[i]) continue;
      std::fill_n(&vectors[i * options.dimension], options.dimension, i % 2 ? nan : T(1e30f));
      if (!numbers.empty()) numbers[i] = nan;
    }
  };
  if (queries) spoil(batch.queries, batch.weights, batch.query_mask, options.queries);
  if (documents) spoil(batch.documents, batch.document_bias, batch.document_mask, options.documents);
  for (std::size_t i = 0; i < options.queries && options.own; ++i)
    for (std::size_t k = batch.own_offsets[i]; k < batch.own_offsets[i + 1] && !batch.has_query(i); ++k)
      std::fill_n(&batch.own_negatives[k * options.dimension], options.dimension, nan);
  for (std::size_t i = 0; i < options.queries && !batch.targets.empty(); ++i)
    for (std::size_t k = batch.view().first_positive(i); k < batch.view().first_positive(i + 1); ++k)
      if (!batch.has_query(i) || !batch.has_document(batch.positives.empty() ? i : batch.positives[k])) batch.targets[k] = nan;
  return batch;
}
inline EmbeddingOptions everything(std::size_t queries, std::size_t documents, std::size_t dimension) {
  return {.queries = queries, .documents = documents, .dimension = dimension, .several = true, .ids = true, .bias = true,
          .weights = true};
}
/// And what not every loss has a use for.
template <class L>
EmbeddingOptions everything_for(const L& loss, std::size_t queries, std::size_t documents, std::size_t dimension) {
  EmbeddingOptions options = everything(queries, documents, dimension);
  if constexpr (requires { EmbeddingOracle<L>::takes_targets(loss); }) options.targets = EmbeddingOracle<L>::takes_targets(loss);
  if constexpr (requires { EmbeddingOracle<L>::takes_own_negatives(loss); }) options.own = EmbeddingOracle<L>::takes_own_negatives(loss);
  return options;
}

/// The largest magnitude, as the unit of all.
template <class T>
std::vector<double> top_of(const std::vector<T>& values) {
  double top = 0;
  for (const T v : values) top = std::max(top, std::abs(static_cast<double>(v)));
  return {top};
}

/// The definition, where no size is a multiple of anything.
template <class L, class T>
void check_definitions() {
  for_each_instance<L>([](const L& loss) {
    using Sizes = std::array<std::size_t, 3>;
    for (const auto& [queries, documents, dimension] : {Sizes{1, 2, 1}, {2, 2, 3}, {5, 7, 33}, {13, 101, 7}, {29, 37, 300}}) {
      INFO(queries << " queries, " << documents << " documents, dimension " << dimension);
      check_definition(loss, make_embeddings<T>(1, {.queries = queries, .documents = documents, .dimension = dimension}));
      check_definition(loss, make_embeddings<T>(2, everything(queries, documents, dimension)));
      check_definition(loss, make_holey<T>(3, everything_for(loss, queries, documents, dimension)));
    }
    if constexpr (sizeof(T) == 4) {   // and the same numbers in double
      const auto batch = make_embeddings<T>(4, everything_for(loss, 70, 430, 64));
      const auto narrow = evaluated(loss, batch);
      const auto wide = evaluated(loss, batch.template as<double>());
      CHECK(static_cast<double>(narrow.value) == Approx(wide.value).epsilon(value_tolerance<T>));
      check_rows(narrow.queries, wide.queries, top_of(wide.queries), gradient_tolerance<T>, "queries in float");
      check_rows(narrow.documents, wide.documents, top_of(wide.documents), gradient_tolerance<T>, "documents in float");
      check_rows(narrow.own, wide.own, top_of(wide.own), gradient_tolerance<T>, "own negatives in float");
      check_rows(narrow.bias, wide.bias, expected_of(loss, batch).bias_unit, gradient_tolerance<T>, "bias in float");
    }
  });
}

/// Finite differences by every number of every vector and by log(1 / temperature).
template <class L>
void check_differences() {
  for_each_instance<L>([](const L& loss) {
    if (!EmbeddingOracle<L>::traits(loss).smooth) return;
    auto batch = make_embeddings<double>(5, everything_for(loss, 5, 7, 3));
    const Evaluated<double> at = evaluated(loss, batch);
    REQUIRE(at.valid);
    const auto slope = [](double h, const auto& f) { return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h); };
    rg::EmbeddingEvaluator<double> evaluate;
    const auto differences = [&](std::vector<double>& numbers) {
      std::vector<double> slopes;
      for (double& x : numbers) {
        const double rest = x;
        slopes.push_back(slope(1e-4, [&](double h) {
          x = rest + h;
          const double value = evaluate(loss, batch.view()).value;
          x = rest;
          return value;
        }));
      }
      return slopes;
    };
    const std::vector<double> by_queries = differences(batch.queries), by_documents = differences(batch.documents),
                              by_own = differences(batch.own_negatives), by_bias = differences(batch.document_bias);
    check_rows(at.queries, by_queries, top_of(by_queries), 1e-7, "queries by differences");
    check_rows(at.documents, by_documents, top_of(by_documents), 1e-7, "documents by differences");
    check_rows(at.own, by_own, top_of(by_own), 1e-7, "own negatives by differences");
    check_rows(at.bias, by_bias, expected_of(loss, batch).bias_unit, 1e-7, "bias by differences");
    if constexpr (requires { loss.temperature; } || requires { loss.scale; }) {
      const double by_scale = slope(1e-4, [&](double h) {
        L other = loss;
        if constexpr (requires { loss.temperature; }) other.temperature = loss.temperature * std::exp(-h);
        else other.scale = loss.scale * std::exp(h);
        return evaluate(other, batch.view()).value;
      });
      CHECK(at.log_scale == Approx(by_scale).epsilon(1e-7).margin(1e-9));
    }
  });
}

/// got is the gradient of the rows `numbers` of `whole`.
template <class T>
void check_same_rows(const std::vector<T>& got, const std::vector<T>& whole, const Numbers& numbers, double tolerance,
                     const char* what) {
  std::vector<T> picked;
  const std::size_t d = numbers.empty() ? 0 : got.size() / numbers.size();
  for (const std::uint32_t i : numbers)
    for (std::size_t k = 0; k < d; ++k) picked.push_back(whole[i * d + k]);
  check_rows(got, picked, top_of(picked), tolerance, what);
}

/// The order of queries and documents does not matter; absent is deleted, to the bit; a document twice; weights.
template <class L, class T>
void check_symmetries() {
  for_each_instance<L>([](const L& loss) {
    const auto batch = make_embeddings<T>(6, everything_for(loss, 17, 45, 9));
    const Evaluated<T> base = evaluated(loss, batch);
    REQUIRE(base.valid);
    const double close = gradient_tolerance<T>, value = static_cast<double>(base.value);
    const Numbers all_queries = all_of(17), all_documents = all_of(45);

    Numbers rows = all_queries, columns = all_documents;
    rg::Random(7).shuffle(rows.data(), rows.size());
    rg::Random(8).shuffle(columns.data(), columns.size());
    const Evaluated<T> shuffled = evaluated(loss, batch.picked(rows, columns));
    CHECK(static_cast<double>(shuffled.value) == Approx(value).epsilon(value_tolerance<T>));
    check_same_rows(shuffled.queries, base.queries, rows, close, "queries in another order");
    check_same_rows(shuffled.documents, base.documents, columns, close, "documents in another order");
    check_same_rows(shuffled.own, base.own, batch.own_of(rows), close, "own negatives in another order");
    std::vector<T> bias;
    for (const std::uint32_t j : columns) bias.push_back(base.bias[j]);
    check_rows(shuffled.bias, bias, expected_of(loss, batch).bias_unit, close, "bias in another order");

    for (const auto& [queries, documents] : {std::pair{true, false}, {false, true}, {true, true}}) {
      const auto holey = make_holey<T>(9, everything_for(loss, 23, 51, 6), queries, documents);
      REQUIRE(rg::validate(holey.view()));
      const Numbers kept_rows = holey.present_queries(), kept_columns = holey.present_documents();
      const Evaluated<T> a = evaluated(loss, holey), b = evaluated(loss, holey.picked(kept_rows, kept_columns));
      REQUIRE(a.valid);
      CHECK(a.value == b.value);
      CHECK(a.log_scale == b.log_scale);
      check_same_rows(b.queries, a.queries, kept_rows, 0, "queries that are there");
      check_same_rows(b.documents, a.documents, kept_columns, 0, "documents that are there");
      const Numbers kept_own = holey.own_of(kept_rows);
      check_same_rows(b.own, a.own, kept_own, 0, "own negatives that are there");
      check_same_rows(b.bias, a.bias, kept_columns, 0, "bias of documents that are there");
      for (std::uint32_t i = 0; i < 23 * 6; ++i)
        if (!std::binary_search(kept_rows.begin(), kept_rows.end(), i / 6)) CHECK(a.queries[i] == T(0));
      for (std::uint32_t j = 0; j < 51 * 6; ++j)
        if (!holey.has_document(j / 6)) CHECK((a.documents[j] == T(0) && a.bias[j / 6] == T(0)));
      for (std::uint32_t k = 0; k < a.own.size(); ++k)
        if (!std::binary_search(kept_own.begin(), kept_own.end(), k / 6)) CHECK(a.own[k] == T(0));
    }

    // One that is nobody's positive (or some query's) and its copy at the end are pulled alike.
    for (const bool is_positive : {false, true}) {
      std::uint32_t chosen = 0;
      const auto positive_of_any = [&](std::uint32_t j) {
        return std::find(batch.positives.begin(), batch.positives.end(), j) != batch.positives.end();
      };
      while (positive_of_any(chosen) != is_positive) ++chosen;
      Numbers twice = all_documents;
      twice.push_back(chosen);
      const auto repeated = batch.picked(all_queries, twice);
      check_definition(loss, repeated);
      const Evaluated<T> r = evaluated(loss, repeated);
      const std::vector<T> copy(r.documents.end() - 9, r.documents.end());
      std::vector<T> original(r.documents.begin() + chosen * 9, r.documents.begin() + (chosen + 1) * 9);
      check_same_rows(copy, original, {0}, close, "a copy of a document");
    }

    auto plain = batch, ones = batch;
    plain.weights.clear();
    std::fill(ones.weights.begin(), ones.weights.end(), T(1));
    CHECK(evaluated(loss, plain) == evaluated(loss, ones));
    auto weightless = batch;
    std::fill(weightless.weights.begin(), weightless.weights.end(), T(0));
    CHECK(nothing(evaluated(loss, weightless)));
    auto uneven = batch;   // query 3 twice, queries 5 and 6 not at all
    for (std::size_t i = 0; i < 17; ++i) uneven.weights[i] = T(i == 3 ? 2 : i == 5 || i == 6 ? 0 : 1);
    check_definition(loss, uneven);
    if (EmbeddingOracle<L>::traits(loss).weights_repeat) {
      Numbers chosen;
      for (const std::uint32_t i : all_queries)
        if (i != 5 && i != 6) chosen.push_back(i);
      chosen.push_back(3);
      const Evaluated<T> a = evaluated(loss, uneven), b = evaluated(loss, plain.picked(chosen, all_documents));
      CHECK(static_cast<double>(a.value) == Approx(static_cast<double>(b.value)).epsilon(value_tolerance<T>));
      check_same_rows(a.documents, b.documents, all_documents, close, "documents of a repeated query");
      std::vector<T> sum(&b.queries[3 * 9], &b.queries[3 * 9] + 9);   // the second one is the last
      for (std::size_t k = 0; k < 9; ++k) sum[k] += b.queries[b.queries.size() - 9 + k];
      check_same_rows(std::vector<T>(&a.queries[3 * 9], &a.queries[3 * 9] + 9), sum, {0}, close, "a repeated query");
    }
  });
}

}  // namespace test
