// rankgrad/pairwise/engine.hpp: all pairs of one list in which one item is more relevant than the other.
// SPDX-License-Identifier: MIT
//
//   L = (1 / W) sum_{y_i > y_j} w_i w_j omega_ij phi(s_i - s_j)
//
// with item weights w, a pair weight omega held constant in the gradient, and W = sum_{y_i > y_j} w_i w_j for
// Normalize::mean, 1 for sum. A weight of 2 is therefore the same as listing the item twice.
//
// O(n^2) time, O(n) memory. Column sums move to double every 256 rows and row sums every 64 packs, so float errors do not
// grow with the list.
//
// Read first: pairwise/phi.hpp, pairwise/pair_list.hpp. Reader's map: Uniform (the simplest pair weight), pair_rows (the
// kernel for any phi), comparable_pairs (what a loss calls). The logistic and the soft zero-one phi without pair
// weights have kernels of their own: pairwise/min_form.hpp, pairwise/short_list.hpp.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/pairwise/min_form.hpp>
#include <rankgrad/pairwise/short_list.hpp>

#include <array>

namespace rankgrad::inline RANKGRAD_ABI::pairwise {

/// Which kernel computes the pairs. `automatic` picks the fastest that the list allows; the others are for tests and
/// measurements, and are taken as `generic` where they do not apply.
enum class PairKernel {
  automatic,
  generic,    ///< phi of every pair
  min_form,   ///< logistic and soft zero-one without pair weights: pairwise/min_form.hpp
  targets     ///< the same for lists straight from the caller: pairwise/short_list.hpp
};

/// omega_ij = 1. A weighting has row<T>(i), a function of j that gives omega_ij .. omega_i,j+lanes-1.
struct Uniform {
  template <class T>
  static auto row(std::size_t) {
    return [](std::size_t) { return Pack<T>(T(1)); };
  }
};

/// Rows i .. i + rows - 1 against the columns from first_worse on; returns their value. `Plain`: all pairs weigh 1, which
/// leaves weights to the last pack alone, where they are 0 past the end.
template <std::size_t rows, bool WithCurvature, bool Plain, Real T, class Phi, class Weighting>
double pair_rows(const Phi& phi, const Weighting& weighting, const PairList<T>& pairs, const PairSums<T>& sums, std::size_t i,
                 std::size_t first_worse) {
  using namespace simd;
  const auto omega = [&]<std::size_t... r>(std::index_sequence<r...>) {
    return std::array{weighting.template row<T>(i + r)...};
  }(std::make_index_sequence<rows>());
  double total = 0;
  for (std::size_t j = first_worse; j < pairs.n;) {
    const std::size_t chunk_end = std::min(pairs.n, j + packs_per_flush * lanes<T>);
    Pack<T> value[rows], slope[rows], curvature[rows];
    for (std::size_t r = 0; r < rows; ++r) value[r] = slope[r] = curvature[r] = Pack<T>(T(0));
    const auto column = [&]<bool weightless>(std::bool_constant<weightless>) RANKGRAD_INLINE {
      const Pack<T> other = load(pairs.scores + j), other_weight = load(pairs.weights + j);
      Pack<T> column_slope = load(sums.column_slope + j), column_curvature(T(0));
      for (std::size_t r = 0; r < rows; ++r) {
        const Term<T> term = phi.template operator()<T>(Pack<T>(pairs.scores[i + r]) - other);
        Pack<T> pull = term.slope, bend = term.curvature;
        if constexpr (weightless) {
          value[r] += term.value;
        } else {
          const Pack<T> w = Plain ? other_weight : Pack<T>(pairs.weights[i + r]) * other_weight * omega[r](j);
          value[r] = fma(w, term.value, value[r]);
          pull = w * pull;
          bend = w * bend;
        }
        slope[r] += pull;
        column_slope -= pull;
        if constexpr (WithCurvature) {
          curvature[r] += bend;
          column_curvature += bend;
        }
      }
      store(sums.column_slope + j, column_slope);
      if constexpr (WithCurvature) accumulate(sums.column_curvature + j, column_curvature);
    };
    if constexpr (Plain)
      for (; j + lanes<T> <= chunk_end; j += lanes<T>) column(std::true_type{});
    for (; j < chunk_end; j += lanes<T>) column(std::false_type{});
    for (std::size_t r = 1; r < rows; ++r) value[0] += value[r];
    total += wide_sum(value[0]);
    add_sums<rows>(sums.slope + i, slope);
    if constexpr (WithCurvature) add_sums<rows>(sums.curvature + i, curvature);
  }
  return total;
}

template <bool WithCurvature, Real T, class Phi, class Weighting>
double all_pairs(const Phi& phi, const Weighting& weighting, const PairList<T>& pairs, const PairSums<T>& sums) {
  const auto run = [&]<bool Plain>(std::bool_constant<Plain>) {
    double value = 0;
    for_each_row<4>(pairs, sums, [&]<std::size_t rows>(Rows<rows>, std::size_t i, std::size_t first_worse) {
      value += pair_rows<rows, WithCurvature, Plain>(phi, weighting, pairs, sums, i, first_worse);
    });
    return value;
  };
  if constexpr (std::same_as<Weighting, Uniform>)
    if (pairs.weightless()) return run(std::true_type{});
  return run(std::false_type{});
}

/// Adds factor * sums * own, the item's share of each of its pairs, to where the items came from; `own` null is 1.
template <Real T>
void scatter(const PairList<T>& pairs, const PairSums<T>& sums, double by_slope, double by_curvature, const T* own,
             const GradientSink<T>& out) {
  for (std::size_t i = 0; i < pairs.n; ++i) {
    const double w = own ? static_cast<double>(own[i]) : 1;
    out.grad[pairs.order[i]] += out.scale * T(by_slope * w * sums.slope[i]);
  }
  if (!out.hess) return;
  for (std::size_t i = 0; i < pairs.n; ++i) {
    const double w = own ? static_cast<double>(own[i]) : 1;
    out.hess[pairs.order[i]] += out.scale * T(by_curvature * w * sums.curvature[i]);
  }
}

inline Logistic logistic_of(const Logistic& phi) { return phi; }
inline Logistic logistic_of(const SoftZeroOne& phi) { return {phi.sigma, 0}; }

/// The min-form of a list whose scores allow it; `factor` is 1 or that of a mean.
template <class Phi, Real T>
Contribution<T> min_form(const Phi& phi, double factor, const ScoreFactors<T>& factors, const PairList<T>& pairs,
                         const PairSums<T>& sums, const GradientSink<T>& out) {
  const bool weighted = pairs.weighted && !pairs.equally_weighted();
  double value;
  if (weighted)
    value = out.hess ? min_form_pairs<true, true>(phi, factors, pairs, sums)
                     : min_form_pairs<true, false>(phi, factors, pairs, sums);
  else
    value = out.hess ? min_form_pairs<false, true>(phi, factors, pairs, sums)
                     : min_form_pairs<false, false>(phi, factors, pairs, sums);
  if (!weighted) factor *= static_cast<double>(pairs.weights[0]) * static_cast<double>(pairs.weights[0]);
  scatter(pairs, sums, factor * phi.sigma, factor * phi.sigma * phi.sigma, weighted ? pairs.weights : nullptr, out);
  return {T(factor * value), true};
}

/// The loss over the comparable pairs of a sorted list, its gradient scattered to where the items came from.
template <Real T, class Phi, class Weighting>
Contribution<T> comparable_pairs(const Phi& phi, const Weighting& weighting, Normalize normalize, const PairList<T>& pairs,
                                 const GradientSink<T>& out, Workspace& workspace, PairKernel kernel = PairKernel::automatic) {
  const double total_weight = pairs.pair_weight();
  if (!(total_weight > 0)) return {};
  const auto frame = workspace.frame();
  const PairSums<T> sums(pairs.n, out.hess != nullptr, workspace);
  const double factor = normalize == Normalize::mean ? 1 / total_weight : 1;
  if constexpr ((std::same_as<Phi, Logistic> || std::same_as<Phi, SoftZeroOne>) && std::same_as<Weighting, Uniform>) {
    if (kernel != PairKernel::generic) {
      const auto factors =
          factorise(logistic_of(phi), static_cast<const T*>(pairs.scores), pairs.n, workspace.take<T>(pairs.n), workspace);
      if (factors.usable()) return min_form(phi, factor, factors, pairs, sums, out);
    }
  }
  const double value = out.hess ? all_pairs<true>(phi, weighting, pairs, sums) : all_pairs<false>(phi, weighting, pairs, sums);
  scatter(pairs, sums, factor, factor, static_cast<const T*>(nullptr), out);
  return {T(factor * value), true};
}

/// The logistic loss of a list as it comes; `labels` may be others than the list's own. Short lists are not sorted.
template <Real T>
Contribution<T> logistic_pairs(const Logistic& phi, Normalize normalize, const ListView<T>& list, const T* labels,
                               const GradientSink<T>& out, Workspace& workspace, PairKernel kernel = PairKernel::automatic) {
  const auto frame = workspace.frame();
  if (kernel == PairKernel::automatic ? list.size() <= longest_short_list<T> : kernel == PairKernel::targets)
    if (const auto done = target_pairs(phi, normalize, list, labels, out, workspace)) return *done;
  return comparable_pairs(phi, Uniform{}, normalize, sort_by_label(list, labels, workspace), out, workspace, kernel);
}

/// What an unweighted pairwise loss calls.
template <Real T, class Phi>
Contribution<T> comparable_pairs(const Phi& phi, Normalize normalize, const ListView<T>& list, const GradientSink<T>& out,
                                 Workspace& workspace, PairKernel kernel = PairKernel::automatic) {
  checked_size(list);
  if constexpr (std::same_as<Phi, Logistic>) {
    return logistic_pairs(phi, normalize, list, list.labels.data(), out, workspace, kernel);
  } else {
    const auto frame = workspace.frame();
    return comparable_pairs(phi, Uniform{}, normalize, sort_by_label(list, list.labels.data(), workspace), out, workspace,
                            kernel);
  }
}

}  // namespace rankgrad::pairwise
