// Losses over embeddings as a user calls them. Compiled twice, as library.cpp is.
#include "support/problem.hpp"

#include <rankgrad/embedding/embedding_evaluator.hpp>
#include <rankgrad/embedding/in_batch_info_nce.hpp>
#include <rankgrad/embedding/in_batch_mann_whitney.hpp>
#include <rankgrad/embedding/in_batch_multi_similarity.hpp>
#include <rankgrad/embedding/in_batch_sigmoid.hpp>
#include <rankgrad/embedding/in_batch_triplet.hpp>
#include <rankgrad/exec/threads.hpp>

#include <array>
#include <memory>

namespace bench::RANKGRAD_BUILD {
namespace {

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

/// As many multiply-adds as one product of all queries with all documents has, on registers that do not wait for each other:
/// the least time that a product can take.
double multiply_adds(const Embeddings<float>& in) {
  using P = simd::Pack<float>;
  constexpr std::size_t chains = 12;   // four cycles for two a cycle are eight; more than fit would go through memory
  const std::size_t rounds = in.rows() * in.rows() * in.dimension / (chains * simd::lanes<float>);
  const P a(in.queries[0]), b(in.queries[1]);
  std::array<P, chains> x;
  for (std::size_t c = 0; c < chains; ++c) x[c] = P(static_cast<float>(c));
  for (std::size_t r = 0; r < rounds; ++r)
    for (std::size_t c = 0; c < chains; ++c) x[c] = simd::fma(x[c], a, b);
  P all = x[0];
  for (std::size_t c = 1; c < chains; ++c) all = all + x[c];
  return static_cast<double>(simd::sum(all));
}

template <class L, class E>
Method<float, Embeddings<float>> method(const std::string& name, const L& loss, bool gradient_wanted, std::shared_ptr<const E> executor) {
  return {name, [=, evaluate = std::make_shared<rg::EmbeddingEvaluator<float>>()](const Embeddings<float>& in, std::span<float> out) {
            const rg::EmbeddingView<float> view{.dimension = in.dimension, .queries = in.queries, .documents = in.documents};
            rg::EmbeddingGradient<float> gradient;
            if (gradient_wanted) gradient = {out.first(in.queries.size()), out.subspan(in.queries.size(), in.documents.size())};
            return static_cast<double>((*evaluate)(loss, view, gradient, *executor).value);
          }};
}

}  // namespace

void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods) {
  if (loss.starts_with("threads/") && std::string_view(RANKGRAD_BUILD_NAME) != "rankgrad") return;
  if (loss.starts_with("limit/")) {
    methods.push_back({RANKGRAD_BUILD_NAME, [](const Embeddings<float>& in, std::span<float>) { return multiply_adds(in); }});
    methods.back().compare = Compare::nothing;
    return;
  }
  const auto serial = std::make_shared<const rg::Serial>();
  const auto add = [&](std::string_view name, const auto& other) {
    if (loss == name) methods.push_back(method(RANKGRAD_BUILD_NAME, other, true, serial));
  };
  add("embedding/sigmoid", rg::InBatchSigmoid{});
  add("embedding/triplet_log_sum_exp", rg::InBatchTripletLogSumExp{});
  add("embedding/hardest_negative", rg::InBatchHardestNegativeTriplet{});
  add("embedding/multi_similarity", rg::InBatchMultiSimilarity{});
  add("embedding/mann_whitney", rg::InBatchMannWhitney{});
  add("embedding/mann_whitney_of_rows", rg::InBatchMannWhitney{.scope = rg::Scope::list});
  if (loss.find("info_nce") == loss.npos) return;

  rg::InBatchInfoNce info_nce{.temperature = 0.05};
  if (loss.ends_with("_both")) info_nce.direction = rg::Direction::both;
  const bool gradient = !loss.ends_with("_value");
  methods.push_back(method(RANKGRAD_BUILD_NAME, info_nce, gradient, serial));
  if (!loss.starts_with("threads/")) return;
  methods.push_back(method(std::string(RANKGRAD_BUILD_NAME) + "_2_threads", info_nce, gradient,
                           std::make_shared<const rg::exec::Threads>(2)));
  methods.back().compare = Compare::exact;
}

}  // namespace bench::RANKGRAD_BUILD
