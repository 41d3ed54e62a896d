#include <rankgrad/embedding/relations.hpp>

#include "embedding/properties.hpp"

namespace rg = rankgrad;
namespace embedding = rankgrad::embedding;

TEST_CASE("positives and equal ids in the numbers of what is there, whole and by ranges", "[embedding]") {
  for (const bool several : {false, true})
    for (const bool ids : {false, true})
      for (const std::size_t documents : {std::size_t{40}, std::size_t{97}}) {
        INFO("several " << several << ", ids " << ids << ", documents " << documents);
        auto batch = test::make_holey<float>(1, {.queries = 37, .documents = documents, .several = several, .ids = ids});
        if (several) {   // one query with more positives than are looked through one by one, some of them of its own id
          batch.positives.resize(batch.positive_offsets[36]);
          for (std::uint32_t j = 0; j < 35; ++j)
            if (j % 5 != 2) batch.positives.push_back(j);
          batch.positive_offsets.back() = static_cast<std::uint32_t>(batch.positives.size());
          for (std::uint32_t j = 10; j < 30 && ids; ++j) batch.document_ids[j] = batch.query_ids.back();
        }
        REQUIRE(rg::validate(batch.view()));
        const auto view = batch.view();
        const test::Numbers rows = batch.present_queries(), columns = batch.present_documents();
        std::vector<std::uint8_t> asks;
        for (std::uint32_t i = 0; i < 37; ++i) {
          asks.push_back(embedding::has_positive(view, i));
          CHECK(asks[i] == std::binary_search(rows.begin(), rows.end(), i));
        }
        rg::Workspace workspace;
        const auto frame = workspace.frame();
        const auto q = embedding::side_of<float>(view.queries, view.dimension, asks, rg::Similarity::dot, workspace);
        const auto k =
            embedding::side_of<float>(view.documents, view.dimension, view.document_mask, rg::Similarity::dot, workspace);
        const embedding::Relations pairs = embedding::relations_of(view, q, k, workspace);
        REQUIRE((pairs.queries == rows.size() && pairs.documents == columns.size()));
        std::size_t total = 0;
        for (std::size_t i = 0; i < rows.size(); ++i)
          for (const auto& [first, n] :
               {std::pair{std::size_t{0}, columns.size()}, {5, 10}, {12, 1}, {columns.size() - 3, 3}, {4, 0}}) {
            test::Numbers positives, same, expected_positives, expected_same;
            pairs.for_positives(i, first, n, [&](std::size_t pair) { positives.push_back(pairs.document[pair]); });
            pairs.for_same(i, first, n, [&](std::size_t j) { same.push_back(static_cast<std::uint32_t>(j)); });
            for (std::uint32_t j = static_cast<std::uint32_t>(first); j < first + n; ++j) {
              if (batch.positive(rows[i], columns[j])) expected_positives.push_back(j);
              if (ids && batch.query_ids[rows[i]] == batch.document_ids[columns[j]]) expected_same.push_back(j);
              CHECK(pairs.is_same(i, j) == (!expected_same.empty() && expected_same.back() == j));
            }
            CHECK(positives == expected_positives);
            CHECK(same == expected_same);
            if (n != columns.size()) continue;
            CHECK(pairs.positives(i) == positives.size());
            total += positives.size();
          }
        CHECK(pairs.pairs() == total);
      }
}
