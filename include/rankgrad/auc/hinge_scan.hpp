// rankgrad/auc/hinge_scan.hpp: the running sums of the hinge sweeps, a block of items at a time.
// SPDX-License-Identifier: MIT
//
// A running sum has no lanes: each item waits for the one before. So a block of the merged order is laid out in packs across
// it: lane l holds the l-th part of the block, row r the r-th item of each part. Sums over the rows give the totals of the
// parts, whose running sums, made once per block, are where each lane starts; then all lanes run at once.
#pragma once

#include <rankgrad/core/concepts.hpp>
#include <rankgrad/simd/scan.hpp>
#include <rankgrad/simd/widen.hpp>

#include <utility>

namespace rankgrad::inline RANKGRAD_ABI::auc {

/// One block in and out, row by row: the caller writes `score` and `negative` (1 or 0) of each item, its weight where there
/// are weights, and weight 0 where there is no item.
template <Real T>
struct HingeBlock {
  static constexpr std::size_t lanes = simd::lanes<double>, rows = 16, size = rows * lanes;
  alignas(64) T score[size], weight[size], negative[size], slope[size], curvature[size];

  /// body(j, where the j-th item stands) for the first `count` items.
  template <class Body>
  RANKGRAD_INLINE static void for_each(std::size_t count, Body body) {
    const std::size_t whole = count / rows;
    for (std::size_t l = 0; l < whole; ++l)
      for (std::size_t r = 0; r < rows; ++r) body(l * rows + r, r * lanes + l);
    for (std::size_t r = 0; r < count % rows; ++r) body(whole * rows + r, r * lanes + whole);
  }
};

/// What the sweep knows before it starts: positions are (s - centre - shift) / tau, without the shift for negatives; the
/// weight of the active positives, and their sum of weight * position.
struct HingeStart {
  double centre, shift, inverse_temperature, weight, sum;
};

/// The running sums, from block to block of the merged order.
template <bool Squared, Real T>
class HingeScan {
  using Pack = simd::Pack<double>;
  using Block = HingeBlock<T>;
  static constexpr std::size_t rows = Block::rows, lanes = Block::lanes;

 public:
  /// `by_score` and `twice` turn slopes and curvatures into what is added to those of the list.
  HingeScan(const HingeStart& start, double by_score, double twice)
      : centre_(start.centre), shift_(start.shift), inverse_temperature_(start.inverse_temperature), all_(start.weight),
        all_sum_(start.sum), by_score_(Squared ? 2 * by_score : by_score), twice_(2 * twice) {}

  void run(Block& block) {
    alignas(64) double position[Block::size], a[Block::size], b[Block::size];   // and the weights of positives, and of negatives
    Sums total;
    for (std::size_t r = 0; r < rows; ++r) {
      const Pack f = simd::load_wide(block.negative + r * lanes), w = simd::load_wide(block.weight + r * lanes);
      const Pack u = (simd::load_wide(block.score + r * lanes) - centre_ - (shift_ - shift_ * f)) * inverse_temperature_,
                 wb = w * f, wa = w - wb;
      simd::store(position + r * lanes, u);
      simd::store(a + r * lanes, wa);
      simd::store(b + r * lanes, wb);
      total.add(u, wa, wb);
    }
    Sums sums = total.in_front(carried_);
    for (std::size_t r = 0; r < rows; ++r) {
      const Pack u = simd::load(position + r * lanes), wa = simd::load(a + r * lanes), wb = simd::load(b + r * lanes), zero(0.0);
      sums.add(u, wa, wb);
      const Pack rest = all_ - sums.passed, A = simd::select(rest < zero, zero, rest), B = sums.b;   // below 0 only by rounding
      Pack s = wb * A - wa * B;
      if constexpr (Squared) {
        simd::store_narrow(block.curvature + r * lanes, twice_ * (wb * A + wa * B));
        s = wb * (u * A - (all_sum_ - sums.passed_sum)) - wa * (sums.b_sum - u * B);
      }
      simd::store_narrow(block.slope + r * lanes, by_score_ * s);
      value_ = simd::fma(s, u, value_);
    }
  }
  /// The sum over the pairs.
  double value() const { return simd::sum(value_); }

 private:
  struct Carried {
    double passed = 0, b = 0, passed_sum = 0, b_sum = 0;
  };
  /// Of the positives passed: weight, and weight * position; of the negatives likewise.
  struct Sums {
    Pack passed = Pack(0.0), b = Pack(0.0), passed_sum = Pack(0.0), b_sum = Pack(0.0);

    RANKGRAD_INLINE void add(Pack u, Pack wa, Pack wb) {
      passed += wa;
      b += wb;
      if constexpr (Squared) {
        passed_sum = simd::fma(wa, u, passed_sum);
        b_sum = simd::fma(wb, u, b_sum);
      }
    }
    /// From the totals of the lanes: what stands in front of each, with all that came before; which then takes in this block.
    Sums in_front(Carried& before) const {
      Sums front;
      front.passed = behind(passed, before.passed);
      front.b = behind(b, before.b);
      if constexpr (Squared) {
        front.passed_sum = behind(passed_sum, before.passed_sum);
        front.b_sum = behind(b_sum, before.b_sum);
      }
      return front;
    }
    static Pack behind(Pack total, double& before) {
      alignas(64) double lane[lanes];
      simd::store(lane, total);
      for (double& x : lane) x = std::exchange(before, before + x);
      return simd::load(lane);
    }
  };

  Pack centre_, shift_, inverse_temperature_, all_, all_sum_, by_score_, twice_, value_ = Pack(0.0);
  Carried carried_;
};

}  // namespace rankgrad::auc
