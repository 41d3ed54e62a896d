// The triplet loss over a K x K similarity matrix, two samples per identity; token cross-entropy over the same as logits.
#include "support/harness.hpp"

namespace {

using namespace bench;

template <class T>
Similarities<T> make(std::size_t k, std::size_t set) {
  rg::Random random(20261123, 9000 * k + set);
  Similarities<T> made;
  for (std::size_t i = 0; i < k; ++i) made.ids.push_back(static_cast<std::int64_t>(i / 2));
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j)   // cosines, half trained
      made.matrix.push_back(static_cast<T>((made.ids[i] == made.ids[j] ? 0.35 : 0.1) + 0.1 * random.normal()));
  return made;
}

template <class T>
void add_all() {
  for (const std::string loss : {"triplet/triplet_log_sum_exp", "tokens/cross_entropy"})
    for (const std::size_t k : {32u, 128u, 256u, 512u})
      add_made<T, Similarities<T>>(loss + "/" + type_name<T>() + "/" + std::to_string(k), k <= 128 ? 8 : 3,
                                   [k](std::size_t set) { return make<T>(k, set); }, Count::items, every_method<Similarities<T>>(loss));
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
