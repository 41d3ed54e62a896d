// rankgrad/metric/ignoring.hpp: a metric of the items that count, the others taken out of the ranking first.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/mask.hpp>
#include <rankgrad/core/validate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// A metric of what is left of a list without the items that are neither right nor wrong: "junk" of landmark retrieval,
/// semi-positives of geo-localisation. They are marked by a low label; ranks are counted as if they had never been retrieved.
///
///   Ignoring<TrapezoidalAveragePrecision>{}                               junk-aware AP, junk labelled -1
///   Ignoring<Hit>{.metric = {.k = 1, .ties = Ties::optimistic}}           hit rate: a hit unless an item that counts stands
///                                                                        strictly above the primary; equal scores are hits
///
/// Parameters  below: items with a label below it are ignored. metric: any metric. Its `judged` labels, if it has them, are
///             not filtered.
/// Cost        O(n) on top of the metric's.
/// Source      hit rate without semi-positives: VIGOR (Zhu, Yang, Chen, CVPR 2021) and UnifyGeo, arXiv 2505.07622; junk:
///             Philbin et al., CVPR 2007, and Radenovic et al., CVPR 2018.
template <class M>
struct Ignoring {
  static constexpr std::string_view name = name_of<M>();

  double below = 0;
  M metric{};

  Status check() const {
    if (!is_finite(below)) return Status::error("rankgrad: Ignoring.below is %g; it must be finite", below);
    return validate_parameters(metric);
  }
  template <class View>
  Status check_input(const View& view) const { return validate_input(metric, view); }

  template <Real T>
  Contribution<T> value(ListView<T> list, Workspace& workspace) const {
    const std::size_t n = checked_size(list);
    const auto frame = workspace.frame();
    std::uint8_t* const counts = workspace.take<std::uint8_t>(n);
    bool all = true;
    for (std::size_t i = 0; i < n; ++i) {
      counts[i] = !(static_cast<double>(list.labels[i]) < below);
      all = all && counts[i];
    }
    if (!all) list.mask = {counts, n};
    return evaluate_unmasked(metric, list, workspace);
  }
};

}  // namespace rankgrad
