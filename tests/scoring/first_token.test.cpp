#include <rankgrad/scoring/first_token.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <rankgrad/tokens/cross_entropy.hpp>

#include <rankgrad/pairwise/ranknet.hpp>

#include <limits>

namespace rg = rankgrad;
using test::Logits;
using Order = std::vector<std::uint32_t>;

TEST_CASE("first token: letters name the candidates of the window", "[scoring]") {
  CHECK(rg::candidate_of_letter("A", 20) == 0);
  CHECK(rg::candidate_of_letter(" T", 20) == 19);
  CHECK(rg::candidate_of_letter("B ", 2) == 1);
  for (const char* token : {"U", "a", "AB", "", " ", "1", "[A"}) CHECK(rg::candidate_of_letter(token, 20) == rg::no_candidate);
}

TEST_CASE("first token: the best variant counts, what was not returned comes last in its order", "[scoring]") {
  rg::Workspace workspace;
  Order order(5);
  // "C" twice, "E" once, "A" and "B" not at all, one token outside of the window, one without a number.
  const std::vector<rg::ReturnedToken> returned{{2, -3}, {4, -1}, {rg::no_candidate, -0.1}, {2, -0.5}, {5, 0}, {3, -0.7}, {1, std::nan("")}};
  rg::first_token_order(returned, order, workspace);
  CHECK(order == Order{2, 3, 4, 0, 1});
  const std::vector<rg::ReturnedToken> ties{{3, -1}, {1, -1}, {0, -std::numeric_limits<double>::infinity()}};
  rg::first_token_order(ties, order, workspace);
  CHECK(order == Order{1, 3, 0, 2, 4});
  rg::first_token_order({}, order, workspace);
  CHECK(order == Order{0, 1, 2, 3, 4});
  rg::first_token_order(ties, {}, workspace);
}

TEST_CASE("first token: a window keeps its scores, monotone in the rank", "[scoring]") {
  rg::Workspace workspace;
  Order items{7, 5, 9, 4};
  std::vector<double> scores{0.9, 0.8, 0.7, 0.1};
  rg::reorder_window<double>(Order{2, 0, 3, 1}, items, scores, workspace);
  CHECK(items == Order{9, 7, 4, 5});
  CHECK(scores == std::vector<double>{0.9, 0.8, 0.7, 0.1});
  scores = {0.1, 0.9, 0.7, 0.8};
  rg::reorder_window<double>(Order{0, 1, 2, 3}, items, scores, workspace);
  CHECK(scores == std::vector<double>{0.9, 0.8, 0.7, 0.1});
  rg::reorder_window<double>(Order{3, 2, 1, 0}, items, {}, workspace);
  CHECK(items == Order{5, 4, 7, 9});
  for (const Order& wrong : {Order{1, 0, 2, 4}, Order{1, 0, 2, 0}}) {   // beyond the window; one twice
    CHECK_THROWS_WITH(rg::reorder_window<double>(wrong, items, scores, workspace), contains("must name each of 4 items once"));
    CHECK(items == Order{5, 4, 7, 9});
  }
}

TEST_CASE("first token: the joint objective trains the logits of one place by both losses", "[scoring]") {
  // The language model's target is the whole ranking, its first token the identifier of the best candidate; the ranking loss
  // looks at the identifiers' logits at that place alone. Here lambda = 10 and plain RankNet (mean over pairs).
  test::TokenBatch<double> batch({0, 3}, 11, 5);
  const Order identifiers{4, 9, 1, 6};
  const std::vector<double> grades{2, 3, 0, 1};
  const auto view = batch.view();
  const std::span<const double> first = view.logits.first(11);
  std::vector<double> gradient(33), scores(4), of_scores(4);
  rg::identifier_scores(first, identifiers, scores);
  CHECK(scores == std::vector<double>{first[4], first[9], first[1], first[6]});
  const double value = rg::value_and_gradient(rg::TokenCrossEntropy{}, view, gradient) +
                       10 * rg::value_and_gradient(rg::RankNet{.normalize = rg::Normalize::mean}, rg::ListView<double>{.scores = scores, .labels = grades}, of_scores);
  rg::add_identifier_gradient<double>(of_scores, identifiers, std::span<double>(gradient).first(11), 10);
  const auto definition = [&](const Logits& z) {
    long double sum = 0;
    for (std::size_t t = 0; t < 3; ++t) sum += (test::log_sum_exp(&z[11 * t], 11) - z[11 * t + batch.targets[t]]) / 3;
    for (std::size_t i = 0; i < 4; ++i)
      for (std::size_t j = 0; j < 4; ++j)
        if (grades[i] > grades[j]) sum += 10 * std::log1p(std::exp(z[identifiers[j]] - z[identifiers[i]])) / 6;
    return sum;
  };
  CHECK(value == Approx(static_cast<double>(test::moved(definition, batch.logits, 0, 0))).epsilon(1e-12));
  for (std::size_t k = 0; k < 33; ++k)
    CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, batch.logits, k))).margin(1e-9));
  // A wrong identifier is found before anything is written.
  const Order wrong{0, 11, 2, 3};
  const std::vector<double> scores_before = scores, gradient_before = gradient;
  CHECK_THROWS_WITH(rg::identifier_scores(first, wrong, scores), contains("identifiers[1] is 11; there are 11 logits"));
  CHECK(scores == scores_before);
  CHECK_THROWS_WITH(rg::add_identifier_gradient<double>(of_scores, wrong, std::span<double>(gradient).first(11)),
                    contains("identifiers[1] is 11; there are 11 logits"));
  CHECK(gradient == gradient_before);
}
