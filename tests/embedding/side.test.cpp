#include <rankgrad/embedding/side.hpp>

#include "embedding/properties.hpp"

namespace rg = rankgrad;
namespace embedding = rankgrad::embedding;

TEMPLATE_TEST_CASE("lengths of vectors, from the smallest to the largest numbers", "[embedding]", float, double) {
  using T = TestType;
  const double smallest = static_cast<double>(std::numeric_limits<T>::min());
  const double largest = static_cast<double>(std::numeric_limits<T>::max());
  for (const double size : {smallest, 1e-30, 1e-20, 1e-15, 1e-3, 1.0, 1e4, 1e15, 1e18, 1e30, largest / 4}) {
    std::vector<T> v;
    for (const double part : {0.0, 3.0, -1.0, 0.0, 0.5, 2 / 3.0}) v.push_back(static_cast<T>(part * size));
    long double square = 0;
    for (const T x : v) square += static_cast<long double>(x) * static_cast<long double>(x);
    INFO("size " << size);
    const double expected = static_cast<double>(sqrtl(square));
    CHECK(embedding::length_of(v.data(), v.size()) == Approx(expected).epsilon(sizeof(T) == 4 ? 2e-7 : 1e-15));
  }
  const std::vector<T> zeros(40), ones(700, T(1));
  CHECK(embedding::length_of(zeros.data(), 40) == 0);
  CHECK(embedding::length_of(ones.data(), 700) == Approx(std::sqrt(700.0)).epsilon(1e-12));
  CHECK_FALSE(rg::is_finite(embedding::length_of(std::vector<T>{T(1), std::numeric_limits<T>::infinity()}.data(), 2)));
}

TEMPLATE_TEST_CASE("a side has the rows that are there, their lengths, and the longest of them", "[embedding]", float, double) {
  using T = TestType;
  const std::vector<T> vectors{3, 4, 0, 0, 6, 8, 100, 0, 0, -1};
  const std::vector<std::uint8_t> mask{1, 1, 1, 0, 1};
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  const auto dot = embedding::side_of<T>(vectors, 2, mask, rg::Similarity::dot, workspace);
  CHECK(dot.n == 4);
  CHECK(dot.longest == Approx(10));
  CHECK((dot.factor(1) == T(1) && dot.row(3)[1] == T(-1) && dot.number[3] == 4));
  const auto cosine = embedding::side_of<T>(vectors, 2, mask, rg::Similarity::cosine, workspace);
  CHECK(cosine.longest == 1);
  for (const auto& [row, factor] : {std::pair{0, 0.2}, {1, 0.0}, {2, 0.1}, {3, 1.0}})
    CHECK(static_cast<double>(cosine.factor(static_cast<std::size_t>(row))) == Approx(factor));
  CHECK(embedding::side_of<T>(vectors, 2, {}, rg::Similarity::dot, workspace).n == 5);
  CHECK(embedding::side_of<T>({}, 2, {}, rg::Similarity::dot, workspace).n == 0);
}

TEMPLATE_TEST_CASE("rows are packed by features and by rows, scaled, and filled with zeros", "[embedding]", float, double) {
  using T = TestType;
  constexpr std::size_t unit = rg::simd::panel<T>;
  for (const std::size_t d : {std::size_t{1}, unit - 1, unit, std::size_t{71}, 2 * unit + 3}) {
    const auto batch = test::make_embeddings<T>(1, {.documents = 9, .dimension = d});
    const std::vector<std::uint8_t> mask{1, 0, 1, 1, 1, 0, 1, 1, 1};
    rg::Workspace workspace;
    const auto frame = workspace.frame();
    const auto side = embedding::side_of<T>(batch.documents, d, mask, rg::Similarity::cosine, workspace);
    const std::vector<std::uint32_t> rows{5, 0, 3, 3, 6};
    const T rubbish = std::numeric_limits<T>::quiet_NaN();
    const auto entry = [&](std::size_t i, std::size_t k) { return side.row(rows[i])[k] * side.factor(rows[i]); };
    bool right = true;
    std::vector<T> blocks(2 * 3 * d, rubbish);   // units of 3: the last one has one row that is not there
    embedding::pack_transposed(side, rows.data(), rows.size(), 3, blocks.data());
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t k = 0; k < d; ++k)
        right = right && blocks[(i / 3) * 3 * d + k * 3 + i % 3] == (i < 5 ? entry(i, k) : T(0));
    CHECK(right);
    const std::size_t panels = (d + unit - 1) / unit, total = 7;
    std::vector<T> features(panels * total * unit, T(7));
    embedding::pack_features(side, rows.data(), 2, rows.size(), total, features.data());
    right = true;
    for (std::size_t i = 0; i < total; ++i)
      for (std::size_t k = 0; k < panels * unit; ++k) {
        const T expected = i < 2 ? T(7) : k < d ? entry(i - 2, k) : T(0);
        right = right && features[(k / unit) * total * unit + i * unit + k % unit] == expected;
      }
    CHECK(right);
  }
}
