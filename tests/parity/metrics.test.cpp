// Do the metrics give the numbers that other libraries test for, under the options that say what those libraries do?
#include "parity/peer_metrics.hpp"
#include "support/catch.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/metric/ndcg.hpp>
#include <rankgrad/metric/reciprocal_rank.hpp>

#include <cmath>
#include <set>
#include <string>

namespace rg = rankgrad;
using test::peers::Case;
using test::peers::Metric;

namespace {

/// The lists of a case back to back.
struct Batch {
  std::vector<double> scores, labels, weights, judged;
  std::vector<std::uint8_t> mask;
  std::vector<std::uint32_t> offsets{0}, judged_offsets{0};

  explicit Batch(const Case& c) {
    for (const auto& list : c.lists) {
      scores.insert(scores.end(), list.scores.begin(), list.scores.end());
      labels.insert(labels.end(), list.labels.begin(), list.labels.end());
      weights.insert(weights.end(), list.weights.begin(), list.weights.end());
      for (std::size_t i = 0; i < list.scores.size(); ++i) mask.push_back(list.mask.empty() ? 1 : list.mask[i]);
      judged.insert(judged.end(), list.judged.begin(), list.judged.end());
      offsets.push_back(static_cast<std::uint32_t>(scores.size()));
      judged_offsets.push_back(static_cast<std::uint32_t>(judged.size()));
    }
  }
  rg::RaggedBatch<double> view() const { return {.scores = scores, .labels = labels, .weights = weights, .mask = mask, .offsets = offsets}; }
  rg::Judged all_judged() const {
    if (judged.empty()) return {};
    return {judged, judged_offsets};
  }
};

template <class M>
std::vector<double> results(const M& metric, const Case& c, const Batch& batch) {
  rg::BatchEvaluator<double> evaluate;
  const double mean = evaluate.metric(metric, batch.view());
  if (c.mean) return {mean};
  std::vector<double> values;
  for (const auto& part : evaluate.per_list()) values.push_back(part.value);
  return values;
}

std::vector<double> results(const Case& c) {
  const Batch batch(c);
  const rg::Judged judged = batch.all_judged();
  switch (c.metric) {
    case Metric::ndcg: return results(rg::Ndcg{.k = c.k, .gain = c.gain, .ties = c.ties, .judged = judged}, c, batch);
    case Metric::dcg: return results(rg::Dcg{.k = c.k, .gain = c.gain, .ties = c.ties}, c, batch);
    case Metric::reciprocal_rank: return results(rg::ReciprocalRank{.k = c.k, .relevant_above = c.relevant_above, .ties = c.ties}, c, batch);
    case Metric::average_precision:
      return results(rg::AveragePrecision{.k = c.k, .relevant_above = c.relevant_above, .divide_by = c.divide_by, .ties = c.ties, .judged = judged}, c, batch);
    case Metric::precision:
      return results(rg::Precision{.k = c.k, .relevant_above = c.relevant_above, .short_list = c.short_list, .ties = c.ties}, c, batch);
    case Metric::recall: return results(rg::Recall{.k = c.k, .relevant_above = c.relevant_above, .ties = c.ties, .judged = judged}, c, batch);
    default: return results(rg::Hit{.k = c.k, .relevant_above = c.relevant_above, .ties = c.ties}, c, batch);
  }
}

}  // namespace

TEST_CASE("metrics agree with other libraries", "[parity]") {
  std::set<std::string> peers;
  for (const Case& c : test::peers::cases) {
    INFO(c.peer << ", " << c.id);
    const auto got = results(c);
    REQUIRE(got.size() == c.expected.size());
    for (std::size_t q = 0; q < got.size(); ++q) {
      INFO("list " << q << ": " << got[q] << ", expected " << c.expected[q]);
      CHECK(std::abs(got[q] - c.expected[q]) <= c.absolute + c.relative * std::abs(c.expected[q]));
    }
    peers.insert(c.peer);
  }
  CHECK(test::peers::cases.size() >= 100);
  CHECK(peers.size() == 10);
}
