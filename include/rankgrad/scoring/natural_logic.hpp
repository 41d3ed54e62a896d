// rankgrad/scoring/natural_logic.hpp: is the evidence enough? The automaton of natural-logic proofs, hard and soft.
// SPDX-License-Identifier: MIT
#pragma once

#include <rankgrad/core/evaluate.hpp>

#include <array>
#include <cmath>
#include <string_view>

namespace rankgrad::inline RANKGRAD_ABI {

/// How a span of the claim relates to the evidence: =, <, >, !, |, #.
enum class NaturalOperator : std::uint8_t {
  equivalence, forward_entailment, reverse_entailment, negation, alternation, independence
};
/// What a proof says of the claim. The third is absorbing.
enum class Verdict : std::uint8_t { supports, refutes, not_enough };

namespace natural_logic {

inline constexpr std::size_t kinds = 6, states = 3;

/// From each state by each operator:
///   supports    =, < supports   !, | refutes    >, # not enough
///   refutes     =, > refutes    !    supports   |, <, # not enough
inline constexpr Verdict transitions[states][kinds] = {
    {Verdict::supports, Verdict::supports, Verdict::not_enough, Verdict::refutes, Verdict::refutes, Verdict::not_enough},
    {Verdict::refutes, Verdict::not_enough, Verdict::refutes, Verdict::supports, Verdict::not_enough, Verdict::not_enough},
    {Verdict::not_enough, Verdict::not_enough, Verdict::not_enough, Verdict::not_enough, Verdict::not_enough,
     Verdict::not_enough}};

constexpr std::size_t next(std::size_t state, std::size_t op) noexcept {
  return static_cast<std::size_t>(transitions[state][op]);
}

}  // namespace natural_logic

/// Where a proof ends that begins with `supports`.
constexpr Verdict verdict(std::span<const NaturalOperator> proof) noexcept {
  Verdict state = Verdict::supports;
  for (const NaturalOperator op : proof)
    state = natural_logic::transitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(op)];
  return state;
}

/// The operators of "=<>!|#" in a text, in `proof`, which has room for one per character; other characters are ignored. Returns
/// how many there are.
inline std::size_t parse_proof(std::string_view text, std::span<NaturalOperator> proof) {
  constexpr std::string_view symbols = "=<>!|#";
  std::size_t length = 0;
  for (const char c : text) {
    const std::size_t op = symbols.find(c);
    if (op == std::string_view::npos) continue;
    RANKGRAD_EXPECTS(length < proof.size(), "the proof has no room for the operators of the text");
    proof[length++] = static_cast<NaturalOperator>(op);
  }
  return length;
}

/// How many of the proofs must end in `supports` or `refutes`: every one of them, as the released code has it, or some.
enum class Sufficient { all, any };

/// May retrieval stop? Proofs whose score is not above the cutoff, and empty ones, do not count; at least one must remain, and
/// all (or any) of those must reach a verdict. Proof k is operators[offsets[k]] .. operators[offsets[k + 1] - 1]; scores [proofs]
/// or empty: all count.
///
/// Source      AdMIRaL, Aly and Vlachos, EMNLP 2022, arXiv 2212.05276, and its released code (which asks for all).
inline bool is_sufficient(std::span<const NaturalOperator> operators, std::span<const std::uint32_t> offsets,
                          std::span<const double> scores, double cutoff, Sufficient rule = Sufficient::all) {
  const std::size_t proofs = offsets.empty() ? 0 : offsets.size() - 1;
  RANKGRAD_EXPECTS(scores.empty() || scores.size() == proofs, "scores and proofs differ in number");
  require(detail::check_rising("offsets", offsets));
  RANKGRAD_EXPECTS(offsets.empty() || offsets.back() <= operators.size(), "offsets end beyond the operators");
  std::size_t counted = 0, reached = 0;
  for (std::size_t k = 0; k < proofs; ++k) {
    if ((!scores.empty() && !(scores[k] > cutoff)) || offsets[k] == offsets[k + 1]) continue;
    ++counted;
    reached += verdict(operators.subspan(offsets[k], offsets[k + 1] - offsets[k])) != Verdict::not_enough;
  }
  return reached > 0 && (rule == Sufficient::any || reached == counted);
}

/// Proofs whose operators are uncertain.
///
///   operators  [steps, 6], row-major: at each step a distribution over NaturalOperator
///   offsets    [proofs + 1]: proof k is the steps offsets[k] .. offsets[k + 1] - 1
///   labels     [proofs] in [0, 1]: is the evidence sufficient?
///   weights    [proofs] >= 0; empty means 1 for all
///
/// The gradient is that of the operators, [steps, 6].
template <Real T>
struct ProofView {
  using value_type = T;

  std::span<const T> operators{};
  std::span<const std::uint32_t> offsets{};
  std::span<const T> labels{};
  std::span<const T> weights{};

  constexpr std::size_t size() const noexcept { return offsets.empty() ? 0 : offsets.size() - 1; }
};

template <Real T>
constexpr std::size_t gradient_size(const ProofView<T>& view) noexcept { return view.operators.size(); }

/// Sizes agree, offsets are those of the steps, labels are within [0, 1], weights finite and not negative.
template <Real T>
Status validate(const ProofView<T>& view) {
  const std::size_t proofs = view.size();
  if (Status s = detail::check_length("labels", view.labels.size(), proofs); !s) return s;
  if (Status s = detail::check_optional_length("weights", view.weights.size(), proofs); !s) return s;
  const std::size_t steps = view.offsets.empty() ? 0 : view.offsets.back();
  if (!view.offsets.empty())
    if (Status s = detail::check_offsets("offsets", view.offsets, steps, "steps"); !s) return s;
  if (Status s = detail::check_length("operators", view.operators.size(), natural_logic::kinds * steps); !s) return s;
  if (Status s = detail::check_values<T>("labels", view.labels, {}, T(0), T(1)); !s) return s;
  return detail::check_values<T>("weights", view.weights, {}, T(0), std::numeric_limits<T>::max());
}

namespace natural_logic {

using States = std::array<double, states>;

/// v_{t+1}(next(s, op)) += o_t(op) v_t(s), the operators of one step.
template <Real T>
States after_step(const T* o, const States& before) {
  States after = {0, 0, 0};
  for (std::size_t s = 0; s < states; ++s)
    for (std::size_t op = 0; op < kinds; ++op) after[next(s, op)] += static_cast<double>(o[op]) * before[s];
  return after;
}

/// u_t(s) = sum_op o_t(op) u_{t+1}(next(s, op)): what a state at step t is worth at the end.
template <Real T>
States worth_before(const T* o, const States& after) {
  States before = {0, 0, 0};
  for (std::size_t s = 0; s < states; ++s)
    for (std::size_t op = 0; op < kinds; ++op) before[s] += static_cast<double>(o[op]) * after[next(s, op)];
  return before;
}

}  // namespace natural_logic

/// The probabilities of the three verdicts of an uncertain proof, operators [steps, 6]; of no step: supports.
template <Real T>
std::array<double, 3> verdict_probabilities(std::span<const T> operators) {
  constexpr std::size_t width = natural_logic::kinds;
  RANKGRAD_EXPECTS(operators.size() % width == 0, "the operators are not six per step");
  natural_logic::States v = {1, 0, 0};
  for (std::size_t at = 0; at < operators.size(); at += width) v = natural_logic::after_step(&operators[at], v);
  return v;
}

/// Cross-entropy of "the evidence is sufficient", the automaton run on distributions over operators.
///
///   v_{t+1}     = sum_op o_t(op) M_op v_t,   v_0 = supports         p = v_T(supports) + v_T(refutes),   q = v_T(not enough)
///   L           = (1/W) sum_k w_k ( -y log p - (1 - y) log q )
///   dL/do_t(op) = -y p' / p - (1 - y) q' / q,   p' = sum_s v_t(s) u_{t+1}(next(s, op)), u the same recursion from the end
///   d2L/do_t2   = y (p' / p)^2 + (1 - y) (q' / q)^2                 p and q are linear in each o_t(op)
///
/// Curvature   exact diagonal, >= 0.
/// Shapes      operators [steps, 6]; see ProofView. That they are distributions, from a softmax say, is not checked: where each
///             sums to one q is 1 - p, and the gradient is that of log q, which along the simplex is that of log(1 - p).
/// Units       nats; nats per unit of probability.
/// No signal   there is no proof, or all weights are 0. A proof of no step has p = 1.
/// Cost        O(steps), 36 products a step; 24 bytes of scratch a step.
/// Numerics    a probability below `floor` counts as floor and has no gradient.
/// Parameters  floor 1e-12 in (0, 1). normalize: mean over proofs (default) or sum.
/// Source      derived here, the soft form of the automaton of AdMIRaL, arXiv 2212.05276.
struct ProofSufficiency {
  static constexpr std::string_view name = "proof_sufficiency";
  static constexpr Curvature curvature = Curvature::diagonal;
  template <Real T>
  using View = ProofView<T>;

  double floor = 1e-12;
  Normalize normalize = Normalize::mean;

  Status check() const {
    if (is_finite(floor) && floor > 0 && floor < 1) return {};
    return Status::error("rankgrad: ProofSufficiency.floor is %g; it must be above 0 and below 1", floor);
  }

  template <Real T>
  Contribution<T> value_and_gradient(ProofView<T> view, GradientSink<T> out, Workspace& workspace) const {
    using namespace natural_logic;
    const auto frame = workspace.frame();
    double total = 0, value = 0;
    std::size_t longest = 0;
    for (std::size_t k = 0; k < view.size(); ++k) {
      total += weight(view, k);
      longest = std::max<std::size_t>(longest, view.offsets[k + 1] - view.offsets[k]);
    }
    if (!(total > 0)) return {};
    States* const v = workspace.take<States>(longest + 1);
    for (std::size_t k = 0; k < view.size(); ++k) {
      const std::size_t first = view.offsets[k], steps = view.offsets[k + 1] - first;
      const T* const o = view.operators.data() + kinds * first;
      v[0] = {1, 0, 0};
      for (std::size_t t = 0; t < steps; ++t) v[t + 1] = after_step(o + kinds * t, v[t]);
      const double w = weight(view, k) / (normalize == Normalize::mean ? total : 1), y = static_cast<double>(view.labels[k]);
      const double p = v[steps][0] + v[steps][1], q = v[steps][2];
      value += w * (y * -std::log(std::max(p, floor)) + (1 - y) * -std::log(std::max(q, floor)));
      const double of_p = p > floor ? 1 / p : 0, of_q = q > floor ? 1 / q : 0;
      States up = {1, 1, 0}, uq = {0, 0, 1};
      for (std::size_t t = steps; t-- > 0;) {
        for (std::size_t op = 0; op < kinds; ++op) {
          double dp = 0, dq = 0;
          for (std::size_t s = 0; s < states; ++s) {
            dp += v[t][s] * up[next(s, op)];
            dq += v[t][s] * uq[next(s, op)];
          }
          dp *= of_p;
          dq *= of_q;
          out.add(kinds * (first + t) + op, static_cast<T>(-w * (y * dp + (1 - y) * dq)),
                  static_cast<T>(w * (y * dp * dp + (1 - y) * dq * dq)));
        }
        up = worth_before(o + kinds * t, up);
        uq = worth_before(o + kinds * t, uq);
      }
    }
    return {static_cast<T>(value), true};
  }

 private:
  template <Real T>
  static double weight(const ProofView<T>& view, std::size_t k) {
    return view.weights.empty() ? 1 : static_cast<double>(view.weights[k]);
  }
};

}  // namespace rankgrad
