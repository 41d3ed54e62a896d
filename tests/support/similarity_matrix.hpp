// What a loss over embeddings must give: from its literal definition on the full matrix of similarities, in long double, on to
// the embeddings and to log(1 / temperature).
#pragma once

#include "support/embeddings.hpp"

namespace test {

/// A batch as a definition sees it: nothing is absent, everything is known, entry i columns + j of query i and document j.
struct SimilarityMatrix {
  std::size_t rows = 0, columns = 0;
  std::vector<long double> similarity;
  std::vector<bool> positive, left_out;       ///< left out: an equal id, and not a positive
  std::vector<long double> bias, weights;     ///< filled
  std::vector<long double> target;            ///< 0 where there is no positive
  bool distributions = false;                 ///< are targets given?

  std::size_t at(std::size_t i, std::size_t j) const { return i * columns + j; }
};

/// What a definition says: the value, and its derivatives by the similarities.
struct Derivatives {
  long double value = 0;
  bool valid = false;
  std::vector<long double> slopes;
};

/// What must come out, and the unit of each number: what it is exact to is relative to that.
///   value      itself, and a tenth of sum |dL/dS| |q| |k|, by which it moves with the rounding of the similarities
///   gradient   the largest entry of its side, and a tenth of the largest sum of magnitudes of which one is made; before cosines
///              take away what is parallel to the row, over its length
struct Expected {
  long double value = 0, value_unit = 0, log_scale = 0, log_scale_unit = 0;
  bool valid = false;
  std::vector<long double> queries, documents, query_unit, document_unit;
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

  void add(std::size_t a, long double slope, const long double* other) {
    for (std::size_t k = 0; k < d; ++k) {
      gradient[a * d + k] += slope * other[k];
      magnitude[a * d + k] += fabsl(slope * other[k]);
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

/// define(SimilarityMatrix) -> Derivatives, on the batch without what is absent.
template <class T, class Define>
Expected expected_of(const OwnedEmbeddings<T>& batch, rg::Similarity similarity, const Define& define) {
  const Numbers rows = batch.present_queries(), columns = batch.present_documents();
  const OwnedEmbeddings<T> kept = batch.picked(rows, columns);
  const std::size_t d = batch.dimension;
  const auto q = detail::directions_of(kept.queries, d, similarity), k = detail::directions_of(kept.documents, d, similarity);
  SimilarityMatrix m;
  m.rows = rows.size(), m.columns = columns.size();
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.columns; ++j) {
      m.similarity.push_back(std::inner_product(&q.vectors[i * d], &q.vectors[i * d] + d, &k.vectors[j * d], 0.0L));
      m.positive.push_back(kept.positive(i, j));
      m.target.push_back(kept.target(i, j));
      m.left_out.push_back(!kept.query_ids.empty() && kept.query_ids[i] == kept.document_ids[j] && !m.positive.back());
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
  if (!e.valid) return e;
  detail::SideGradient to_queries{q, d}, to_documents{k, d};
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.columns; ++j) {
      const long double slope = defined.slopes[m.at(i, j)];
      e.log_scale += m.similarity[m.at(i, j)] * slope;
      e.log_scale_unit += fabsl(slope) * q.length[i] * k.length[j];
      to_queries.add(i, slope, &k.vectors[j * d]);
      to_documents.add(j, slope, &q.vectors[i * d]);
    }
  e.value_unit += e.log_scale_unit / 10;
  to_queries.finish(similarity, rows, e.queries, e.query_unit);
  to_documents.finish(similarity, columns, e.documents, e.document_unit);
  return e;
}

}  // namespace test
