// What losses over embeddings make of the edges, and how they run; see embedding/every_embedding_loss.hpp.
#pragma once

#include "embedding/properties.hpp"

namespace test {

template <class L>
inline constexpr bool has_similarity = requires(L& loss) { loss.similarity = rg::Similarity::cosine; };

/// Nothing to learn from; vectors of length 0; similarities of 1 and -1; lengths that are no ones; NaN.
template <class L, class T>
void check_edges() {
  for_each_instance<L>([](const L& loss) {
    const auto nobody = make_embeddings<T>(10, {.queries = 0, .documents = 0});
    CHECK(nothing(evaluated(loss, nobody)));
    CHECK(nothing(evaluated(loss, make_embeddings<T>(10, {.queries = 0, .documents = 4}))));
    if (EmbeddingOracle<L>::traits(loss).one_is_nothing)
      CHECK(nothing(evaluated(loss, make_embeddings<T>(10, {.queries = 1, .documents = 1}))));
    for (const bool queries : {true, false}) {
      auto absent = make_embeddings<T>(11, {});
      (queries ? absent.query_mask : absent.document_mask).assign(queries ? absent.query_count() : absent.document_count(), 0);
      CHECK(nothing(evaluated(loss, absent)));
    }
    auto orphans = make_embeddings<T>(11, {});
    orphans.positive_offsets.assign(orphans.query_count() + 1, 0);
    CHECK(nothing(evaluated(loss, orphans)));

    // A query, a positive and a negative of length 0.
    std::vector<L> both{loss};
    if constexpr (has_similarity<L>) {
      both[0].similarity = rg::Similarity::dot;
      both.push_back(loss);
      both[1].similarity = rg::Similarity::cosine;
    }
    for (const L& l : both) {
      INFO((similarity_of(l) == rg::Similarity::dot ? "dot" : "cosine"));
      auto zeros = make_embeddings<T>(12, {.queries = 6, .documents = 10, .dimension = 5});
      for (T* const row : {&zeros.queries[2 * 5], &zeros.documents[3 * 5], &zeros.documents[8 * 5]}) std::fill_n(row, 5, T(0));
      check_definition(l, zeros);
      const Evaluated<T> r = evaluated(l, zeros);
      CHECK(all_finite(r));
      for (std::size_t k = 0; k < 5 && similarity_of(l) == rg::Similarity::cosine; ++k)
        CHECK((r.queries[2 * 5 + k] == T(0) && r.documents[3 * 5 + k] == T(0) && r.documents[8 * 5 + k] == T(0)));

      // Equal, opposite and orthogonal vectors, positives among the opposite ones.
      OwnedEmbeddings<T> axes;
      axes.dimension = 3;
      axes.queries = {1, 0, 0, 0, 1, 0, -1, 0, 0, 0, 0, 1};
      axes.documents = {1, 0, 0, 0, -1, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, -1, 0, 1, 0};
      L cold = l;
      if constexpr (requires { cold.temperature; }) cold.temperature = 0.01;
      check_definition(cold, axes);
      auto lonely = axes.picked({0}, {0, 1, 5});   // what is left to learn is smaller than anything
      check_definition(cold, lonely);

      for (const std::vector<double>& lengths : {std::vector<double>{1e-20}, {1}, {1e4}, {1e-20, 1, 1e4}, {1e4, 1e-20, 1, 1}}) {
        const auto long_ones = make_embeddings<T>(13, {.queries = 7, .documents = 12, .dimension = 6, .lengths = lengths});
        INFO("lengths from " << lengths[0]);
        CHECK(all_finite(evaluated(l, long_ones)));
        L warm = l;
        const double longest = *std::max_element(lengths.begin(), lengths.end());
        if constexpr (requires { warm.temperature; })   // inner products up to 1e8: rounding must not be all there is
          if (similarity_of(l) == rg::Similarity::dot && longest > 1) warm.temperature = longest * longest * l.temperature;
        const bool vanish = sizeof(T) == 4 && similarity_of(l) == rg::Similarity::dot && longest < 1;
        if (!vanish || !EmbeddingOracle<L>::traits(loss).compares) check_definition(warm, long_ones);
      }
    }

    const T nan = std::numeric_limits<T>::quiet_NaN();
    for (const bool query : {true, false}) {
      auto broken = make_embeddings<T>(14, {});
      (query ? broken.queries : broken.documents)[3] = nan;
      CHECK_FALSE(rg::is_finite(evaluated(loss, broken).value));
    }
    auto broken = make_embeddings<T>(14, everything_for(loss, 9, 14, 5));
    if (!broken.own_negatives.empty()) {
      const std::uint32_t asking = broken.present_queries()[1];
      broken.own_offsets.assign(10, 0), broken.own_negatives.assign(5, T(1)), broken.own_negatives[2] = nan;
      std::fill(broken.own_offsets.begin() + asking + 1, broken.own_offsets.end(), 1);
      CHECK_FALSE(rg::is_finite(evaluated(loss, broken).value));
    }
  });
}

/// The same bits on any number of threads and for any part of the gradient; tiles; no allocation once warm.
template <class L, class T>
void check_running() {
  for_each_instance<L>([](const L& chosen) {
    L loss = chosen;
    if constexpr (requires { loss.tiles; }) loss.tiles = {16, 96, 2};
    const auto batch = make_embeddings<T>(15, everything_for(loss, 71, 410, 17));
    const Evaluated<T> base = evaluated(loss, batch);
    REQUIRE(base.valid);
    CHECK(evaluated(loss, batch, rg::exec::Threads(2)) == base);
    CHECK(evaluated(loss, batch, rg::exec::Threads(3)) == base);
#ifdef _OPENMP
    CHECK(evaluated(loss, batch, rg::exec::OpenMp{.threads = 4}) == base);
#endif
    if constexpr (requires { loss.tiles; }) {
      const rg::exec::Threads pool(3);
      CHECK(evaluated(chosen, batch, pool) == evaluated(chosen, batch));
      for (const auto& sizes : {decltype(loss.tiles){1, 1, 1}, {7, 100, 3}, {1000, 5000, 8}}) {
        L other = loss;
        other.tiles = sizes;
        const Evaluated<T> r = evaluated(other, batch);
        CHECK(static_cast<double>(r.value) == Approx(static_cast<double>(base.value)).epsilon(value_tolerance<T>));
        check_same_rows(r.queries, base.queries, all_of(71), gradient_tolerance<T>, "queries in other tiles");
        check_same_rows(r.documents, base.documents, all_of(410), gradient_tolerance<T>, "documents in other tiles");
        check_rows(r.own, base.own, top_of(base.own), gradient_tolerance<T>, "own negatives in other tiles");
        check_rows(r.bias, base.bias, expected_of(loss, batch).bias_unit, gradient_tolerance<T>, "bias in other tiles");
      }
    }

    const Evaluated<T> value = evaluated(loss, batch, rg::Serial{}, false, false);
    CHECK((value.value == base.value && value.valid && value.log_scale == 0));
    const Evaluated<T> queries = evaluated(loss, batch, rg::Serial{}, true, false);
    const Evaluated<T> documents = evaluated(loss, batch, rg::Serial{}, false, true);
    CHECK((queries.value == base.value && queries.queries == base.queries && queries.own == base.own && queries.documents.empty()));
    CHECK((documents.value == base.value && documents.documents == base.documents && documents.bias == base.bias && documents.queries.empty()));
    std::vector<T> bias_alone(batch.document_count());
    CHECK(rg::EmbeddingEvaluator<T>{}(loss, batch.view(), {.document_bias = bias_alone}).value == base.value);
    CHECK(bias_alone == base.bias);
    // A part that is not wanted may be an empty piece of something: that is left alone.
    std::vector<T> others(std::max(batch.queries.size(), batch.documents.size()), T(7)), wanted(others);
    rg::EmbeddingEvaluator<T> one_side;
    one_side(loss, batch.view(), {std::span(wanted).first(batch.queries.size()), std::span(others).first(0)});
    one_side(loss, batch.view(), {std::span(others).first(0), std::span(wanted).first(batch.documents.size())});
    CHECK(std::count(others.begin(), others.end(), T(7)) == static_cast<std::ptrdiff_t>(others.size()));
    const Expected expected = expected_of(loss, batch);
    for (const Evaluated<T>* r : {&queries, &documents})
      check_log_scale(*r, expected);

    rg::EmbeddingEvaluator<T> evaluate;
    std::vector<T> to_queries(batch.queries.size()), to_documents(batch.documents.size()), to_own(batch.own_negatives.size()), to_bias(batch.document_count());
    const rg::exec::Threads pool(2);
    const auto step = [&](const auto& executor) {
      return evaluate(loss, batch.view(), {to_queries, to_documents, to_own, to_bias}, executor).value;
    };
    step(rg::Serial{}), step(pool);
    const std::size_t warm = evaluate.growths();
    for (int round = 0; round < 3; ++round) CHECK((step(rg::Serial{}) == base.value && step(pool) == base.value));
    CHECK(evaluate(loss, batch.picked(all_of(60), all_of(300)).view()).valid);
    CHECK(evaluate.growths() == warm);
  });
}

/// Settings and inputs that are refused, before anything is written.
template <class L, class T>
void check_refusals() {
  const auto batch = make_embeddings<T>(16, everything(5, 8, 3));
  auto negative = batch;
  negative.weights[4] = T(-1);
  std::vector<T> queries(15, T(7)), documents(24, T(7));
  rg::EmbeddingEvaluator<T> evaluate;
  for (const Refused<L>& refused : EmbeddingOracle<L>::refused())
    CHECK_THROWS_WITH(evaluate(refused.loss, batch.view(), {queries, documents}), contains(refused.message));
  std::vector<T> short_bias(7, T(7));
  CHECK_THROWS_WITH(evaluate(L{}, batch.view(), {queries, documents, {}, short_bias}),
                    contains("the document bias' gradient has 7 elements where 8 are expected"));
  CHECK_THROWS_WITH(evaluate(L{}, batch.view(), {queries, documents, short_bias}),
                    contains("the own negatives' gradient has 7 elements where 0 are expected"));
  CHECK_THROWS_WITH(evaluate(L{}, negative.view(), {queries, documents}), contains("weights[4] is -1"));
  auto soft = batch;
  soft.targets.assign(soft.positives.size(), T(1));
  if constexpr (!requires { EmbeddingOracle<L>::takes_targets(L{}); })
    CHECK_THROWS_WITH(evaluate(L{}, soft.view(), {queries, documents}), contains(" has no use for targets"));
  auto own = batch;
  own.own_offsets.assign(6, 0);
  if constexpr (!requires { EmbeddingOracle<L>::takes_own_negatives(L{}); })
    CHECK_THROWS_WITH(evaluate(L{}, own.view(), {queries, documents}), contains(" has no use for own negatives"));
  CHECK(queries == std::vector<T>(15, T(7)));
  CHECK(documents == std::vector<T>(24, T(7)));
}

}  // namespace test
