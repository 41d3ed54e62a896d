// Reads what the benchmarks wrote as JSON (medians of repetitions), prints scalar / rankgrad as a table and, asked to,
// writes the same numbers as JSON.
//
//   bench_ratios results.json [ratios.json]
//
// Fails where a benchmark reported an error, so that a wrong result cannot pass for a fast one.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

using Json = nlohmann::json;

struct Row {
  std::map<std::string, double> time;   // backend -> ns per call, median
  double ns_per_item = 0, pairs_per_second = 0;
};

/// The rows in the order the benchmarks stand in the file, by `family/loss/T/shape`.
struct Table {
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
  std::size_t errors = 0;

  void read(const Json& results) {
    for (const Json& run : results.at("benchmarks")) {
      const std::string name = run.at("run_name");
      if (run.value("error_occurred", false)) {
        fmt::print(stderr, "{}: {}\n", name, run.value("error_message", "failed"));
        ++errors;
        continue;
      }
      const bool repeated = run.value("repetitions", 1) > 1;
      if (repeated && run.value("aggregate_name", "") != "median") continue;
      const std::size_t cut = name.rfind('/');
      const std::string problem = name.substr(0, cut), backend = name.substr(cut + 1);
      if (!rows.contains(problem)) order.push_back(problem);
      Row& row = rows[problem];
      row.time[backend] = run.at("cpu_time").get<double>() * unit(run.at("time_unit"));
      if (backend != "rankgrad") continue;
      row.ns_per_item = run.value("ns_per_item", 0.0);
      row.pairs_per_second = run.value("pairs_per_second", 0.0);
    }
  }

  static double unit(const std::string& name) { return name == "ns" ? 1 : name == "us" ? 1e3 : name == "ms" ? 1e6 : 1e9; }
};

std::string cell(const Row& row, const char* backend) {
  const auto twin = row.time.find(backend), own = row.time.find("rankgrad");
  if (twin == row.time.end() || own == row.time.end()) return "";
  return fmt::format("{:.1f}", twin->second / own->second);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} results.json [ratios.json]\n", argv[0]);
    return 2;
  }
  std::ifstream input(argv[1]);
  const Json results = Json::parse(input);
  Table table;
  table.read(results);

  fmt::print("{:<54}{:>12}{:>12}{:>10}{:>12}{:>10}{:>12}\n", "family/loss/T/n", "scalar us", "rankgrad us", "ratio", "vs sorted",
             "ns/item", "1e9 pairs/s");
  Json ratios = {{"context", results.value("context", Json::object())}, {"rows", Json::array()}};
  for (const std::string& problem : table.order) {
    const Row& row = table.rows[problem];
    if (!row.time.contains("scalar") || !row.time.contains("rankgrad")) continue;
    const double scalar = row.time.at("scalar"), own = row.time.at("rankgrad");
    fmt::print("{:<54}{:>12.3f}{:>12.3f}{:>10}{:>12}{:>10.2f}{:>12}\n", problem, scalar / 1e3, own / 1e3, cell(row, "scalar"),
               cell(row, "scalar_sorted"), row.ns_per_item,
               row.pairs_per_second > 0 ? fmt::format("{:.2f}", row.pairs_per_second / 1e9) : "");
    Json line = {{"name", problem}, {"ratio", scalar / own}, {"ns", row.time}, {"ns_per_item", row.ns_per_item}};
    if (row.pairs_per_second > 0) line["pairs_per_second"] = row.pairs_per_second;
    ratios["rows"].push_back(std::move(line));
  }
  if (argc > 2) std::ofstream(argv[2]) << ratios.dump(1) << '\n';
  if (table.errors) fmt::print(stderr, "{} benchmarks failed\n", table.errors);
  return table.errors ? 1 : 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
