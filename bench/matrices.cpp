// Losses over matrices: similarities of K samples, two per identity; of queries with documents in groups of four; logits of
// tokens over a vocabulary.
#include "support/harness.hpp"

namespace {

using namespace bench;

/// Cosines, half trained.
template <class T>
Similarities<T> make(std::size_t k, std::size_t set) {
  rg::Random random(20261123, 9000 * k + set);
  Similarities<T> made;
  for (std::size_t i = 0; i < k; ++i) made.ids.push_back(static_cast<std::int64_t>(i / 2));
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j)
      made.matrix.push_back(static_cast<T>((made.ids[i] == made.ids[j] ? 0.35 : 0.1) + 0.1 * random.normal()));
  return made;
}

/// As many documents as the number says; hard negatives are nearer than those of other queries.
template <class T>
Similarities<T> make_groups(std::size_t documents, std::size_t set) {
  constexpr std::size_t group = 4;
  rg::Random random(20261123, 9000 * documents + set);
  Similarities<T> made;
  for (std::size_t i = 0; i < documents / group; ++i) {
    made.ids.push_back(static_cast<std::int64_t>(i));
    for (std::size_t j = 0; j < documents; ++j) {
      const double mean = j == i * group ? 0.45 : j / group == i ? 0.3 : 0.1;
      made.matrix.push_back(static_cast<T>(mean + 0.1 * random.normal()));
    }
  }
  return made;
}

/// Logits as a language model has them: a few tokens stand out, the right one mostly among them.
template <class T>
Similarities<T> make_logits(std::size_t tokens, std::size_t vocabulary, std::size_t set) {
  rg::Random random(20261123, 9000 * vocabulary + 10 * tokens + set);
  Similarities<T> made;
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t target = random.below(vocabulary);
    made.ids.push_back(static_cast<std::int64_t>(target));
    for (std::size_t v = 0; v < vocabulary; ++v) made.matrix.push_back(static_cast<T>(2.5 * random.normal()));
    made.matrix[t * vocabulary + target] += T(8);
  }
  return made;
}

template <class T>
void add_all() {
  const auto add_row = [](const std::string& loss, const std::string& shape, std::size_t sets, auto of_set) {
    add_made<T, Similarities<T>>(loss + "/" + type_name<T>() + "/" + shape, sets, of_set, Count::items,
                                 every_method<Similarities<T>>(loss));
  };
  const auto sets_of = [](std::size_t k) { return std::size_t{k <= 128 ? 8u : 3u}; };
  const std::size_t sides[] = {32, 128, 256, 512};
  for (const std::string loss : {"triplet/triplet_log_sum_exp", "triplet/hardest_negative", "triplet/sum_hinge",
                                 "triplet/multi_similarity", "contrastive/symmetric_info_nce"})
    for (const std::size_t k : sides) add_row(loss, std::to_string(k), sets_of(k), [k](std::size_t set) { return make<T>(k, set); });
  for (const std::size_t k : sides)
    add_row("contrastive/grouped_info_nce", std::to_string(k), sets_of(k), [k](std::size_t set) { return make_groups<T>(k, set); });

  const std::string tokens = "tokens/cross_entropy";
  for (const std::size_t k : sides)
    add_row(tokens, std::to_string(k), sets_of(k), [k](std::size_t set) { return make_logits<T>(k, k, set); });
  for (const std::size_t vocabulary : {32'000u, 128'256u})   // of two widely used tokenizers
    add_row(tokens, "16x" + std::to_string(vocabulary), 2, [vocabulary](std::size_t set) { return make_logits<T>(16, vocabulary, set); });
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
