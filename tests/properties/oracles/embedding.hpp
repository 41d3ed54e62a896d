// Literal definitions of the losses over embeddings.
#pragma once

#include "embedding/properties.hpp"
#include "properties/every_loss.hpp"

#include <rankgrad/embedding/in_batch_info_nce.hpp>

namespace test {

template <>
struct EmbeddingOracle<rg::InBatchInfoNce> {
  using L = rg::InBatchInfoNce;

  static std::vector<L> instances() {
    using rg::Direction, rg::Similarity, rg::Positives;
    return {{},
            {.temperature = 0.07, .direction = Direction::both, .similarity = Similarity::cosine, .smoothing = 0.1},
            {.temperature = 0.3, .direction = Direction::columns, .positives = Positives::together, .average_directions = false},
            {.temperature = 0.01, .similarity = Similarity::cosine, .focal_gamma = 0.5, .detach_focal = false},
            {.temperature = 0.2, .direction = Direction::both, .smoothing = 0.05, .focal_gamma = 2, .detach_focal = false,
             .average_directions = false, .normalize = rg::Normalize::sum},
            {.temperature = 0.1, .similarity = Similarity::cosine, .positives = Positives::together, .smoothing = 0.2,
             .focal_gamma = 1, .normalize = rg::Normalize::sum},
            {.temperature = 0.1, .direction = Direction::both, .weigh_by_targets = true}};
  }
  static EmbeddingTraits traits(const L& loss) {
    return {.smooth = loss.focal_gamma == 0 || !loss.detach_focal, .weights_repeat = loss.direction == rg::Direction::rows};
  }
  static std::vector<Refused<L>> refused() {
    return {{{.temperature = 0}, "InBatchInfoNce.temperature is 0; it must be finite and above 0"},
            {{.temperature = std::numeric_limits<double>::infinity()}, "InBatchInfoNce.temperature is inf"},
            {{.smoothing = 1}, "InBatchInfoNce.smoothing is 1; it must be in [0, 1)"},
            {{.smoothing = -0.1}, "InBatchInfoNce.smoothing is -0.1; it must be in [0, 1)"},
            {{.smoothing = std::numeric_limits<double>::quiet_NaN()}, "InBatchInfoNce.smoothing is"},
            {{.focal_gamma = -1}, "InBatchInfoNce.focal_gamma is -1; it must be finite and at least 0"}};
  }

  static bool takes_own_negatives(const L& loss) { return loss.direction != rg::Direction::columns; }
  static bool takes_targets(const L& loss) { return loss.positives == rg::Positives::mean; }

  /// One row, or one column: the logits of what takes part.
  struct Anchor {
    std::vector<long double> logits, target;
    std::vector<bool> positive;
    std::vector<std::size_t> place;   ///< in the matrix
    long double weight = 0;

    void add(long double logit, long double of_target, std::size_t where) {
      logits.push_back(logit), target.push_back(of_target), positive.push_back(of_target > 0), place.push_back(where);
    }
    long double mass() const { return std::accumulate(target.begin(), target.end(), 0.0L); }
    bool counts(bool distributions) const {
      const auto positives = static_cast<std::size_t>(std::count(positive.begin(), positive.end(), true));
      return positives > 0 && logits.size() > (distributions ? 1 : positives) && weight > 0;
    }
    /// log sum e^x of those that are (or are not) among these.
    long double log_sum(const std::vector<bool>& among, bool inside) const {
      long double top = -std::numeric_limits<long double>::infinity(), sum = 0;
      for (std::size_t c = 0; c < logits.size(); ++c)
        if (among[c] == inside) top = std::max(top, logits[c]);
      for (std::size_t c = 0; c < logits.size(); ++c)
        if (among[c] == inside) sum += expl(logits[c] - top);
      return top + logl(sum);
    }
  };

  /// factor (1 - p)^gamma (-log p), p the probability of `some` of an anchor's entries together.
  static void add_term(const L& loss, const Anchor& a, const std::vector<bool>& some, long double factor, Derivatives& to) {
    const long double inside = a.log_sum(some, true), outside = a.log_sum(some, false), gamma = loss.focal_gamma;
    const long double l = softplus(outside - inside), q = sigmoid(outside - inside), all = inside + l;
    const long double power = gamma > 0 ? powl(q, gamma) : 1;
    long double slope = power;   // by l; dq/dl = p
    if (gamma > 0 && !loss.detach_focal && q > 0) slope += gamma * powl(q, gamma - 1) * (1 - q) * l;
    to.value += factor * power * l;
    for (std::size_t c = 0; c < a.logits.size(); ++c)   // dl/dx_c = p_c - 1[c inside] p_c / p, and 1 - 1 / p = -q / p
      to.slopes[a.place[c]] += factor * slope * (some[c] ? -q * expl(a.logits[c] - inside) : expl(a.logits[c] - all));
  }

  static void add_anchor(const L& loss, const Anchor& a, long double factor, Derivatives& to) {
    const std::size_t n = a.logits.size();
    const long double e = loss.smoothing;
    if (loss.positives == rg::Positives::together) add_term(loss, a, a.positive, factor * (1 - e), to);
    for (std::size_t j = 0; j < n && loss.positives == rg::Positives::mean; ++j) {
      std::vector<bool> one(n);
      one[j] = true;
      if (a.positive[j]) add_term(loss, a, one, factor * (1 - e) * a.target[j] / a.mass(), to);
    }
    const long double share = factor * e / static_cast<long double>(n), all = a.log_sum(std::vector<bool>(n, true), true);
    for (std::size_t j = 0; j < n && e > 0; ++j) {
      to.value += share * (all - a.logits[j]);
      to.slopes[a.place[j]] += factor * e * expl(a.logits[j] - all) - share;
    }
  }

  static Derivatives define(const L& loss, const SimilarityMatrix& m) {
    const long double scale = 1 / static_cast<long double>(loss.temperature);
    std::vector<Anchor> rows(m.rows), columns(m.columns);
    for (std::size_t i = 0; i < m.rows; ++i)
      for (std::size_t j = 0; j < m.columns; ++j) {
        if (m.left_out[m.at(i, j)]) continue;
        const long double x = m.similarity[m.at(i, j)] * scale + m.bias[j];
        rows[i].add(x, m.target[m.at(i, j)], m.at(i, j));
        columns[j].add(x, m.target[m.at(i, j)], m.at(i, j));
      }
    for (std::size_t i = 0; i < m.rows; ++i) m.for_own(i, [&](std::size_t place) { rows[i].add(m.similarity[place] * scale, 0, place); });
    for (std::size_t i = 0; i < m.rows; ++i) {
      const long double mass = rows[i].mass();
      rows[i].weight = m.weights[i] * (loss.weigh_by_targets ? mass : 1);
      for (std::size_t j = 0; j < m.columns; ++j)
        if (m.positive[m.at(i, j)]) columns[j].weight += rows[i].weight * m.target[m.at(i, j)] / mass;
    }
    Derivatives result{0, false, std::vector<long double>(m.similarity.size())};
    for (const bool by_column : {false, true}) {
      if (loss.direction == (by_column ? rg::Direction::rows : rg::Direction::columns)) continue;
      const std::vector<Anchor>& anchors = by_column ? columns : rows;
      long double total = 0;
      for (const Anchor& a : anchors) total += a.counts(m.distributions) ? a.weight : 0;
      if (!(total > 0)) continue;
      result.valid = true;
      const long double half = loss.direction == rg::Direction::both && loss.average_directions ? 0.5L : 1.0L;
      for (const Anchor& a : anchors)
        if (a.counts(m.distributions)) add_anchor(loss, a, half * a.weight / (loss.normalize == rg::Normalize::mean ? total : 1), result);
    }
    for (long double& slope : result.slopes) slope *= scale;
    return result;
  }
};

}  // namespace test
