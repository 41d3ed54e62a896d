// two_tower/corpus.hpp: a corpus to search, made up: topics seen through two different lenses, and documents that are popular.
// SPDX-License-Identifier: MIT
#pragma once

#include <Eigen/Dense>
#include <rankgrad/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace two_tower {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Corpus {
  Matrix documents;                      ///< [documents, features]; feature 0 says how popular, by its size
  Matrix queries;                        ///< [queries, features]
  std::vector<Eigen::Index> relevant;    ///< of each query one document
};

/// Documents and queries show a hidden topic through mixtures of their own, with noise. A query's document is one of the eight
/// nearest by topic, a popular one rather: what two linear towers cannot see, and a reranker can.
inline Corpus make_corpus(Eigen::Index documents, Eigen::Index queries, std::uint64_t seed) {
  constexpr Eigen::Index topics = 16, features = 48, near = 8;
  rankgrad::Random random(seed, 0);
  const auto normal = [&](Eigen::Index rows, Eigen::Index columns, double size) {
    Matrix m(rows, columns);
    for (float& x : m.reshaped()) x = static_cast<float>(size * random.normal());
    return m;
  };
  const double unit = 1 / std::sqrt(static_cast<double>(topics));
  const Matrix topic = normal(documents, topics, unit), seen = normal(topics, features, 1), asked = normal(topics, features, 1);
  Corpus corpus{topic * seen + normal(documents, features, 0.3), Matrix(queries, features), {}};
  corpus.documents.col(0) = normal(documents, 1, 1);
  std::vector<Eigen::Index> order(static_cast<std::size_t>(documents));
  for (Eigen::Index q = 0; q < queries; ++q) {
    const Matrix wanted = normal(1, topics, unit);
    const Eigen::VectorXf distance = (topic.rowwise() - wanted.row(0)).rowwise().squaredNorm();
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::partial_sort(order.begin(), order.begin() + near, order.end(), [&](auto a, auto b) { return distance[a] < distance[b]; });
    corpus.relevant.push_back(*std::max_element(order.begin(), order.begin() + near, [&](auto a, auto b) {
      return std::abs(corpus.documents(a, 0)) < std::abs(corpus.documents(b, 0));
    }));
    corpus.queries.row(q) = wanted * asked + normal(1, features, 0.3);
  }
  return corpus;
}

}  // namespace two_tower
