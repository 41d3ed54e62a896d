// rankgrad/core/combinators.hpp: losses out of losses: 0.9 * A{} + 0.1 * B{}.
// SPDX-License-Identifier: MIT
//
// The type of a mixture depends on its structure alone, its weights are run-time values: a schedule that moves them
// never recompiles anything.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/core/validate.hpp>

#include <array>

namespace rankgrad::inline RANKGRAD_ABI {

/// Does a loss look at each list, or at the batch as one list (Mann-Whitney pooled over queries)?
enum class Scope { list, batch };

/// weight * loss. The weight is finite and >= 0.
template <class L>
struct Scaled {
  static constexpr std::string_view name = name_of<L>();
  static constexpr Curvature curvature = curvature_of<L>();
  double weight = 1;
  L loss{};

  template <class View, class T = typename View::value_type>
    requires LossOn<L, View>
  Contribution<T> value_and_gradient(const View& view, GradientSink<T> out, Workspace& workspace) const {
    const Contribution<T> part = loss.value_and_gradient(view, out.scaled(T(weight)), workspace);
    return {T(weight) * part.value, part.valid};
  }
  Status check() const {
    if (Status status = check_parameter("the weight of a loss", weight, 0, true); !status) return status;
    return validate_parameters(loss);
  }
  template <class View>
  Status check_input(const View& view) const { return validate_input(loss, view); }
};

/// first + second. A list has a signal where either has one.
template <class A, class B>
struct Sum {
  static constexpr std::string_view name = "sum";
  static constexpr Curvature curvature = curvature_of<A>() == curvature_of<B>() ? curvature_of<A>() : Curvature::unstated;
  A first{};
  B second{};

  template <class View, class T = typename View::value_type>
    requires LossOn<A, View> && LossOn<B, View>
  Contribution<T> value_and_gradient(const View& view, GradientSink<T> out, Workspace& workspace) const {
    const Contribution<T> a = first.value_and_gradient(view, out, workspace);
    const Contribution<T> b = second.value_and_gradient(view, out, workspace);
    return {a.value + b.value, a.valid || b.valid};
  }
  Status check() const {
    if (Status status = validate_parameters(first); !status) return status;
    return validate_parameters(second);
  }
  template <class View>
  Status check_input(const View& view) const {
    if (Status status = validate_input(first, view); !status) return status;
    return validate_input(second, view);
  }
};

template <class L>
inline constexpr bool is_scaled = false;
template <class L>
inline constexpr bool is_scaled<Scaled<L>> = true;
template <class L>
inline constexpr bool is_sum = false;
template <class A, class B>
inline constexpr bool is_sum<Sum<A, B>> = true;

/// The scope of a loss; of a mixture, that of its first part.
template <class L>
constexpr Scope scope_of(const L& loss) {
  if constexpr (is_scaled<L>) return scope_of(loss.loss);
  else if constexpr (is_sum<L>) return scope_of(loss.first);
  else if constexpr (requires { { loss.scope } -> std::convertible_to<Scope>; }) return loss.scope;
  else return Scope::list;
}
template <class L>
constexpr bool has_mixed_scopes(const L& loss) {
  if constexpr (is_scaled<L>) return has_mixed_scopes(loss.loss);
  else if constexpr (is_sum<L>)
    return scope_of(loss.first) != scope_of(loss.second) || has_mixed_scopes(loss.first) || has_mixed_scopes(loss.second);
  else return false;
}

template <class L>
constexpr Scaled<L> weighted(double weight, const L& loss) { return {weight, loss}; }
template <class L>
constexpr Scaled<L> weighted(double weight, const Scaled<L>& scaled) { return {weight * scaled.weight, scaled.loss}; }
template <class A, class B>
constexpr Sum<A, B> plus(const A& first, const B& second) { return {first, second}; }

/// One term of a mixture, for logs.
struct MixturePart {
  std::string_view name;
  double weight;
};

template <class L>
inline constexpr std::size_t part_count = 1;
template <class L>
inline constexpr std::size_t part_count<Scaled<L>> = part_count<L>;
template <class A, class B>
inline constexpr std::size_t part_count<Sum<A, B>> = part_count<A> + part_count<B>;

namespace detail {
template <class L>
constexpr MixturePart* list_parts(const L& loss, double weight, MixturePart* out) {
  if constexpr (is_scaled<L>) return list_parts(loss.loss, weight * loss.weight, out);
  else if constexpr (is_sum<L>) return list_parts(loss.second, weight, list_parts(loss.first, weight, out));
  else return *out = {name_of<L>(), weight}, out + 1;
}
}  // namespace detail

/// The terms of a mixture with their weights multiplied out, in the order they are written.
template <class L>
constexpr std::array<MixturePart, part_count<L>> parts(const L& loss) {
  std::array<MixturePart, part_count<L>> all{};
  detail::list_parts(loss, 1.0, all.data());
  return all;
}

/// The operators are found for the library's own losses by themselves. For a loss of another namespace, write
/// `using namespace rankgrad::operators;` or call weighted() and plus().
namespace operators {
/// A loss on another view than a list names it: `template <Real T> using View = ComparisonView<T>;`. Mixtures are made of
/// losses only.
template <class L>
concept AnyLoss = Loss<L, float> || Loss<L, double> || is_scaled<L> || is_sum<L> ||
                  requires { typename L::template View<float>; };

template <AnyLoss L>
constexpr auto operator*(double weight, const L& loss) { return weighted(weight, loss); }
template <AnyLoss L>
constexpr auto operator*(const L& loss, double weight) { return weighted(weight, loss); }
template <AnyLoss A, AnyLoss B>
constexpr auto operator+(const A& first, const B& second) { return plus(first, second); }
}  // namespace operators
using operators::operator*;
using operators::operator+;

}  // namespace rankgrad
