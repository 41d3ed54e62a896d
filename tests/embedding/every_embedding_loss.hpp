// The properties that every loss over embeddings must have, as functions of the loss and its oracle.
//
// An oracle (properties/oracles/embedding.hpp) is the literal definition of the loss on the full matrix of similarities:
//
//   template <> struct test::EmbeddingOracle<rg::InBatchInfoNce> {
//     static std::vector<rg::InBatchInfoNce> instances();                                  // parameter settings to test
//     static Derivatives define(const rg::InBatchInfoNce&, const SimilarityMatrix&);       // value and dL/dS, in long double
//     static EmbeddingTraits traits(const rg::InBatchInfoNce&);
//     static std::vector<Refused<rg::InBatchInfoNce>> refused();                           // what check() must say no to
//   };
//
// The chain rule to embeddings and temperature, and the deletion of what is absent, is done once
// (support/similarity_matrix.hpp). Where a loss has a member `temperature` or `scale` its derivative is tested, where it has `similarity`
// or `tiles` all of these; without `similarity` it says `static constexpr Similarity fixed_similarity`.
#pragma once

#include "support/catch.hpp"
#include "support/similarity_matrix.hpp"

#include <rankgrad/embedding/embedding_evaluator.hpp>

#include <utility>

namespace test {

struct EmbeddingTraits {
  bool smooth = true;              ///< finite differences apply everywhere (not hinges, not detached factors)
  bool weights_repeat = false;     ///< a query of weight 2 is the same as that query twice
  bool one_is_nothing = true;      ///< one query with one document has no signal
  bool compares = false;           ///< whose derivative is what depends on which similarity is higher: not to be told where all vanish
};

template <class L>
struct Refused {
  L loss;
  const char* message;
};

template <class L>
struct EmbeddingOracle;

/// Of the value; of derivatives, relative to the largest one.
template <class T>
inline constexpr double value_tolerance = sizeof(T) == 4 ? 1e-6 : 1e-12;
template <class T>
inline constexpr double gradient_tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;

template <class L>
rg::Similarity similarity_of(const L& loss) {
  if constexpr (requires { loss.similarity; }) return loss.similarity;
  else return L::fixed_similarity;
}

/// What a bias of 1 adds to a similarity: where there is a temperature, it is one of logits.
template <class L>
double step_of(const L& loss) {
  if constexpr (requires { loss.temperature; }) return loss.temperature;
  else if constexpr (requires { loss.scale; }) return 1 / loss.scale;
  else return 1;
}

template <class T>
struct Evaluated {
  T value{};
  double log_scale = 0;
  bool valid = false;
  std::vector<T> queries, documents, own, bias;

  bool operator==(const Evaluated&) const = default;
};

/// What stood in the gradient must not matter. The own negatives' comes with the queries', the bias' with the documents'.
template <class L, class T, class E = rg::Serial>
Evaluated<T> evaluated(const L& loss, const OwnedEmbeddings<T>& batch, const E& executor = {}, bool queries = true,
                       bool documents = true) {
  const T rubbish = std::numeric_limits<T>::quiet_NaN();
  Evaluated<T> r;
  r.queries.assign(queries ? batch.queries.size() : 0, rubbish);
  r.documents.assign(documents ? batch.documents.size() : 0, rubbish);
  r.own.assign(queries ? batch.own_negatives.size() : 0, rubbish);
  r.bias.assign(documents ? batch.document_count() : 0, rubbish);
  rg::EmbeddingEvaluator<T> evaluate;
  const auto result = evaluate(loss, batch.view(), {r.queries, r.documents, r.own, r.bias}, executor);
  r.value = result.value, r.log_scale = result.log_scale_gradient, r.valid = result.valid;
  return r;
}

template <class T>
bool all_zero(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T v) { return v == T(0); });
}
template <class T>
bool nothing(const Evaluated<T>& r) {
  return !r.valid && r.value == T(0) && r.log_scale == 0 && all_zero(r.queries) && all_zero(r.documents) && all_zero(r.own) &&
         all_zero(r.bias);
}
template <class T>
bool all_finite(const Evaluated<T>& r) {
  const auto finite = [](const std::vector<T>& all) { return std::all_of(all.begin(), all.end(), [](T v) { return rg::is_finite(v); }); };
  return rg::is_finite(r.value) && rg::is_finite(r.log_scale) && finite(r.queries) && finite(r.documents) && finite(r.own) && finite(r.bias);
}

/// Rows of a gradient, each relative to its unit; said once, of the worst. Below the smallest normal number are no digits.
template <class T, class U, class V>
void check_rows(const std::vector<T>& got, const std::vector<U>& expected, const std::vector<V>& unit, double tolerance,
                const char* what) {
  REQUIRE(got.size() == expected.size());
  if (got.empty()) return;
  const std::size_t d = unit.empty() ? 1 : got.size() / unit.size();
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double smallest = static_cast<double>(std::numeric_limits<T>::min());
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    const double relative = error / (static_cast<double>(unit[i / d]) * tolerance + smallest);
    if (!(relative <= worst)) worst = relative, where = i;
  }
  INFO(what << ": worst at row " << where / d << ", " << worst << " times what is allowed");
  CHECK(worst <= 1);
}
template <class T>
void check_number(double got, long double expected, long double unit, double tolerance, const char* what) {
  INFO(what << " is " << got << ", defined " << static_cast<double>(expected) << ", unit " << static_cast<double>(unit));
  CHECK(std::abs(got - static_cast<double>(expected)) <=
        tolerance * static_cast<double>(unit) + static_cast<double>(std::numeric_limits<T>::min()));
}
template <class T>
void check_log_scale(const Evaluated<T>& got, const Expected& expected) {
  check_number<T>(got.log_scale, expected.log_scale, expected.log_scale_unit, gradient_tolerance<T>,
                  "the derivative by log(1 / temperature)");
}

template <class T>
void check_expected(const Evaluated<T>& got, const Expected& expected) {
  REQUIRE(got.valid == expected.valid);
  if (!expected.valid) CHECK(nothing(got));
  check_number<T>(static_cast<double>(got.value), expected.value, expected.value_unit, value_tolerance<T>, "the value");
  check_rows(got.queries, expected.queries, expected.query_unit, gradient_tolerance<T>, "queries");
  check_rows(got.documents, expected.documents, expected.document_unit, gradient_tolerance<T>, "documents");
  check_rows(got.own, expected.own, expected.own_unit, gradient_tolerance<T>, "own negatives");
  check_rows(got.bias, expected.bias, expected.bias_unit, gradient_tolerance<T>, "bias");
  check_log_scale(got, expected);
}

template <class L, class T>
Expected expected_of(const L& loss, const OwnedEmbeddings<T>& batch) {
  const auto define = [&](const SimilarityMatrix& m) { return EmbeddingOracle<L>::define(loss, m); };
  return expected_of(batch, similarity_of(loss), step_of(loss), define);
}
template <class L, class T>
void check_definition(const L& loss, const OwnedEmbeddings<T>& batch) {
  check_expected(evaluated(loss, batch), expected_of(loss, batch));
}

}  // namespace test
