#include <rankgrad/embedding/embedding_view.hpp>

#include "embedding/properties.hpp"

#include <functional>
#include <string>

namespace rg = rankgrad;

namespace {
template <class T>
using Batch = test::OwnedEmbeddings<T>;
}

TEMPLATE_TEST_CASE("a batch of embeddings that is wrong is told what is wrong, and where", "[embedding]", float, double) {
  using T = TestType;
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  struct Case {
    const char* message;
    std::function<void(Batch<T>&)> spoil;
  };
  const std::vector<Case> cases{
      {"queries has 13 numbers, which is not a multiple of the dimension 3", [](auto& b) { b.queries.push_back(T(1)); }},
      {"documents has 17 numbers, which is not a multiple of the dimension 3", [](auto& b) { b.documents.pop_back(); }},
      {"weights has 3 elements where 4 are expected", [](auto& b) { b.weights.pop_back(); }},
      {"query_mask has 5 elements where 4 are expected", [](auto& b) { b.query_mask.assign(5, 1); }},
      {"document_mask has 4 elements where 6 are expected", [](auto& b) { b.document_mask.assign(4, 1); }},
      {"document_bias has 5 elements where 6 are expected", [](auto& b) { b.document_bias.pop_back(); }},
      {"query_ids and document_ids go together; one of them is empty", [](auto& b) { b.query_ids.clear(); }},
      {"query_ids and document_ids go together; one of them is empty", [](auto& b) { b.document_ids.clear(); }},
      {"query_ids has 3 elements where 4 are expected", [](auto& b) { b.query_ids.pop_back(); }},
      {"document_ids has 7 elements where 6 are expected", [](auto& b) { b.document_ids.push_back(1); }},
      {"weights[2] is -1; expected a finite number between 0 and", [](auto& b) { b.weights[2] = T(-1); }},
      {"weights[3] is nan", [&](auto& b) { b.weights[3] = nan; }},
      {"document_bias[5] is -inf", [&](auto& b) { b.document_bias[5] = -infinity; }},
      {"document_bias[0] is nan", [&](auto& b) { b.document_bias[0] = nan; }},
      {"positives without positive_offsets", [](auto& b) { b.positive_offsets.clear(); }},
      {"2 documents for 4 queries; without positives, document i is that of query i", [](auto& b) {
         b.positive_offsets.clear(), b.positives.clear(), b.document_bias.clear(), b.query_ids.clear(), b.document_ids.clear();
         b.documents.resize(6);
       }},
      {"positive_offsets has 4 elements where 5 are expected", [](auto& b) { b.positive_offsets.pop_back(); }},
      {"positive_offsets[0] is 1; it must be 0", [](auto& b) { b.positive_offsets[0] = 1; }},
      {"positive_offsets[3] is 0, below positive_offsets[2], which is 1", [](auto& b) { b.positive_offsets[3] = 0; }},
      {"the last of positive_offsets is 4; there are 5 positives", [](auto& b) { b.positive_offsets[4] = 4; }},
      {"positives[4] is 6; there are 6 documents", [](auto& b) { b.positives[4] = 6; }},
      {"positives[2] is 3 after 3; the documents of a query must ascend", [](auto& b) { b.positives[2] = 3; }},
      {"positives[4] is 0 after 4; the documents of a query must ascend", [](auto& b) { b.positives[4] = 0; }},
      {"own_negatives without own_offsets", [](auto& b) { b.own_negatives.assign(3, T(1)); }},
      {"own_negatives has 4 numbers, which is not a multiple of the dimension 3", [](auto& b) {
         b.own_offsets = {0, 0, 0, 0, 1}, b.own_negatives.assign(4, T(1));
       }},
      {"own_offsets has 4 elements where 5 are expected", [](auto& b) { b.own_offsets.assign(4, 0); }},
      {"own_offsets[2] is 0, below own_offsets[1], which is 1", [](auto& b) { b.own_offsets = {0, 1, 0, 0, 0}; }},
      {"the last of own_offsets is 1; there are 2 own negatives", [](auto& b) {
         b.own_offsets = {0, 0, 0, 0, 1}, b.own_negatives.assign(6, T(1));
       }},
      {"targets has 4 elements where 5 are expected", [](auto& b) { b.targets.assign(4, T(1)); }},
      {"targets has 5 elements where 4 are expected", [](auto& b) {
         b.positive_offsets.clear(), b.positives.clear(), b.targets.assign(5, T(1));
       }},
      {"targets[3] is -1; it must be finite and at least 0", [](auto& b) { b.targets.assign(5, T(0)), b.targets[3] = T(-1); }},
      {"targets[2] is nan; it must be finite and at least 0", [&](auto& b) {
         b.positive_offsets.clear(), b.positives.clear(), b.targets = {T(0), T(1), nan, T(1)};
       }}};
  Batch<T> good = test::make_embeddings<T>(1, test::everything(4, 6, 3));
  good.positive_offsets = {0, 0, 1, 3, 5};
  good.positives = {5, 3, 5, 4, 5};
  CHECK(rg::validate(good.view()));
  for (const Case& wrong : cases) {
    Batch<T> bad = good;
    wrong.spoil(bad);
    const rg::Status status = rg::validate(bad.view());
    CHECK_FALSE(status);
    CHECK_THAT(std::string(status.message()), contains(wrong.message));
    CHECK_THAT(std::string(status.message()), contains("rankgrad: "));
  }
  rg::EmbeddingView<T> flat = good.view();
  flat.dimension = 0;
  CHECK_THAT(std::string(rg::validate(flat).message()), contains("the dimension of the embeddings is 0"));
}

TEMPLATE_TEST_CASE("what is absent from a batch of embeddings may be anything", "[embedding]", float, double) {
  const auto batch = test::make_holey<TestType>(2, [] {
    test::EmbeddingOptions options = test::everything(9, 14, 3);
    options.targets = options.own = true;
    return options;
  }());
  REQUIRE(rg::validate(batch.view()));
  auto shown = batch;
  shown.query_mask.assign(9, 1);
  CHECK_THAT(std::string(rg::validate(shown.view()).message()), contains("weights[1] is nan"));
  shown = batch;
  shown.document_mask.assign(14, 1);
  CHECK_THAT(std::string(rg::validate(shown.view()).message()), contains("document_bias[1] is nan"));
  CHECK(rg::validate(test::make_embeddings<TestType>(3, {.queries = 0, .documents = 0}).view()));
  CHECK(rg::validate(rg::EmbeddingView<TestType>{.dimension = 4, .positive_offsets = batch.view().positive_offsets.first(1)}));
}
