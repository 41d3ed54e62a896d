// Bradley-Terry and its relatives with ties: m comparisons between m / 4 items.
#include "support/harness.hpp"

#include <rankgrad/bradley_terry/bradley_terry.hpp>
#include <rankgrad/bradley_terry/davidson.hpp>
#include <rankgrad/bradley_terry/rao_kupper.hpp>

namespace {

namespace rg = rankgrad;

template <class T>
struct Comparisons {
  std::vector<T> scores;
  std::vector<std::uint32_t> first, second;
  std::vector<rg::Outcome> outcome;

  Comparisons(std::size_t m, std::uint64_t set) {
    rg::Random random(20261123, 7000 * m + set);
    const std::size_t n = std::max<std::size_t>(4, m / 4);
    for (std::size_t i = 0; i < n; ++i) scores.push_back(static_cast<T>(random.normal()));
    for (std::size_t c = 0; c < m; ++c) {
      const std::size_t i = random.below(n), j = (i + 1 + random.below(n - 1)) % n;
      first.push_back(static_cast<std::uint32_t>(i));
      second.push_back(static_cast<std::uint32_t>(j));
      outcome.push_back(static_cast<rg::Outcome>(std::min<std::size_t>(2, random.below(5) / 2)));   // 2 : 2 : 1
    }
  }
  std::size_t gradient_size() const { return scores.size(); }
  double items() const { return static_cast<double>(first.size()); }
  double pairs() const { return items(); }
};

// --- the twins: the loss of one comparison and its slope by d = s_first - s_second

template <class T>
struct Slope {
  T value, slope;
};

/// softplus(-x) and s(-x), from one exp.
template <class T>
Slope<T> loss_of_win(T x) {
  const T e = std::exp(-std::abs(x));
  return {std::max(-x, T(0)) + std::log1p(e), (x < T(0) ? T(1) : e) / (T(1) + e)};
}

struct BradleyTerry {
  template <class T>
  static Slope<T> of(T d, rg::Outcome outcome) {
    const auto win = loss_of_win(d);
    switch (outcome) {
      case rg::Outcome::first: return {win.value, -win.slope};
      case rg::Outcome::second: return {win.value + d, T(1) - win.slope};
      default: return {win.value + d / T(2), T(0.5) - win.slope};
    }
  }
};
struct RaoKupper {
  template <class T>
  static Slope<T> of(T d, rg::Outcome outcome) {
    static const T tie_constant = static_cast<T>(std::log(std::expm1(2.0)));   // log(e^{2 eta} - 1), eta = 1
    if (outcome == rg::Outcome::first) {
      const auto win = loss_of_win(d - T(1));
      return {win.value, -win.slope};
    }
    const auto loss = loss_of_win(-d - T(1));
    if (outcome == rg::Outcome::second) return {loss.value, loss.slope};
    const auto win = loss_of_win(d - T(1));
    return {win.value + loss.value - tie_constant, loss.slope - win.slope};
  }
};
struct Davidson {
  template <class T>
  static Slope<T> of(T d, rg::Outcome outcome) {
    const T top = std::abs(d) / T(2);   // kappa = 0 is never above it
    const T first = std::exp(d / T(2) - top), second = std::exp(-d / T(2) - top), tie = std::exp(-top);
    const T sum = first + second + tie, log_sum = top + std::log(sum), slope = (first - second) / (T(2) * sum);
    switch (outcome) {
      case rg::Outcome::first: return {log_sum - d / T(2), slope - T(0.5)};
      case rg::Outcome::second: return {log_sum + d / T(2), slope + T(0.5)};
      default: return {log_sum, slope};
    }
  }
};

template <class T, class Model, class L>
void add(const char* name, const L& loss) {
  for (const std::size_t m : {32u, 128u, 1000u, 10000u, 100000u}) {
    const auto twin = [](const Comparisons<T>& in, std::span<T> gradient) {
      std::fill(gradient.begin(), gradient.end(), T(0));
      double total = 0;
      const std::size_t count = in.first.size();
      for (std::size_t c = 0; c < count; ++c) {
        const Slope<T> term = Model::of(in.scores[in.first[c]] - in.scores[in.second[c]], in.outcome[c]);
        total += static_cast<double>(term.value);
        gradient[in.first[c]] += term.slope;
        gradient[in.second[c]] -= term.slope;
      }
      for (T& g : gradient) g /= static_cast<T>(count);
      return total / static_cast<double>(count);
    };
    const auto own = [loss, workspace = std::make_shared<rg::Workspace>()](const Comparisons<T>& in, std::span<T> gradient) {
      const rg::ComparisonView<T> view{.scores = in.scores, .first = in.first, .second = in.second, .outcome = in.outcome};
      return static_cast<double>(rg::value_and_gradient(loss, view, gradient, *workspace));
    };
    bench::add<T, Comparisons<T>>(
        std::string("bradley_terry/") + name + "/" + bench::type_name<T>() + "/" + std::to_string(m),
        std::clamp<std::size_t>(20000 / m, 3, 128), [m](std::size_t set) { return Comparisons<T>(m, set); }, bench::Count::pairs,
        bench::Backend{"scalar", twin}, bench::Backend{"rankgrad", own});
  }
}

template <class T>
void add_all() {
  add<T, BradleyTerry>("bradley_terry", rg::BradleyTerry{});
  add<T, RaoKupper>("rao_kupper", rg::RaoKupper{});
  add<T, Davidson>("davidson", rg::Davidson{});
}

const bool registered = (add_all<float>(), add_all<double>(), true);

}  // namespace
