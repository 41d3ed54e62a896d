// The triplet loss over a K x K similarity matrix, two samples per identity.
#include "support/harness.hpp"

#include <rankgrad/triplet/triplet_log_sum_exp.hpp>

namespace {

namespace rg = rankgrad;

template <class T>
struct Similarities {
  std::vector<T> matrix;
  std::vector<std::int64_t> ids;

  Similarities(std::size_t k, std::uint64_t set) {
    rg::Random random(20261123, 9000 * k + set);
    for (std::size_t i = 0; i < k; ++i) ids.push_back(static_cast<std::int64_t>(i / 2));
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < k; ++j)
        matrix.push_back(static_cast<T>((ids[i] == ids[j] ? 0.35 : 0.1) + 0.1 * random.normal()));   // cosines, half trained
  }
  std::size_t gradient_size() const { return matrix.size(); }
  double items() const { return static_cast<double>(matrix.size()); }
  double pairs() const { return 0; }
};

/// Both directions, one anchor after the other: two soft maxima, the hinge, and back.
template <class T>
double twin(const Similarities<T>& in, std::span<T> gradient, const rg::TripletLogSumExp& loss) {
  const std::size_t n = in.ids.size();
  const T inverse = static_cast<T>(1 / loss.temperature);
  static thread_local std::vector<T> e;
  e.resize(n);
  std::fill(gradient.begin(), gradient.end(), T(0));
  double total = 0;
  for (const std::size_t along : {std::size_t{1}, n}) {   // entries of an anchor: a row, or a column
    const std::size_t next = along == 1 ? n : 1;
    for (std::size_t i = 0; i < n; ++i) {
      const T* s = in.matrix.data() + i * next;
      T* g = gradient.data() + i * next;
      T top_positive = std::numeric_limits<T>::lowest(), top_negative = top_positive;
      for (std::size_t j = 0; j < n; ++j) {
        T& top = in.ids[j] == in.ids[i] ? top_positive : top_negative;
        top = std::max(top, s[j * along]);
      }
      double positives = 0, negatives = 0, positive = 0;
      for (std::size_t j = 0; j < n; ++j) {
        const bool same = in.ids[j] == in.ids[i];
        e[j] = std::exp((s[j * along] - (same ? top_positive : top_negative)) * inverse);
        (same ? positives : negatives) += static_cast<double>(e[j]);
        if (same) positive += static_cast<double>(e[j] * s[j * along]);
      }
      const double h = loss.margin - positive / positives + static_cast<double>(top_negative) + loss.temperature * std::log(negatives);
      if (h <= 0) continue;
      total += h;
      const T pull = static_cast<T>(1 / positives), push = static_cast<T>(1 / negatives);
      for (std::size_t j = 0; j < n; ++j) g[j * along] += in.ids[j] == in.ids[i] ? -pull * e[j] : push * e[j];
    }
  }
  return total;
}

template <class T>
void add() {
  for (const std::size_t k : {32u, 128u, 512u}) {
    const rg::TripletLogSumExp loss;
    const auto scalar = [loss](const Similarities<T>& in, std::span<T> gradient) { return twin(in, gradient, loss); };
    const auto own = [loss, workspace = std::make_shared<rg::Workspace>()](const Similarities<T>& in, std::span<T> gradient) {
      return static_cast<double>(rg::value_and_gradient(loss, rg::SimilarityView<T>{.similarity = in.matrix, .ids = in.ids}, gradient, *workspace));
    };
    bench::add<T, Similarities<T>>(
        std::string("triplet/triplet_log_sum_exp/") + bench::type_name<T>() + "/" + std::to_string(k), k <= 128 ? 8 : 3,
        [k](std::size_t set) { return Similarities<T>(k, set); }, bench::Count::items, bench::Backend{"scalar", scalar},
        bench::Backend{"rankgrad", own});
  }
}

const bool registered = (add<float>(), add<double>(), true);

}  // namespace
