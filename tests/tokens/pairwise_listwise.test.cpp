#include <rankgrad/tokens/pairwise_listwise.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

namespace rg = rankgrad;
using test::Logits;

namespace {
long double token(const rg::TokenView<double>& view, const Logits& z, std::size_t t) {
  return test::log_sum_exp(&z[t * view.vocabulary], view.vocabulary) - z[t * view.vocabulary + view.targets[t]];
}
}  // namespace

TEST_CASE("pairwise and listwise cross-entropy: means of conversations by default, one mean over tokens in compat", "[tokens]") {
  // Two queries; the answers have 1, 1, 3 and 2, 1, 1 tokens.
  test::TokenBatch<double> batch({0, 1, 2, 5, 7, 8, 9}, 7, 21);
  const auto view = batch.view();
  const rg::PairwiseListwiseCrossEntropy loss{.yes = 2, .no = 0.5, .index = 3};
  const auto definition = [&](const Logits& z) {
    const auto l = [&](std::size_t t) { return token(view, z, t); };
    return (2 * l(0) + 0.5L * l(1) + 3 * (l(2) + l(3) + l(4)) / 3 + 2 * (l(5) + l(6)) / 2 + 0.5L * l(7) + 3 * l(8)) / 2;
  };
  std::vector<double> gradient(63, 1), curvature(63, 1);
  CHECK(rg::value_gradient_and_curvature(loss, view, gradient, curvature) ==
        Approx(static_cast<double>(test::moved(definition, batch.logits, 0, 0))).epsilon(1e-12));
  for (std::size_t k = 0; k < 63; ++k) {
    CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, batch.logits, k))).margin(1e-9));
    CHECK(curvature[k] == Approx(static_cast<double>(test::second_derivative(definition, batch.logits, k))).margin(1e-7));
  }
  const rg::PairwiseListwiseCrossEntropy compat{.compat = true};
  std::vector<double> same(63);
  CHECK(rg::value_and_gradient(compat, view, gradient) == Approx(rg::value_and_gradient(rg::TokenCrossEntropy{}, view, same)).epsilon(1e-13));
  for (std::size_t k = 0; k < 63; ++k) CHECK(gradient[k] == Approx(same[k]).margin(1e-15));
  // With weights 1 the default is three times the mean over conversations.
  CHECK(rg::value(rg::PairwiseListwiseCrossEntropy{}, view) ==
        Approx(3 * rg::value(rg::TokenCrossEntropy{.reduction = rg::SequenceReduction::sequence_mean}, view)).epsilon(1e-13));
}

TEST_CASE("pairwise and listwise cross-entropy: the value is what the parts are worth by hand", "[tokens]") {
  // Vocabulary {yes, no, 1, 2}, all logits 0 but one: every answer has probability 1/4, the "yes" e / (e + 3).
  std::vector<double> logits(12, 0.0);
  logits[0] = 1;
  const std::vector<std::uint32_t> targets{0, 1, 3}, offsets{0, 1, 2, 3};
  const rg::TokenView<double> view{.logits = logits, .vocabulary = 4, .targets = targets, .offsets = offsets};
  const double yes = std::log1p(3 * std::exp(-1.0));
  CHECK(rg::value(rg::PairwiseListwiseCrossEntropy{}, view) == Approx(yes + 2 * std::log(4.0)).epsilon(1e-12));
  CHECK(rg::value(rg::PairwiseListwiseCrossEntropy{.compat = true}, view) == Approx((yes + 2 * std::log(4.0)) / 3).epsilon(1e-12));
}

TEST_CASE("pairwise and listwise cross-entropy: missing conversations and wrong shapes", "[tokens]") {
  test::TokenBatch<double> batch({0, 1, 2, 4}, 5, 2);
  const rg::PairwiseListwiseCrossEntropy loss;
  const Logits z(batch.logits.begin(), batch.logits.end());
  batch.mask = {1, 0, 1, 1};
  const double expected = static_cast<double>(token(batch.view(), z, 0) + (token(batch.view(), z, 2) + token(batch.view(), z, 3)) / 2);
  CHECK(rg::value(loss, batch.view()) == Approx(expected).epsilon(1e-12));
  batch.mask = {0, 0, 0, 0};
  std::vector<double> gradient(20, 3);
  CHECK(rg::value_and_gradient(loss, batch.view(), gradient) == 0.0);
  CHECK(gradient == std::vector<double>(20, 0));
  batch.offsets = {0, 1, 4};
  CHECK_THROWS_WITH(rg::value(loss, batch.view()), contains("there are 2 sequences; a query has three"));
  CHECK_FALSE(rg::PairwiseListwiseCrossEntropy{.no = -1}.check());
  rg::Workspace workspace;
  CHECK_FALSE(loss.value_and_gradient(rg::TokenView<double>{}, rg::GradientSink<double>{}, workspace).valid);
}
