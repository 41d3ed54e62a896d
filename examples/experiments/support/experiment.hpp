// experiments/support/experiment.hpp: the same small world for many seeds, a table of arms, and a verdict.
// SPDX-License-Identifier: MIT
//
// An experiment is one call of run() with two functions: one that does everything for one seed and writes down what it
// measured, and one that looks at all seeds, prints tables and asks for what was claimed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace experiments {

/// A deliberate mistake that takes the place of the arm under test: the checks must then fail.
struct WrongArm {
  std::string name, what;
};

struct Description {
  std::string name;
  std::string help;   ///< the claim, the data, the arms: what --help says first
  std::vector<WrongArm> wrong{};
  std::size_t seeds = 10;
  std::string curve_x{}, curve_y{};   ///< axes of the plot; empty: there is none
};

/// What one seed has to work with, and where it writes what it measured.
class Replicate {
 public:
  std::uint64_t seed = 0;
  std::string_view wrong{};   ///< name of the wrong arm that was asked for, or empty

  void set(const std::string& arm, const std::string& metric, double value) { measured[{arm, metric}] = value; }
  double get(const std::string& arm, const std::string& metric) const { return measured.at({arm, metric}); }
  /// A point of the arm's learning curve, in the order of x.
  void point(const std::string& arm, double x, double y) { curves[arm].emplace_back(x, y); }

  std::map<std::pair<std::string, std::string>, double> measured{};
  std::map<std::string, std::vector<std::pair<double, double>>> curves{};
};

struct Summary {
  double mean = 0, spread = 0;   ///< spread: standard deviation over the seeds
  std::size_t above = 0;         ///< seeds with a value above 0
};

/// What was measured for all seeds. Arms keep the order in which `arms` names them.
class Report {
 public:
  explicit Report(std::vector<Replicate> replicates) : replicates_(std::move(replicates)) {}

  std::size_t seeds() const { return replicates_.size(); }
  std::vector<double> values(const std::string& arm, const std::string& metric) const;
  /// Paired: arm minus baseline, seed by seed.
  std::vector<double> differences(const std::string& metric, const std::string& arm, const std::string& baseline) const;

  double mean_difference(const std::string& metric, const std::string& arm, const std::string& baseline) const;

  /// One row per arm: mean and spread; against the baseline the paired difference, its spread, and in how many seeds the
  /// arm was above. Without a baseline (empty): mean and spread only. An arm without the metric is left out, and the whole
  /// table if that is the first.
  void table(const std::string& metric, const std::vector<std::string>& arms, const std::string& baseline,
             int digits = 4) const;

  /// Checks: a line each, `pass` or `FAIL`, with the margin in standard errors of the mean where there is a spread.
  void at_least(const std::string& metric, const std::string& arm, const std::string& baseline, double bound);
  void at_most(const std::string& metric, const std::string& arm, const std::string& baseline, double bound);
  void check(bool good, const std::string& what);

  /// Something said below the checks, of the right arms only.
  void remark(const std::string& what) const;
  bool wrong() const { return !replicates_.front().wrong.empty(); }   ///< is there a wrong arm?
  bool passed() const { return failures_ == 0; }

 private:
  void compare(const std::string& metric, const std::string& arm, const std::string& baseline, double bound, bool least);

  std::vector<Replicate> replicates_;
  std::size_t failures_ = 0;
};

Summary summary(const std::vector<double>& values);
inline double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }
/// The upper one of two in the middle.
inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}
inline double smallest(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }

/// Parses the command line, runs the seeds on two threads, reports. Returns the exit status of the program: 0 all checks
/// passed, 1 one failed, 2 the command line is wrong, 3 something else went wrong.
int run(int argc, char** argv, const Description& description, const std::function<void(Replicate&)>& replicate,
        const std::function<void(Report&)>& judge);

}  // namespace experiments
