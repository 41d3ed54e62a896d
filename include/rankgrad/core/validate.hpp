// rankgrad/core/validate.hpp: is this input what the losses expect? Says what is wrong, and where.
// SPDX-License-Identifier: MIT
//
// Scores are not checked: a diverged model shows as NaN in the value and gradient of its own list, and only there.
#pragma once

#include <rankgrad/core/ragged_batch.hpp>
#include <rankgrad/simd/pack.hpp>

#include <bit>
#include <limits>
#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI {

/// By the bits, so that it also works under -ffast-math.
template <Real T>
constexpr bool is_finite(T x) noexcept {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = sizeof(T) == 4 ? Bits{0x7f800000u} : static_cast<Bits>(0x7ff0000000000000ull);
  return (std::bit_cast<Bits>(x) & exponent) != exponent;
}

namespace detail {

/// Does any value lie outside [low, high] or fail to be finite? One branch-free pass by packs.
template <Real T>
bool any_outside(std::span<const T> values, T low, T high) {
  using namespace simd;
  using I = Pack<Bits<T>>;
  constexpr Bits<T> exponent = sizeof(T) == 4 ? Bits<T>(0x7f800000) : Bits<T>(0x7ff0000000000000);
  Mask<T> outside = Pack<T>(T(0)) != Pack<T>(T(0));
  Mask<Bits<T>> not_finite = I(0) != I(0);
  for_each_pack<T>(values.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    const Pack<T> v = at.load(&values[i], low);
    outside = outside | (v < Pack<T>(low)) | (v > Pack<T>(high));
    not_finite = not_finite | ((bit_cast<Bits<T>>(v) & I(exponent)) == I(exponent));   // also under -ffast-math
  });
  return any(outside) || any(not_finite);
}

template <Real T>
Status check_values(const char* what, std::span<const T> values, std::span<const std::uint8_t> mask, T low, T high) {
  if (!any_outside(values, low, high)) return {};
  for (std::size_t i = 0; i < values.size(); ++i)
    if ((mask.empty() || mask[i]) && (!is_finite(values[i]) || values[i] < low || values[i] > high))
      return Status::error("rankgrad: %s[%zu] is %g; expected a finite number between %g and %g", what, i,
                           static_cast<double>(values[i]), static_cast<double>(low), static_cast<double>(high));
  return {};
}

inline Status check_length(const char* what, std::size_t length, std::size_t expected) {
  if (length == expected) return {};
  return Status::error("rankgrad: %s has %zu elements where %zu are expected", what, length, expected);
}
inline Status check_optional_length(const char* what, std::size_t length, std::size_t expected) {
  return length == 0 ? Status{} : check_length(what, length, expected);
}

}  // namespace detail

/// Sizes agree, labels are finite, weights finite and not negative, easiness within [0, 1]; masked items are not
/// looked at. O(n).
template <Real T>
Status validate(const ListView<T>& list) {
  constexpr T limit = std::numeric_limits<T>::max();
  const std::size_t n = list.size();
  if (Status s = detail::check_length("labels", list.labels.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("weights", list.weights.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("mask", list.mask.size(), n); !s) return s;
  if (Status s = detail::check_optional_length("easiness", list.easiness.size(), n); !s) return s;
  if (Status s = detail::check_values<T>("labels", list.labels, list.mask, -limit, limit); !s) return s;
  if (Status s = detail::check_values<T>("weights", list.weights, list.mask, T(0), limit); !s) return s;
  return detail::check_values<T>("easiness", list.easiness, list.mask, T(0), T(1));
}

/// The same for a batch, and its offsets: at least one, the first 0, none below the one before it, the last the number
/// of items.
template <Real T>
Status validate(const RaggedBatch<T>& batch) {
  const auto offsets = batch.offsets;
  if (offsets.empty()) return Status::error("rankgrad: offsets is empty; a batch of no lists has the one offset 0");
  if (offsets[0] != 0) return Status::error("rankgrad: offsets[0] is %u; it must be 0", offsets[0]);
  for (std::size_t q = 1; q < offsets.size(); ++q)
    if (offsets[q] < offsets[q - 1])
      return Status::error("rankgrad: offsets[%zu] is %u, below offsets[%zu], which is %u", q, offsets[q], q - 1, offsets[q - 1]);
  if (offsets.back() != batch.items())
    return Status::error("rankgrad: the last offset is %u; there are %zu scores", offsets.back(), batch.items());
  if (Status s = detail::check_optional_length("list_weights", batch.list_weights.size(), batch.lists()); !s) return s;
  if (Status s = detail::check_values<T>("list_weights", batch.list_weights, {}, T(0), std::numeric_limits<T>::max()); !s) return s;
  return validate(batch.pooled());
}

/// Are the parameters of a loss or metric in range? A type says so with a member `Status check() const`.
template <class L>
Status validate_parameters(const L& loss) {
  if constexpr (requires { { loss.check() } -> std::same_as<Status>; }) return loss.check();
  else return {};
}

/// What a loss asks of its input beyond validate(). A type says so with a member
/// `template <class View> Status check_input(const View&) const`, O(1), for views and batches alike.
template <class L, class View>
Status validate_input(const L& loss, const View& view) {
  if constexpr (requires { { loss.check_input(view) } -> std::same_as<Status>; }) return loss.check_input(view);
  else return {};
}

/// For check() members: `value` must be finite and above (or, with `or_equal`, at least) `low`.
inline Status check_parameter(const char* name, double value, double low, bool or_equal = false) {
  if (is_finite(value) && (value > low || (or_equal && value == low))) return {};
  return Status::error("rankgrad: %s is %g; it must be finite and %s %g", name, value, or_equal ? "at least" : "above", low);
}
inline Status check_parameter_between(const char* name, double value, double low, double high) {
  if (is_finite(value) && value >= low && value <= high) return {};
  return Status::error("rankgrad: %s is %g; it must be between %g and %g", name, value, low, high);
}

/// What the doors call: raises what validate() finds, as far as RANKGRAD_CONTRACTS asks for it.
template <class L, class View>
void check_at_the_door(const L& loss, const View& view) {
  if constexpr (RANKGRAD_CONTRACTS >= 1) {
    require(validate_parameters(loss));
    require(validate_input(loss, view));
  }
  if constexpr (RANKGRAD_CONTRACTS >= 2) require(validate(view));
}

}  // namespace rankgrad
