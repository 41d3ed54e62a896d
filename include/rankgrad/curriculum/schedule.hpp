// rankgrad/curriculum/schedule.hpp: how a curriculum fades: from the easiness of a sample to the same weight for all.
// SPDX-License-Identifier: MIT
//
//   W = (D + 1e-8) (1 - p) + p,   p = epoch / m for epoch < m, 1 from epoch m on
//
// Source: MacAvaney et al., Training curricula for open domain answer re-ranking, SIGIR 2020. The 1e-8 is in the released
// code (OpenNIR): no sample is ever without weight.
#pragma once

#include <rankgrad/core/validate.hpp>

namespace rankgrad::inline RANKGRAD_ABI {

/// What is added to an easiness before the schedule.
inline constexpr double curriculum_floor = 1e-8;

/// W for a sample of easiness D in [0, 1] at progress p in [0, 1]; exactly 1 from p = 1 on.
constexpr double curriculum_weight(double easiness, double progress) {
  return progress >= 1 ? 1 : (easiness + curriculum_floor) * (1 - progress) + progress;
}

/// What a schedule of m <= 0 epochs means; the two trainers of the source differ.
enum class WithoutEpochs {
  no_curriculum,  ///< p = 1 throughout: all weights are 1 (OpenNIR's pointwise trainer)
  never_ends      ///< p = 0 throughout: the weights stay as easy as at the start (OpenNIR's pairwise trainer)
};

/// Gives Curriculum::progress:  Curriculum<RankNet> loss{.progress = schedule.progress(epoch)};
struct CurriculumSchedule {
  double epochs = 20;   ///< m: the epoch, counted from 0, from which all samples count the same
  WithoutEpochs without_epochs = WithoutEpochs::no_curriculum;

  /// The source counts whole epochs; a fraction (steps done / steps per epoch) fades smoothly. Before epoch 0 it is 0.
  constexpr double progress(double epoch) const {
    if (!(epochs > 0)) return without_epochs == WithoutEpochs::never_ends ? 0 : 1;
    if (epoch >= epochs) return 1;
    return epoch > 0 ? epoch / epochs : 0;
  }
  constexpr double weight(double easiness, double epoch) const { return curriculum_weight(easiness, progress(epoch)); }
  Status check() const {
    return is_finite(epochs) ? Status{} : Status::error("rankgrad: CurriculumSchedule.epochs is %g; it must be finite", epochs);
  }
};

}  // namespace rankgrad
