#include "distributed/spread.hpp"
#include "embedding/every_embedding_loss.hpp"
#include "embedding/owned_lists.hpp"

#include <rankgrad/distributed/candidate_lists.hpp>
#include <rankgrad/exec/threads.hpp>
#include <rankgrad/metric/ndcg.hpp>

namespace rg = rankgrad;
namespace dist = rankgrad::distributed;
using dist::Way;
using rg::Similarity, rg::Surrogate;
using test::make_lists, test::OwnedLists;

namespace {

using Pooled = rg::CandidateLists<rg::MannWhitney>;
using Strings = std::vector<std::string>;

/// The lists of some queries as a rank has them: all documents are there.
template <class T>
struct OwnPart {
  std::vector<std::uint32_t> offsets;
  rg::CandidateView<T> view;

  OwnPart(const OwnedLists<T>& all, std::size_t first, std::size_t count) : view(all.view()) {
    const std::size_t begin = all.offsets[first], n = all.offsets[first + count] - begin, d = all.sides.dimension;
    for (std::size_t q = first; q <= first + count; ++q) offsets.push_back(all.offsets[q] - all.offsets[first]);
    const auto cut = [](auto& span, std::size_t at, std::size_t size) { if (!span.empty()) span = span.subspan(at, size); };
    cut(view.queries, first * d, count * d);
    cut(view.candidates, begin, n), cut(view.labels, begin, n), cut(view.weights, begin, n), cut(view.mask, begin, n);
    cut(view.list_weights, first, count);
    view.offsets = offsets;
  }
};

/// All ranks together, each with workers of its own: gradients by documents added up. Values must be the same on all.
template <class T>
test::Evaluated<T> over_ranks(std::size_t ranks, const Pooled& loss, const OwnedLists<T>& lists, Way way = Way::automatic,
                              std::size_t workers = 1) {
  test::Evaluated<T> all;
  all.queries.assign(lists.sides.queries.size(), T(7)), all.documents.assign(lists.sides.documents.size(), T(0));
  std::vector<std::vector<T>> documents(ranks, std::vector<T>(all.documents.size(), T(7)));
  std::vector<rg::EmbeddingValue<T>> found(ranks);
  const std::size_t d = lists.sides.dimension;
  const auto errors = test::on_parts(lists.sides.query_count(), ranks, [&](auto& comm, std::size_t first, std::size_t count) {
    const OwnPart<T> own(lists, first, count);
    const rg::exec::Threads pool(workers);
    rg::CandidateEvaluator<T> evaluate;
    found[comm.rank()] = dist::value_and_gradient(comm, loss, own.view, {std::span(all.queries).subspan(first * d, count * d),
                                                                         documents[comm.rank()]}, evaluate, pool, way);
  });
  CHECK(errors == Strings(ranks));
  const auto same = [](auto a, auto b) { return a == b || (a != a && b != b); };
  for (const auto& each : found)
    CHECK((each.valid == found[0].valid && same(each.value, found[0].value) &&
           same(each.log_scale_gradient, found[0].log_scale_gradient)));
  for (const auto& part : documents)
    for (std::size_t e = 0; e < part.size(); ++e) all.documents[e] += part[e];
  all.value = found[0].value, all.log_scale = found[0].log_scale_gradient, all.valid = found[0].valid;
  return all;
}

/// In one process, in double (tests/embedding/candidate_lists.test.cpp).
template <class T>
test::Evaluated<double> alone(const Pooled& loss, const OwnedLists<T>& lists) {
  Pooled pooled = loss;
  pooled.loss.scope = rg::Scope::batch;
  const auto wide = [](const std::vector<T>& v) { return std::vector<double>(v.begin(), v.end()); };
  OwnedLists<double> all;
  all.sides = lists.sides.template as<double>();
  all.offsets = lists.offsets, all.candidates = lists.candidates, all.mask = lists.mask;
  all.labels = wide(lists.labels), all.weights = wide(lists.weights), all.list_weights = wide(lists.list_weights);
  test::Evaluated<double> r;
  r.queries.resize(all.sides.queries.size()), r.documents.resize(all.sides.documents.size());
  rg::CandidateEvaluator<double> evaluate;
  const auto result = evaluate(pooled, all.view(), {r.queries, r.documents});
  r.value = result.value, r.log_scale = result.log_scale_gradient, r.valid = result.valid;
  return r;
}

template <class T>
void check_close(const test::Evaluated<T>& got, const test::Evaluated<double>& expected) {
  REQUIRE(got.valid == expected.valid);
  const auto top = [](const std::vector<double>& v) {
    double highest = 0;
    for (const double x : v) highest = std::max(highest, std::abs(x));
    return std::vector{highest};
  };
  const double tolerance = 10 * test::gradient_tolerance<T>;   // scores of float are rounded before the loss sees them
  CHECK(static_cast<double>(got.value) == Approx(expected.value).epsilon(tolerance));
  CHECK(got.log_scale == Approx(expected.log_scale).epsilon(tolerance).margin(tolerance));
  test::check_rows(got.queries, expected.queries, top(expected.queries), tolerance, "queries");
  test::check_rows(got.documents, expected.documents, top(expected.documents), tolerance, "documents");
}

}  // namespace

TEMPLATE_TEST_CASE("Mann-Whitney of candidates over ranks is that of all of them", "[distributed][embedding]", float, double) {
  auto lists = make_lists<TestType>(51, {.queries = 17, .documents = 23, .dimension = 6, .bias = true, .weights = true}, 12);
  for (const Surrogate surrogate : {Surrogate::logistic, Surrogate::hinge, Surrogate::square, Surrogate::exponential})
    for (const auto similarity : {Similarity::dot, Similarity::cosine}) {
      const Pooled loss{{.temperature = 0.8, .margin = 0.9, .surrogate = surrogate}, 0.4, similarity};
      const auto expected = alone(loss, lists);
      REQUIRE(expected.valid);
      for (std::size_t ranks = 1; ranks <= 4; ++ranks)   // with three and four, one of them has no query
        for (const Way way : {Way::automatic, Way::ring}) {
          INFO("surrogate " << static_cast<int>(surrogate) << ", " << ranks << " ranks");
          check_close(over_ranks(ranks, loss, lists, way), expected);
        }
    }
  for (std::size_t k = 0; k < lists.candidates.size(); ++k) lists.mask.push_back(lists.candidates[k] % 4 != 1);
  for (std::size_t j = 1; j < 23; j += 4)
    std::fill_n(&lists.sides.documents[6 * j], 6, std::numeric_limits<TestType>::quiet_NaN());
  const Pooled cold{.temperature = 0.05, .similarity = Similarity::cosine};
  for (std::size_t ranks = 1; ranks <= 3; ++ranks) check_close(over_ranks(ranks, cold, lists), alone(cold, lists));
}

TEST_CASE("Mann-Whitney of candidates over ranks: a positive here, its negatives there", "[distributed][embedding]") {
  // Queries are one direction each; the only positive, of score 2, is on rank 0, the only negative, of score 1, on rank 1.
  OwnedLists<double> lists;
  lists.sides.dimension = 2;
  lists.sides.queries = {1, 0, 0, 1}, lists.sides.documents = {2, 5, 7, 1};
  lists.offsets = {0, 1, 2}, lists.candidates = {0, 1}, lists.labels = {1, 0};
  const auto r = over_ranks(2, {}, lists);
  const double slope = 1 / (1 + std::exp(1.0));
  CHECK(r.valid);
  CHECK(r.value == Approx(std::log1p(std::exp(-1.0))));
  const std::vector<double> queries{-2 * slope, -5 * slope, 7 * slope, slope}, documents{-slope, 0, 0, slope};
  for (std::size_t e = 0; e < 4; ++e) {
    CHECK(r.queries[e] == Approx(queries[e]).margin(1e-15));
    CHECK(r.documents[e] == Approx(documents[e]).margin(1e-15));
  }
  CHECK(r.log_scale == Approx(-slope));   // z = s_p - s_n = 1, and it grows with both
}

TEST_CASE("Mann-Whitney of candidates over ranks: no signal, NaN, nothing at all", "[distributed][embedding]") {
  auto lists = make_lists<float>(52, {.queries = 9, .documents = 12});
  auto one_class = lists;
  one_class.labels.assign(lists.labels.size(), 1);
  CHECK(test::nothing(over_ranks(3, {}, one_class)));
  OwnedLists<float> empty;
  empty.sides = test::make_embeddings<float>(53, {.queries = 0, .documents = 3});
  CHECK(test::nothing(over_ranks(3, {}, empty)));
  lists.sides.queries[0] = std::numeric_limits<float>::quiet_NaN();   // query 0 is that of one rank, and the value that of all
  CHECK_FALSE(rg::is_finite(over_ranks(3, {}, lists).value));
}

TEST_CASE("Mann-Whitney of candidates over ranks: workers, no allocation once warm, scores", "[distributed][embedding]") {
  const auto lists = make_lists<float>(54, {.queries = 60, .documents = 80, .dimension = 20, .weights = true}, 40);
  const Pooled loss{.temperature = 0.2, .similarity = Similarity::cosine};
  const auto base = over_ranks(2, loss, lists);
  CHECK(over_ranks(2, loss, lists, Way::automatic, 3) == base);

  dist::Alone comm;
  rg::CandidateEvaluator<float> evaluate;
  std::vector<float> queries(lists.sides.queries.size()), documents(lists.sides.documents.size());
  const auto step = [&](const rg::EmbeddingGradient<float>& gradient) {
    return dist::value_and_gradient(comm, loss, lists.view(), gradient, evaluate);
  };
  const auto result = step({queries, documents});
  const std::size_t warm = evaluate.growths();
  CHECK(step({queries, {}}).log_scale_gradient == result.log_scale_gradient);
  CHECK((step({}).value == result.value && step({}).log_scale_gradient == 0));
  CHECK(evaluate.growths() == warm);
  rg::BatchEvaluator<float> direct;
  CHECK(evaluate.metric(rg::Ndcg{}, lists.view()) == direct.metric(rg::Ndcg{}, lists.view().with(evaluate.scores())));
}

TEST_CASE("Mann-Whitney of candidates over ranks: what is wrong on one rank is an error on all", "[distributed][embedding]") {
  const auto good = make_lists<double>(55, {.queries = 8, .documents = 9, .dimension = 2});
  const auto errors = [&](const auto& spoil) {
    const auto messages = test::on_parts(8, 3, [&](auto& comm, std::size_t first, std::size_t count) {
      auto lists = good;
      OwnPart<double> own(lists, first, count);
      Pooled loss;
      std::vector<double> queries(2 * count, 7.0), documents(18, 7.0);
      if (comm.rank() == 2) spoil(loss, lists, own, queries);
      rg::CandidateEvaluator<double> evaluate;
      const std::string message =
          test::thrown_by([&] { dist::value_and_gradient(comm, loss, own.view, {queries, documents}, evaluate); });
      const auto untouched = [](const std::vector<double>& v) { return v == std::vector<double>(v.size(), 7.0); };
      throw std::runtime_error(untouched(queries) && untouched(documents) ? message : "something was written");
    });
    CHECK((messages[0] == messages[1] && messages[1] == messages[2]));
    return messages[0];
  };
  using Lists = OwnedLists<double>;
  using Part = OwnPart<double>;
  using Numbers = std::vector<double>;
  const auto starts = [](const std::string& text, const std::string& with) { CHECK(text.substr(0, with.size()) == with); };
  starts(errors([](Pooled& loss, Lists&, Part&, Numbers&) { loss.temperature = 0; }),
         "rankgrad: rank 2 of 3: CandidateLists.temperature is 0");
  starts(errors([](Pooled& loss, Lists&, Part&, Numbers&) { loss.temperature = 0.5; }),
         "rankgrad: CandidateLists.temperature is 1 on rank 0 and 0.5 on rank 2");
  starts(errors([](Pooled& loss, Lists&, Part&, Numbers&) { loss.similarity = Similarity::cosine; }),
         "rankgrad: CandidateLists.similarity is");
  starts(errors([](Pooled& loss, Lists&, Part&, Numbers&) { loss.loss.margin = 2; }),
         "rankgrad: MannWhitney.margin is 1 on rank 0 and 2 on rank 2");
  starts(errors([](Pooled&, Lists& lists, Part&, Numbers&) { lists.candidates.back() = 9; }),
         "rankgrad: rank 2 of 3: candidates[");
  starts(errors([](Pooled&, Lists&, Part& own, Numbers&) { own.view.labels = own.view.labels.first(1); }),
         "rankgrad: rank 2 of 3: labels has 1 elements where");
  starts(errors([](Pooled&, Lists& lists, Part&, Numbers&) { lists.labels.back() = std::numeric_limits<double>::quiet_NaN(); }),
         "rankgrad: rank 2 of 3: labels[");
  starts(errors([](Pooled&, Lists&, Part&, Numbers& queries) { queries.pop_back(); }),
         "rankgrad: rank 2 of 3: the queries' gradient has");
}
