// What rankgrad_bench wrote as JSON: medians where it repeated.
#pragma once

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace report {

using Json = nlohmann::json;
using Number = std::optional<double>;   ///< empty where something was not measured

inline Number operator/(Number a, Number b) { return a && b ? Number(*a / *b) : Number(); }

/// One method on one problem, in ns.
struct Time {
  double total = 0, per_item = 0, per_pair = 0;   ///< per_pair: 0 where no pairs are counted
};

/// One `family/loss/T/shape`.
struct Problem {
  std::string loss, shape;   ///< "family/loss/T", "shape"
  std::size_t order = 0;     ///< of registration
  std::map<std::string, Time> methods;

  Number time(const std::string& method) const {
    const auto found = methods.find(method);
    return found == methods.end() ? Number() : Number(found->second.total);
  }
  Number per_pair(const std::string& method) const {
    const auto found = methods.find(method);
    return found == methods.end() || !(found->second.per_pair > 0) ? Number() : Number(found->second.per_pair);
  }
  /// The length of the list where there is one only, else 0.
  double length() const {
    char* end = nullptr;
    const double n = std::strtod(shape.c_str(), &end);
    return *end == '\0' ? n : 0;
  }
};

struct Results {
  std::vector<Problem> problems;   ///< in the order of registration, whatever order they ran in
  std::map<std::string, double> errors_of;   ///< what accuracy.cpp found, by "function/T" and "family/loss/T"
  std::vector<std::string> errors;

  const Problem& at(const std::string& loss, const std::string& shape) const {
    static const Problem none;
    const auto found = std::find_if(problems.begin(), problems.end(), [&](const Problem& p) { return p.loss == loss && p.shape == shape; });
    return found == problems.end() ? none : *found;
  }
  /// ns per lane or element of ceilings.cpp.
  Number ceiling(const std::string& what, const std::string& type) const {
    const auto& methods = at("ceiling", what).methods;
    return methods.contains(type) ? Number(methods.at(type).per_item) : Number();
  }
  Number error(const std::string& what) const { return errors_of.contains(what) ? Number(errors_of.at(what)) : Number(); }
};

inline double unit(const std::string& name) { return name == "ns" ? 1 : name == "us" ? 1e3 : name == "ms" ? 1e6 : 1e9; }

inline Results read(const Json& json) {
  Results results;
  std::map<std::string, Problem> problems;
  for (const Json& run : json.at("benchmarks")) {
    std::string name = run.at("run_name");
    if (run.value("error_occurred", false)) {
      results.errors.push_back(name + ": " + run.value("error_message", "failed"));
      continue;
    }
    if (run.value("repetitions", 1) > 1 && run.value("aggregate_name", "") != "median") continue;
    const std::string accuracy = "accuracy/";
    if (name.starts_with(accuracy)) {
      name = name.substr(accuracy.size(), name.find("/iterations:") - accuracy.size());
      results.errors_of[name] = run.at("error");
      continue;
    }
    const std::string wall = "/real_time";
    const bool by_wall = name.ends_with(wall);
    if (by_wall) name.resize(name.size() - wall.size());
    const std::size_t method = name.rfind('/'), shape = name.rfind('/', method - 1), order = run.value("family_index", std::size_t{0});
    Problem& problem = problems[name.substr(0, method)];
    problem.order = problem.methods.empty() ? order : std::min(problem.order, order);
    problem.loss = name.substr(0, shape);
    problem.shape = name.substr(shape + 1, method - shape - 1);
    Time& time = problem.methods[name.substr(method + 1)];
    time.total = run.at(by_wall ? "real_time" : "cpu_time").get<double>() * unit(run.at("time_unit"));
    time.per_item = 1e9 * run.value("time_per_item", 0.0);
    if (const double rate = run.value("pairs_per_second", 0.0); rate > 0) time.per_pair = 1e9 / rate;
  }
  for (auto& [name, problem] : problems) results.problems.push_back(std::move(problem));
  std::sort(results.problems.begin(), results.problems.end(), [](const Problem& a, const Problem& b) { return a.order < b.order; });
  return results;
}

/// What the library could at best take on this machine: see limits.cpp.
Number limit(const Results& results, const Problem& problem);
/// Prints what must be reached beside what was, and returns the same as JSON: see bars.cpp.
Json print_bars(const Results& results);
/// A gnuplot script that draws one SVG per loss into the folder it runs in: see plots.cpp.
std::string plot_script(const Results& results);

}  // namespace report
