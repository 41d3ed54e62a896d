#include <rankgrad/scoring/natural_logic.hpp>

#include "support/catch.hpp"
#include "tokens/token_batch.hpp"

#include <string>

namespace rg = rankgrad;
using rg::Verdict;
using test::Logits;

namespace {
std::vector<rg::NaturalOperator> proof(std::string_view text) {
  std::vector<rg::NaturalOperator> operators(text.size());
  operators.resize(rg::parse_proof(text, operators));
  return operators;
}
Verdict of(std::string_view text) { return rg::verdict(proof(text)); }

struct Proofs {
  std::vector<rg::NaturalOperator> operators;
  std::vector<std::uint32_t> offsets{0};
  Proofs(std::initializer_list<const char*> texts) {
    for (const char* text : texts) {
      for (const auto op : proof(text)) operators.push_back(op);
      offsets.push_back(static_cast<std::uint32_t>(operators.size()));
    }
  }
  bool sufficient(rg::Sufficient rule, std::vector<double> scores = {}, double cutoff = 0) const {
    return rg::is_sufficient(operators, offsets, scores, cutoff, rule);
  }
};

/// By all sequences of operators, each with its probability.
std::array<long double, 3> enumerated(const long double* o, std::size_t steps) {
  std::array<long double, 3> total{};
  std::size_t sequences = 1;
  for (std::size_t t = 0; t < steps; ++t) sequences *= 6;
  for (std::size_t k = 0; k < sequences; ++k) {
    std::vector<rg::NaturalOperator> operators;
    long double probability = 1;
    for (std::size_t t = 0, rest = k; t < steps; ++t, rest /= 6) {
      operators.push_back(static_cast<rg::NaturalOperator>(rest % 6));
      probability *= o[6 * t + rest % 6];
    }
    total[static_cast<std::size_t>(rg::verdict(operators))] += probability;
  }
  return total;
}
std::vector<double> distributions(std::size_t steps, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.05, 1);
  std::vector<double> o(6 * steps);
  for (std::size_t t = 0; t < steps; ++t) {
    double sum = 0;
    for (std::size_t op = 0; op < 6; ++op) sum += o[6 * t + op] = uniform(random);
    for (std::size_t op = 0; op < 6; ++op) o[6 * t + op] /= sum;
  }
  return o;
}
}  // namespace

TEST_CASE("natural logic: every transition of the automaton", "[scoring]") {
  CHECK(of("") == Verdict::supports);
  CHECK(of("=") == Verdict::supports);
  CHECK(of("<") == Verdict::supports);
  CHECK(of(">") == Verdict::not_enough);
  CHECK(of("!") == Verdict::refutes);
  CHECK(of("|") == Verdict::refutes);
  CHECK(of("#") == Verdict::not_enough);
  CHECK(of("!=") == Verdict::refutes);
  CHECK(of("!<") == Verdict::not_enough);
  CHECK(of("!>") == Verdict::refutes);
  CHECK(of("!!") == Verdict::supports);
  CHECK(of("!|") == Verdict::not_enough);
  CHECK(of("!#") == Verdict::not_enough);
  for (const char* op : {"#=", "#<", "#>", "#!", "#|", "##"}) CHECK(of(op) == Verdict::not_enough);
  CHECK(of(" = ? < x ! ") == Verdict::refutes);   // unknown symbols are ignored
  std::vector<rg::NaturalOperator> small(1);
  CHECK_THROWS_AS(rg::parse_proof("==", small), std::invalid_argument);
}

TEST_CASE("natural logic: retrieval stops when all, or any, of the confident proofs reach a verdict", "[scoring]") {
  using rg::Sufficient;
  const Proofs mixed{"==", "#", "!"};
  CHECK_FALSE(mixed.sufficient(Sufficient::all));
  CHECK(mixed.sufficient(Sufficient::any));
  CHECK(mixed.sufficient(Sufficient::all, {0.9, 0.1, 0.9}, 0.5));    // the undecided one is not confident
  CHECK(mixed.sufficient(Sufficient::all, {0.9, 0.5, 0.9}, 0.5));    // not above the cutoff
  CHECK_FALSE(mixed.sufficient(Sufficient::any, {0.1, 0.9, 0.1}, 0.5));
  CHECK_FALSE(mixed.sufficient(Sufficient::any, {0, 0, 0}, 0.5));    // none is left
  CHECK_FALSE(Proofs{}.sufficient(Sufficient::all));
  CHECK_FALSE(rg::is_sufficient({}, {}, {}, 0));
  CHECK_FALSE(Proofs{""}.sufficient(Sufficient::any));               // an empty proof proves nothing
  CHECK(Proofs({"", "="}).sufficient(Sufficient::all));
  const std::vector<std::uint32_t> others{1, 2}, falling{0, 3, 1}, beyond{0, 4};   // some proofs of many, as they stand
  CHECK_FALSE(rg::is_sufficient(proof("=#!"), others, {}, 0));
  CHECK_THROWS_WITH(rg::is_sufficient(proof("=#!"), falling, {}, 0), contains("offsets[2] is 1, below offsets[1], which is 3"));
  CHECK_THROWS_WITH(rg::is_sufficient(proof("=#!"), beyond, {}, 0), contains("end beyond the operators"));
}

TEST_CASE("natural logic: the soft automaton sums over all proofs", "[scoring]") {
  for (const std::size_t steps : {0u, 1u, 2u, 4u}) {
    const auto o = distributions(steps, 3);
    const Logits wide(o.begin(), o.end());
    const auto expected = enumerated(wide.data(), steps);
    const auto v = rg::verdict_probabilities<double>(o);
    for (std::size_t s = 0; s < 3; ++s) CHECK(v[s] == Approx(static_cast<double>(expected[s])).epsilon(1e-12));
  }
  // A certain proof is the hard one: "<!" refutes.
  const std::vector<float> certain{0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
  CHECK(rg::verdict_probabilities<float>(certain) == std::array<double, 3>{0, 1, 0});
}

TEST_CASE("natural logic: sufficiency worked by hand", "[scoring]") {
  // One step, (=, <, >, !, |, #) = (.1, .2, .3, .15, .05, .2): p = .1 + .2 + .15 + .05 = .5.
  const std::vector<double> o{0.1, 0.2, 0.3, 0.15, 0.05, 0.2}, labels{0.75};
  const std::vector<std::uint32_t> offsets{0, 1};
  std::vector<double> gradient(6), curvature(6);
  const rg::ProofView<double> view{.operators = o, .offsets = offsets, .labels = labels};
  CHECK(rg::value_gradient_and_curvature(rg::ProofSufficiency{}, view, gradient, curvature) == Approx(std::log(2.0)).epsilon(1e-12));
  const std::vector<double> expected{-1.5, -1.5, -0.5, -1.5, -1.5, -0.5};   // -.75 / .5 and -.25 / .5
  for (std::size_t op = 0; op < 6; ++op) {
    CHECK(gradient[op] == Approx(expected[op]).epsilon(1e-12));
    CHECK(curvature[op] == Approx(expected[op] == -1.5 ? 3.0 : 1.0).epsilon(1e-12));
  }
}

TEST_CASE("natural logic: value, gradient and curvature of sufficiency are those of the definition", "[scoring]") {
  const auto o = distributions(7, 8);
  const std::vector<std::uint32_t> offsets{0, 3, 3, 5, 7};
  const std::vector<double> labels{1, 1, 0, 0.3}, weights{2, 1, 0.5, 3};
  for (const auto normalize : {rg::Normalize::mean, rg::Normalize::sum}) {
    const rg::ProofSufficiency loss{.normalize = normalize};
    const rg::ProofView<double> view{.operators = o, .offsets = offsets, .labels = labels, .weights = weights};
    const auto definition = [&](const Logits& x) {
      long double sum = 0, total = 0;
      for (std::size_t k = 0; k < 4; ++k) {
        const auto v = enumerated(&x[6 * offsets[k]], offsets[k + 1] - offsets[k]);
        if (labels[k] > 0) sum -= weights[k] * labels[k] * std::log(v[0] + v[1]);
        if (labels[k] < 1) sum -= weights[k] * (1 - labels[k]) * std::log(v[2]);
        total += weights[k];
      }
      return normalize == rg::Normalize::mean ? sum / total : sum;
    };
    std::vector<double> gradient(42), curvature(42);
    rg::Workspace workspace;
    CHECK(rg::value_gradient_and_curvature(loss, view, gradient, curvature, 0, workspace) ==
          Approx(static_cast<double>(test::moved(definition, o, 0, 0))).epsilon(1e-12));
    for (std::size_t k = 0; k < 42; ++k) {
      CHECK(gradient[k] == Approx(static_cast<double>(test::first_derivative(definition, o, k))).margin(1e-8));
      CHECK(curvature[k] == Approx(static_cast<double>(test::second_derivative(definition, o, k))).margin(1e-5));
    }
    const std::size_t warm = workspace.growths();
    rg::value_gradient_and_curvature(loss, view, gradient, curvature, 0, workspace);
    CHECK(workspace.growths() == warm);
  }
}

TEST_CASE("natural logic: impossible verdicts stay finite, and bad input is named", "[scoring]") {
  const std::vector<float> certain{0, 0, 0, 0, 0, 1}, labels{1};   // independence: p = 0, and yet labelled sufficient
  const std::vector<std::uint32_t> offsets{0, 1};
  std::vector<float> gradient(6, 3);
  rg::ProofView<float> view{.operators = certain, .offsets = offsets, .labels = labels};
  CHECK(rg::value_and_gradient(rg::ProofSufficiency{.floor = 1e-6}, view, gradient) == Approx(-std::log(1e-6)));
  CHECK(gradient == std::vector<float>(6, 0));
  rg::Workspace workspace;
  CHECK_FALSE(rg::ProofSufficiency{}.value_and_gradient(rg::ProofView<float>{}, rg::GradientSink<float>{}, workspace).valid);
  const std::vector<float> bad{1.5f};
  view.labels = bad;
  CHECK_THROWS_WITH(rg::value(rg::ProofSufficiency{}, view), contains("labels[0] is 1.5"));
  view.labels = labels;
  view.operators = std::span(certain).first(5);
  CHECK_THROWS_WITH(rg::value(rg::ProofSufficiency{}, view), contains("operators has 5 elements where 6"));
  const std::vector<float> two{1, 1};
  const std::vector<std::uint32_t> late{1, 1, 2}, falling{0, 2, 1};
  CHECK_THAT(rg::validate(rg::ProofView<float>{.operators = certain, .offsets = late, .labels = two}).message(),
             contains("offsets[0] is 1; it must be 0"));
  CHECK_THAT(rg::validate(rg::ProofView<float>{.operators = certain, .offsets = falling, .labels = two}).message(),
             contains("offsets[2] is 1, below offsets[1], which is 2"));
  CHECK_FALSE(rg::ProofSufficiency{.floor = 0}.check());
}
