#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/batch_evaluator.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/listwise/softmax_blocks.hpp>
#include <rankgrad/listwise/softmax_short.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace rg = rankgrad;
namespace lw = rankgrad::listwise;

namespace {

enum class Path { whole, kept, recomputed };
enum class Write { adding, over };

template <class T>
struct Result {
  rg::Contribution<T> part;
  std::vector<T> gradient, curvature;
};

/// What a sink's arrays hold before: adding must keep it, writing over must not see it.
template <class T>
T before(Write write) {
  return write == Write::adding ? T(3) : std::numeric_limits<T>::quiet_NaN();
}
template <class T, bool fresh>
rg::Contribution<T> take(Path path, const lw::Problem<T>& list, const rg::GradientSink<T>& out, rg::Workspace& workspace) {
  const bool plain = !list.weights && !out.hess;
  if (path == Path::whole) return plain ? lw::short_list<true, false, fresh>(list, out) : lw::short_list<false, false, fresh>(list, out);
  const bool keep = path == Path::kept;
  return plain ? lw::by_blocks<true, fresh>(list, out, keep, workspace) : lw::by_blocks<false, fresh>(list, out, keep, workspace);
}

/// One path on one list.
template <class T>
Result<T> run(Path path, const lw::Problem<T>& list, T scale, bool curved, Write write = Write::adding) {
  Result<T> result{{}, std::vector<T>(list.n, before<T>(write)), std::vector<T>(list.n, before<T>(write))};
  const rg::GradientSink<T> out{result.gradient.data(), curved ? result.curvature.data() : nullptr, scale};
  rg::Workspace workspace;
  const auto frame = workspace.frame();
  result.part = write == Write::over ? take<T, true>(path, list, out, workspace) : take<T, false>(path, list, out, workspace);
  return result;
}

/// The definition, in long double.
template <class T>
void check(const Result<T>& got, const lw::Problem<T>& list, T scale, bool curved, Write write = Write::adding) {
  const long double base = write == Write::adding ? 3 : 0;
  const auto tau = 1 / static_cast<long double>(list.inverse_temperature);
  long double top = -std::numeric_limits<long double>::infinity(), sum = 0, Y = 0, value = 0;
  const auto score = [&](std::size_t i) { return static_cast<long double>(list.scores[i]) / tau; };
  const auto target = [&](std::size_t i) {
    return static_cast<long double>(list.targets[i]) * (list.weights ? static_cast<long double>(list.weights[i]) : 1);
  };
  for (std::size_t i = 0; i < list.n; ++i) top = std::max(top, score(i));
  for (std::size_t i = 0; i < list.n; ++i) sum += std::exp(score(i) - top), Y += target(i);
  for (std::size_t i = 0; i < list.n; ++i) value += target(i) * (std::log(sum) + top - score(i));
  const long double unit = list.mean ? 1 / Y : 1, u = std::numeric_limits<T>::epsilon();
  REQUIRE(got.part.valid);
  CHECK(std::abs(static_cast<long double>(got.part.value) - unit * value) <= 20 * u * std::max(std::abs(unit * value), 1.0L));
  long double worst = 0, worst_bend = 0;
  for (std::size_t i = 0; i < list.n; ++i) {
    const long double p = std::exp(score(i) - top) / sum, slope = static_cast<long double>(scale) * unit / tau;
    const long double size = std::abs(slope) * (Y * p + target(i)) + base + 1e-30L;
    const long double off = std::abs(static_cast<long double>(got.gradient[i]) - base - slope * (Y * p - target(i))) / size;
    worst = off <= worst ? worst : off;   // NaN shows
    if (!curved) continue;
    const long double bend = slope / tau * Y * p;   // times 1 - p, which is rounded
    const long double off_bend = std::abs(static_cast<long double>(got.curvature[i]) - base - bend * (1 - p)) / (bend + base + 1e-30L);
    worst_bend = off_bend <= worst_bend ? worst_bend : off_bend;
  }
  CHECK(worst <= 100 * u);   // x of about 15 is rounded to some 20 u, and e^x with it
  CHECK(worst_bend <= 100 * u);
}

}  // namespace

TEMPLATE_TEST_CASE("softmax: every path at every length around its borders", "[listwise]", float, double) {
  using T = TestType;
  constexpr std::size_t width = rg::simd::lanes<T>, block = 64 * width;
  std::vector<std::size_t> lengths;
  for (std::size_t n = 1; n <= 6 * width; ++n) lengths.push_back(n);
  for (const std::size_t n : {8 * width + 1, block - 1, block, block + 1, 2 * block, 3 * block + 5, 64 * block, 130 * block + 7}) lengths.push_back(n);
  for (const std::size_t n : lengths) {
    const auto list = test::make_list<T>(n, 5, {.spread = 3});
    std::vector<T> weights(n), labels = list.labels;
    labels[n / 2] = T(2);
    for (std::size_t i = 0; i < n; ++i) weights[i] = T(0.25) * static_cast<T>(i % 5 + 1);
    for (const bool weighted : {false, true})
      for (const bool curved : {false, true}) {
        lw::Problem<T> problem{list.scores.data(), labels.data(), weighted ? weights.data() : nullptr, n, 1 / 0.7};
        problem.mean = curved != weighted;
        INFO("n = " << n << ", weighted " << weighted << ", curved " << curved);
        for (const Write write : {Write::adding, Write::over})
          for (const Path path : {Path::whole, Path::kept, Path::recomputed})
            if (path != Path::whole || n <= block) check(run(path, problem, T(1.5), curved, write), problem, T(1.5), curved, write);
      }
  }
}

TEMPLATE_TEST_CASE("softmax: scores that rise from block to block move the sums", "[listwise]", float, double) {
  using T = TestType;
  const std::size_t n = 5 * 64 * rg::simd::lanes<T> + 3;
  std::vector<T> scores(n), labels(n, T(1));
  for (const T rise : {T(20), T(-20), T(2000)}) {   // the last: what came before a block vanishes beside it
    for (std::size_t i = 0; i < n; ++i) scores[i] = rise * static_cast<T>(i) / static_cast<T>(n);
    const lw::Problem<T> problem{scores.data(), labels.data(), nullptr, n, 1.0};
    for (const Path path : {Path::kept, Path::recomputed}) check(run(path, problem, T(1), true), problem, T(1), true);
  }
}

TEMPLATE_TEST_CASE("softmax: NaN shows in every path, wherever it stands, and no signal writes nothing", "[listwise]", float, double) {
  using T = TestType;
  const std::size_t short_one = 8 * rg::simd::lanes<T> - 1, long_one = 130 * rg::simd::lanes<T> + 1;
  for (const Path path : {Path::whole, Path::kept, Path::recomputed}) {
    const std::size_t n = path == Path::whole ? short_one : long_one;
    std::vector<T> scores(n, T(1)), labels(n, T(0)), negative(n, T(-1));
    lw::Problem<T> problem{scores.data(), labels.data(), nullptr, n, 1.0};
    for (const auto* targets : {&labels, &negative}) {
      problem.targets = targets->data();
      const auto nothing = run(path, problem, T(1), true);
      CHECK_FALSE(nothing.part.valid);
      CHECK(nothing.gradient == std::vector<T>(n, T(3)));
      CHECK(nothing.curvature == std::vector<T>(n, T(3)));
      const auto cleared = run(path, problem, T(1), true, Write::over);
      CHECK_FALSE(cleared.part.valid);
      CHECK(cleared.gradient == std::vector<T>(n, T(0)));
      CHECK(cleared.curvature == std::vector<T>(n, T(0)));
    }
    labels[n / 3] = T(1);
    problem.targets = labels.data();
    for (std::size_t i = 0; i < n; i += 7) {
      scores[i] = std::numeric_limits<T>::quiet_NaN();
      const auto got = run(path, problem, T(1), false);
      CHECK(std::isnan(got.part.value));
      CHECK(std::isnan(got.gradient[i]));
      scores[i] = T(1);
    }
  }
}

TEMPLATE_TEST_CASE("softmax: many lists in two rounds are what each is alone", "[listwise][batch]", float, double) {
  using T = TestType;
  static_assert(rg::OverwritingLoss<rg::Softmax, T> && rg::OverwritingLoss<rg::ListNet, T>);
  constexpr std::size_t width = rg::simd::lanes<T>;
  std::vector<T> scores, labels, weights, list_weights;
  std::vector<std::uint32_t> offsets{0};
  const auto append = [&](std::size_t n, bool signal) {
    const auto list = test::make_list<T>(n, static_cast<unsigned>(offsets.size()), {.spread = 3});
    for (std::size_t i = 0; i < n; ++i) {
      scores.push_back(list.scores[i] + (offsets.size() % 3 == 0 ? T(500) : T(0)));
      labels.push_back(signal ? list.labels[i] + (i == n / 2 ? T(1) : T(0)) : T(0));
      weights.push_back(T(0.25) * static_cast<T>(i % 5 + 1));
    }
    offsets.push_back(static_cast<std::uint32_t>(scores.size()));
    list_weights.push_back(T(0.5) * static_cast<T>(offsets.size() % 4 + 1));
  };
  for (std::size_t n = 0; n <= 3 * width + 1; ++n) append(n, n % 5 != 3);
  for (const std::size_t n : {64 * width, std::size_t{1}, 64 * width + 1, std::size_t{0}, 5 * width, 70 * width}) append(n, true);
  const std::size_t items = scores.size(), lists = offsets.size() - 1;

  const auto compare = [&](const auto& loss, bool weighted, bool curved) {
    const rg::RaggedBatch<T> batch{.scores = scores, .labels = labels, .weights = weighted ? std::span<const T>(weights) : std::span<const T>{},
                                   .list_weights = list_weights, .offsets = offsets};
    std::vector<T> gradient(items, std::numeric_limits<T>::quiet_NaN()), curvature = gradient;   // to be overwritten
    std::vector<rg::Contribution<T>> parts(lists, {T(7), true});
    rg::Workspace workspace;
    const rg::ListsSink<T> out{gradient.data(), curved ? curvature.data() : nullptr, parts.data(), 0.3};
    loss.overwrite(batch, 0, lists, out, workspace);
    const T u = std::numeric_limits<T>::epsilon();
    for (std::size_t q = 0; q < lists; ++q) {
      const std::size_t n = offsets[q + 1] - offsets[q];
      std::vector<T> g(n, T(0)), h(n, T(0));
      const auto alone = loss.value_and_gradient(batch[q], rg::GradientSink<T>{g.data(), curved ? h.data() : nullptr, out.scale(batch, q)}, workspace);
      INFO(rg::name_of<std::decay_t<decltype(loss)>>() << ", list " << q << " of " << n << ", weighted " << weighted << ", curved " << curved);
      CHECK(parts[q].valid == alone.valid);
      CHECK(std::abs(parts[q].value - alone.value) <= 4 * u * std::max(T(1), std::abs(alone.value)));
      T worst = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const T off = std::abs(gradient[offsets[q] + i] - g[i]) / (std::abs(g[i]) + T(0.01));
        const T off_bend = curved ? std::abs(curvature[offsets[q] + i] - h[i]) / (h[i] + T(0.01)) : T(0);
        worst = off <= worst ? worst : off;   // NaN shows
        worst = off_bend <= worst ? worst : off_bend;
      }
      CHECK(worst <= 8 * u);
    }
  };
  for (const bool weighted : {false, true})
    for (const bool curved : {false, true})
      for (const auto normalize : {rg::Normalize::sum, rg::Normalize::mean}) {
        compare(rg::Softmax{.temperature = 0.7, .normalize = normalize}, weighted, curved);
        compare(rg::ListNet{.temperature = 0.7, .label_temperature = 1.3, .normalize = normalize}, weighted, curved);
      }
}
