// rankgrad/reweighting/training_dynamics.hpp: what the last steps of training say about a sample: the inputs of a learned weight.
// SPDX-License-Identifier: MIT
//
// A sample is passed through the model several times with different dropout. Its losses and confidences over these passes have a
// mean and a spread; a window of the samples seen last gives the same of its class; how far the sample is from its class is a
// Kullback-Leibler divergence and an overlap of two normal distributions. Eighteen numbers and one bit, all of them constants for
// the gradient. The network that turns them into a weight is the caller's; what its training needs is in meta_rescaling.hpp.
//
// Source      STORM: self-taught on-the-fly meta loss rescaling (arXiv 2412.12955), as in its released code.
#pragma once

#include <rankgrad/core/all_here.hpp>
#include <rankgrad/core/validate.hpp>

#include <array>
#include <cmath>
#include <vector>

namespace rankgrad::inline RANKGRAD_ABI {

struct SampleStatistics {
  double loss_mean = 0, loss_deviation = 0;               ///< over the passes; the deviation of one pass is 0
  double confidence_mean = 0, confidence_deviation = 0;   ///< of the highest class probability
  bool agrees = false;   ///< at least half of the passes predict the label; an even split is as pass 0 says
};

struct MeanDeviation {
  double mean = 0, deviation = 0;
};

/// Mean and unbiased deviation of value(x) for all x that for_each(body) calls its body with, twice in the same order; the
/// deviation of fewer than two is `alone`. `add_up`: core/all_here.hpp.
template <class ForEach, class Value, class AddUp = AllHere>
MeanDeviation mean_and_deviation(const ForEach& for_each, double alone, const Value& value, const AddUp& add_up = {}) {
  double sums[2] = {0, 0}, squares = 0;   // of values; count
  for_each([&](const auto& x) { sums[0] += value(x), sums[1] += 1; });
  add_up(std::span<double>(sums));
  const double n = sums[1];
  if (n == 0) return {0, alone};
  const double mean = sums[0] / n;
  if (n == 1) return {mean, alone};
  for_each([&](const auto& x) { squares += (value(x) - mean) * (value(x) - mean); });
  add_up(std::span<double>(&squares, 1));
  return {mean, std::sqrt(squares / (n - 1))};
}

/// The highest probability of every sample in every pass, and whether it is that of the label (the first of equal ones counts).
///   probabilities [passes n classes], labels [n];  confidences, hits [passes n]
template <Real T>
void predictions(std::span<const T> probabilities, std::span<const std::uint32_t> labels, std::size_t classes, std::size_t passes,
                 std::type_identity_t<std::span<T>> confidences, std::span<std::uint8_t> hits) {
  const std::size_t n = labels.size();
  require(detail::check_length("probabilities", probabilities.size(), passes * n * classes));
  require(detail::check_length("confidences", confidences.size(), passes * n));
  require(detail::check_length("hits", hits.size(), passes * n));
  if (classes == 0) return;
  for (std::size_t k = 0; k < passes * n; ++k) {
    const T* p = &probabilities[k * classes];
    std::size_t best = 0;
    for (std::size_t c = 1; c < classes; ++c)
      if (p[c] > p[best]) best = c;
    confidences[k] = p[best];
    hits[k] = best == labels[k % n];
  }
}

/// losses, confidences, hits [passes n], pass after pass; pass 0 is the one that is back-propagated.
template <Real T>
void sample_statistics(std::span<const T> losses, std::type_identity_t<std::span<const T>> confidences,
                       std::span<const std::uint8_t> hits, std::size_t passes, std::span<SampleStatistics> out) {
  const std::size_t n = out.size();
  require(detail::check_length("losses", losses.size(), passes * n));
  require(detail::check_length("confidences", confidences.size(), passes * n));
  require(detail::check_length("hits", hits.size(), passes * n));
  if (passes == 0) return;
  const auto each_pass = [&](const auto& body) {
    for (std::size_t t = 0; t < passes; ++t) body(t);
  };
  for (std::size_t i = 0; i < n; ++i) {
    const auto over_passes = [&](std::span<const T> values) {
      return mean_and_deviation(each_pass, 0, [&](std::size_t t) { return static_cast<double>(values[t * n + i]); });
    };
    const MeanDeviation loss = over_passes(losses), sure = over_passes(confidences);
    std::size_t right = 0;
    for (std::size_t t = 0; t < passes; ++t) right += hits[t * n + i] != 0;
    const bool agrees = 2 * right == passes ? hits[i] != 0 : 2 * right > passes;
    out[i] = {loss.mean, loss.deviation, sure.mean, sure.deviation, agrees};
  }
}

/// KL(N(m, d) || N(M, D)) = log(D / d) + (d^2 + (m - M)^2) / (2 D^2) - 1/2; 0 where either deviation is 0, as the source.
inline double normal_divergence(const MeanDeviation& of, const MeanDeviation& from) {
  if (!(of.deviation > 0 && from.deviation > 0)) return 0;
  const double ratio = of.deviation / from.deviation, off = (of.mean - from.mean) / from.deviation;
  return 0.5 * (ratio * ratio + off * off - 1) - std::log(ratio);
}

/// The area under both densities, in [0, 1]; deviations are at least 1e-8, as the source.
///   equal deviations d   erfc(|m - M| / (2 sqrt(2) d))
///   else                 1 - |difference of the distribution functions| at the two places where the densities cross
inline double normal_overlap(const MeanDeviation& one, const MeanDeviation& other) {
  constexpr double least = 1e-8, root_half = 0.70710678118654752440;
  double narrow = std::max(one.deviation, least), wide = std::max(other.deviation, least), off = other.mean - one.mean;
  if (narrow > wide) {
    const double swap = narrow;
    narrow = wide, wide = swap, off = -off;
  }
  // In units of the narrow one, which stands at 0.
  const double d = wide / narrow, m = off / narrow, dv = (d - 1) * (d + 1);
  if (dv < 1e-12) return std::erfc(std::abs(m) * root_half / 2);
  const double root = d * std::sqrt(m * m + 2 * dv * std::log(d));
  const auto below = [](double x) { return 0.5 * std::erfc(-x * root_half); };
  const auto gap = [&](double x) { return std::abs(below((x - m) / d) - below(x)); };
  return std::max(0.0, 1 - (gap((root - m) / dv) + gap((-root - m) / dv)));
}

/// Which samples of a class a sample is compared with: all, or those whose agreement with the label is the same.
enum class AgreementGroup { all, agreeing, disagreeing };

/// Of the samples in the window with one label, in one group. Deviations of fewer than two samples are 1e-8.
struct GroupDynamics {
  std::size_t count = 0;
  MeanDeviation loss_mean, loss_deviation, confidence_mean, confidence_deviation, divergence, overlap;

  /// The normal distribution that samples are compared with: the mean of the means, the mean of the deviations.
  MeanDeviation centre() const { return {loss_mean.mean, loss_deviation.mean}; }
};

/// The samples of each class that were seen last.
class DynamicsWindow {
 public:
  /// Keeps the last `capacity` samples of each class (the source: W times the batch size, W = 1); 0 keeps all.
  explicit DynamicsWindow(std::size_t classes, std::size_t capacity = 0) : capacity_(capacity), classes_(classes) {
    for (Class& each : classes_) each.samples.reserve(capacity);
  }

  void add(std::uint32_t label, const SampleStatistics& sample) {
    RANKGRAD_EXPECTS(label < classes_.size(), "the label has no window");
    Class& of = classes_[label];
    if (capacity_ == 0 || of.samples.size() < capacity_) {
      of.samples.push_back(sample);
    } else {
      of.samples[of.oldest] = sample;
      of.oldest = (of.oldest + 1) % capacity_;
    }
  }

  std::size_t size(std::uint32_t label) const {
    RANKGRAD_EXPECTS(label < classes_.size(), "the label has no window");
    return classes_[label].samples.size();
  }
  std::size_t classes() const { return classes_.size(); }

  /// O(samples of the class); once per batch, class and group, not per sample. `add_up`: core/all_here.hpp.
  template <class AddUp = AllHere>
  GroupDynamics group(std::uint32_t label, AgreementGroup which = AgreementGroup::all, const AddUp& add_up = {}) const {
    RANKGRAD_EXPECTS(label < classes_.size(), "the label has no window");
    constexpr double alone = 1e-8;
    const auto& samples = classes_[label].samples;
    const auto belongs = [&](const SampleStatistics& s) {
      return which == AgreementGroup::all || s.agrees == (which == AgreementGroup::agreeing);
    };
    GroupDynamics g;
    const auto members = [&](const auto& body) {
      for (const SampleStatistics& s : samples)
        if (belongs(s)) body(s);
    };
    double count = 0;
    members([&](const SampleStatistics&) { ++count; });
    add_up(std::span<double>(&count, 1));
    g.count = static_cast<std::size_t>(count);
    const auto over = [&](const auto& value) { return mean_and_deviation(members, alone, value, add_up); };
    g.loss_mean = over([](const SampleStatistics& s) { return s.loss_mean; });
    g.loss_deviation = over([](const SampleStatistics& s) { return s.loss_deviation; });
    g.confidence_mean = over([](const SampleStatistics& s) { return s.confidence_mean; });
    g.confidence_deviation = over([](const SampleStatistics& s) { return s.confidence_deviation; });
    const MeanDeviation centre = g.centre();
    g.divergence = over([&](const SampleStatistics& s) { return normal_divergence({s.loss_mean, s.loss_deviation}, centre); });
    g.overlap = over([&](const SampleStatistics& s) { return normal_overlap({s.loss_mean, s.loss_deviation}, centre); });
    return g;
  }

 private:
  struct Class {
    std::vector<SampleStatistics> samples{};
    std::size_t oldest = 0;
  };
  std::size_t capacity_;
  std::vector<Class> classes_;
};

/// x, the mean and the deviation of x in the group, for x = mean and deviation of the loss, mean and deviation of the confidence,
/// divergence from the group, overlap with it; last, 1 where the sample agrees with its label. Without a group 0 throughout, but
/// for the sample's own four.
inline std::array<double, 19> dynamics_features(const SampleStatistics& sample, const GroupDynamics& group) {
  const MeanDeviation own{sample.loss_mean, sample.loss_deviation};
  const bool some = group.count > 0;
  const double divergence = some ? normal_divergence(own, group.centre()) : 0;
  const double overlap = some ? normal_overlap(own, group.centre()) : 0;
  const double values[6] = {sample.loss_mean,            sample.loss_deviation, sample.confidence_mean,
                            sample.confidence_deviation, divergence,            overlap};
  const MeanDeviation groups[6] = {group.loss_mean,            group.loss_deviation, group.confidence_mean,
                                   group.confidence_deviation, group.divergence,     group.overlap};
  std::array<double, 19> features{};
  for (std::size_t k = 0; k < 6; ++k) {
    features[3 * k] = values[k];
    features[3 * k + 1] = some ? groups[k].mean : 0;
    features[3 * k + 2] = some ? groups[k].deviation : 0;
  }
  features[18] = sample.agrees ? 1 : 0;
  return features;
}

}  // namespace rankgrad
