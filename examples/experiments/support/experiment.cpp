// experiments/support/experiment.cpp
// SPDX-License-Identifier: MIT
#include "experiment.hpp"

#include "common/gnuplot.hpp"
#include "common/progress.hpp"

#include <rankgrad/exec/threads.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <exception>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>

namespace experiments {
namespace {

enum Exit : int { all_passed = 0, check_failed = 1, bad_usage = 2, broken = 3 };

constexpr std::size_t fewest_seeds = 10;   // what the bounds of the checks were set for

struct Options {
  std::size_t seeds = 10, threads = 2;
  std::uint64_t first_seed = 0;
  std::string wrong, plot;
};

std::string footer(const Description& description) {
  std::string text = "\n";
  if (!description.wrong.empty()) text += "Wrong arms, deliberate mistakes that must fail the checks:\n";
  for (const WrongArm& arm : description.wrong) text += fmt::format("  --wrong {:<20} {}\n", arm.name, arm.what);
  return text + fmt::format(R"(
Every seed has data and first weights of its own, which all arms share; differences are paired by seed. The bounds of the
checks hold for the mean of {} seeds or more. They were set on other data; seeds are not selected.

Exit status: 0 the checks passed; 1 one failed; 2 the command line is wrong; 3 something else went wrong.)", fewest_seeds);
}

/// An exit status to end with, or nothing.
std::optional<int> parse(int argc, char** argv, const Description& description, Options& options) {
  CLI::App app{description.help, description.name};
  app.footer(footer(description));
  app.get_formatter()->column_width(28);
  options.seeds = description.seeds;
  std::set<std::string> wrong;
  for (const WrongArm& arm : description.wrong) wrong.insert(arm.name);
  app.add_option("--seeds", options.seeds, "How many seeds")->check(CLI::Range(2, 100000))->capture_default_str();
  app.add_option("--first-seed", options.first_seed, "The first of them")->capture_default_str();
  app.add_option("--threads", options.threads, "Seeds at the same time; 0: one per core. Changes no result")
      ->check(CLI::Range(0, 1024))->capture_default_str();
  if (!wrong.empty())
    app.add_option("--wrong", options.wrong, "Put a wrong arm in the place of the right one")->check(CLI::IsMember(wrong));
  if (!description.curve_y.empty()) app.add_option("--plot", options.plot, "Draw the learning curves to this file (SVG)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? all_passed : bad_usage;
  }
  return {};
}

std::vector<Replicate> run_seeds(const Options& options, const std::function<void(Replicate&)>& replicate) {
  std::vector<Replicate> all(options.seeds);
  std::vector<std::exception_ptr> problems(options.seeds);
  examples::Progress progress(options.seeds);
  const rankgrad::exec::Threads pool(options.threads);
  pool(options.seeds, [&](std::size_t s, std::size_t) {
    try {
      all[s].seed = options.first_seed + s;
      all[s].wrong = options.wrong;
      replicate(all[s]);
    } catch (...) {
      problems[s] = std::current_exception();   // must not leave a thread of the pool
    }
    progress.advance(1, "seeds");
  });
  for (const std::exception_ptr& problem : problems)
    if (problem) std::rethrow_exception(problem);
  return all;
}

/// Mean over the seeds of every arm's curve, with bars of one standard error: of the arms, not of their differences.
std::string curves(const Description& description, const std::vector<Replicate>& replicates) {
  std::string script = fmt::format(R"(set terminal svg size 900,560 font "Helvetica,14" background "white" noenhanced
set encoding utf8
set title "{}, {} seeds, bars of one standard error of the mean, unpaired"
set xlabel "{}"
set ylabel "{}"
set key outside right top Left reverse samplen 3 spacing 1.1
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror out
)", description.name, replicates.size(), description.curve_x, description.curve_y);
  std::string plot;
  std::size_t arm = 0;
  for (const auto& [name, points] : replicates.front().curves) {
    script += fmt::format("$curve{} << END\n", arm);
    for (std::size_t p = 0; p < points.size(); ++p) {
      std::vector<double> values;
      for (const Replicate& replicate : replicates) values.push_back(replicate.curves.at(name).at(p).second);
      const Summary s = summary(values);
      script += fmt::format("{} {} {}\n", points[p].first, s.mean, s.spread / std::sqrt(static_cast<double>(values.size())));
    }
    script += "END\n";
    plot += fmt::format("{} $curve{} with yerrorlines linewidth 2 pointtype 7 pointsize 0.4 linecolor rgb \"{}\" title \"{}\"",
                        arm == 0 ? "plot" : ", \\\n ", arm, examples::palette[arm % examples::palette.size()], name);
    ++arm;
  }
  return script + plot + "\n";
}

void draw(const std::string& file, const std::string& script) {
  const auto svg = examples::drawn_by_gnuplot(script);
  if (!svg) {
    fmt::print(stderr, "note: gnuplot is missing or failed, so there is no {}\n", file);
    return;
  }
  std::ofstream stream(file, std::ios::binary);
  if (!(stream << *svg).flush()) throw std::runtime_error(fmt::format("{} cannot be written", file));
  fmt::print("curves in {}\n", file);
}

}  // namespace

Summary summary(const std::vector<double>& values) {
  Summary s;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) {
    s.mean += v / n;
    s.above += v > 0;
  }
  for (const double v : values) s.spread += (v - s.mean) * (v - s.mean);
  s.spread = values.size() > 1 ? std::sqrt(s.spread / (n - 1)) : 0;
  return s;
}

std::vector<double> Report::values(const std::string& arm, const std::string& metric) const {
  std::vector<double> all;
  for (const Replicate& replicate : replicates_)
    if (replicate.measured.contains({arm, metric})) all.push_back(replicate.get(arm, metric));
  return all;
}

std::vector<double> Report::differences(const std::string& metric, const std::string& arm, const std::string& baseline) const {
  std::vector<double> all;
  for (const Replicate& replicate : replicates_) all.push_back(replicate.get(arm, metric) - replicate.get(baseline, metric));
  return all;
}

double Report::mean_difference(const std::string& metric, const std::string& arm, const std::string& baseline) const {
  return summary(differences(metric, arm, baseline)).mean;
}

void Report::table(const std::string& metric, const std::vector<std::string>& arms, const std::string& baseline,
                   int digits) const {
  const int width = digits + 4;
  if (values(arms.front(), metric).empty()) return;
  std::size_t longest = metric.size();
  for (const std::string& arm : arms) longest = std::max(longest, arm.size());
  fmt::print("{:<{}}  {:>{}} {:>{}}", metric, longest, "mean", width, "spread", width);
  if (!baseline.empty()) fmt::print("   {:>{}} {:>{}}  {:>7}", "differs", width, "spread", width, "above");
  fmt::print("\n");
  for (const std::string& arm : arms) {
    const std::vector<double> all = values(arm, metric);
    if (all.empty()) continue;
    const Summary own = summary(all);
    fmt::print("{:<{}}  {:>{}.{}f} {:>{}.{}f}", arm, longest, own.mean, width, digits, own.spread, width, digits);
    if (!baseline.empty() && arm != baseline) {
      const Summary d = summary(differences(metric, arm, baseline));
      fmt::print("   {:>+{}.{}f} {:>{}.{}f}  {:>7}", d.mean, width, digits, d.spread, width, digits,
                 fmt::format("{}/{}", d.above, all.size()));
    }
    fmt::print("\n");
  }
  fmt::print("\n");
}

void Report::check(bool good, const std::string& what) {
  failures_ += !good;
  fmt::print("{}  {}\n", good ? "pass" : "FAIL", what);
}

void Report::remark(const std::string& what) const {
  if (!wrong()) fmt::print("\n{}\n", what);
}

void Report::compare(const std::string& metric, const std::string& arm, const std::string& baseline, double bound, bool least) {
  const Summary d = summary(differences(metric, arm, baseline));
  const double margin = least ? d.mean - bound : bound - d.mean;
  const double error = d.spread / std::sqrt(static_cast<double>(seeds()));
  const std::string errors = error > 0 ? fmt::format(", {:.1f} standard errors away", std::abs(margin) / error) : "";
  check(margin >= 0, fmt::format("{}, {} minus {}: {:+.4f}, asked for {} {:+.3f}{}", metric, arm, baseline, d.mean,
                                 least ? "at least" : "at most", bound, errors));
}

void Report::at_least(const std::string& metric, const std::string& arm, const std::string& baseline, double bound) {
  compare(metric, arm, baseline, bound, true);
}

void Report::at_most(const std::string& metric, const std::string& arm, const std::string& baseline, double bound) {
  compare(metric, arm, baseline, bound, false);
}

int run(int argc, char** argv, const Description& description, const std::function<void(Replicate&)>& replicate,
        const std::function<void(Report&)>& judge) {
  std::signal(SIGPIPE, SIG_IGN);   // a gnuplot that ends early is a failed write, not the end of this program
  try {
    Options options;
    if (const auto status = parse(argc, argv, description, options)) return *status;
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Replicate> replicates = run_seeds(options, replicate);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("{}: seeds {} to {}, {:.1f} s\n", description.name, options.first_seed, options.first_seed + options.seeds - 1,
               seconds.count());
    if (!options.wrong.empty()) fmt::print("with the wrong arm '{}' for the right one: a check must fail\n", options.wrong);
    if (options.seeds < fewest_seeds) fmt::print("the bounds are meant for {} seeds or more\n", fewest_seeds);
    fmt::print("\n");
    Report report(replicates);
    judge(report);
    if (!options.plot.empty()) draw(options.plot, curves(description, replicates));
    return report.passed() ? all_passed : check_failed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", description.name, error.what());
    return broken;
  }
}

}  // namespace experiments
