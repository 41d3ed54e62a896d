// Reads what rankgrad_bench wrote as JSON (medians where it repeated), prints how many times faster the library is than
// the scalar twins and how long it takes, and, asked to, writes the same numbers as JSON.
//
//   bench_ratios results.json [ratios.json]
//
// Fails where a benchmark reported an error: a wrong result must not pass for a fast one.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

/// One `family/loss/T/shape`: CPU time of each backend in ns.
struct Problem {
  std::string loss, shape;   // "family/loss/T", "shape"
  std::size_t order = 0;     // of registration
  std::map<std::string, double> time;
  double ns_per_item = 0, pairs_per_second = 0;

  double ratio(const std::string& backend) const { return time.contains(backend) ? time.at(backend) / time.at("rankgrad") : 0; }
};

double unit(const std::string& name) { return name == "ns" ? 1 : name == "us" ? 1e3 : name == "ms" ? 1e6 : 1e9; }

/// The problems in the order of registration, whatever order they ran in.
std::vector<Problem> read(const Json& results, std::size_t& errors) {
  std::map<std::string, Problem> problems;
  for (const Json& run : results.at("benchmarks")) {
    const std::string name = run.at("run_name");
    if (run.value("error_occurred", false)) {
      fmt::print(stderr, "{}: {}\n", name, run.value("error_message", "failed"));
      ++errors;
      continue;
    }
    if (run.value("repetitions", 1) > 1 && run.value("aggregate_name", "") != "median") continue;
    const std::size_t backend = name.rfind('/'), shape = name.rfind('/', backend - 1);
    Problem& problem = problems[name.substr(0, backend)];
    if (problem.time.empty()) problem.order = run.value("family_index", std::size_t{0});
    problem.order = std::min(problem.order, run.value("family_index", std::size_t{0}));
    problem.loss = name.substr(0, shape);
    problem.shape = name.substr(shape + 1, backend - shape - 1);
    problem.time[name.substr(backend + 1)] = run.at("cpu_time").get<double>() * unit(run.at("time_unit"));
    if (name.substr(backend + 1) != "rankgrad") continue;
    problem.ns_per_item = 1e9 * run.value("time_per_item", 0.0);
    problem.pairs_per_second = run.value("pairs_per_second", 0.0);
  }
  std::vector<Problem> sorted;
  for (auto& [name, problem] : problems)
    if (problem.time.contains("rankgrad")) sorted.push_back(std::move(problem));
  std::sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) { return a.order < b.order; });
  return sorted;
}

/// One line per loss, one column per shape; a new heading where the shapes change. `number` of 0: no entry.
template <class Number>
void print(const std::vector<Problem>& problems, const char* title, const char* format, const Number& number) {
  fmt::print("\n{}\n", title);
  std::vector<std::string> heading;
  for (std::size_t begin = 0, end; begin < problems.size(); begin = end) {
    std::vector<std::string> shapes;
    bool any = false;
    for (end = begin; end < problems.size() && problems[end].loss == problems[begin].loss; ++end) {
      shapes.push_back(problems[end].shape);
      any = any || number(problems[end]) > 0;
    }
    if (!any) continue;
    if (shapes != heading) {
      heading = shapes;
      fmt::print("\n{:<42}", "family/loss/T");
      for (const std::string& shape : heading) fmt::print("{:>{}}", shape, std::max<std::size_t>(9, shape.size() + 2));
      fmt::print("\n");
    }
    fmt::print("{:<42}", problems[begin].loss);
    for (std::size_t i = begin; i < end; ++i) {
      const std::string cell = number(problems[i]) > 0 ? fmt::format(fmt::runtime(format), number(problems[i])) : "-";
      fmt::print("{:>{}}", cell, std::max<std::size_t>(9, problems[i].shape.size() + 2));
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} results.json [ratios.json]\n", argv[0]);
    return 2;
  }
  std::ifstream input(argv[1]);
  const Json results = Json::parse(input);
  std::size_t errors = 0;
  const std::vector<Problem> problems = read(results, errors);

  print(problems, "Times faster than the scalar twin (CPU time, medians)", "{:.1f}", [](const Problem& p) { return p.ratio("scalar"); });
  print(problems, "Times faster than a twin that sorts by label first", "{:.1f}",
        [](const Problem& p) { return p.ratio("scalar_sorted"); });
  print(problems, "ns per item", "{:.3g}", [](const Problem& p) { return p.ns_per_item; });
  print(problems, "ns per pair", "{:.3g}", [](const Problem& p) { return p.pairs_per_second > 0 ? 1e9 / p.pairs_per_second : 0; });

  if (argc > 2) {
    Json ratios = {{"context", results.value("context", Json::object())}, {"rows", Json::array()}};
    for (const Problem& p : problems) {
      Json row = {{"name", p.loss + "/" + p.shape}, {"ratio", p.ratio("scalar")}, {"ns", p.time}, {"ns_per_item", p.ns_per_item}};
      if (p.pairs_per_second > 0) row["pairs_per_second"] = p.pairs_per_second;
      ratios["rows"].push_back(std::move(row));
    }
    std::ofstream(argv[2]) << ratios.dump(1) << '\n';
  }
  if (errors) fmt::print(stderr, "{} benchmarks failed\n", errors);
  return errors ? 1 : 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
