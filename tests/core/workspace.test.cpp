#include "support/catch.hpp"

#include <rankgrad/core/workspace.hpp>

#include <cstring>
#include <utility>
#include <vector>

namespace rg = rankgrad;

namespace {
template <class T>
bool on_border(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 64 == 0;
}
}  // namespace

TEST_CASE("scratch arrays start on a border, are padded, and do not overlap", "[core]") {
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  std::vector<std::pair<unsigned char*, std::size_t>> arrays;
  for (const std::size_t n : {0u, 1u, 63u, 64u, 65u, 1000u, 5000u, 3u}) {
    auto* bytes = workspace.take<unsigned char>(n);
    CHECK(on_border(bytes));
    std::memset(bytes, static_cast<int>(arrays.size() + 1), n + 64);
    arrays.emplace_back(bytes, n + 64);
  }
  for (std::size_t a = 0; a < arrays.size(); ++a) {
    bool intact = true;
    for (std::size_t i = 0; i < arrays[a].second; ++i) intact = intact && arrays[a].first[i] == a + 1;
    INFO("array " << a);
    CHECK(intact);
  }
  const double* filled = workspace.take<double>(5, 2.5);
  for (std::size_t i = 0; i < 5 + 64 / sizeof(double); ++i) CHECK(filled[i] == 2.5);
}

TEST_CASE("a frame gives back what was taken after it", "[core]") {
  rg::Workspace workspace;
  const auto outer = workspace.frame();
  const int* first = workspace.take<int>(10);
  const int* inner_array = nullptr;
  {
    const auto inner = workspace.frame();
    inner_array = workspace.take<int>(10);
    CHECK(inner_array != first);
  }
  CHECK(workspace.take<int>(10) == inner_array);
}

TEST_CASE("arrays survive growth inside an inner frame", "[core]") {
  rg::Workspace workspace;
  const auto outer = workspace.frame();
  int* kept = workspace.take<int>(100);
  for (int i = 0; i < 100; ++i) kept[i] = i;
  for (int round = 0; round < 5; ++round) {
    const auto inner = workspace.frame();
    std::memset(workspace.take<int>(100000), 255, 400000);
  }
  for (int i = 0; i < 100; ++i) CHECK(kept[i] == i);
}

TEST_CASE("growth is counted and ends after the first use", "[core]") {
  rg::Workspace workspace;
  CHECK(workspace.growths() == 0);
  const auto use = [&](std::size_t n) {
    const auto frame = workspace.frame();
    workspace.take<float>(n);
    {
      const auto inner = workspace.frame();
      workspace.take<double>(3 * n);
      workspace.take<double>(5 * n);
    }
    workspace.take<char>(n);
  };
  use(10000);
  const std::size_t warm = workspace.growths();
  CHECK(warm > 0);
  for (int round = 0; round < 10; ++round) use(10000);
  use(10);
  CHECK(workspace.growths() == warm);
  use(100000);
  CHECK(workspace.growths() > warm);
}

TEST_CASE("the same demand never grows a workspace twice, however it is cut up", "[core]") {
  for (std::size_t first = 64; first < 20000; first = first * 5 / 4)
    for (const std::size_t second : {100u, 3000u, 9000u, 40000u}) {
      rg::Workspace workspace;
      const auto use = [&] {
        const auto frame = workspace.frame();
        workspace.take<char>(first);
        const auto inner = workspace.frame();
        for (int i = 0; i < 5; ++i) workspace.take<char>(second);
      };
      use();
      const std::size_t warm = workspace.growths();
      use();
      INFO("first " << first << ", second " << second);
      CHECK(workspace.growths() == warm);
    }
}

TEST_CASE("a workspace can be moved", "[core]") {
  rg::Workspace a;
  { const auto frame = a.frame(); a.take<int>(5000); }
  const std::size_t growths = a.growths();
  rg::Workspace b(std::move(a));
  CHECK(b.growths() == growths);
  { const auto frame = b.frame(); b.take<int>(5000); }
  CHECK(b.growths() == growths);
  rg::Workspace c;
  c = std::move(b);
  { const auto frame = c.frame(); c.take<int>(5000); }
  CHECK(c.growths() == growths);
}
