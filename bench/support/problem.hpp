// What all backends of a benchmark are given: plain data, whatever they are built with. Only the standard library here,
// for this header meets translation units with -ffast-math and with other instruction sets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// One list of a batch.
template <class T>
struct List {
  std::span<const T> scores, labels, weights, easiness;   // the last two may be empty

  std::size_t size() const { return scores.size(); }
};

/// Lists back to back. A single list is a batch of one.
template <class T>
struct Lists {
  using value_type = T;

  std::vector<T> scores, labels, weights, easiness;
  std::vector<std::uint32_t> offsets{0};

  std::size_t size() const { return offsets.size() - 1; }
  List<T> list(std::size_t q) const {
    const std::size_t first = offsets[q], count = offsets[q + 1] - first;
    const auto part = [&](const std::vector<T>& all) {
      return all.empty() ? std::span<const T>() : std::span<const T>(all).subspan(first, count);
    };
    return {part(scores), part(labels), part(weights), part(easiness)};
  }

  std::size_t gradient_size() const { return scores.size(); }
  double items() const { return static_cast<double>(scores.size()); }
  /// How many pairs of one list have different labels.
  double pairs() const {
    double total = 0;
    for (std::size_t q = 0; q < size(); ++q) {
      std::vector<T> sorted(labels.begin() + offsets[q], labels.begin() + offsets[q + 1]);
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0, group = 0; i < sorted.size(); ++i) {
        if (sorted[i] != sorted[group]) group = i;
        total += static_cast<double>(group);
      }
    }
    return total;
  }
};

/// Comparisons of two items each; outcome 0: the first won, 1: the second, 2: a tie.
template <class T>
struct Comparisons {
  using value_type = T;

  std::vector<T> scores;
  std::vector<std::uint32_t> first, second;
  std::vector<std::uint8_t> outcome;

  std::size_t gradient_size() const { return scores.size(); }
  double items() const { return static_cast<double>(first.size()); }
  double pairs() const { return items(); }
};

/// A K x K matrix of similarities; samples with equal ids are positives of each other. Or K x K G, document G i being the
/// positive of sample i; or K rows of logits, the id of a row being its target.
template <class T>
struct Similarities {
  using value_type = T;

  std::vector<T> matrix;
  std::vector<std::int64_t> ids;

  std::size_t gradient_size() const { return matrix.size(); }
  double items() const { return static_cast<double>(matrix.size()); }
  double pairs() const { return 0; }
};

/// Sampled sequences of tokens, those of a prompt side by side: log-probabilities under the policies that learns, that sampled
/// and that it is compared with, and a reward for each sequence.
template <class T>
struct Rollouts {
  using value_type = T;

  std::vector<T> log_probs, old_log_probs, reference_log_probs, rewards;
  std::vector<std::uint32_t> sequence_offsets{0}, group_offsets{0};   // of tokens, of sequences

  std::size_t gradient_size() const { return log_probs.size(); }
  double items() const { return static_cast<double>(log_probs.size()); }
  double pairs() const { return 0; }
};

/// Pairs of answers as log-probabilities, and the same under a reference. The gradient: that of the chosen, then of the rejected.
template <class T>
struct Preferences {
  using value_type = T;

  std::vector<T> chosen, rejected, reference_chosen, reference_rejected;

  std::size_t gradient_size() const { return 2 * chosen.size(); }
  double items() const { return static_cast<double>(chosen.size()); }
  double pairs() const { return items(); }
};

/// As many queries as documents, document i the positive of query i. The gradient: that of the queries, then the documents'.
template <class T>
struct Embeddings {
  using value_type = T;

  std::size_t dimension = 0;
  std::vector<T> queries, documents;

  std::size_t rows() const { return queries.size() / dimension; }
  std::size_t gradient_size() const { return queries.size() + documents.size(); }
  double items() const { return static_cast<double>(rows()) * static_cast<double>(rows()); }   // entries of the matrix
  double pairs() const { return 0; }
};

/// Arguments of an elementary function; the "gradient" is where its results go, one after the other.
template <class T>
struct Numbers {
  using value_type = T;

  std::vector<T> x;
  std::size_t results;

  std::size_t gradient_size() const { return results * x.size(); }
  double items() const { return static_cast<double>(x.size()); }
  double pairs() const { return 0; }
};

/// How far a backend is compared with the first one.
enum class Compare { exact, all, roughly, gradient_only, nothing };

/// A named way to compute value and gradient: run(input, gradient) overwrites the gradient and returns the value.
template <class T, class Input>
struct Method {
  std::string name;
  std::function<double(const Input&, std::span<T>)> run;
  std::size_t largest = ~std::size_t{0};   ///< the longest list it is worth waiting for
  Compare compare = Compare::all;
  bool ragged = true;   ///< can it take lists of different lengths?
};
template <class Input>
using Methods = std::vector<Method<typename Input::value_type, Input>>;

// What each build has to offer for a loss, appended to `methods`. `Input` is one of the structures above.
namespace scalar {   // backends/twins.cpp
template <class Input>
void append(std::string_view loss, Methods<Input>& methods);
}
namespace fast_math {   // the same file again, with -ffast-math
template <class Input>
void append(std::string_view loss, Methods<Input>& methods);
}
namespace native {   // backends/library.cpp
template <class Input>
void append(std::string_view loss, Methods<Input>& methods);
}
namespace avx2 {   // the same file again, for x86-64-v3
template <class Input>
void append(std::string_view loss, Methods<Input>& methods);
}
namespace libtorch {   // backends/libtorch.cpp
template <class Input>
void append(std::string_view loss, Methods<Input>& methods);
}

// The same for losses over embeddings; files of their own, for they take long to compile.
namespace native {   // backends/embeddings.cpp
void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods);
}
namespace avx2 {   // the same file again, for x86-64-v3
void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods);
}
namespace eigen {   // backends/eigen.cpp
void append_embeddings(std::string_view loss, Methods<Embeddings<float>>& methods);
}

}  // namespace bench
