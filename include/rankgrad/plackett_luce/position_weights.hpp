// rankgrad/plackett_luce/position_weights.hpp: how much each position of the target ranking counts (p-ListMLE).
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/check_lists.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/metric/gain_discount.hpp>

#include <span>

namespace rankgrad::inline RANKGRAD_ABI {

/// The weight u_k of position k = 1 .. n, with the n of the list at hand (a padded length never enters):
///
///   uniform()           1, ListMLE
///   p_list_mle()        (2^(n-k) - 1) / 2^(n-1) = 2^(1-k) - 2^(1-n): p-ListMLE, scaled to at most 1, never overflows
///   p_list_mle_raw()    2^(n-k) - 1, as published; lists of at most 120 items in float and 500 in double
///   reciprocal()        1 / k
///   log2()              1 / log2(1 + k)
///   one_plus_log2()     1 + 1 / log2(1 + k): from 2 at the top to 1 far down
///   exponential(tau)    exp(-k / tau), tau > 0
///   custom(values)      values[k - 1], >= 0; positions past the end of the array weigh nothing. The array must outlive
///                       the loss.
///
/// Source   Lan, Zhu, Guo, Niu, Cheng, Position-aware ListMLE, UAI 2014. one_plus_log2: arXiv 2412.14574 (Sliding windows are
///          not the end), which weighs the tokens of the k-th identifier so; as weights of ListMLE it is our analogue.
struct PositionWeight {
  enum class Form { uniform, p_list_mle, p_list_mle_raw, reciprocal, log2, one_plus_log2, exponential, custom };

  Form form = Form::uniform;
  double tau = 1;
  std::span<const double> values{};

  static constexpr PositionWeight uniform() { return {}; }
  static constexpr PositionWeight p_list_mle() { return {Form::p_list_mle, 1, {}}; }
  static constexpr PositionWeight p_list_mle_raw() { return {Form::p_list_mle_raw, 1, {}}; }
  static constexpr PositionWeight reciprocal() { return {Form::reciprocal, 1, {}}; }
  static constexpr PositionWeight log2() { return {Form::log2, 1, {}}; }
  static constexpr PositionWeight one_plus_log2() { return {Form::one_plus_log2, 1, {}}; }
  static constexpr PositionWeight exponential(double tau) { return {Form::exponential, tau, {}}; }
  static constexpr PositionWeight custom(std::span<const double> values) { return {Form::custom, 1, values}; }

  Status check() const {
    constexpr double limit = std::numeric_limits<double>::max();
    if (form == Form::custom) return detail::check_values<double>("PositionWeight.values", values, {}, 0, limit);
    return check_parameter("PositionWeight.tau", tau, 0);
  }

  /// What p_list_mle_raw() asks of a list, or of every list of a batch.
  template <class View>
  Status check_input(const View& view) const {
    if (form != Form::p_list_mle_raw) return {};
    constexpr std::size_t longest = sizeof(typename View::value_type) == 4 ? 120 : 500;
    return check_each_list(view, [&](const auto& list) {
      const std::size_t n = present_items(list);
      if (n <= longest) return Status{};
      return Status::error(
          "rankgrad: list %llu has %zu items; 2^(n-k) - 1 overflows beyond %zu: use PositionWeight::p_list_mle()",
          number_of(list), n, longest);
    });
  }

  /// u[0 .. n); u in the workspace.
  void fill(double* u, std::size_t n) const {
    using Pack = simd::Pack<double>;
    switch (form) {
      case Form::uniform: std::fill_n(u, n, 1.0); return;
      case Form::p_list_mle: {
        const double last = std::ldexp(1.0, 1 - static_cast<int>(std::min<std::size_t>(n, 2000)));
        double power = 1;
        for (std::size_t k = 0; k < n; ++k, power /= 2) u[k] = power - last;   // exact; 0 from about k = 1075 on
        return;
      }
      case Form::p_list_mle_raw:
        for (std::size_t k = 0; k < n; ++k) u[k] = std::ldexp(1.0, static_cast<int>(n - 1 - k)) - 1;
        return;
      case Form::reciprocal: fill_discounts(Discount::reciprocal, 0, u, n); return;
      case Form::log2: fill_discounts(Discount::log2, 0, u, n); return;
      case Form::one_plus_log2:
        fill_discounts(Discount::log2, 0, u, n);
        for (std::size_t k = 0; k < n; ++k) u[k] += 1;
        return;
      case Form::exponential: {
        const Pack rate = Pack(double(-1 / tau));
        for (std::size_t k = 0; k < n; k += simd::lanes<double>)
          simd::store(u + k, simd::exp_nonpositive<double>(simd::iota<double>(static_cast<double>(k + 1)) * rate));
        return;
      }
      case Form::custom:
        for (std::size_t k = 0; k < n; ++k) u[k] = k < values.size() ? values[k] : 0;
        return;
    }
  }
};

}  // namespace rankgrad
