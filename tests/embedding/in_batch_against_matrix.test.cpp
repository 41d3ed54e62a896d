// InBatchInfoNce against the losses of a matrix of similarities, and of its rows as lists.
#include "embedding/against_matrix.hpp"
#include "properties/oracles/embedding.hpp"

#include <rankgrad/contrastive/info_nce.hpp>
#include <rankgrad/contrastive/soft_label.hpp>
#include <rankgrad/contrastive/symmetric_info_nce.hpp>
#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/core/evaluate.hpp>

namespace rg = rankgrad;
using rg::Direction, rg::Positives, rg::Similarity;
using L = rg::InBatchInfoNce;
using test::Numbers;
using test::check_against, test::matrix_of;

TEST_CASE("in-batch InfoNCE is SymmetricInfoNce of the similarities", "[embedding]") {
  const std::size_t n = 31;
  for (const Direction direction : {Direction::rows, Direction::columns, Direction::both})
    for (const bool average : {true, false})
      for (const double smoothing : {0.0, 0.1})
        for (const rg::SameId same : {rg::SameId::positives, rg::SameId::left_out})
          for (const bool groups : {false, true}) {
            INFO("direction " << static_cast<int>(direction) << ", smoothing " << smoothing << ", groups " << groups
                              << ", left out " << (same == rg::SameId::left_out));
            auto batch = test::make_embeddings<double>(1, {.queries = n, .documents = n, .dimension = 6, .weights = !groups});
            std::vector<std::int64_t> ids;
            for (std::size_t i = 0; i < n; ++i) ids.push_back(static_cast<std::int64_t>(groups ? i % 20 : i) * 7 - 3);
            if (same == rg::SameId::left_out) {
              batch.query_ids = batch.document_ids = ids;
            } else {
              test::list_same(batch, ids);
            }
            const std::vector<double> similarity = matrix_of(batch);
            std::vector<double> slopes(n * n);
            const rg::SymmetricInfoNce peer{.temperature = 0.3, .smoothing = smoothing, .direction = direction, .same_id = same,
                                            .average_directions = average};
            const rg::SimilarityView<double> view{.similarity = similarity, .ids = ids, .weights = batch.weights};
            const L loss{.temperature = 0.3, .direction = direction, .smoothing = smoothing, .average_directions = average};
            check_against(batch, loss, 1 / loss.temperature, rg::value_and_gradient(peer, view, slopes), slopes);
          }
}

TEST_CASE("in-batch InfoNCE is GroupedInfoNce of queries with hard negatives", "[embedding]") {
  const std::size_t queries = 9, group = 4;
  auto batch = test::make_embeddings<double>(2, {.queries = queries, .documents = queries * group, .weights = true});
  for (std::uint32_t i = 0; i < queries; ++i) batch.positives.push_back(i * group);
  batch.positive_offsets = test::all_of(queries + 1);
  const std::vector<double> similarity = matrix_of(batch);
  for (const bool both : {false, true})
    for (const rg::Normalize normalize : {rg::Normalize::mean, rg::Normalize::sum}) {
      std::vector<double> slopes(similarity.size());
      const rg::GroupedInfoNce peer{.temperature = 0.2, .bidirectional = both, .normalize = normalize};
      const rg::GroupedSimilarityView<double> view{.similarity = similarity, .queries = queries, .group = group,
                                                   .weights = batch.weights};
      const L loss{.temperature = 0.2, .direction = both ? Direction::both : Direction::rows, .average_directions = false,
                   .normalize = normalize};
      check_against(batch, loss, 1 / loss.temperature, rg::value_and_gradient(peer, view, slopes), slopes);
    }
}

TEST_CASE("in-batch InfoNCE is InfoNce of every row", "[embedding]") {
  for (const Positives positives : {Positives::mean, Positives::together})
    for (const double smoothing : {0.0, 0.15})
      for (const double gamma : {0.0, 0.7})
        for (const bool detach : {true, false})
          for (const bool bias : {false, true}) {
            // Weights of items share out means, which a bias does not: where it is there, one positive each, no smoothing.
            if (bias && smoothing > 0) continue;
            auto batch = test::make_embeddings<double>(3, test::everything(12, 35, 4));
            if (bias) batch.positives = test::all_of(12), batch.positive_offsets = test::all_of(13);
            else batch.document_bias.clear();
            INFO("together " << (positives == Positives::together) << ", smoothing " << smoothing << ", gamma " << gamma
                             << ", bias " << bias);
            const std::vector<double> similarity = matrix_of(batch);
            std::vector<double> slopes(similarity.size());
            const rg::InfoNce peer{.temperature = 0.4, .positives = positives, .smoothing = smoothing, .focal_gamma = gamma,
                                   .detach_focal = detach};
            double value = 0, total = 0;
            for (std::size_t i = 0; i < 12; ++i) {
              std::vector<double> labels, gradient(35);
              std::vector<double> weights;
              std::vector<std::uint8_t> mask;
              for (std::size_t j = 0; j < 35; ++j) {
                labels.push_back(batch.positive(i, j) ? 1 : 0);
                weights.push_back(bias ? std::exp(batch.document_bias[j]) : 1);
                mask.push_back(batch.positive(i, j) || batch.query_ids[i] != batch.document_ids[j]);
              }
              const std::span<const double> scores(&similarity[i * 35], 35);
              const rg::ListView<double> list{.scores = scores, .labels = labels, .weights = weights, .mask = mask};
              const double row = rg::value_and_gradient(peer, list, gradient);
              if (std::all_of(gradient.begin(), gradient.end(), [](double g) { return g == 0; })) continue;
              value += batch.weights[i] * row, total += batch.weights[i];
              for (std::size_t j = 0; j < 35; ++j) slopes[i * 35 + j] = batch.weights[i] * gradient[j];
            }
            for (double& s : slopes) s /= total;
            const L loss{.temperature = 0.4, .positives = positives, .smoothing = smoothing, .focal_gamma = gamma,
                         .detach_focal = detach};
            check_against(batch, loss, 1 / loss.temperature, value / total, slopes);
          }
}

TEST_CASE("in-batch InfoNCE weighed by its targets is SoftLabelInfoNce with one normaliser for the batch", "[embedding]") {
  // The scores, targets and results of tests/contrastive/soft_label.test.cpp: the queries are the axes, dL/dk_jc = dL/ds_cj.
  test::OwnedEmbeddings<double> small{.dimension = 2, .queries = {1, 0, 0, 1}, .documents = {.1, .3, .6, .5, .4, -.2},
                                      .positive_offsets = {0, 2, 4}, .positives = {1, 2, 0, 1}};
  small.targets = {1, .5, .2, .8};
  const auto got = test::evaluated(L{.temperature = 0.1, .weigh_by_targets = true}, small);
  CHECK(got.value == Approx(0.69079949).margin(1e-8));
  const std::vector<double> expected{0.035399, -0.323571, 1.253604, 0.320361, -1.289002, 0.00321};
  for (std::size_t e = 0; e < 6; ++e) CHECK(got.documents[e] == Approx(expected[e]).margin(1e-6));

  const std::size_t queries = 11, documents = 17;
  for (const double temperature : {0.1, 0.7}) {
    auto batch = test::make_embeddings<double>(8, {.queries = queries, .documents = documents, .dimension = 5});
    rg::Random random(9);
    std::vector<double> labels(queries * documents), masses, slopes(labels.size());
    for (std::size_t at = 0; at < labels.size(); ++at)   // row 4 has nothing, row 5 a target at every document
      labels[at] = at / documents == 4 || (at / documents != 5 && random.below(3) > 0) ? 0.005 : 0.02 + random.uniform();
    const std::vector<double> similarity = matrix_of(batch);
    rg::RaggedBatch<double> lists{.scores = similarity, .labels = labels};
    Numbers offsets{0};
    for (std::uint32_t i = 0; i < queries; ++i) {
      offsets.push_back((i + 1) * static_cast<std::uint32_t>(documents));
      batch.positive_offsets = i ? batch.positive_offsets : Numbers{0};
      for (std::uint32_t j = 0; j < documents; ++j)
        if (labels[i * documents + j] > 0.01) batch.positives.push_back(j), batch.targets.push_back(labels[i * documents + j]);
      batch.positive_offsets.push_back(static_cast<std::uint32_t>(batch.positives.size()));
    }
    lists.offsets = offsets;
    for (std::size_t i = 0; i < queries; ++i) masses.push_back(rg::soft_label_mass(lists[i]));
    lists.list_weights = masses;
    const double value = rg::BatchEvaluator<double>{}(rg::SoftLabelInfoNce{.temperature = temperature}, lists, slopes);
    check_against(batch, L{.temperature = temperature, .weigh_by_targets = true}, 1 / temperature, value, slopes);
  }
}

TEMPLATE_TEST_CASE("in-batch InfoNCE at sizes that are no multiples of anything", "[embedding]", float, double) {
  using T = TestType;
  struct Size {
    std::size_t queries, documents, dimension;
  };
  for (const Size size : {Size{2, 2, 1}, {1, 97, 3}, {25, 385, 33}, {197, 200, 3}, {391, 395, 1}, {7, 1153, 7}, {13, 100, 300},
                          {3, 391, 700}, {5, 13, 1100}})
    for (const Direction direction : {Direction::rows, Direction::both}) {
      INFO(size.queries << " queries, " << size.documents << " documents, dimension " << size.dimension);
      const L cosine{.temperature = 0.05, .direction = direction, .similarity = Similarity::cosine, .smoothing = 0.1};
      const L dot{.temperature = 0.003, .direction = direction};   // too cold for one constant
      const test::EmbeddingOptions plain{.queries = size.queries, .documents = size.documents, .dimension = size.dimension};
      test::check_definition(cosine, test::make_embeddings<T>(4, plain));
      test::check_definition(dot, test::make_holey<T>(5, test::everything(size.queries, size.documents, size.dimension)));
    }
}
