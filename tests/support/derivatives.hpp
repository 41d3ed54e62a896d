// A loss forced along one of its paths, compared with its definition in long double.
#pragma once

#include "support/catch.hpp"

#include <rankgrad/core/concepts.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace test {

/// What a definition says of a list.
struct Defined {
  long double value = 0;
  std::vector<long double> gradient, curvature;

  long double top_gradient() const { return top(gradient); }
  long double top_curvature() const { return top(curvature); }

 private:
  static long double top(const std::vector<long double>& values) {
    long double most = 0;
    for (const long double v : values) most = std::max(most, std::abs(v));
    return most;
  }
};

template <class T>
struct Result {
  T value;
  bool valid;
  std::vector<T> gradient, curvature;
};

/// Of evaluate(sink, workspace) on a list of n items.
template <class T, class Evaluate>
Result<T> result_of(std::size_t n, bool with_curvature, const Evaluate& evaluate) {
  rankgrad::Workspace workspace;
  Result<T> r{T(0), false, std::vector<T>(n), std::vector<T>(n)};
  const auto part = evaluate(rankgrad::GradientSink<T>{r.gradient.data(), with_curvature ? r.curvature.data() : nullptr, T(1)}, workspace);
  r.value = part.value;
  r.valid = part.valid;
  return r;
}

/// Relative to the value, and to the largest derivatives.
template <class T>
void check_against(const Defined& expected, const Result<T>& r, long double tolerance) {
  CHECK(r.valid);
  CHECK(std::abs(static_cast<long double>(r.value) - expected.value) <= tolerance * expected.value);
  long double gradient = 0, curvature = 0;
  for (std::size_t i = 0; i < r.gradient.size(); ++i) {
    gradient = std::max(gradient, std::abs(static_cast<long double>(r.gradient[i]) - expected.gradient[i]));
    curvature = std::max(curvature, std::abs(static_cast<long double>(r.curvature[i]) - expected.curvature[i]));
  }
  CHECK(gradient <= tolerance * expected.top_gradient());
  CHECK(curvature <= tolerance * expected.top_curvature());
}

/// evaluate(sink, workspace) on a list of n items adds to the sink, scales, repeats to the bit and stops allocating.
template <class T, class Evaluate>
void check_sink(std::size_t n, const Evaluate& evaluate) {
  rankgrad::Workspace workspace;
  std::vector<T> once(n), again(n), sum(n, T(1));
  const auto run = [&](std::vector<T>& gradient, T scale) {
    return evaluate(rankgrad::GradientSink<T>{gradient.data(), nullptr, scale}, workspace).value;
  };
  const T value = run(once, T(1));
  const std::size_t warm = (run(once, T(0)), workspace.growths());
  CHECK(run(again, T(1)) == value);
  CHECK(again == once);
  run(sum, T(2));
  for (std::size_t i = 0; i < n; ++i) CHECK(sum[i] == T(1) + T(2) * once[i]);
  CHECK(workspace.growths() == warm);
}

}  // namespace test
