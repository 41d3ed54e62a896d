// The tiles of a matrix of similarities, by objectives whose result tells what they were shown: D = s (a_i + b_j), a and b known
// before, or sums over rows and columns. All numbers are small integers: every order of additions gives the same.
#include <rankgrad/embedding/tiles.hpp>

#include "embedding/properties.hpp"

namespace rg = rankgrad;
using rg::embedding::Passes, rg::embedding::Tile;

namespace {

enum class Active { all, some, later, none };

template <class T, Passes How>
struct Weighing {
  static constexpr Passes passes = How;
  std::size_t queries, documents, block;
  std::vector<T> seen = std::vector<T>(queries * documents), row = std::vector<T>(queries, T(How == Passes::one ? 2 : 0)),
                 column = std::vector<T>(documents, T(How == Passes::both ? 0 : 3));
  std::vector<int> shown = std::vector<int>(queries * documents), derived = shown, closed = std::vector<int>(queries);
  int closed_all = 0;

  void see(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r)
      for (std::size_t j = 0; j < tile.columns; ++j) {
        const std::size_t at = tile.row[r] * documents + tile.column + j;
        ++shown[at];
        seen[at] = tile[r][j];
        if (How == Passes::both) column[tile.column + j] += tile[r][j];
      }
  }
  void close_rows(const std::uint32_t* numbers, std::size_t n) {
    CHECK(n <= block);
    for (std::size_t r = 0; r < n; ++r) {
      ++closed[numbers[r]];
      for (std::size_t j = 0; j < documents; ++j) row[numbers[r]] += seen[numbers[r] * documents + j];
    }
  }
  void close() { ++closed_all; }
  void derive(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r)
      for (std::size_t j = 0; j < tile.columns; ++j) {
        ++derived[tile.row[r] * documents + tile.column + j];
        if (How == Passes::one) seen[tile.row[r] * documents + tile.column + j] = tile[r][j];
        tile[r][j] *= row[tile.row[r]] + column[tile.column + j];
      }
  }
};
template <class T>
struct Choosing : Weighing<T, Passes::rows> {
  Active which = Active::all;
  bool active(std::size_t i) const {
    return which == Active::all || (which == Active::some && i % 3 == 1) || (which == Active::later && i >= 40);
  }
};
/// Two rows of three are summed, and every fifth turns out to have no gradient.
template <class T>
struct Summing : Weighing<T, Passes::rows> {
  std::vector<int> added = std::vector<int>(this->queries * this->documents), summed = std::vector<int>(this->queries);
  bool adds(std::size_t i) const { return i % 3 != 0; }
  bool active(std::size_t i) const { return adds(i) && !(summed[i] && i % 5 == 0); }
  void add_up(const Tile<T>& tile) {
    for (std::size_t r = 0; r < tile.rows; ++r)
      for (std::size_t j = 0; j < tile.columns; ++j) {
        const std::size_t at = tile.row[r] * this->documents + tile.column + j;
        added[at] += tile[r][j] == this->seen[at] ? 1 : 100;
      }
  }
  void close_sums(const std::uint32_t* numbers, std::size_t n) {
    for (std::size_t r = 0; r < n; ++r) ++summed[numbers[r]];
  }
};

/// Runs the objective made by make(queries, documents, block) and compares what comes out with the products themselves.
template <class T, class Make>
void check_tiles(const test::OwnedEmbeddings<T>& batch, const rg::embedding::TileSizes& sizes, std::size_t workers, bool gradient,
                 const Make& make) {
  const rg::exec::Threads pool(workers);
  std::vector<rg::Workspace> workspaces(workers);
  const rg::Team team(pool, workspaces);
  const rg::Workspace::TeamLoan loan(workspaces[0], team);
  const auto frame = workspaces[0].frame();
  const auto side = [&](const std::vector<T>& vectors, const std::vector<std::uint8_t>& mask) {
    return rg::embedding::side_of<T>(vectors, batch.dimension, mask, rg::Similarity::dot, workspaces[0]);
  };
  const auto queries = side(batch.queries, batch.query_mask), documents = side(batch.documents, batch.document_mask);
  rg::embedding::Tiles<T> tiles(queries, documents, sizes, gradient, workspaces[0]);
  auto objective = make(queries.n, documents.n, tiles.block());
  std::vector<T> to_queries(gradient ? batch.queries.size() : 0), to_documents(gradient ? batch.documents.size() : 0);
  tiles.run(objective, {to_queries, to_documents});

  constexpr Passes passes = decltype(objective)::passes;
  const std::size_t d = batch.dimension, n = queries.n, m = documents.n;
  const std::vector<T>&rows = objective.row, &columns = objective.column;
  std::vector<T> expected_queries(to_queries.size()), expected_documents(to_documents.size()), similarity(n * m);
  for (std::size_t at = 0; at < n * m; ++at)
    similarity[at] = std::inner_product(queries.row(at / m), queries.row(at / m) + d, documents.row(at % m), T(0));
  const auto active = [&](std::size_t i) {
    if constexpr (requires { objective.active(i); }) return objective.active(i);
    else return true;
  };
  constexpr bool seen_first = passes != Passes::one;
  bool once = true;
  for (std::size_t i = 0; i < n; ++i) {
    const T row_sum = std::accumulate(&similarity[i * m], &similarity[i * m] + m, T(0));
    once = once && rows[i] == (seen_first ? row_sum : T(2)) && objective.closed[i] == (seen_first ? 1 : 0);
    if constexpr (requires { objective.added; })
      once = once && objective.summed[i] == (objective.adds(i) ? 1 : 0) &&
             std::count(&objective.added[i * m], &objective.added[i * m] + m, objective.summed[i]) == static_cast<std::ptrdiff_t>(m);
    for (std::size_t j = 0; j < m; ++j) {
      const bool derives = !seen_first || (gradient && active(i));
      once = once && objective.shown[i * m + j] == (seen_first ? 1 : 0) && objective.derived[i * m + j] == (derives ? 1 : 0);
      for (std::size_t k = 0; k < d && gradient && active(i); ++k) {
        const T slope = similarity[i * m + j] * (rows[i] + columns[j]);
        expected_queries[queries.number[i] * d + k] += slope * documents.row(j)[k];
        expected_documents[documents.number[j] * d + k] += slope * queries.row(i)[k];
      }
    }
  }
  CHECK(once);
  CHECK(objective.closed_all == (passes == Passes::both ? 1 : 0));
  CHECK((objective.seen == similarity));
  CHECK((to_queries == expected_queries));
  CHECK((to_documents == expected_documents));
}

}  // namespace

TEMPLATE_TEST_CASE("tiles show all similarities once and give exact gradients, however they are cut", "[embedding]", float, double) {
  using T = TestType;
  using Sizes = std::array<std::size_t, 3>;
  for (const auto& [queries, documents, dimension] : {Sizes{1, 1, 1}, {2, 300, 3}, {83, 7, 33}, {101, 211, 5}, {19, 120, 300}}) {
    auto batch = test::make_holey<T>(queries, {.queries = queries, .documents = documents, .dimension = dimension});
    rg::Random random(9);
    for (auto* numbers : {&batch.queries, &batch.documents})
      for (T& x : *numbers)
        if (std::abs(x) < T(100)) x = T(random.below(10) == 0 ? 1 : 0) - T(random.below(10) == 0 ? 1 : 0);
    using rg::embedding::TileSizes;
    for (const TileSizes& sizes : {TileSizes{}, {1, 1, 1}, {20, 100, 2}, {40, 1, 3}, {5000, 5000, 0}})
      for (const std::size_t workers : {1u, 2u})
        for (const bool gradient : {true, false}) {
          INFO(queries << " queries, " << documents << " documents, dimension " << dimension << ", tiles of " << sizes.rows
                       << ", " << workers << " workers");
          const auto run = [&](const auto& make) { check_tiles(batch, sizes, workers, gradient, make); };
          run([](std::size_t n, std::size_t m, std::size_t block) { return Weighing<T, Passes::one>{n, m, block}; });
          run([](std::size_t n, std::size_t m, std::size_t block) { return Weighing<T, Passes::rows>{n, m, block}; });
          run([](std::size_t n, std::size_t m, std::size_t block) { return Weighing<T, Passes::both>{n, m, block}; });
          for (const Active which : {Active::all, Active::some, Active::later, Active::none})
            run([&](std::size_t n, std::size_t m, std::size_t block) { return Choosing<T>{{n, m, block}, which}; });
          run([](std::size_t n, std::size_t m, std::size_t block) { return Summing<T>{{n, m, block}}; });
        }
  }
}
