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
  std::vector<std::vector<T>> targets;                 // theirs, or of no query
  std::vector<T> own_negatives;
  std::vector<std::uint32_t> own_begin;                // [queries + 1], or empty
};

struct RingCase {
  const char* name = "";
  rankgrad::InBatchInfoNce loss{};
  double size = 0.5;   // of the entries: with 3 the logits of floats are not bounded, with 12 those of doubles
  bool bias = false, ids = false, masks = false, weights = false, several = true, targets = false, own = false;
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
    add("soft", {.temperature = 0.4, .smoothing = 0.1, .weigh_by_targets = true},
        {.ids = true, .masks = true, .weights = true, .targets = true});
    add("soft, focal, long", {.temperature = 0.7, .focal_gamma = 1.5}, {.size = 3, .bias = true, .targets = true});
    if (way != Direction::columns) {
      add("own negatives", {.temperature = 0.4, .smoothing = 0.1}, {.ids = true, .masks = true, .weights = true, .own = true});
      add("own negatives, long", {.temperature = 0.7}, {.size = 3, .bias = true, .targets = true, .own = true});
    }
    add("focal, together, a sum",
        {.temperature = 0.4, .positives = Positives::together, .focal_gamma = 0.5, .normalize = Normalize::sum}, {.masks = true});
  }
  return cases;
}

struct RingSizes {
  std::vector<std::size_t> queries, documents;   // of each rank
};

/// Sizes of the ranks for case number c: unequal ones, and some where ranks have no query, or no document, or neither.
inline std::vector<RingSizes> ring_sizes(std::size_t ranks, std::size_t c, bool several) {
  std::vector<RingSizes> some = {{{7, 0, 30, 0}, {11, 140, 30, 0}}, {{0, 50, 2, 1}, {3, 50, 100, 1}}};
  if (several) some.push_back({{10, 20, 3, 50}, {0, 40, 0, 25}});
  if (several) some.push_back({{4, 0, 3, 2}, {0, 0, 0, 0}});   // and nothing that counts
  some = {{{60, 41, 5, 50}, {70, 110, 9, 101}}, some[c % some.size()]};
  for (RingSizes& each : some) each.queries.resize(ranks), each.documents.resize(ranks);
  return some;
}

template <class T>
Parts<T> parts_of(const RingCase& settings, const RingSizes& sizes) {
  const auto& [queries, documents] = sizes;
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
  for (std::size_t i = 0; i < n && settings.targets; ++i) {
    auto& own = parts.targets.emplace_back();
    while (own.size() < parts.positives[i].size()) own.push_back(static_cast<T>(whole(4)) / 2);
  }
  if (settings.own) parts.own_begin = {0};
  for (std::size_t i = 0; i < n && settings.own; ++i) parts.own_begin.push_back(parts.own_begin.back() + static_cast<std::uint32_t>(whole(4)));
  for (std::size_t e = 0; settings.own && e < parts.own_begin.back() * parts.dimension; ++e) parts.own_negatives.push_back(entry(1.3 * settings.size));
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
  std::vector<std::uint32_t> offsets{0}, positives, own_offsets;
  std::vector<T> targets;
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
        if (!all.targets.empty()) targets.insert(targets.end(), all.targets[i].begin(), all.targets[i].end());
      }
    view.targets = targets;
    if (!all.own_begin.empty()) {
      for (std::size_t i = q; i <= q_end; ++i) own_offsets.push_back(all.own_begin[i] - all.own_begin[q]);
      view.own_offsets = own_offsets;
      view.own_negatives = part(all.own_negatives, all.own_begin[q] * d, all.own_begin[q_end] * d);
    }
    if (several || last - first > 1) view.positive_offsets = offsets, view.positives = positives;
  }
};

/// The same numbers in double.
template <class T>
Parts<double> in_double(const Parts<T>& parts) {
  const auto wide = [](const std::vector<T>& x) { return std::vector<double>(x.begin(), x.end()); };
  Parts<double> all{parts.dimension, parts.query_begin, parts.document_begin, wide(parts.queries), wide(parts.documents), wide(parts.bias),
          wide(parts.weights), parts.query_ids, parts.document_ids, parts.query_mask, parts.document_mask, parts.positives, {}, {}, {}};
  all.own_negatives = wide(parts.own_negatives), all.own_begin = parts.own_begin;
  for (const std::vector<T>& own : parts.targets) all.targets.push_back(wide(own));
  return all;
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
      for (std::size_t k = 0; k < parts.positives[i].size(); ++k)
        asks = asks || (is_there(parts.document_mask, parts.document_begin[o] + parts.positives[i][k]) &&
                        (parts.targets.empty() || parts.targets[i][k] > T(0)));
      if (!asks || !is_there(parts.query_mask, i)) continue;
      longest[0] = std::max(longest[0], length(parts.queries, i));
      for (std::size_t k = settings.own ? parts.own_begin[i] : 0; settings.own && k < parts.own_begin[i + 1]; ++k)
        longest[1] = std::max(longest[1], length(parts.own_negatives, k));
    }
  }
  const bool bounded = longest[0] * longest[1] / settings.loss.temperature + highest <= (size == 4 ? 60 : 450);
  const std::size_t own = present[r], next = present[(r + 1) % ranks], previous = present[(r + ranks - 1) % ranks];
  const bool columns = settings.loss.direction != rankgrad::Direction::rows, smooth = settings.loss.smoothing > 0;
  const std::size_t x = d * size + (settings.bias ? size : 0) + (settings.ids ? 8 : 0);
  const std::size_t s = columns ? 8 + (bounded ? 0 : size) + (smooth ? 8 : 0) + (settings.ids ? 8 : 0) : 0;
  const std::size_t f = columns ? size + (bounded ? 0 : size) + (smooth ? size : 0) : 0;
  const std::size_t first = (n - next) * x + (n - own) * s;
  return gradient ? first + (n - own - previous) * x + (n - previous) * f + (by_documents ? (n - own) * (d + 1) * size : 0) : first;
}

/// How far `found` is from the stretch of `all` that begins at `begin`, relative to the largest entry of all, or to `largest`.
template <class T>
double distance(std::span<const T> found, const std::vector<double>& all, std::size_t begin, double largest = 1e-30) {
  double error = 0;
  for (const double x : all) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double off = std::abs(static_cast<double>(found[i]) - all[begin + i]) / largest;
    error = off <= error ? error : off < 1e300 ? off : 1e300;   // NaN is far
  }
  return error;
}

/// Round the ring and in one process: the same, whatever is asked for; and as many bytes sent as the formula says.
template <class T, class C>
std::string ring_problem_of(C& comm, const RingCase& settings, const RingSizes& sizes, rankgrad::distributed::RingInfoNce<T>& evaluate) {
  const double of_value = sizeof(T) == 4 ? 1e-6 : 1e-12, of_gradient = sizeof(T) == 4 ? 1e-5 : 1e-12;
  const std::size_t ranks = comm.size(), r = comm.rank();
  const Parts<T> parts = parts_of<T>(settings, sizes);
  const Parts<double> exact = in_double(parts);
  const PartView<double> whole(exact, 0, ranks, true);
  std::vector<double> all_dq(whole.view.queries.size()), all_dk(whole.view.documents.size()), all_own(whole.view.own_negatives.size()),
      all_bias(whole.view.document_count());
  const auto expected = rankgrad::EmbeddingEvaluator<double>{}(settings.loss, whole.view, {all_dq, all_dk, all_own, all_bias});

  rankgrad::distributed::Counting counting(comm);
  const PartView<T> own(parts, r, r + 1, settings.several);
  const std::size_t nq = own.view.queries.size(), nk = own.view.documents.size();
  std::string wrong;
  std::size_t sent = 0;
  std::vector<T> d_own, d_bias;   // the one comes with the queries', the other with the documents' gradient
  const auto run = [&](bool by_queries, bool by_documents, std::vector<T>& dq, std::vector<T>& dk) {
    dq.assign(by_queries ? nq : 0, T(7)), dk.assign(by_documents ? nk : 0, T(7));
    d_own.assign(by_queries ? own.view.own_negatives.size() : 0, T(7)), d_bias.assign(by_documents ? own.view.document_count() : 0, T(7));
    const auto result = evaluate(counting, settings.loss, own.view, {dq, dk, d_own, d_bias});
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
  check("the own negatives' gradient", distance<T>(d_own, all_own, settings.own ? parts.own_begin[parts.query_begin[r]] * parts.dimension : 0),
        of_gradient);
  const bool cancels = settings.loss.direction == rankgrad::Direction::columns;   // a column's entries, to 0
  check("the bias' gradient", distance<T>(d_bias, all_bias, parts.document_begin[r], cancels ? 0.1 : 1e-30), of_gradient);
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

/// Every `step`-th case.
template <class T, class C>
std::string ring_info_nce_problem(C& comm, std::size_t step = 1) {
  rankgrad::distributed::RingInfoNce<T> evaluate;
  std::string wrong;
  const std::vector<RingCase> cases = ring_cases();
  for (std::size_t c = 0; c < cases.size(); c += step) {
    const RingCase& settings = cases[c];
    if (sizeof(T) == 4 && settings.size > 10) continue;   // logits without digits
    for (const RingSizes& sizes : ring_sizes(comm.size(), c, settings.several)) {
      const std::string found = ring_problem_of<T>(comm, settings, sizes, evaluate);
      if (!found.empty())
        wrong += std::string(settings.name) + ", direction " + std::to_string(static_cast<int>(settings.loss.direction)) + ", " +
                 std::to_string(sizes.queries[0]) + " queries on rank 0:" + found + "\n";
    }
  }
  return wrong;
}

/// Whatever is wrong on one rank, or different there, is the same error on all ranks, and nothing is written.
template <class C>
std::string ring_errors_problem(C& comm) {
  using rankgrad::InBatchInfoNce, rankgrad::EmbeddingView, rankgrad::distributed::RingInfoNce;
  const std::size_t ranks = comm.size(), r = comm.rank();
  const RingCase settings{.loss = {.temperature = 0.4}, .bias = true, .ids = true, .weights = true};
  const Parts<float> parts = parts_of<float>(settings, ring_sizes(ranks, 0, true)[0]);
  const PartView<float> own(parts, r, r + 1, true);
  std::vector<float> dq(own.view.queries.size(), 7), dk(own.view.documents.size(), 7);
  const std::span<float> to_dq(dq), to_dk(dk);
  std::string wrong;
  const auto check = [&](const char* what, const std::string& message, const auto& call) {
    const std::string thrown = thrown_by(call);
    if (thrown != message) wrong += std::string(what) + " ends in \"" + thrown + "\", not in \"" + message + "\"\n";
  };
  const auto check_run = [&](const char* what, const std::string& message, const InBatchInfoNce& loss, const EmbeddingView<float>& view,
                             std::span<float> by_queries, std::span<float> by_documents) {
    check(what, message, [&] { RingInfoNce<float>{}(comm, loss, view, {by_queries, by_documents}); });
  };
  const InBatchInfoNce& loss = settings.loss;
  const EmbeddingView<float>& view = own.view;
  for (std::size_t bad = 0; bad < ranks; ++bad) {
    const bool here = r == bad;
    const std::string prefix = "rankgrad: rank " + std::to_string(bad) + " of " + std::to_string(ranks) + ": ";
    auto other_loss = loss;
    auto other = view;
    if (here) other_loss.temperature = std::numeric_limits<double>::quiet_NaN();
    check_run("a parameter", prefix + "InBatchInfoNce.temperature is nan; it must be finite and above 0", other_loss, view, to_dq, to_dk);

    std::vector<float> weights(view.weights.begin(), view.weights.end());
    if (here) weights[1] = -1;
    other.weights = weights;
    check_run("a weight", prefix + "weights[1] is -1; expected a finite number between 0 and 3.40282e+38", loss, other, to_dq, to_dk);

    const std::size_t documents = parts.document_begin[bad + 1] - parts.document_begin[bad];
    std::vector<std::uint32_t> offsets(view.query_count() + 1, 1), positives{0};
    offsets[0] = 0;
    if (here) positives[0] = static_cast<std::uint32_t>(documents);
    other = view;
    other.positive_offsets = offsets, other.positives = positives;
    check_run("a positive of another rank", prefix + "positives[0] is " + std::to_string(documents) + "; there are " +
              std::to_string(documents) + " documents", loss, other, to_dq, to_dk);
    const std::string length = std::to_string(documents * 13);
    check_run("a short gradient", prefix + "the documents' gradient has " + std::to_string(documents * 13 - 1) + " elements where " +
              length + " are expected", loss, view, to_dq, to_dk.first(dk.size() - here));
    if (ranks == 1) continue;

    const auto missing = [&](const char* what) { return prefix + what + ": given on another rank, and not here"; };
    other = view;
    if (here) other.document_bias = {};
    check_run("no bias", missing("document_bias"), loss, other, to_dq, to_dk);
    other = view;
    if (here) other.query_ids = {}, other.document_ids = {};
    check_run("no ids", missing("query_ids"), loss, other, to_dq, to_dk);
    std::vector<float> targets(view.positives.size(), 1.0f);
    other = view;
    if (!here) other.targets = targets;
    check_run("no targets", missing("targets"), loss, other, to_dq, to_dk);
    check_run("no gradient", missing("the queries' gradient"), loss, view, here ? std::span<float>{} : to_dq, to_dk);

    const auto differs = [&](const std::string& name, int usual, int unusual) {
      const std::string first = std::to_string(bad ? usual : unusual), second = std::to_string(bad ? unusual : usual);
      return "rankgrad: " + name + " is " + first + " on rank 0 and " + second + " on rank " + std::to_string(bad ? bad : 1) +
             "; it must be the same on all ranks";
    };
    other_loss = loss;
    if (here) other_loss.direction = rankgrad::Direction::columns;
    check_run("a direction", differs("InBatchInfoNce.direction", 1, 2), other_loss, view, to_dq, to_dk);
    other_loss = loss;
    if (here) other_loss.weigh_by_targets = true;
    check_run("weights by targets", differs("InBatchInfoNce.weigh_by_targets", 0, 1), other_loss, view, to_dq, to_dk);
    const EmbeddingView<float> plain{.dimension = here ? 1u : 13u, .queries = view.queries.first(13), .documents = view.documents.first(26)};
    check_run("a dimension", differs("dimension", 13, 1), loss, plain, {}, {});
    check("a type", differs("the size of a number", 4, 8), [&] {
      const double numbers[13] = {};
      if (here) RingInfoNce<double>{}(comm, loss, EmbeddingView<double>{.dimension = 13, .queries = numbers, .documents = numbers});
      else RingInfoNce<float>{}(comm, loss, EmbeddingView<float>{.dimension = 13, .queries = view.queries.first(13), .documents = view.documents.first(13)});
    });
  }
  for (const auto* gradient : {&dq, &dk})
    for (const float g : *gradient)
      if (g != 7) return wrong + "a gradient was written";
  return wrong;
}

/// A NaN in one rank's embeddings is in the value of every rank, and no rank waits.
template <class C>
std::string ring_nan_problem(C& comm) {
  for (const rankgrad::Direction way : {rankgrad::Direction::rows, rankgrad::Direction::both})
    for (const double size : {0.5, 3.0}) {
      const RingCase settings{.loss = {.temperature = 0.4, .direction = way}, .size = size};
      Parts<float> parts = parts_of<float>(settings, ring_sizes(comm.size(), 0, true)[0]);
      parts.documents[3 * parts.dimension + 1] = std::numeric_limits<float>::quiet_NaN();   // of rank 0
      const PartView<float> own(parts, comm.rank(), comm.rank() + 1, true);
      std::vector<float> dq(own.view.queries.size()), dk(own.view.documents.size());
      const auto result = rankgrad::distributed::RingInfoNce<float>{}(comm, settings.loss, own.view, {dq, dk});
      if (!std::isnan(result.value)) return "NaN is lost";
    }
  return "";
}

}  // namespace test
