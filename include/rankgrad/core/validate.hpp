// rankgrad/core/validate.hpp: is this input what the losses expect? Says what is wrong, and where.
// SPDX-License-Identifier: MIT
//
// Scores are not checked: a diverged model shows as NaN in the value and gradient of its own list, and only there.
#pragma once

#include <rankgrad/core/check_offsets.hpp>
#include <rankgrad/core/executor.hpp>
#include <rankgrad/core/ragged_batch.hpp>
#include <rankgrad/simd/pack.hpp>
#include <rankgrad/simd/unroll.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <type_traits>

namespace rankgrad::inline RANKGRAD_ABI {

/// By the bits, so that it also works under -ffast-math.
template <Real T>
constexpr bool is_finite(T x) noexcept {
  return (std::bit_cast<simd::Bits<T>>(x) & simd::exponent_bits<T>) != simd::exponent_bits<T>;
}

namespace detail {

/// May any value have a magnitude above `high` or fail to be finite or, unless `negative` ones are welcome, have a sign?
/// Never misses one; the sign of -0 is a false alarm. One pass over the bits as integers: numbers >= 0 are in the order
/// of their bits, a sign makes the integer negative, NaN and infinity are above every number; under -ffast-math too.
template <bool negative, Real T>
bool any_suspect(std::span<const T> values, T high) {
  using namespace simd;
  using I = Pack<Bits<T>>;
  I largest[2] = {I(0), I(0)}, signs[2] = {I(0), I(0)};
  for_each_pack<T>(values.size(), [&](std::size_t i, auto at) RANKGRAD_INLINE {
    I bits = bit_cast<Bits<T>>(at.load(&values[i], T(0)));
    if constexpr (negative) bits = bits & I(std::numeric_limits<Bits<T>>::max());
    else signs[at.slot] = signs[at.slot] | bits;
    largest[at.slot] = max(largest[at.slot], bits);
  });
  const auto above = max(largest[0], largest[1]) > I(std::bit_cast<Bits<T>>(high));
  if constexpr (negative) return any(above);
  else return any(above | ((signs[0] | signs[1]) < I(0)));
}

/// The first of them that is really outside [low, high] or not finite, and present.
template <Real T>
RANKGRAD_NOINLINE Status find_outside(const char* what, std::span<const T> values, std::span<const std::uint8_t> mask, T low,
                                      T high) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if ((mask.empty() || mask[i]) && (!is_finite(values[i]) || values[i] < low || values[i] > high))
      return Status::error("rankgrad: %s[%zu] is %g; expected a finite number between %g and %g", what, i,
                           static_cast<double>(values[i]), static_cast<double>(low), static_cast<double>(high));
  return {};
}

/// Is a look at each value due? `low` is 0 or -high.
template <Real T>
RANKGRAD_INLINE inline bool suspicious(std::span<const T> values, T low, T high) {
  return !values.empty() && (low < T(0) ? any_suspect<true>(values, high) : any_suspect<false>(values, high));
}
template <Real T>
Status check_values(const char* what, std::span<const T> values, std::span<const std::uint8_t> mask, T low, T high) {
  return suspicious(values, low, high) ? find_outside(what, values, mask, low, high) : Status{};
}

inline Status check_length(const char* what, std::size_t length, std::size_t expected) {
  if (length == expected) return {};
  return Status::error("rankgrad: %s has %zu elements where %zu are expected", what, length, expected);
}
inline Status check_optional_length(const char* what, std::size_t length, std::size_t expected) {
  return length == 0 ? Status{} : check_length(what, length, expected);
}

/// What a list's values must be: labels finite, weights finite and not negative, easiness within [0, 1]. Calls
/// check(name, values, low, high) for each until one is true.
template <Real T, class Check>
RANKGRAD_INLINE inline bool any_values(const ListView<T>& list, const Check& check) {
  constexpr T limit = std::numeric_limits<T>::max();
  return check("labels", list.labels, -limit, limit) || check("weights", list.weights, T(0), limit) ||
         check("easiness", list.easiness, T(0), T(1));
}
template <Real T>
bool suspicious(const ListView<T>& list) {
  return any_values(list, [](const char*, std::span<const T> values, T low, T high) RANKGRAD_INLINE {
    return suspicious(values, low, high);
  });
}
template <Real T>
RANKGRAD_NOINLINE Status find_outside(const ListView<T>& list) {
  Status status;
  any_values(list, [&](const char* what, std::span<const T> values, T low, T high) {
    status = find_outside(what, values, list.mask, low, high);
    return !status;
  });
  return status;
}
template <Real T>
Status check_lengths(const ListView<T>& list) {
  const std::size_t n = list.size();
  if (Status s = check_length("labels", list.labels.size(), n); !s) return s;
  if (Status s = check_optional_length("weights", list.weights.size(), n); !s) return s;
  if (Status s = check_optional_length("mask", list.mask.size(), n); !s) return s;
  return check_optional_length("easiness", list.easiness.size(), n);
}

/// What every view must fulfil before a list is cut out of it, O(1).
template <class View>
Status check_sizes(const View&) { return {}; }
template <Real T>
Status check_sizes(const RaggedBatch<T>& batch) {
  if (Status s = check_first_and_last("offsets", batch.offsets, batch.items(), "scores"); !s) return s;
  if (Status s = check_optional_length("list_weights", batch.list_weights.size(), batch.lists()); !s) return s;
  return check_lengths(batch.pooled());
}

}  // namespace detail

/// Sizes agree, labels are finite, weights finite and not negative, easiness within [0, 1]; masked items are not
/// looked at. O(n).
template <Real T>
Status validate(const ListView<T>& list) {
  if (Status s = detail::check_lengths(list); !s) return s;
  return detail::suspicious(list) ? detail::find_outside(list) : Status{};
}

/// The same for a batch, and its offsets: at least one, the first 0, none below the one before it, the last the number
/// of items. A large batch is looked through by all workers of the executor.
template <Real T, class E = Serial>
Status validate(const RaggedBatch<T>& batch, const E& executor = {}) {
  if (Status s = detail::check_rising("offsets", batch.offsets); !s) return s;
  if (Status s = detail::check_sizes(batch); !s) return s;
  if (Status s = detail::check_values<T>("list_weights", batch.list_weights, {}, T(0), std::numeric_limits<T>::max()); !s)
    return s;
  const ListView<T> all = batch.pooled();
  constexpr std::size_t piece = 32768;
  if (executor.workers() == 1 || all.size() < 2 * piece) return validate(all);
  std::atomic<bool> suspect = false;
  executor((all.size() + piece - 1) / piece, [&](std::size_t k, std::size_t) {
    if (detail::suspicious(all.part(k * piece, std::min(piece, all.size() - k * piece), 0)))
      suspect.store(true, std::memory_order_relaxed);
  });
  return suspect ? detail::find_outside(all) : Status{};
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

/// What is wrong with the input, as far as RANKGRAD_CONTRACTS asks for it.
template <class L, class View, class... E>
Status status_at_the_door(const L& loss, const View& view, const E&... executor) {
  if constexpr (RANKGRAD_CONTRACTS >= 1) {
    if (Status s = validate_parameters(loss); !s) return s;
    if (Status s = validate_input(loss, view); !s) return s;
  }
  if constexpr (RANKGRAD_CONTRACTS >= 2) return validate(view, executor...);
  else if constexpr (RANKGRAD_CONTRACTS == 1) return detail::check_sizes(view);
  else return {};
}
/// What the doors call: raises it.
template <class L, class View, class... E>
void check_at_the_door(const L& loss, const View& view, const E&... executor) {
  require(status_at_the_door(loss, view, executor...));
}

}  // namespace rankgrad
