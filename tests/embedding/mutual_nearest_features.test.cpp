#include "support/catch.hpp"
#include "support/embeddings.hpp"

#include <rankgrad/embedding/mutual_nearest_features.hpp>
#include <rankgrad/exec/threads.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace rg = rankgrad;
using rg::MutualNearestFeatures, rg::Similarity;

namespace {

/// The local features of three images.
template <class T>
struct Images {
  std::size_t dimension = 1;
  std::vector<T> query, positive, negative;

  rg::LocalFeaturesView<T> view() const {
    return {.dimension = dimension, .query = query, .positive = positive, .negative = negative};
  }
};
/// Features of the query come again in the positive, somewhat changed; the negative is any.
template <class T>
Images<T> make_images(std::uint64_t seed, std::size_t u, std::size_t v, std::size_t others, std::size_t dimension) {
  const auto batch = test::make_embeddings<T>(seed, {.queries = u + others, .documents = v, .dimension = dimension});
  const auto border = batch.queries.begin() + static_cast<std::ptrdiff_t>(u * dimension);
  Images<T> images{dimension, {batch.queries.begin(), border}, batch.documents, {border, batch.queries.end()}};
  for (std::size_t i = 0; i < std::min(u, v) * dimension / 2; ++i)
    images.positive[images.positive.size() - 1 - i] += T(1.5) * images.query[images.query.size() - 1 - i];
  return images;
}

template <class T>
struct Found {
  T value{};
  double log_scale = 0;
  bool valid = false;
  std::vector<T> query, positive, negative;

  bool operator==(const Found&) const = default;
};
/// What stood in the gradient must not matter.
template <class T, class E = rg::Serial>
Found<T> run(const MutualNearestFeatures& loss, const Images<T>& images, const E& executor = {}) {
  const T rubbish = std::numeric_limits<T>::quiet_NaN();
  Found<T> f;
  f.query.assign(images.query.size(), rubbish);
  f.positive.assign(images.positive.size(), rubbish), f.negative.assign(images.negative.size(), rubbish);
  rg::EmbeddingEvaluator<T> evaluate;
  const auto result = evaluate(loss, images.view(), {f.query, f.positive, f.negative}, executor);
  f.value = result.value, f.log_scale = result.log_scale_gradient, f.valid = result.valid;
  return f;
}

/// The similarities of two images, in T from double.
template <class T>
std::vector<T> matrix_of(const std::vector<T>& a, const std::vector<T>& b, std::size_t d, Similarity similarity) {
  const auto length = [&](const T* x) {
    double square = 0;
    for (std::size_t f = 0; f < d; ++f) square += static_cast<double>(x[f]) * static_cast<double>(x[f]);
    return similarity == Similarity::dot ? 1 : square > 0 ? std::sqrt(square) : std::numeric_limits<double>::infinity();
  };
  std::vector<T> matrix;
  for (std::size_t u = 0; u < a.size(); u += d)
    for (std::size_t v = 0; v < b.size(); v += d) {
      double s = 0;
      for (std::size_t f = 0; f < d; ++f) s += static_cast<double>(a[u + f]) * static_cast<double>(b[v + f]);
      matrix.push_back(static_cast<T>(s / (length(&a[u]) * length(&b[v]))));
    }
  return matrix;
}
using Pairs = std::vector<std::pair<int, int>>;
Pairs pairs_of(std::span<const rg::Match> found) {
  Pairs pairs;
  for (const rg::Match& m : found) pairs.emplace_back(m.u, m.v);
  return pairs;
}
template <class T>
Pairs matches(const std::vector<T>& a, const std::vector<T>& b, std::size_t d, Similarity similarity,
              std::optional<double> above = {}, const rg::embedding::TileSizes& tiles = {}) {
  rg::Workspace workspace;
  std::vector<rg::Match> found(std::min(a.size(), b.size()) / d);
  found.resize(rg::mutual_nearest<T>(a, b, d, similarity, found, workspace, above, tiles));
  return pairs_of(found);
}
template <class T>
Pairs matches_of_matrix(const std::vector<T>& matrix, std::size_t columns, std::optional<double> above = {}) {
  rg::Workspace workspace;
  std::vector<rg::Match> found(std::min(columns, matrix.size() / columns));
  found.resize(rg::mutual_nearest<T>(matrix, columns, found, workspace, above));
  return pairs_of(found);
}

/// The loss of the matrices, for images of as many features each.
double value_by_matrix(const MutualNearestFeatures& loss, const Images<double>& images) {
  auto both = matrix_of(images.query, images.positive, images.dimension, loss.similarity);
  const auto second = matrix_of(images.query, images.negative, images.dimension, loss.similarity);
  both.insert(both.end(), second.begin(), second.end());
  const std::size_t columns = images.positive.size() / images.dimension;
  return rg::value(loss.loss, rg::LocalTripletView<double>{.similarity = both, .columns = columns});
}
template <class T>
Images<double> wide(const Images<T>& images) {
  return {images.dimension, {images.query.begin(), images.query.end()}, {images.positive.begin(), images.positive.end()},
          {images.negative.begin(), images.negative.end()}};
}

constexpr rg::MutualNearestTriplet settings[] = {{.margin = 0.6}, {.margin = 1.5, .above = 0.3}, {.margin = 2, .above = 100.0},
                                                 {.margin = 1, .aligned_below_two = true}, {.margin = -1e3}};

}  // namespace

TEMPLATE_TEST_CASE("mutual nearest features are those of the matrix of similarities", "[embedding]", float, double) {
  for (const auto similarity : {Similarity::dot, Similarity::cosine})
    for (const auto& [u, v, d] : {std::array<std::size_t, 3>{1, 1, 1}, {1, 9, 2}, {9, 1, 3}, {40, 33, 5}, {210, 450, 20}}) {
      INFO(u << " and " << v << " features of " << d);
      const auto images = make_images<TestType>(61 + u, u, v, 1, d);
      const auto matrix = matrix_of(images.query, images.positive, d, similarity);
      const Pairs expected = matches_of_matrix(matrix, v);
      CHECK(!expected.empty());
      CHECK(matches(images.query, images.positive, d, similarity) == expected);
      for (const auto& tiles : {rg::embedding::TileSizes{1, 1, 1}, {7, 100, 3}, {1000, 5000, 8}})
        CHECK(matches(images.query, images.positive, d, similarity, {}, tiles) == expected);
      CHECK(matches(images.query, images.positive, d, similarity, 0.71234) == matches_of_matrix(matrix, v, 0.71234));
    }
}

TEMPLATE_TEST_CASE("mutual nearest features: of equal ones the first", "[embedding]", float, double) {
  using T = TestType;
  // All the same: one match. In tiles of one row by one panel ties go across tiles, too.
  const std::vector<T> same(3 * 130, T(0.5));
  for (const auto& tiles : {rg::embedding::TileSizes{}, rg::embedding::TileSizes{1, 1, 1}})
    for (const auto similarity : {Similarity::dot, Similarity::cosine})
      CHECK(matches(same, same, 3, similarity, {}, tiles) == Pairs{{0, 0}});
  // Features 5 .. 9 are 0 .. 4 again, and so are those of the other image.
  auto images = make_images<T>(62, 10, 10, 1, 4);
  std::copy_n(images.query.begin(), 20, images.query.begin() + 20);
  images.positive = images.query;
  CHECK(matches(images.query, images.positive, 4, Similarity::cosine) == Pairs{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, 4}});
}

TEMPLATE_TEST_CASE("mutual nearest features: the value is that of the matrices", "[embedding]", float, double) {
  for (const auto similarity : {Similarity::dot, Similarity::cosine})
    for (const auto& loss : settings)
      for (const std::size_t v : {1u, 12u, 70u}) {
        const auto images = make_images<TestType>(63, 25, v, v, 6);
        const MutualNearestFeatures features{loss, similarity};
        const double expected = value_by_matrix(features, wide(images));
        const auto found = run(features, images);
        CHECK(found.valid);
        CHECK(static_cast<double>(found.value) == Approx(expected).epsilon(sizeof(TestType) == 4 ? 1e-6 : 1e-13));
        CHECK(found.log_scale == Approx(expected > 0 ? expected - loss.margin : 0).epsilon(1e-5).margin(1e-6));
        rg::EmbeddingEvaluator<TestType> evaluate;
        const auto value = evaluate(features, images.view());
        CHECK((value.value == found.value && value.log_scale_gradient == 0));
      }
}

TEST_CASE("mutual nearest features: gradients are the slopes of the value", "[embedding]") {
  for (const auto similarity : {Similarity::dot, Similarity::cosine})
    for (const auto& loss : settings) {
      auto images = make_images<double>(64, 9, 12, 12, 5);
      const MutualNearestFeatures features{loss, similarity};
      const auto found = run(features, images);
      std::size_t moved = 0;
      const auto check = [&](std::vector<double>& numbers, const std::vector<double>& gradient) {
        for (std::size_t e = 0; e < numbers.size(); ++e) {
          const double rest = numbers[e], h = 1e-4;
          const auto at = [&](double step) {
            numbers[e] = rest + step;
            const double value = value_by_matrix(features, images);
            numbers[e] = rest;
            return value;
          };
          const double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
          CHECK(gradient[e] == Approx(slope).epsilon(1e-8).margin(1e-10));
          moved += gradient[e] != 0;
        }
      };
      check(images.query, found.query), check(images.positive, found.positive), check(images.negative, found.negative);
      CHECK((moved > 0) == (found.value > 0 && !(loss.above && *loss.above > 50)));
    }
}

TEMPLATE_TEST_CASE("mutual nearest features by hand; images of different sizes", "[embedding]", float, double) {
  using T = TestType;
  // Positive: (0, 0) of .8 and (1, 1) of 1. Negative: (1, 2) of .6, which feature 0 likes best, too.
  const Images<T> images{2, {1, 0, 0, 1}, {T(.8), T(.1), T(.2), 1}, {-1, -1, -1, 0, T(.5), T(.6)}};
  const auto found = run<T>({{.margin = 0.5}, Similarity::dot}, images);
  CHECK(static_cast<double>(found.value) == Approx(0.6 - 0.9 + 0.5));
  CHECK(found.log_scale == Approx(-0.3));
  const auto same = [](const std::vector<T>& got, const std::vector<double>& expected) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t e = 0; e < got.size(); ++e) CHECK(static_cast<double>(got[e]) == Approx(expected[e]).margin(1e-7));
  };
  same(found.query, {-.4, -.05, -.1 + .5, -.5 + .6});
  same(found.positive, {-.5, 0, 0, -.5});
  same(found.negative, {0, 0, 0, 0, 0, 1});
}

TEMPLATE_TEST_CASE("mutual nearest features: zero vectors, NaN, one or no feature", "[embedding]", float, double) {
  using T = TestType;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const auto zero = [](const std::vector<T>& v) { return std::all_of(v.begin(), v.end(), [](T x) { return x == T(0); }); };
  for (const auto similarity : {Similarity::dot, Similarity::cosine}) {
    const MutualNearestFeatures loss{{.margin = 3}, similarity};
    auto images = make_images<T>(65, 6, 7, 8, 3);
    std::fill_n(images.query.begin(), 3, T(0)), std::fill_n(images.positive.begin() + 3, 3, T(0));
    CHECK(run(loss, images).valid);
    // Zero vectors in all places: similarity 0, the first of them match, and no direction.
    Images<T> zeros{3, std::vector<T>(6), std::vector<T>(9), std::vector<T>(3)};
    const auto nothing = run(loss, zeros);
    CHECK((nothing.value == T(3) && zero(nothing.query) && zero(nothing.positive) && zero(nothing.negative)));
    // What is NaN is as if it were not there, and gets nothing.
    auto broken = images, without = images;
    broken.query.insert(broken.query.end(), {nan, T(1), T(1)});
    broken.negative.insert(broken.negative.begin(), {T(1), T(1), nan});
    const auto a = run(loss, broken), b = run(loss, without);
    CHECK((a.value == b.value && a.positive == b.positive));
    CHECK(std::equal(b.query.begin(), b.query.end(), a.query.begin()));
    CHECK(std::equal(b.negative.begin(), b.negative.end(), a.negative.begin() + 3));
    for (std::size_t f = 0; f < 3; ++f) CHECK((a.query[18 + f] == T(0) && a.negative[f] == T(0)));
    CHECK(matches(std::vector<T>(6, nan), images.positive, 3, similarity).empty());
    // A single pair in each image is a match, whatever it is.
    CHECK(run(loss, make_images<T>(66, 1, 1, 1, 3)).valid);
    for (const int missing : {0, 1, 2}) {
      auto none = images;
      (missing == 0 ? none.query : missing == 1 ? none.positive : none.negative).clear();
      const auto r = run(loss, none);
      CHECK((!r.valid && r.value == T(0) && zero(r.query) && zero(r.positive) && zero(r.negative)));
    }
    CHECK(matches(images.query, std::vector<T>{}, 3, similarity).empty());
  }
}

TEMPLATE_TEST_CASE("mutual nearest features: threads, parts of the gradient, warm scratch", "[embedding]", float, double) {
  using T = TestType;
  const auto images = make_images<T>(67, 230, 410, 300, 33);
  const MutualNearestFeatures loss{{.margin = 0.4}, Similarity::cosine, {16, 96, 2}};
  const auto base = run(loss, images);
  REQUIRE((base.valid && base.value > T(0)));
  for (const std::size_t workers : {2u, 3u}) CHECK(run(loss, images, rg::exec::Threads(workers)) == base);

  rg::EmbeddingEvaluator<T> evaluate;
  std::vector<T> query(images.query.size()), positive(images.positive.size()), negative(images.negative.size());
  evaluate(loss, images.view(), {query, {}, {}});
  evaluate(loss, images.view(), {{}, positive, {}});
  evaluate(loss, images.view(), {{}, {}, negative});
  CHECK((query == base.query && positive == base.positive && negative == base.negative));
  evaluate(loss, images.view(), {query, positive, negative});
  const std::size_t warm = evaluate.growths();
  const auto small = make_images<T>(68, 5, 6, 7, 33);
  evaluate(loss, small.view());
  CHECK(evaluate(loss, images.view(), {query, positive, negative}).value == base.value);
  CHECK(evaluate.growths() == warm);
}

TEST_CASE("mutual nearest features: what makes no sense is refused before anything is written", "[embedding]") {
  const auto images = make_images<double>(69, 3, 4, 5, 2);
  std::vector<double> query(6, 7.0), positive(8, 7.0), negative(10, 7.0);
  rg::EmbeddingEvaluator<double> evaluate;
  const auto refused = [&](const MutualNearestFeatures& loss, const Images<double>& wrong, const char* message) {
    CHECK_THROWS_WITH(evaluate(loss, wrong.view(), {query, positive, negative}), contains(message));
    for (const auto* each : {&query, &positive, &negative}) CHECK(*each == std::vector<double>(each->size(), 7.0));
  };
  refused({.loss = {.margin = std::numeric_limits<double>::infinity()}}, images, "MutualNearestTriplet.margin is inf");
  for (const int odd : {0, 1, 2}) {
    auto wrong = images;
    (odd == 0 ? wrong.query : odd == 1 ? wrong.positive : wrong.negative).push_back(1);
    CHECK_THROWS_WITH(evaluate(MutualNearestFeatures{}, wrong.view()),
                      contains(odd == 0 ? "query has" : odd == 1 ? "positive has" : "negative has"));
  }
  auto wrong = images;
  wrong.dimension = 0;
  CHECK_THROWS_WITH(evaluate(MutualNearestFeatures{}, wrong.view()), contains("the dimension of the embeddings is 0"));
  wrong = images;
  wrong.negative.resize(4);
  refused({}, wrong, "the negative's gradient has 10 elements where 4 are expected");
  std::vector<rg::Match> room(2);
  rg::Workspace workspace;
  CHECK_THROWS_WITH(rg::mutual_nearest<double>(images.query, images.positive, 2, Similarity::dot, room, workspace),
                    contains("there is no room for all matches"));
  CHECK_THROWS_WITH(rg::mutual_nearest<double>(images.query, images.positive, 4, Similarity::dot, room, workspace),
                    contains("a has 6 numbers, which is not a multiple of the dimension 4"));
}
