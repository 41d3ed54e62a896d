#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>
#include <rankgrad/embedding/low_rank_sparse_head.hpp>
#include <rankgrad/interop/eigen.hpp>
#include <rankgrad/listwise/softmax.hpp>

#include <cmath>

namespace rg = rankgrad;
using Head = rg::LowRankSparseHead<double>;

namespace {
Head::Matrix random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  rg::Random random(seed);
  Head::Matrix m(rows, columns);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = 2 * random.uniform() - 1;
  return m;
}
}  // namespace

TEST_CASE("the low-rank part is the best approximation, and both parts start as published", "[embedding]") {
  const Head::Matrix w = random_matrix(7, 10, 1);
  const Head head = Head::from_dense(w, rg::LowRankSparseInit{.rank = 3, .channel_share = 0.21, .residual_triplets = 2});
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(Eigen::MatrixXd(w), Eigen::ComputeThinU | Eigen::ComputeThinV);
  const Eigen::MatrixXd best =
      svd.matrixU().leftCols(3) * svd.singularValues().head(3).asDiagonal() * svd.matrixV().leftCols(3).transpose();
  CHECK((head.b * head.a - best).norm() < 1e-12);   // signs of singular vectors are arbitrary, their product is not
  CHECK((head.b.transpose() * head.b - head.a * head.a.transpose()).norm() < 1e-12);   // balanced
  REQUIRE(head.channels.size() == 2);

  // by the definition: the largest columns of triplets 4 and 5
  const Eigen::MatrixXd rest = svd.matrixU().middleCols(3, 2) * svd.singularValues().segment(3, 2).asDiagonal() *
                               svd.matrixV().middleCols(3, 2).transpose();
  for (Eigen::Index j = 0; j < 10; ++j) {
    const bool kept = j == head.channels[0] || j == head.channels[1];
    for (const Eigen::Index c : head.channels)
      if (!kept) CHECK(rest.col(j).norm() <= rest.col(c).norm());
  }
  CHECK(head.v.col(1).isApprox(w.col(head.channels[1])));
  Eigen::MatrixXd start = best / 2;
  for (const Eigen::Index c : head.channels) start.col(c) += w.col(c) / 2;
  CHECK((head.dense() - start).norm() < 1e-12);
}

TEST_CASE("an exact start is W on the channels that are kept", "[embedding]") {
  const Head::Matrix w = random_matrix(6, 8, 2);
  const Head head = Head::from_dense(w, {.rank = 2, .channel_share = 0.5, .exact = true});
  const Head::Matrix start = head.dense();
  REQUIRE(head.channels.size() == 4);
  for (const Eigen::Index c : head.channels) CHECK((start.col(c) - w.col(c)).norm() < 1e-12);
  CHECK((Head::from_dense(w, {.rank = 100, .channel_share = 0, .exact = true}).dense() - w).norm() < 1e-12);
  CHECK(Head::from_dense(w, {.rank = 2, .channel_share = 0}).channels.size() == 1);
  const Head::Matrix flat = Head::Matrix::Ones(3, 4);   // nothing is left after the first triplet: columns of W, the first
  CHECK(Head::from_dense(flat, {.rank = 3, .channel_share = 0.5}).channels == std::vector<Eigen::Index>{0, 1});
}

TEST_CASE("gradients of a softmax loss through the head, by finite differences", "[embedding]") {
  Head head = Head::from_dense(random_matrix(5, 9, 3), {.rank = 2, .channel_share = 0.34, .residual_triplets = 3});
  Head::Vector query = random_matrix(5, 1, 4);
  Head::Matrix documents = random_matrix(6, 9, 5);
  const std::vector<double> labels{0, 1, 0, 0, 2, 0};
  const auto loss = [&](Head::Vector* slopes = nullptr) {
    const Head::Vector s = head.scores(query, documents);
    Head::Vector gradient(6);
    const double value = rg::value_and_gradient(rg::Softmax{}, rg::ListView<double>{.scores = rg::view(s), .labels = labels},
                                                rg::view(gradient));
    if (slopes) *slopes = gradient;
    return value;
  };
  Head::Vector slopes;
  loss(&slopes);
  const Head::Gradient gradient = head.backward(query, documents, slopes);
  const auto check = [&](auto& parameter, const auto& expected, const char* what) {
    REQUIRE(parameter.size() == expected.size());
    for (Eigen::Index i = 0; i < parameter.size(); ++i) {
      INFO(what << " " << i);
      double& x = parameter.data()[i];
      const double rest = x, h = 1e-5;
      x = rest + h;
      const double above = loss();
      x = rest - h;
      const double below = loss();
      x = rest;
      CHECK(expected.data()[i] == Approx((above - below) / (2 * h)).margin(1e-9));
    }
  };
  check(head.a, gradient.a, "A");
  check(head.b, gradient.b, "B");
  check(head.v, gradient.v, "V");
  check(query, gradient.query, "query");
  check(documents, gradient.documents, "documents");
}

TEST_CASE("shapes and settings that make no sense are refused", "[embedding]") {
  const Head::Matrix w = random_matrix(3, 4, 6);
  CHECK_THROWS_WITH(Head::from_dense(w, {.rank = 0}), contains("rank is 0"));
  CHECK_THROWS_WITH(Head::from_dense(w, {.channel_share = 1.5}), contains("channel_share is 1.5"));
  CHECK_THROWS_WITH(Head::from_dense(Head::Matrix(0, 4)), contains("empty"));
  Head::Matrix infinite = w;
  infinite(1, 2) = INFINITY;
  CHECK_THROWS_WITH(Head::from_dense(infinite), contains("not finite"));
  const Head head = Head::from_dense(w);
  CHECK_THROWS_WITH(head.scores(Head::Vector(4), Head::Matrix(2, 4)), contains("outputs"));
  CHECK_THROWS_WITH(head.scores(Head::Vector(3), Head::Matrix(2, 3)), contains("inputs"));
}

TEST_CASE("a head whose parts do not fit together is refused by all that read it", "[embedding]") {
  const Head head = Head::from_dense(random_matrix(3, 4, 6), {.rank = 2, .channel_share = 0.5});
  REQUIRE(head.check());
  const Head::Vector query = random_matrix(3, 1, 7), slopes = Head::Vector::Ones(2);
  const Head::Matrix documents = random_matrix(2, 4, 8);
  const auto refused = [&](const auto& change, const char* message) {
    Head wrong = head;
    change(wrong);
    CHECK_THROWS_WITH(wrong.scores(query, documents), contains(message));
    CHECK_THROWS_WITH(wrong.backward(query, documents, slopes), contains(message));
    CHECK_THROWS_WITH(wrong.dense(), contains(message));
  };
  refused([](Head& h) { h.a = random_matrix(1, 4, 9); }, "A of the head has 1 rows and B 2 columns");
  refused([](Head& h) { h.v = random_matrix(2, 2, 9); }, "V of the head is 2 x 2; expected its 3 outputs x 2 channels");
  refused([](Head& h) { h.channels.pop_back(); }, "expected its 3 outputs x 1 channels");
  refused([](Head& h) { h.channels[1] = 4; }, "channels[1] is 4; the head has 4 inputs");
  refused([](Head& h) { h.channels[0] = -1; }, "channels[0] is -1");
}
