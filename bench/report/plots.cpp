// ns per score against the length of the list, log-log, one curve per method. Where a method of all pairs stops before the
// library does, it goes on dashed: extrapolated, its time being proportional to n^2.
#include "report/results.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace report {
namespace {

struct Style {
  const char *method, *title, *colour;
  double width;
};
constexpr std::array<Style, 11> styles{{{"rankgrad", "rankgrad", "#c1121f", 3},
                                        {"rankgrad_avx2", "rankgrad, AVX2", "#f4978e", 2},
                                        {"simd_brute", "SIMD, all pairs", "#8338ec", 1.5},
                                        {"simd_exp", "SIMD, exp per pair", "#b185db", 1.5},
                                        {"scalar_fast_math", "-ffast-math", "#2a9d8f", 1.5},
                                        {"scalar_sorted", "scalar, sorted", "#8d99ae", 1.5},
                                        {"scalar", "scalar", "#2b2d42", 1.5},
                                        {"libtorch", "libtorch", "#ee9b00", 1.5},
                                        {"lightgbm_like", "like LightGBM", "#52b788", 1.5},
                                        {"xgboost_like", "like XGBoost", "#0077b6", 1.5},
                                        {"copy_floor", "copy alone", "#adb5bd", 1.5}}};

struct Point {
  double n, ns;   ///< ns per score
};

std::string block(const std::string& name, const std::vector<Point>& points) {
  std::string text = "$" + name + " << EOD\n";
  for (const Point& p : points) fmt::format_to(std::back_inserter(text), "{} {:.6g}\n", p.n, p.ns);
  return text + "EOD\n";
}

/// A list of n has n scores; a matrix has more, and of tokens and pairs one would not say so.
bool is_list(const Problem& problem) {
  for (const char* other : {"bradley_terry/", "policy/", "preference/", "threads/"})
    if (problem.loss.starts_with(other)) return false;
  const Time& own = problem.methods.at("rankgrad");
  return own.total < 1.5 * problem.length() * own.per_item;
}

/// All problems of one loss and type.
std::string plot(const std::vector<const Problem*>& problems) {
  std::string file = problems[0]->loss, blocks, curves, note;
  const std::string title = file;
  std::replace(file.begin(), file.end(), '/', '_');
  const double longest = problems.back()->length();
  for (const Style& style : styles) {
    std::vector<Point> points;
    bool all_pairs = false;
    for (const Problem* p : problems)
      if (const Number time = p->time(style.method)) {
        points.push_back({p->length(), *time / p->length()});
        all_pairs = p->per_pair(style.method).has_value();
      }
    if (points.empty()) continue;
    const std::string name = style.method;
    blocks += block(name, points);
    curves += fmt::format("{}${} with linespoints lc rgb '{}' lw {} pt 7 ps 0.5 title '{}'", curves.empty() ? "plot " : ", \\\n     ",
                          name, style.colour, style.width, style.title);
    const Point last = points.back();
    if (!all_pairs || last.n >= longest) continue;
    blocks += block(name + "_on", {last, {longest, last.ns * longest / last.n}});
    curves += fmt::format(", \\\n     ${}_on with lines lc rgb '{}' lw 1.5 dt 2 notitle", name, style.colour);
    note = ", dashed: extrapolated";
  }
  return blocks + "set output '" + file + ".svg'\nset title '" + title + ": value and gradient, one thread" + note + "' noenhanced\n" + curves + "\n";
}

}  // namespace

std::string plot_script(const Results& results) {
  std::string script =
      "set terminal svg size 960,560 dynamic font 'sans,14' background '#ffffff'\n"
      "set logscale xy\nset format x '10^{%L}'\nset format y '10^{%L}'\n"
      "set xlabel 'n, scores in the list'\nset ylabel 'ns per score'\n"
      "set grid xtics ytics lc rgb '#dddddd' lw 1 lt 1\nset border 3\nset tics nomirror\n"
      "set xrange [5:*]\nset key outside right top reverse Left width -2 samplen 2\n";
  const auto& all = results.problems;
  for (std::size_t begin = 0, end; begin < all.size(); begin = end) {
    std::vector<const Problem*> sizes;
    for (end = begin; end < all.size() && all[end].loss == all[begin].loss; ++end)
      if (all[end].length() > 0 && all[end].time("rankgrad")) sizes.push_back(&all[end]);
    std::sort(sizes.begin(), sizes.end(), [](const Problem* a, const Problem* b) { return a->length() < b->length(); });
    if (sizes.size() > 1 && is_list(*sizes[0])) script += plot(sizes);
  }
  return script;
}

}  // namespace report
