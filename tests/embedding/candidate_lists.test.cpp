#include "embedding/every_embedding_loss.hpp"
#include "embedding/owned_lists.hpp"

#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/contrastive/distribution_alignment.hpp>
#include <rankgrad/embedding/candidate_lists.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/listwise/jensen_shannon.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/pairwise/lambdarank.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

namespace rg = rankgrad;
using rg::CandidateEvaluator, rg::CandidateLists;
using rg::Reduction, rg::Similarity;
using test::make_lists, test::OwnedLists;

namespace {

template <class T, class L, class E = rg::Serial>
test::Evaluated<T> run(const CandidateLists<L>& loss, const OwnedLists<T>& lists, Reduction reduction = Reduction::mean,
                       const E& executor = {}) {
  test::Evaluated<T> r;
  r.queries.assign(lists.sides.queries.size(), std::numeric_limits<T>::quiet_NaN());
  r.documents.assign(lists.sides.documents.size(), std::numeric_limits<T>::quiet_NaN());
  r.bias.assign(lists.sides.document_count(), std::numeric_limits<T>::quiet_NaN());
  CandidateEvaluator<T> evaluate;
  const auto result = evaluate(loss, lists.view(), {r.queries, r.documents, {}, r.bias}, reduction, executor);
  r.value = result.value, r.log_scale = result.log_scale_gradient, r.valid = result.valid;
  return r;
}

/// Scores in long double; the loss of them in double; and the chain rule back in long double.
template <class T, class L>
test::Expected expected_of(const CandidateLists<L>& loss, const OwnedLists<T>& lists, Reduction reduction = Reduction::mean) {
  const std::size_t d = lists.sides.dimension, n = lists.candidates.size();
  const auto q = test::detail::directions_of(lists.sides.queries, d, loss.similarity);
  const auto k = test::detail::directions_of(lists.sides.documents, d, loss.similarity);
  std::vector<std::size_t> query(n);
  std::vector<long double> similarity(n);
  std::vector<double> scores(n), slopes(n);
  for (std::size_t i = 0; i + 1 < lists.offsets.size(); ++i)
    for (std::size_t c = lists.offsets[i]; c < lists.offsets[i + 1]; ++c) {
      const std::size_t j = lists.candidates[c];
      query[c] = i;
      similarity[c] = std::inner_product(&q.vectors[i * d], &q.vectors[i * d] + d, &k.vectors[j * d], 0.0L);
      const long double bias = lists.sides.document_bias.empty() ? 0 : lists.sides.document_bias[j];
      scores[c] = static_cast<double>(similarity[c] / static_cast<long double>(loss.temperature) + bias);
    }
  const std::vector<double> labels(lists.labels.begin(), lists.labels.end()), weights(lists.weights.begin(), lists.weights.end()),
      list_weights(lists.list_weights.begin(), lists.list_weights.end());
  rg::BatchEvaluator<double> evaluate;
  test::Expected e;
  e.value = evaluate(loss.loss, {.scores = scores, .labels = labels, .weights = weights, .mask = lists.mask,
                                 .list_weights = list_weights, .offsets = lists.offsets}, slopes, reduction);
  for (const auto& part : evaluate.per_list()) e.valid = e.valid || part.valid;
  e.queries.resize(lists.sides.queries.size()), e.documents.resize(lists.sides.documents.size());
  std::vector<long double> magnitude(lists.sides.document_count());
  e.bias = magnitude, e.bias_unit = {0};
  test::detail::SideGradient to_queries{q, d}, to_documents{k, d};
  for (std::size_t c = 0; c < n; ++c) {
    if (!lists.mask.empty() && !lists.mask[c]) continue;
    const long double slope = static_cast<long double>(slopes[c]) / static_cast<long double>(loss.temperature);
    const std::size_t i = query[c], j = lists.candidates[c];
    e.log_scale += similarity[c] * slope;
    e.log_scale_unit += fabsl(slope) * q.length[i] * k.length[j];
    to_queries.add(i, slope, &k.vectors[j * d]);
    to_documents.add(j, slope, &q.vectors[i * d]);
    e.bias[j] += static_cast<long double>(slopes[c]);
    magnitude[j] += fabsl(static_cast<long double>(slopes[c]));
  }
  for (std::size_t j = 0; j < magnitude.size(); ++j)
    e.bias_unit[0] = std::max(e.bias_unit[0], fabsl(e.bias[j]) + magnitude[j] / 10);
  e.value_unit = fabsl(e.value) + e.log_scale_unit / 10;
  e.query_unit.resize(lists.sides.query_count()), e.document_unit.resize(lists.sides.document_count());
  to_queries.finish(loss.similarity, test::all_of(lists.sides.query_count()), e.queries, e.query_unit);
  to_documents.finish(loss.similarity, test::all_of(lists.sides.document_count()), e.documents, e.document_unit);
  return e;
}

template <class T, class L>
void check_loss(const L& loss, double coldest = 0.01) {
  INFO(L::name);
  for (const auto similarity : {Similarity::dot, Similarity::cosine})
    for (const double temperature : {1.0, 0.3, coldest})
      for (const std::size_t dimension : {3u, 64u, 140u}) {
        const CandidateLists<L> chosen{.loss = loss, .temperature = temperature, .similarity = similarity};
        const auto lists = make_lists<T>(31, {.queries = 9, .documents = 14, .dimension = dimension, .bias = dimension == 3, .weights = true});
        test::check_expected(run(chosen, lists), expected_of(chosen, lists));
        test::check_expected(run(chosen, lists, Reduction::sum), expected_of(chosen, lists, Reduction::sum));
      }
}

}  // namespace

TEMPLATE_TEST_CASE("losses of lists over candidates of each query, to the embeddings", "[embedding]", float, double) {
  check_loss<TestType>(rg::RankNet{});
  check_loss<TestType>(rg::Softmax{});
  check_loss<TestType>(rg::ListNet{});
  check_loss<TestType>(rg::LambdaRank{});
  check_loss<TestType>(rg::JensenShannon{}, 0.05);   // colder, and the rounding of scores in float is what one sees
  check_loss<TestType>(rg::DistributionAlignment{.temperature = 1, .label_temperature = 1});
  check_loss<TestType>(rg::MannWhitney{.scope = rg::Scope::batch});
  check_loss<TestType>(0.5 * rg::RankNet{} + 2.0 * rg::Softmax{});
}

TEST_CASE("pairs of candidates by their literal definition, differentiated numerically", "[embedding]") {
  auto lists = make_lists<double>(32, {.queries = 4, .documents = 6, .dimension = 3});
  const CandidateLists<rg::RankNet> loss{.loss = {.normalize = rg::Normalize::sum}, .temperature = 0.5, .similarity = Similarity::cosine};
  const auto r = run(loss, lists, Reduction::sum);
  long double temperature = 0.5L;
  const auto define = [&] {
    const auto q = test::detail::directions_of(lists.sides.queries, 3, Similarity::cosine);
    const auto k = test::detail::directions_of(lists.sides.documents, 3, Similarity::cosine);
    long double sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t a = lists.offsets[i]; a < lists.offsets[i + 1]; ++a)
        for (std::size_t b = lists.offsets[i]; b < lists.offsets[i + 1]; ++b) {
          if (!(lists.labels[a] > lists.labels[b])) continue;
          long double x = 0;
          for (std::size_t f = 0; f < 3; ++f)
            x += q.vectors[i * 3 + f] * (k.vectors[lists.candidates[a] * 3 + f] - k.vectors[lists.candidates[b] * 3 + f]);
          sum += log1pl(expl(-x / temperature));
        }
    return sum;
  };
  CHECK(r.value == Approx(static_cast<double>(define())).epsilon(1e-13));
  const auto check = [&](auto& number, double got) {
    auto rest = number;
    const auto at = [&](double h) { number = rest + h; const long double v = define(); number = rest; return v; };
    const double h = 1e-4, slope = static_cast<double>((8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h));
    CHECK(got == Approx(slope).epsilon(1e-8).margin(1e-10));
  };
  for (std::size_t e = 0; e < r.queries.size(); ++e) check(lists.sides.queries[e], r.queries[e]);
  for (std::size_t e = 0; e < r.documents.size(); ++e) check(lists.sides.documents[e], r.documents[e]);
  check(temperature, -2 * r.log_scale);   // d log(1 / tau) = -d tau / tau
}

TEMPLATE_TEST_CASE("candidates that are absent are deleted, their documents not looked at", "[embedding]", float, double) {
  using T = TestType;
  auto lists = make_lists<T>(33, {.queries = 12, .documents = 20, .dimension = 5, .weights = true});
  OwnedLists<T> kept;
  kept.sides = lists.sides;
  kept.list_weights = lists.list_weights;
  for (std::size_t q = 0; q < 12; ++q) {
    for (std::uint32_t k = lists.offsets[q]; k < lists.offsets[q + 1]; ++k) {
      lists.mask.push_back(lists.candidates[k] % 3 != 1);
      if (!lists.mask.back()) continue;
      kept.candidates.push_back(lists.candidates[k]);
      kept.labels.push_back(lists.labels[k]);
      kept.weights.push_back(lists.weights[k]);
    }
    kept.offsets.push_back(static_cast<std::uint32_t>(kept.candidates.size()));
  }
  for (std::size_t j = 1; j < 20; j += 3) std::fill_n(lists.sides.documents.begin() + static_cast<std::ptrdiff_t>(j * 5), 5, std::numeric_limits<T>::quiet_NaN());
  for (const auto similarity : {Similarity::dot, Similarity::cosine}) {
    const CandidateLists<rg::RankNet> loss{.temperature = 0.2, .similarity = similarity};
    const auto r = run(loss, lists);
    CHECK(r == run(loss, kept));
    CHECK(test::all_finite(r));
    for (std::size_t f = 0; f < 5; ++f) CHECK((r.documents[f] == T(0) && r.documents[5 + f] == T(0) && r.queries[5 + f] == T(0)));
  }
  lists.mask.assign(lists.mask.size(), 0);
  CHECK(test::nothing(run(CandidateLists<rg::RankNet>{}, lists)));
}

TEMPLATE_TEST_CASE("candidate lists on any number of threads, and no allocation once warm", "[embedding]", float, double) {
  using T = TestType;
  const auto lists = make_lists<T>(34, {.queries = 90, .documents = 130, .dimension = 33, .bias = true, .weights = true}, 60);
  const CandidateLists<rg::DistributionAlignment> loss{.loss = {.temperature = 1, .label_temperature = 2}, .temperature = 0.05,
                                                       .similarity = Similarity::cosine};
  const auto base = run(loss, lists);
  REQUIRE(base.valid);
  for (const std::size_t workers : {2u, 3u, 5u}) CHECK(run(loss, lists, Reduction::mean, rg::exec::Threads(workers)) == base);

  CandidateEvaluator<T> evaluate;
  std::vector<T> queries(lists.sides.queries.size()), documents(lists.sides.documents.size());
  CHECK(evaluate(loss, lists.view(), {queries, {}}).log_scale_gradient == base.log_scale);
  CHECK(queries == base.queries);
  evaluate(loss, lists.view(), {{}, documents});
  CHECK(documents == base.documents);
  const std::size_t warm = evaluate.growths();
  const auto small = make_lists<T>(35, {.queries = 8, .documents = 130, .dimension = 33, .bias = true});
  for (int round = 0; round < 2; ++round) {
    evaluate(loss, small.view());
    CHECK(evaluate(loss, lists.view(), {queries, documents}).value == base.value);
  }
  CHECK(evaluate.growths() == warm);
  CHECK((evaluate.scores().size() == lists.candidates.size() && evaluate.per_list().size() == 90));
  rg::BatchEvaluator<T> direct;
  CHECK(evaluate.metric(rg::Ndcg{}, lists.view()) == direct.metric(rg::Ndcg{}, lists.view().with(evaluate.scores())));
}

TEST_CASE("candidate lists: nothing to learn from, vectors of length 0, NaN", "[embedding]") {
  const CandidateLists<rg::Softmax> loss{.temperature = 0.1, .similarity = Similarity::cosine};
  OwnedLists<float> empty;
  empty.sides = test::make_embeddings<float>(36, {.queries = 0, .documents = 3});
  CHECK(test::nothing(run(loss, empty)));
  auto lists = make_lists<float>(37, {.queries = 5, .documents = 9, .dimension = 4});
  std::fill_n(lists.sides.documents.begin() + 4 * lists.candidates[0], 4, 0.0f);
  std::fill_n(lists.sides.queries.begin() + 8, 4, 0.0f);
  test::check_expected(run(loss, lists), expected_of(loss, lists));
  lists.sides.queries[0] = std::numeric_limits<float>::quiet_NaN();   // of list 0 and its documents, of nothing else
  const auto r = run(loss, lists, Reduction::sum);
  CHECK_FALSE(rg::is_finite(r.value));
  CHECK_FALSE(rg::is_finite(r.queries[0]));
  for (std::size_t e = 4; e < r.queries.size(); ++e) CHECK(rg::is_finite(r.queries[e]));
  auto none = lists;
  none.labels.assign(none.labels.size(), 0);
  none.sides.queries[0] = 1;
  CHECK(test::nothing(run(loss, none)));
}

TEST_CASE("candidate lists: what makes no sense is refused before anything is written", "[embedding]") {
  const auto good = make_lists<double>(38, {.queries = 3, .documents = 5, .dimension = 2});
  const auto refused = [](const auto& loss, const OwnedLists<double>& lists, const char* message) {
    std::vector<double> queries(6, 7.0), documents(10, 7.0);
    CandidateEvaluator<double> evaluate;
    CHECK_THROWS_WITH(evaluate(loss, lists.view(), {queries, documents}), contains(message));
    CHECK((queries == std::vector<double>(6, 7.0) && documents == std::vector<double>(10, 7.0)));
  };
  const CandidateLists<rg::RankNet> loss{};
  refused(CandidateLists<rg::RankNet>{.temperature = 0}, good, "CandidateLists.temperature is 0; it must be finite and above 0");
  refused(CandidateLists<rg::Softmax>{.loss = {.temperature = -1}}, good, "Softmax.temperature is -1");
  auto bad = good;
  bad.candidates[1] = 5;
  refused(loss, bad, "candidates[1] is 5; there are 5 documents");
  bad = good;
  bad.offsets.pop_back();
  refused(loss, bad, "offsets has 3 elements where 4 are expected");
  bad = good;
  bad.labels.pop_back();
  refused(loss, bad, "labels has");
  bad = good;
  bad.labels[0] = std::numeric_limits<double>::quiet_NaN();
  refused(loss, bad, "labels[0]");
  bad = good;
  bad.sides.document_bias = {0, 0, std::numeric_limits<double>::infinity(), 0, 0};
  refused(loss, bad, "document_bias[2]");
  bad = good;
  bad.sides.queries.pop_back();
  refused(loss, bad, "the queries' gradient has 6 elements where 5 are expected");
}
