// rankgrad/pairwise/near_linear/grid_step.hpp: all classes of the bins act on each other.
// SPDX-License-Identifier: MIT
//
// Read first: pairwise/near_linear/potentials.hpp.
#pragma once

#include <rankgrad/pairwise/near_linear/potentials.hpp>

#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI::pairwise::near_linear {

/// The sweeps of graded classes: visit(side, sources, target class, number of the sweep). Sources are sums over the classes
/// on one side, built up class by class in `sum`, [bins] rows, which two classes have no use for: sums of what is there,
/// never differences.
template <Real T, class Visit>
void for_each_sweep(std::size_t bins, std::size_t classes, const double* moments, double* sum, const Visit& visit) {
  const std::size_t size = bins * row<T>;
  const auto sources = [&](std::size_t added, bool first) -> const double* {
    const double* part = moments + added * size;
    if (classes == 2) return part;
    for (std::size_t i = 0; i < size; ++i) sum[i] = first ? part[i] : sum[i] + part[i];
    return sum;
  };
  std::size_t number = 0;
  for (std::size_t c = 1; c < classes; ++c)
    visit(std::integral_constant<Side, Side::better>{}, sources(c - 1, c == 1), c, number++);
  for (std::size_t c = classes - 1; c-- > 0;)
    visit(std::integral_constant<Side, Side::worse>{}, sources(c + 1, c + 2 == classes), c, number++);
}

/// The sums over all pairs of items of different classes, from moments[class][bin]: the value, and as coefficients
/// [class][bin] the slope and the curvature of each item by its scaled score. Both are overwritten. For a stretch, the
/// states up and down are those of the first sweep, the others follow them.
template <bool with_curvature, Real T>
double all_potentials(const Bins& bins, std::size_t classes, const double* moments, double* slopes, double* curvatures,
                      Workspace& workspace, const Stretch<T>* stretch = nullptr) {
  constexpr unsigned bends = with_curvature ? the_curvature : 0;
  const auto frame = workspace.frame();
  const std::size_t size = bins.count * row<T>;
  const Sweep<T> sweep(bins, FarField<T>(bins.count, workspace));
  std::fill_n(slopes, classes * size, 0.0);
  if constexpr (with_curvature) std::fill_n(curvatures, classes * size, 0.0);
  double value = 0;
  double* sum = classes > 2 ? workspace.take<double>(size) : nullptr;
  for_each_sweep<T>(bins.count, classes, moments, sum, [&](auto side, const double* sources, std::size_t c, std::size_t number) {
    Stretch<T> own{};
    if (stretch) own = {stretch->first, stretch->last, stretch->up + number, stretch->down + number};
    constexpr bool better = side() == Side::better;
    value += sweep.template add<side(), (better ? the_value : 0) | the_slope | bends>(
        sources, moments + c * size, better ? -1 : 1, slopes + c * size, with_curvature ? curvatures + c * size : nullptr,
        stretch ? &own : nullptr);
  });
  return value;
}

}  // namespace rankgrad::pairwise::near_linear
