#include <rankgrad/embedding/class_positives.hpp>

#include "embedding/every_embedding_loss.hpp"

#include <rankgrad/embedding/in_batch_info_nce.hpp>

namespace rg = rankgrad;
using Ids = std::vector<std::int64_t>;

namespace {

/// Khosla et al., eq. (2): -sum_i 1 / |P(i)| sum_{p in P(i)} log (e^{z_i z_p / tau} / sum_{a != i} e^{z_i z_a / tau}), z of length 1,
/// and its derivatives by all z_i z_a.
test::Derivatives supervised(const std::vector<long double>& cosine, const Ids& classes, long double tau) {
  const std::size_t n = classes.size();
  test::Derivatives result{0, true, std::vector<long double>(n * n)};
  for (std::size_t i = 0; i < n; ++i) {
    long double all = 0, positives = 0;
    for (std::size_t a = 0; a < n; ++a)
      if (a != i) all += expl(cosine[i * n + a] / tau), positives += classes[a] == classes[i];
    if (positives == 0) continue;
    for (std::size_t p = 0; p < n; ++p) {
      if (p == i) continue;
      const long double x = cosine[i * n + p] / tau, share = classes[p] == classes[i] ? 1 / positives : 0;
      result.value -= share * (x - logl(all));
      result.slopes[i * n + p] = (expl(x) / all - share) / tau;
    }
  }
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("in-batch InfoNCE of classes is supervised contrastive learning", "[embedding]", float, double) {
  using T = TestType;
  const std::size_t n = 37, d = 8;
  auto z = test::make_embeddings<T>(1, {.queries = n, .documents = n, .dimension = d});
  z.documents = z.queries;
  Ids classes;
  for (std::size_t i = 0; i < n; ++i) {
    classes.push_back(i == 11 ? 99 : static_cast<std::int64_t>(i * i % 5) - 3);   // item 11 is alone
    z.query_ids.push_back(static_cast<std::int64_t>(i));
  }
  z.document_ids = z.query_ids;
  rg::EmbeddingView<T> view = z.view();
  rg::ClassPositives positives;
  positives.fill(view, classes, classes);
  REQUIRE(rg::validate(view));
  for (const double tau : {0.1, 0.5}) {
    const test::Expected expected = test::expected_of(z, rg::Similarity::cosine, tau, [&](const test::SimilarityMatrix& m) {
      return supervised(m.similarity, classes, tau);   // the diagonal as positives: nobody is absent
    });
    z.positive_offsets.assign(view.positive_offsets.begin(), view.positive_offsets.end());
    z.positives.assign(view.positives.begin(), view.positives.end());
    const rg::InBatchInfoNce loss{.temperature = tau, .similarity = rg::Similarity::cosine, .normalize = rg::Normalize::sum};
    test::check_expected(test::evaluated(loss, z), expected);
    z.positive_offsets.clear(), z.positives.clear();
  }
}

TEST_CASE("positives of classes", "[embedding]") {
  const std::vector<float> queries(3), documents(5);
  rg::EmbeddingView<float> view{.dimension = 1, .queries = queries, .documents = documents};
  rg::ClassPositives positives;
  const Ids asked{7, -1, 4}, shown{-1, 7, 3, 7, -1};
  const auto listed = [&] {
    return std::pair{test::Numbers(view.positive_offsets.begin(), view.positive_offsets.end()),
                     test::Numbers(view.positives.begin(), view.positives.end())};
  };
  positives.fill(view, asked, shown);
  CHECK(listed() == std::pair{test::Numbers{0, 2, 4, 4}, test::Numbers{1, 3, 0, 4}});
  const Ids query_ids{50, 51, 52}, document_ids{51, 52, 53, 50, 51};   // query 0 is document 3, query 1 is documents 0 and 4
  view.query_ids = query_ids, view.document_ids = document_ids;
  positives.fill(view, asked, shown);
  CHECK(listed() == std::pair{test::Numbers{0, 1, 1, 1}, test::Numbers{1}});
  CHECK(rg::validate(view));

  CHECK_THROWS_WITH(positives.fill(view, asked, asked), contains("document_classes has 3 elements where 5 are expected"));
  CHECK_THROWS_WITH(positives.fill(view, shown, shown), contains("query_classes has 5 elements where 3 are expected"));
  view.document_ids = {};
  CHECK_THROWS_WITH(positives.fill(view, asked, shown), contains("document_ids has 0 elements where 5 are expected"));
  rg::EmbeddingView<float> nobody{.dimension = 1};
  positives.fill(nobody, {}, {});
  CHECK((nobody.positive_offsets.size() == 1 && nobody.positives.empty() && rg::validate(nobody)));
}
