// Bradley-Terry and its relatives with ties: m comparisons between m / 4 items.
#include "support/harness.hpp"

namespace {

using namespace bench;

template <class T>
Comparisons<T> make(std::size_t m, std::size_t set) {
  rg::Random random(20261123, 7000 * m + set);
  Comparisons<T> made;
  const std::size_t n = std::max<std::size_t>(4, m / 4);
  for (std::size_t i = 0; i < n; ++i) made.scores.push_back(static_cast<T>(random.normal()));
  for (std::size_t c = 0; c < m; ++c) {
    const std::size_t i = random.below(n), j = (i + 1 + random.below(n - 1)) % n;
    made.first.push_back(static_cast<std::uint32_t>(i));
    made.second.push_back(static_cast<std::uint32_t>(j));
    made.outcome.push_back(static_cast<std::uint8_t>(std::min<std::size_t>(2, random.below(5) / 2)));   // 2 : 2 : 1
  }
  return made;
}

template <class T>
void add_all() {
  for (const std::string loss : {"bradley_terry/bradley_terry", "bradley_terry/rao_kupper", "bradley_terry/davidson"})
    for (const std::size_t m : {32u, 128u, 1000u, 10000u, 100000u})
      add_made<T, Comparisons<T>>(loss + "/" + type_name<T>() + "/" + std::to_string(m), std::clamp<std::size_t>(20000 / m, 3, 128),
                                  [m](std::size_t set) { return make<T>(m, set); }, Count::pairs, every_method<Comparisons<T>>(loss));
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
