// Scalar twins, see backends/twins_pairwise.hpp: the triplet loss against the log-sum-exp of all negatives.
#pragma once

#include "support/problem.hpp"

#include <cmath>
#include <limits>

namespace bench::RANKGRAD_TWINS {

/// Both directions, one anchor after the other: two soft maxima, the hinge, and back.
struct Triplet {
  double temperature = 0.015, margin = 0.1;

  template <class T>
  double operator()(const Similarities<T>& in, std::span<T> gradient) const {
    const std::size_t n = in.ids.size();
    const T inverse = static_cast<T>(1 / temperature);
    static thread_local std::vector<T> e;
    e.resize(n);
    std::fill(gradient.begin(), gradient.end(), T(0));
    double total = 0;
    for (const std::size_t along : {std::size_t{1}, n}) {   // entries of an anchor: a row, or a column
      const std::size_t next = along == 1 ? n : 1;
      for (std::size_t i = 0; i < n; ++i) {
        const T* s = in.matrix.data() + i * next;
        T* g = gradient.data() + i * next;
        T top_positive = std::numeric_limits<T>::lowest(), top_negative = top_positive;
        for (std::size_t j = 0; j < n; ++j) {
          T& top = in.ids[j] == in.ids[i] ? top_positive : top_negative;
          top = std::max(top, s[j * along]);
        }
        double positives = 0, negatives = 0, positive = 0;
        for (std::size_t j = 0; j < n; ++j) {
          const bool same = in.ids[j] == in.ids[i];
          e[j] = std::exp((s[j * along] - (same ? top_positive : top_negative)) * inverse);
          (same ? positives : negatives) += static_cast<double>(e[j]);
          if (same) positive += static_cast<double>(e[j] * s[j * along]);
        }
        const double h = margin - positive / positives + static_cast<double>(top_negative) + temperature * std::log(negatives);
        if (h <= 0) continue;
        total += h;
        const T pull = static_cast<T>(1 / positives), push = static_cast<T>(1 / negatives);
        for (std::size_t j = 0; j < n; ++j) g[j * along] += in.ids[j] == in.ids[i] ? -pull * e[j] : push * e[j];
      }
    }
    return total;
  }
};

}  // namespace bench::RANKGRAD_TWINS
