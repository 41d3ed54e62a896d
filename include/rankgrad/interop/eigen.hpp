// rankgrad/interop/eigen.hpp: Eigen vectors and matrices as the spans that the library takes. Opt-in: needs Eigen 3.4.
// SPDX-License-Identifier: MIT
//
// Views only: nothing is copied, and no Eigen type enters another header, because Eigen's alignment changes with -march.
#pragma once

#include <rankgrad/core/list_view.hpp>

#include <Eigen/Core>

namespace rankgrad::inline RANKGRAD_ABI {

/// The coefficients of a vector, or of a matrix in its storage order, as a span. The object must own its memory or be a
/// Map without strides, and must outlive the span.
template <class Derived>
std::span<const typename Derived::Scalar> view(const Eigen::PlainObjectBase<Derived>& dense) {
  return {dense.data(), static_cast<std::size_t>(dense.size())};
}
template <class Derived>
std::span<typename Derived::Scalar> view(Eigen::PlainObjectBase<Derived>& dense) {
  return {dense.data(), static_cast<std::size_t>(dense.size())};
}

/// A span as an Eigen vector, for arithmetic on gradients.
template <Real T>
Eigen::Map<const Eigen::Vector<T, Eigen::Dynamic>> as_vector(std::span<const T> values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}
template <Real T>
Eigen::Map<Eigen::Vector<T, Eigen::Dynamic>> as_vector(std::span<T> values) {
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

}  // namespace rankgrad
