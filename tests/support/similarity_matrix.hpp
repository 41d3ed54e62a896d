// What a loss over embeddings must give: from its literal definition on the full matrix of similarities, in long double, on to
// the embeddings and to log(1 / temperature).
#pragma once

#include "support/embeddings.hpp"

namespace test {

/// A batch as a definition sees it: nothing is absent, everything is known, entry i columns + j of query i and document j. Behind
/// these are the similarities of own negatives, those of query i from rows columns + own_begin[i] on.
struct SimilarityMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<long double> similarity;
  std::vector<bool> positive, left_out;       ///< left out: an equal id, and not a positive
  std::vector<long double> bias, weights;     ///< filled
  std::vector<long double> target;            ///< 0 where there is no positive
  bool distributions = false;                 ///< are targets given?
  std::vector<std::size_t> own_begin;         ///< [rows + 1]

  /// body(place) for the own negatives of query i.
  template <class Body>
  void for_own(std::size_t i, const Body& body) const {
    for (std::size_t k = own_begin[i]; k < own_begin[i + 1]; ++k) body(rows * columns + k);
  }
  std::size_t at(std::size_t i, std::size_t j) const { return i * columns + j; }
};

/// What a definition says: the value, and its derivatives by the similarities.
struct Derivatives {
  long double value = 0;
  bool valid = false;
  std::vector<long double> slopes;
  std::vector<long double> logits{};      ///< by what a bias and a factor are of, in units of similarity; empty: by the similarities
  std::vector<long double> standing{};    ///< for the similarities there, likewise
};

/// What must come out, and the unit of each number: what it is exact to is relative to that.
///   value      itself, and a tenth of sum |dL/dS| |q| |k|, by which it moves with the rounding of the similarities
///   gradient   the largest entry of its side, and a tenth of the largest sum of magnitudes of which one is made; before cosines
///              take away what is parallel to the row, over its length. Of own negatives and of the bias, where few make up an entry,
///              each magnitude times 1 + a quarter of the logit, by whose rounding it moves
struct Expected {
  long double value = 0, value_unit = 0, log_scale = 0, log_scale_unit = 0;
  bool valid = false;
  std::vector<long double> queries, documents, own, bias, query_unit, document_unit, own_unit, bias_unit;
};

namespace detail {
struct Directions {
  std::vector<long double> vectors, inverse, length;   ///< 1 for cosines, but for the inverse
};
template <class T>
Directions directions_of(const std::vector<T>& vectors, std::size_t d, rg::Similarity similarity) {
  const std::size_t n = vectors.size() / d;
  Directions to{{vectors.begin(), vectors.end()}, std::vector<long double>(n, 1), std::vector<long double>(n, 1)};
  for (std::size_t i = 0; i < n; ++i) {
    long double* const v = &to.vectors[i * d];
    const long double length = sqrtl(std::inner_product(v, v + d, v, 0.0L));
    if (similarity == rg::Similarity::dot) {
      to.length[i] = length;
      continue;
    }
    to.inverse[i] = length > 0 ? 1 / length : 0;
    for (std::size_t k = 0; k < d; ++k) v[k] *= to.inverse[i];
  }
  return to;
}

/// The gradient of one side: to row a is added slope times the other side's row b.
struct SideGradient {
  const Directions& from;
  std::size_t d;
  std::vector<long double> gradient = std::vector<long double>(from.vectors.size()), magnitude = gradient;

  void add(std::size_t a, long double slope, const long double* other, long double logit = 0) {
    for (std::size_t k = 0; k < d; ++k) {
      gradient[a * d + k] += slope * other[k];
      magnitude[a * d + k] += fabsl(slope * other[k]) * (1 + logit / 4);
    }
  }
  /// From that by directions to that by vectors, into the rows `numbers` of all.
  void finish(rg::Similarity similarity, const Numbers& numbers, std::vector<long double>& to, std::vector<long double>& unit) {
    long double top = 0;
    for (std::size_t e = 0; e < gradient.size(); ++e) top = std::max(top, fabsl(gradient[e]) + magnitude[e] / 10);
    for (std::size_t r = 0; r < numbers.size(); ++r) {
      const long double *const g = &gradient[r * d], *const u = &from.vectors[r * d];
      const long double along = similarity == rg::Similarity::cosine ? std::inner_product(g, g + d, u, 0.0L) : 0;
      for (std::size_t k = 0; k < d; ++k) to[numbers[r] * d + k] = (g[k] - along * u[k]) * from.inverse[r];
      unit[numbers[r]] = top * from.inverse[r];
    }
  }
};
}  // namespace detail

/// define(SimilarityMatrix) -> Derivatives, on the batch without what is absent. step: what a bias of 1 adds to a similarity.
template <class T, class Define>
Expected expected_of(const OwnedEmbeddings<T>& batch, rg::Similarity similarity, long double step, const Define& define) {
  const Numbers rows = batch.present_queries(), columns = batch.present_documents();
  const OwnedEmbeddings<T> kept = batch.picked(rows, columns);
  const std::size_t d = batch.dimension;
  const auto q = detail::directions_of(kept.queries, d, similarity), k = detail::directions_of(kept.documents, d, similarity),
             o = detail::directions_of(kept.own_negatives, d, similarity);
  SimilarityMatrix m;
  m.rows = rows.size(), m.columns = columns.size();
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.columns; ++j) {
      m.similarity.push_back(std::inner_product(&q.vectors[i * d], &q.vectors[i * d] + d, &k.vectors[j * d], 0.0L));
      m.positive.push_back(kept.positive(i, j));
      m.target.push_back(kept.target(i, j));
      m.left_out.push_back(!kept.query_ids.empty() && kept.query_ids[i] == kept.document_ids[j] && !m.positive.back());
    }
  m.own_begin.assign(m.rows + 1, 0);
  for (std::size_t i = 0; i < m.rows && !kept.own_offsets.empty(); ++i) {
    m.own_begin[i + 1] = kept.own_offsets[i + 1];
    for (std::size_t c = m.own_begin[i]; c < m.own_begin[i + 1]; ++c)
      m.similarity.push_back(std::inner_product(&q.vectors[i * d], &q.vectors[i * d] + d, &o.vectors[c * d], 0.0L));
  }
  m.bias.assign(kept.document_bias.begin(), kept.document_bias.end());
  m.bias.resize(m.columns);
  m.weights.assign(kept.weights.begin(), kept.weights.end());
  if (m.weights.empty()) m.weights.assign(m.rows, 1);
  m.distributions = !kept.targets.empty();
  const Derivatives defined = define(m);

  Expected e;
  e.value = defined.value, e.value_unit = fabsl(defined.value), e.valid = defined.valid;
  e.queries.resize(batch.queries.size()), e.documents.resize(batch.documents.size());
  e.query_unit.resize(batch.query_count()), e.document_unit.resize(batch.document_count());
  e.bias.resize(batch.document_count()), e.bias_unit.assign(1, 0);
  e.own.resize(batch.own_negatives.size()), e.own_unit.resize(batch.own_negatives.size() / d);
  if (!e.valid) return e;
  detail::SideGradient to_queries{q, d}, to_documents{k, d}, to_own{o, d};
  const std::vector<long double>& logits = defined.logits.empty() ? defined.slopes : defined.logits;
  const auto add = [&](std::size_t i, std::size_t place, detail::SideGradient& other, std::size_t j) {
    const long double slope = defined.slopes[place];
    const long double s = defined.standing.empty() ? m.similarity[place] : defined.standing[place];
    e.log_scale += s * logits[place];
    e.log_scale_unit += fabsl(slope) * q.length[i] * other.from.length[j];
    to_queries.add(i, slope, &other.from.vectors[j * d]);
    other.add(j, slope, &q.vectors[i * d], &other == &to_own ? q.length[i] * o.length[j] / step : 0);
  };
  std::vector<long double> magnitude(m.columns);
  for (std::size_t i = 0; i < m.rows; ++i) {
    for (std::size_t j = 0; j < m.columns; ++j) {
      add(i, m.at(i, j), to_documents, j);
      e.bias[columns[j]] += step * logits[m.at(i, j)];
      magnitude[j] += fabsl(logits[m.at(i, j)]) * (step + q.length[i] * k.length[j] / 4);
    }
    m.for_own(i, [&](std::size_t place) { add(i, place, to_own, place - m.rows * m.columns); });
  }
  for (std::size_t j = 0; j < m.columns; ++j)
    e.bias_unit[0] = std::max(e.bias_unit[0], fabsl(e.bias[columns[j]]) + magnitude[j] / 10);
  e.value_unit += e.log_scale_unit / 10;
  to_queries.finish(similarity, rows, e.queries, e.query_unit);
  to_documents.finish(similarity, columns, e.documents, e.document_unit);
  to_own.finish(similarity, batch.own_of(rows), e.own, e.own_unit);
  return e;
}

}  // namespace test
