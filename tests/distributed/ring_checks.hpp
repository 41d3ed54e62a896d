// InfoNCE round a ring against the same batch in one process, as functions that all ranks call. Each returns what is wrong, or "".
#pragma once

#include "distributed/deadline.hpp"

#include <rankgrad/core/random.hpp>
#include <rankgrad/distributed/ring_info_nce.hpp>
#include <rankgrad/embedding/embedding_evaluator.hpp>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace test {

/// A batch in parts: what rank r has of it is begin[r] .. begin[r + 1] of the queries, and likewise of the documents.
template <class T>
struct Parts {
  std::size_t dimension = 13;
  std::vector<std::size_t> query_begin{0}, document_begin{0};
  std::vector<T> queries, documents, bias, weights;
  std::vector<std::int64_t> query_ids, document_ids;
  std::vector<std::uint8_t> query_mask, document_mask;
  std::vector<std::vector<std::uint32_t>> positives;   // of each query, local numbers
};

struct RingCase {
  const char* name;
  rankgrad::InBatchInfoNce loss;
  double size = 0.5;   // of the entries: with 3 the logits of floats are not bounded, with 12 those of doubles
  bool bias = false, ids = false, masks = false, weights = false, several = true;
};

inline std::vector<RingCase> ring_cases() {
  using rankgrad::Direction, rankgrad::Positives, rankgrad::Similarity, rankgrad::Normalize;
  std::vector<RingCase> cases;
  for (const Direction way : {Direction::rows, Direction::columns, Direction::both}) {
    const auto add = [&](const char* name, rankgrad::InBatchInfoNce loss, RingCase rest) {
      loss.direction = way;
      loss.tiles = {.rows = 48, .columns = 96, .tiles_at_once = 2};   // several of each
      rest.name = name, rest.loss = loss;
      cases.push_back(rest);
    };
    const RingCase all{.bias = true, .ids = true, .masks = true, .weights = true}, long_ones{.size = 3, .bias = true, .ids = true, .masks = true};
    add("one positive", {.temperature = 0.4}, {.several = false});
    add("everything", {.temperature = 0.4}, all);
    add("long", {.temperature = 0.7}, long_ones);
    add("very long", {.temperature = 1}, {.size = 12, .bias = true});
    add("cosines", {.temperature = 0.1, .similarity = Similarity::cosine}, {.size = 1, .ids = true, .weights = true});
    add("cold cosines", {.temperature = 0.015, .similarity = Similarity::cosine}, {.size = 1, .bias = true, .masks = true});
    add("together", {.temperature = 0.4, .positives = Positives::together}, {.ids = true, .masks = true});
    add("smooth", {.temperature = 0.4, .smoothing = 0.2, .average_directions = false}, all);
    add("smooth, long", {.temperature = 0.7, .smoothing = 0.2}, long_ones);
    add("focal", {.temperature = 0.4, .focal_gamma = 1.5, .detach_focal = false}, all);
    add("focal, together, a sum",
        {.temperature = 0.4, .positives = Positives::together, .focal_gamma = 0.5, .normalize = Normalize::sum}, {.masks = true});
  }
  return cases;
}

/// Sizes of the ranks: unequal ones, and some that have no query, or no document, or neither.
inline std::vector<std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> ring_sizes(std::size_t ranks, bool diagonal) {
  std::vector<std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> all = {
      {{60, 41, 5, 90}, {70, 130, 9, 101}}, {{7, 0, 30, 0}, {11, 140, 30, 0}}, {{0, 50, 2, 1}, {3, 50, 100, 1}}};
  if (!diagonal) all.push_back({{10, 20, 3, 50}, {0, 40, 0, 25}});
  if (!diagonal) all.push_back({{4, 0, 3, 2}, {0, 0, 0, 0}});   // and nothing that counts
  for (auto& [queries, documents] : all) queries.resize(ranks), documents.resize(ranks);
  return all;
}

template <class T>
Parts<T> parts_of(const RingCase& settings, const std::vector<std::size_t>& queries, const std::vector<std::size_t>& documents) {
  rankgrad::Random random(91 + queries.size());
  Parts<T> parts;
  const auto entry = [&](double size) { return static_cast<T>(size * (2 * random.uniform() - 1)); };
  const auto whole = [&](std::size_t below) { return random.below(below); };
  for (std::size_t r = 0; r < queries.size(); ++r) {
    parts.query_begin.push_back(parts.query_begin.back() + queries[r]);
    parts.document_begin.push_back(parts.document_begin.back() + documents[r]);
    for (std::size_t i = 0; i < queries[r]; ++i) {
      auto& own = parts.positives.emplace_back();
      if (!settings.several) own.push_back(static_cast<std::uint32_t>(i));
      const std::size_t distance = 1 + whole(60);   // none to many
      for (std::size_t j = whole(distance); settings.several && j < documents[r]; j += distance) own.push_back(static_cast<std::uint32_t>(j));
    }
  }
  const std::size_t n = parts.query_begin.back(), m = parts.document_begin.back();
  parts.queries.resize(n * parts.dimension), parts.documents.resize(m * parts.dimension);
  for (auto* all : {&parts.queries, &parts.documents})
    for (T& x : *all) x = entry(settings.size);
  for (std::size_t i = 0; i < n && settings.weights; ++i) parts.weights.push_back(static_cast<T>(whole(4)));
  for (std::size_t j = 0; j < m && settings.bias; ++j) parts.bias.push_back(entry(2));
  for (std::size_t i = 0; i < n && settings.ids; ++i) parts.query_ids.push_back(static_cast<std::int64_t>(whole(20)));
  for (std::size_t j = 0; j < m && settings.ids; ++j) parts.document_ids.push_back(static_cast<std::int64_t>(whole(20)));
  for (std::size_t i = 0; i < n && settings.masks; ++i) parts.query_mask.push_back(whole(5) > 0);
  for (std::size_t j = 0; j < m && settings.masks; ++j) parts.document_mask.push_back(whole(5) > 0);
  return parts;
}

template <class X>
std::span<const X> part(const std::vector<X>& all, std::size_t begin, std::size_t end) {
  return all.empty() ? std::span<const X>{} : std::span<const X>(all).subspan(begin, end - begin);
}

/// The part of the ranks first .. last - 1 as a batch. positives: their numbers there.
template <class T>
struct PartView {
  std::vector<std::uint32_t> offsets{0}, positives;
  rankgrad::EmbeddingView<T> view;

  PartView(const Parts<T>& all, std::size_t first, std::size_t last, bool several) {
    const std::size_t q = all.query_begin[first], q_end = all.query_begin[last], d = all.dimension;
    const std::size_t k = all.document_begin[first], k_end = all.document_begin[last];
    view = {.dimension = d, .queries = part(all.queries, q * d, q_end * d), .documents = part(all.documents, k * d, k_end * d),
            .query_ids = part(all.query_ids, q, q_end), .document_ids = part(all.document_ids, k, k_end),
            .document_bias = part(all.bias, k, k_end), .weights = part(all.weights, q, q_end),
            .query_mask = part(all.query_mask, q, q_end), .document_mask = part(all.document_mask, k, k_end)};
    for (std::size_t r = first; r < last; ++r)
      for (std::size_t i = all.query_begin[r]; i < all.query_begin[r + 1]; ++i) {
        for (const std::uint32_t j : all.positives[i]) positives.push_back(static_cast<std::uint32_t>(all.document_begin[r] - k) + j);
        offsets.push_back(static_cast<std::uint32_t>(positives.size()));
      }
    if (several || last - first > 1) view.positive_offsets = offsets, view.positives = positives;
  }
};

/// The same numbers in double.
template <class T>
Parts<double> in_double(const Parts<T>& parts) {
  const auto wide = [](const std::vector<T>& x) { return std::vector<double>(x.begin(), x.end()); };
  return {parts.dimension, parts.query_begin, parts.document_begin, wide(parts.queries), wide(parts.documents), wide(parts.bias),
          wide(parts.weights), parts.query_ids, parts.document_ids, parts.query_mask, parts.document_mask, parts.positives};
}

/// What rank r must have sent: the formula of RingInfoNce.
template <class T>
std::size_t ring_bytes(const RingCase& settings, const Parts<T>& parts, bool gradient, bool by_documents, std::size_t r) {
  const std::size_t ranks = parts.document_begin.size() - 1, d = parts.dimension, size = sizeof(T);
  if (ranks == 1) return 0;
  const auto is_there = [](const std::vector<std::uint8_t>& mask, std::size_t i) { return mask.empty() || mask[i]; };
  std::vector<std::size_t> present(ranks);
  std::size_t n = 0;
  double longest[2] = {0, 0}, highest = 0;
  const auto length = [&](const std::vector<T>& rows, std::size_t i) {
    double sum = 0;
    for (std::size_t k = i * d; k < (i + 1) * d; ++k) sum += static_cast<double>(rows[k]) * static_cast<double>(rows[k]);
    return settings.loss.similarity == rankgrad::Similarity::cosine ? 1 : std::sqrt(sum);
  };
  for (std::size_t o = 0; o < ranks; ++o) {
    for (std::size_t j = parts.document_begin[o]; j < parts.document_begin[o + 1]; ++j) {
      if (!is_there(parts.document_mask, j)) continue;
      ++present[o], ++n;
      longest[1] = std::max(longest[1], length(parts.documents, j));
      if (settings.bias) highest = std::max(highest, std::abs(static_cast<double>(parts.bias[j])));
    }
    for (std::size_t i = parts.query_begin[o]; i < parts.query_begin[o + 1]; ++i) {
      bool asks = false;
      for (const std::uint32_t j : parts.positives[i]) asks = asks || is_there(parts.document_mask, parts.document_begin[o] + j);
      if (asks && is_there(parts.query_mask, i)) longest[0] = std::max(longest[0], length(parts.queries, i));
    }
  }
  const bool bounded = longest[0] * longest[1] / settings.loss.temperature + highest <= (size == 4 ? 60 : 450);
  const std::size_t own = present[r], next = present[(r + 1) % ranks], previous = present[(r + ranks - 1) % ranks];
  const bool columns = settings.loss.direction != rankgrad::Direction::rows, smooth = settings.loss.smoothing > 0;
  const std::size_t x = d * size + (settings.bias ? size : 0) + (settings.ids ? 8 : 0);
  const std::size_t s = columns ? 8 + (bounded ? 0 : size) + (smooth ? 8 : 0) + (settings.ids ? 8 : 0) : 0;
  const std::size_t f = columns ? size + (bounded ? 0 : size) + (smooth ? size : 0) : 0;
  const std::size_t first = (n - next) * x + (n - own) * s;
  return gradient ? first + (n - own - previous) * x + (n - previous) * f + (by_documents ? (n - own) * d * size : 0) : first;
}

/// How far `found` is from the stretch of `all` that begins at `begin`, relative to the largest entry of all.
template <class T>
double distance(std::span<const T> found, const std::vector<double>& all, std::size_t begin) {
  double largest = 1e-30, error = 0;
  for (const double x : all) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(static_cast<double>(found[i]) - all[begin + i]) / largest;
    error = off <= error ? error : off < 1e300 ? off : 1e300;   // NaN is far
  }
  return error;
}

/// Round the ring and in one process: the same, whatever is asked for; and as many bytes sent as the formula says.
template <class T, class C>
std::string ring_problem_of(C& comm, const RingCase& settings, const std::vector<std::size_t>& queries,
                            const std::vector<std::size_t>& documents, rankgrad::distributed::RingInfoNce<T>& evaluate) {
  const double of_value = sizeof(T) == 4 ? 1e-6 : 1e-12, of_gradient = sizeof(T) == 4 ? 1e-5 : 1e-12;
  const std::size_t ranks = comm.size(), r = comm.rank();
  const Parts<T> parts = parts_of<T>(settings, queries, documents);
  const Parts<double> exact = in_double(parts);
  const PartView<double> whole(exact, 0, ranks, true);
  std::vector<double> all_dq(whole.view.queries.size()), all_dk(whole.view.documents.size());
  const auto expected = rankgrad::EmbeddingEvaluator<double>{}(settings.loss, whole.view, {all_dq, all_dk});

  rankgrad::distributed::Counting counting(comm);
  const PartView<T> own(parts, r, r + 1, settings.several);
  const std::size_t nq = own.view.queries.size(), nk = own.view.documents.size();
  std::string wrong;
  std::size_t sent = 0;
  const auto run = [&](bool by_queries, bool by_documents, std::vector<T>& dq, std::vector<T>& dk) {
    dq.assign(by_queries ? nq : 0, T(7)), dk.assign(by_documents ? nk : 0, T(7));
    const auto result = evaluate(counting, settings.loss, own.view, {dq, dk});
    sent += ring_bytes(settings, parts, (by_queries || by_documents) && expected.valid, by_documents, r);
    if (counting.exchanged != sent) wrong += " sent " + std::to_string(counting.exchanged) + " bytes, not " + std::to_string(sent) + ";";
    return result;
  };
  const auto check = [&](const char* what, double error, double tolerance) {
    if (!(error <= tolerance)) wrong += std::string(" ") + what + " is off by " + std::to_string(error / tolerance) + " tolerances;";
  };
  std::vector<T> dq, dk, half_dq, half_dk, none;
  const auto result = run(true, true, dq, dk);
  if (result.valid != expected.valid) wrong += " valid;";
  check("the value", std::abs(static_cast<double>(result.value) - expected.value), of_value * std::max(1.0, std::abs(expected.value)));
  check("the queries' gradient", distance<T>(dq, all_dq, parts.query_begin[r] * parts.dimension), of_gradient);
  check("the documents' gradient", distance<T>(dk, all_dk, parts.document_begin[r] * parts.dimension), of_gradient);
  const double slope = std::max(1.0, std::abs(expected.log_scale_gradient));
  check("the derivative by log scale", std::abs(result.log_scale_gradient - expected.log_scale_gradient), of_gradient * slope);

  const std::size_t growths = evaluate.growths();
  if (run(false, false, half_dq, half_dk).value != result.value) wrong += " the value alone is another one;";
  const auto left = run(true, false, half_dq, none);
  if (half_dq != dq || left.log_scale_gradient != result.log_scale_gradient) wrong += " the queries' gradient alone is another one;";
  const auto right = run(false, true, none, half_dk);
  if (half_dk != dk) wrong += " the documents' gradient alone is another one;";
  check("log scale by documents", std::abs(right.log_scale_gradient - expected.log_scale_gradient), of_gradient * slope);
  if (evaluate.growths() != growths) wrong += " it allocates when warm;";

  struct Bits {
    T value;
    double log_scale;
  };
  for (const Bits& other : rankgrad::distributed::gathered(comm, Bits{result.value, result.log_scale_gradient}))
    if (other.value != result.value || other.log_scale != result.log_scale_gradient) wrong += " ranks have different results;";
  return wrong;
}

template <class T, class C>
std::string ring_info_nce_problem(C& comm) {
  rankgrad::distributed::RingInfoNce<T> evaluate;
  std::string wrong;
  for (const RingCase& settings : ring_cases())
    for (const auto& [queries, documents] : ring_sizes(comm.size(), !settings.several)) {
      if (sizeof(T) == 4 && settings.size > 10) continue;   // logits without digits
      const std::string found = ring_problem_of<T>(comm, settings, queries, documents, evaluate);
      if (!found.empty())
        wrong += std::string(settings.name) + ", direction " + std::to_string(static_cast<int>(settings.loss.direction)) + ", " +
                 std::to_string(queries[0]) + " queries on rank 0:" + found + "\n";
    }
  return wrong;
}

}  // namespace test
