// How good is the choice between the pairs and the grid for the logistic loss of all pairs? Times every path on a grid of
// list lengths, imbalances and spreads, and prints what the choice costs over the best one.
//
//   bench_dispatch [float|double] [features.csv]
//
// With a second argument it also writes each time with what the cost model knew (near_linear/cost.hpp), for a refit.
#include <rankgrad/auc/mann_whitney.hpp>
#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/random.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

namespace {

namespace rg = rankgrad;
namespace nl = rg::pairwise::near_linear;

/// Mann-Whitney by a path that is given.
struct Forced {
  nl::Path path;

  template <rg::Real T>
  rg::Contribution<T> value_and_gradient(rg::ListView<T> list, rg::GradientSink<T> out, rg::Workspace& workspace) const {
    const auto frame = workspace.frame();
    if (const auto near = nl::logistic(list, 1.0, nl::Target::two_classes, rg::Normalize::mean, out, workspace, path)) return *near;
    T* positive = workspace.take<T>(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) positive[i] = list.labels[i] > T(0) ? T(1) : T(0);
    return rg::pairwise::logistic_pairs(rg::pairwise::Logistic{1.0, 0}, rg::Normalize::mean, list, positive, out, workspace);
  }
};

struct Cell {
  std::size_t n;
  unsigned per_positive;   ///< one positive in so many
  double spread;
  bool heavy;              ///< Cauchy-like tails
};

template <class T>
struct Lists {
  std::vector<std::vector<T>> scores, labels;
  std::vector<T> gradient;

  explicit Lists(const Cell& cell) : gradient(cell.n) {
    for (std::uint64_t set = 0; set < 8; ++set) {
      rg::Random random(20261124 + set, cell.n);
      auto &s = scores.emplace_back(), &y = labels.emplace_back();
      for (std::size_t i = 0; i < cell.n; ++i) {
        double x = cell.spread * random.normal();
        if (cell.heavy) x /= std::max(0.05, std::abs(random.normal()));
        s.push_back(static_cast<T>(x));
        y.push_back(T(i == 0 || random.below(cell.per_positive) == 0));
      }
      y.back() = T(0);
    }
  }
  rg::ListView<T> list(std::size_t set) const { return {.scores = scores[set], .labels = labels[set]}; }
};

double cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e9 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec);
}

/// The path that the library takes for the list.
template <class T>
std::optional<nl::Path> chosen(const rg::ListView<T>& list, nl::Shape& shape) {
  rg::Workspace workspace;
  const auto placed = nl::place_on_grid(list.scores.data(), list.size(), 1.0, workspace);
  const auto classes = nl::classes_of(list.labels.data(), list.size(), nl::Target::two_classes);
  shape = {static_cast<double>(list.size()), classes.pairs, 2, placed->span, false};
  return list.size() < nl::always_pairs<T> ? nl::Path::pairs : nl::choose<T>(shape);
}

template <class T>
int run(const char* features) {
  std::ofstream csv;
  if (features) csv.open(features), csv << "path,items,pairs,span,ns\n";
  const nl::Path paths[] = {nl::Path::pairs, nl::Path::registers, nl::Path::sorted};
  const char* names[] = {"pairs", "registers", "sorted"};
  fmt::print("{:>7} {:>5} {:>7} {:>6} {:>11} {:>11} {:>11}  {:<10} {:>6}\n", "n", "1 in", "spread", "tails", "pairs us", "registers us",
             "sorted us", "chosen", "regret");
  double log_sum = 0, worst = 1;
  std::size_t cells = 0, above = 0;
  rg::Workspace workspace;
  for (const std::size_t n : {16u, 32u, 64u, 96u, 128u, 192u, 256u, 384u, 512u, 1024u, 2048u, 8192u})
    for (const unsigned per_positive : {2u, 10u, 100u})
      for (const double spread : {0.3, 1.0, 3.0, 10.0, 20.0})
        for (const bool heavy : {false, true}) {
          if (heavy && spread != 3.0) continue;
          Lists<T> lists({n, per_positive, spread, heavy});
          double best[3] = {1e300, 1e300, 1e300};
          double chosen_time = 0, best_time = 0;
          for (int round = 0; round < 9; ++round)
            for (std::size_t p = 0; p < 3; ++p) {
              const std::size_t repeats = std::max<std::size_t>(1, 4000 / n);
              const double start = cpu_ns();
              for (std::size_t r = 0; r < repeats; ++r)
                for (std::size_t set = 0; set < 8; ++set)
                  rg::value_and_gradient(Forced{paths[p]}, lists.list(set), lists.gradient, workspace);
              best[p] = std::min(best[p], (cpu_ns() - start) / static_cast<double>(8 * repeats));
            }
          nl::Shape shape;
          nl::Path path = *chosen(lists.list(0), shape);
          const bool registers_fit = nl::fits_registers(shape);
          const std::size_t taken = path == nl::Path::pairs ? 0 : path == nl::Path::registers ? 1 : 2;
          if (!registers_fit) best[1] = 1e300;
          chosen_time = best[taken];
          best_time = *std::min_element(best, best + 3);
          const double regret = chosen_time / best_time;
          log_sum += std::log(regret);
          worst = std::max(worst, regret);
          above += regret > 1.25;
          ++cells;
          fmt::print("{:>7} {:>5} {:>7} {:>6} {:>11.3f} {:>11} {:>11.3f}  {:<10} {:>6.2f}\n", n, per_positive, spread, heavy ? "heavy" : "",
                     best[0] / 1e3, registers_fit ? fmt::format("{:.3f}", best[1] / 1e3) : "-", best[2] / 1e3, names[taken], regret);
          for (std::size_t p = 0; csv && features && p < 3; ++p)
            if (p != 1 || registers_fit) csv << names[p] << ',' << n << ',' << shape.pairs << ',' << shape.span << ',' << best[p] << '\n';
        }
  fmt::print("\n{} cells: chosen over best has geometric mean {:.3f} (goal 1.02), is above 1.25 in {:.1f} % (goal 2 %), at most {:.2f} (goal 1.6)\n",
             cells, std::exp(log_sum / static_cast<double>(cells)), 100.0 * static_cast<double>(above) / static_cast<double>(cells), worst);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view type = argc > 1 ? argv[1] : "float";
  if (argc > 3 || (type != "float" && type != "double")) {
    fmt::print(stderr, "usage: {} [float|double] [features.csv]\n", argv[0]);
    return 2;
  }
  return type == "float" ? run<float>(argc > 2 ? argv[2] : nullptr) : run<double>(argc > 2 ? argv[2] : nullptr);
}
