// Prints how many times faster the library is than every other method, how long it takes, what fraction of the machine's
// limits that is, and what must be reached; writes the same as JSON, and a gnuplot script.
//
//   bench_report results.json [folder]     leaves ratios.json, bars.json and plots/plots.gp in the folder
//
// Fails where a benchmark reported an error: a wrong result must not pass for a fast one.
#include "report/results.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace {

using namespace report;

/// One line per loss, one column per shape; a new heading where the shapes change. No number: no entry.
template <class Cell>
void print(const Results& results, const std::string& title, const Cell& cell) {
  const auto& problems = results.problems;
  std::vector<std::string> heading;
  bool titled = false;
  for (std::size_t begin = 0, end; begin < problems.size(); begin = end) {
    std::vector<std::string> shapes, cells;
    bool any = false;
    for (end = begin; end < problems.size() && problems[end].loss == problems[begin].loss; ++end) {
      shapes.push_back(problems[end].shape);
      cells.push_back(cell(problems[end]));
      any = any || !cells.back().empty();
    }
    if (!any) continue;
    if (!titled) fmt::print("\n{}\n", title);
    titled = true;
    const auto width = [](const std::string& shape) { return std::max<std::size_t>(9, shape.size() + 2); };
    if (shapes != heading) {
      heading = shapes;
      fmt::print("\n{:<40}", "family/loss/T");
      for (const std::string& shape : heading) fmt::print("{:>{}}", shape, width(shape));
      fmt::print("\n");
    }
    fmt::print("{:<40}", problems[begin].loss);
    for (std::size_t i = 0; i < cells.size(); ++i) fmt::print("{:>{}}", cells[i].empty() ? "-" : cells[i], width(shapes[i]));
    fmt::print("\n");
  }
}

std::string text(const char* format, Number number) { return number ? fmt::format(fmt::runtime(format), *number) : std::string(); }

void print_tables(const Results& results) {
  for (const auto& [method, what] : std::vector<std::pair<std::string, std::string>>{
           {"scalar", "the scalar twin"},
           {"scalar_sorted", "a twin that sorts by label first"},
           {"scalar_fast_math", "the twin under -ffast-math"},
           {"simd_exp", "SIMD with one exp per pair"},
           {"simd_brute", "its own pass over all pairs"},
           {"libtorch", "libtorch's autograd"},
           {"lightgbm_like", "a loop like LightGBM's"},
           {"xgboost_like", "a loop like XGBoost's"},
           {"rankgrad_avx2", "its own AVX2 build"}})
    print(results, "Times faster than " + what, [&, name = method](const Problem& p) { return text("{:.1f}", p.time(name) / p.time("rankgrad")); });
  print(results, "ns per item", [](const Problem& p) {
    return p.methods.contains("rankgrad") ? text("{:.3g}", p.methods.at("rankgrad").per_item) : std::string();
  });
  print(results, "ns per pair", [](const Problem& p) { return text("{:.3g}", p.per_pair("rankgrad")); });
  print(results, "Fraction of limit, % (>: it needs less than that)", [&](const Problem& p) {
    const Number fraction = limit(results, p) / p.time("rankgrad");
    return fraction && *fraction > 1.05 ? std::string(">") : text("{:.0f}", fraction ? Number(100 * *fraction) : fraction);
  });
  if (!results.errors_of.empty())
    fmt::print("\nErrors: functions in units in the last place, losses relative to the largest derivative\n\n");
  for (const auto& [what, error] : results.errors_of) fmt::print("{:<40}{:>9.2g}\n", what, error);
  fmt::print("\nLimits of this machine, ns per lane or element\n\n{:<16}{:>10}{:>10}\n", "", "float", "double");
  for (const char* what : {"divide", "fma", "exp", "read_l1", "copy_l1", "read_dram", "copy_dram"})
    if (const Number ns = results.ceiling(what, "float"))
      fmt::print("{:<16}{:>10.3g}{:>10}\n", what, *ns, text("{:.3g}", results.ceiling(what, "double")));
}

Json rows(const Results& results) {
  Json rows = Json::array();
  for (const Problem& p : results.problems) {
    Json row = {{"name", p.loss + "/" + p.shape}, {"ns", Json::object()}};
    for (const auto& [method, time] : p.methods) row["ns"][method] = time.total;
    if (const auto own = p.methods.find("rankgrad"); own != p.methods.end()) {
      row["ns_per_item"] = own->second.per_item;
      if (own->second.per_pair > 0) row["ns_per_pair"] = own->second.per_pair;
      if (const Number ratio = p.time("scalar") / p.time("rankgrad")) row["times_faster_than_scalar"] = *ratio;
      if (const Number fraction = limit(results, p) / p.time("rankgrad")) row["fraction_of_limit"] = *fraction;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} results.json [folder]\n", argv[0]);
    return 2;
  }
  std::ifstream input(argv[1]);
  const Json json = Json::parse(input);
  const Results results = read(json);
  print_tables(results);
  const Json bars = print_bars(results);
  if (argc > 2) {
    const std::filesystem::path folder = argv[2];
    std::filesystem::create_directories(folder / "plots");
    const Json context = json.value("context", Json::object());
    std::ofstream(folder / "ratios.json") << Json{{"context", context}, {"rows", rows(results)}}.dump(1) << '\n';
    std::ofstream(folder / "bars.json") << Json{{"context", context}, {"bars", bars}}.dump(1) << '\n';
    std::ofstream(folder / "plots" / "plots.gp") << plot_script(results);
  }
  for (const std::string& error : results.errors) fmt::print(stderr, "{}\n", error);
  return results.errors.empty() ? 0 : 1;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
