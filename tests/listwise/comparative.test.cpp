// Comparative regularisation: by hand, finite differences, ragged queries, masks, stopped gradients.
#include "support/catch.hpp"
#include "properties/every_loss.hpp"

#include <rankgrad/listwise/comparative.hpp>
#include <rankgrad/plackett_luce/list_mle.hpp>

namespace rg = rankgrad;
using rg::ComparativeRegularization;
using rg::ComparativeForm;

namespace {

template <class T>
struct Revisions {
  std::vector<T> losses, weights;
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint8_t> mask;

  rg::RevisionView<T> view() const { return {losses, offsets, weights, mask}; }
};

/// Queries of 0 to 5 revisions.
template <class T>
Revisions<T> make_revisions(std::size_t queries, std::uint64_t seed, double spread, bool weights) {
  rg::Random random(seed);
  Revisions<T> made;
  for (std::size_t q = 0; q < queries; ++q) {
    for (std::size_t v = q % 6; v > 0; --v) made.losses.push_back(static_cast<T>(static_cast<float>(spread * random.exponential())));
    made.offsets.push_back(static_cast<std::uint32_t>(made.losses.size()));
    if (weights) made.weights.push_back(static_cast<T>(static_cast<float>(0.5 + random.uniform())));
  }
  return made;
}

/// The formulas of the documentation. Where a gradient is stopped, losses in the part of the worse one are those of `at`.
template <class T>
long double defined(const ComparativeRegularization& loss, const Revisions<T>& made, const std::vector<long double>& l, const std::vector<long double>& at) {
  const long double tau = loss.temperature;
  long double total = 0, weight = 0;
  for (std::size_t q = 0; q + 1 < made.offsets.size(); ++q) {
    const std::size_t first = made.offsets[q], end = made.offsets[q + 1];
    long double own = 0, terms = 0;
    const auto worse = [&](std::size_t v) { return loss.stop_gradient_worse ? at[v] : l[v]; };
    for (std::size_t u = first; u + 1 < end; ++u) {
      long double sum = expl(-l[u] / tau);
      for (std::size_t v = u + 1; v < end; ++v) {
        sum += expl(-worse(v) / tau);
        if (loss.form == ComparativeForm::hinge) own += std::max(0.0L, loss.margin + (l[u] - worse(v)) / tau), terms += 1;
      }
      if (loss.form == ComparativeForm::list_mle) own += logl(sum) + l[u] / tau, terms += 1;
    }
    if (terms == 0) continue;
    const long double w = made.weights.empty() ? 1 : made.weights[q];
    total += w * own / (loss.by_query ? terms : 1);
    weight += w * (loss.by_query ? 1 : terms);
  }
  return weight > 0 ? total / weight : 0;
}

}  // namespace

TEST_CASE("comparative hinge by hand", "[comparative]") {
  // Query 0: (1, 2) in order. Query 1: (3, 1, 2): pairs 3 - 1, 3 - 2, and 1 - 2 in order. Query 2: one revision.
  const std::vector<double> losses{1, 2, 3, 1, 2, 7};
  const std::vector<std::uint32_t> offsets{0, 2, 5, 6};
  const rg::RevisionView<double> view{losses, offsets, {}, {}};
  std::vector<double> gradient(6), curvature(6);
  CHECK(rg::value_gradient_and_curvature(ComparativeRegularization{}, view, gradient, curvature) == Approx(3. / 4));
  CHECK(gradient == std::vector<double>{0, 0, 0.5, -0.25, -0.25, 0});
  CHECK(curvature == std::vector<double>(6, 0.0));
  CHECK(rg::value_and_gradient(ComparativeRegularization{.stop_gradient_worse = true}, view, gradient) == Approx(3. / 4));
  CHECK(gradient == std::vector<double>{0, 0, 0.5, 0, 0, 0});
  // Each query by itself: 0 and 3 / 3, over the two that have a pair.
  CHECK(rg::value_and_gradient(ComparativeRegularization{.by_query = true}, view, gradient) == Approx(0.5));
  CHECK(gradient[2] == Approx(1. / 3));
  // A margin of 1: the pairs that were in order by 1 stand at the kink and stay inactive; a little more, and they count.
  CHECK(rg::value_and_gradient(ComparativeRegularization{.margin = 1}, view, gradient) == Approx((3. + 2) / 4));
  CHECK(gradient[0] == 0.0);
  CHECK(rg::value_and_gradient(ComparativeRegularization{.margin = 1.5}, view, gradient) == Approx((0.5 + 3.5 + 2.5 + 0.5) / 4));
  CHECK(gradient[0] == 0.25);
}

TEST_CASE("one pair of revisions: the worse one is pushed up", "[comparative]") {
  // V = 1: with the mean of both losses, weight 1 each, the net coefficient of the worse one is 1/2 - 1 while violated.
  const std::vector<double> losses{2, 1};
  const std::vector<std::uint32_t> offsets{0, 2};
  std::vector<double> gradient(2);
  rg::value_and_gradient(ComparativeRegularization{}, rg::RevisionView<double>{losses, offsets, {}, {}}, gradient);
  CHECK(0.5 + gradient[1] == -0.5);
  const std::vector<double> equal{1, 1};   // at the kink
  CHECK(rg::value_and_gradient(ComparativeRegularization{}, rg::RevisionView<double>{equal, offsets, {}, {}}, gradient) == 0.0);
  CHECK(gradient == std::vector<double>{0, 0});
}

TEST_CASE("comparative ListMLE is ListMLE of the negative losses", "[comparative]") {
  const std::vector<double> losses{1.5, 0.5, 2, 0.25}, labels{4, 3, 2, 1};
  const std::vector<std::uint32_t> offsets{0, 4};
  std::vector<double> effects, a(4), b(4), ha(4), hb(4);
  for (const double l : losses) effects.push_back(-l);
  const ComparativeRegularization loss{.form = ComparativeForm::list_mle, .temperature = 0.5};
  CHECK(rg::value_gradient_and_curvature(loss, rg::RevisionView<double>{losses, offsets, {}, {}}, a, ha) ==
        Approx(rg::value_gradient_and_curvature(rg::ListMle{.temperature = 0.5}, rg::ListView<double>{.scores = effects, .labels = labels}, b, hb) / 3));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(a[i] == Approx(-b[i] / 3));
    CHECK(ha[i] == Approx(hb[i] / 3));
  }
}

TEMPLATE_TEST_CASE("comparative regularisation against its definition", "[comparative]", float, double) {
  for (const auto form : {ComparativeForm::hinge, ComparativeForm::list_mle})
    for (const bool by_query : {false, true})
      for (const bool stop : {false, true})
        for (const bool weights : {false, true}) {
          const ComparativeRegularization loss{form, 0.25, 0.7, by_query, stop};
          INFO("list_mle " << (form == ComparativeForm::list_mle) << ", by query " << by_query << ", stop " << stop << ", weights " << weights);
          const auto made = make_revisions<TestType>(20, 3, 1.5, weights);
          const std::vector<long double> at(made.losses.begin(), made.losses.end());
          std::vector<TestType> gradient(at.size()), curvature(at.size());
          rg::Workspace workspace;
          const auto value = rg::value_gradient_and_curvature(loss, made.view(), gradient, curvature, TestType(0), workspace);
          const std::size_t warm = workspace.growths();
          CHECK(rg::value_gradient_and_curvature(loss, made.view(), gradient, curvature, TestType(0), workspace) == value);
          CHECK(workspace.growths() == warm);
          CHECK(static_cast<double>(value) == Approx(static_cast<double>(defined(loss, made, at, at))).epsilon(sizeof(TestType) == 4 ? 1e-6 : 1e-13));
          std::vector<long double> slopes, bends;
          auto moved = at;
          for (std::size_t i = 0; i < at.size(); ++i) {
            const auto f = [&](long double by) {
              moved[i] = at[i] + by;
              const long double v = defined(loss, made, moved, at);
              moved[i] = at[i];
              return v;
            };
            const long double h = 1e-5L, b = form == ComparativeForm::hinge ? 1e-5L : 1e-2L;
            slopes.push_back((8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h));
            bends.push_back((16 * (f(b) + f(-b) - 2 * f(0)) - (f(2 * b) + f(-2 * b) - 2 * f(0))) / (12 * b * b));
          }
          test::check_close(gradient, slopes, sizeof(TestType) == 4 ? 16 : 1e5, test::largest(slopes), "gradient");
          if (form == ComparativeForm::list_mle) test::check_close(curvature, bends, sizeof(TestType) == 4 ? 64 : 1e9, test::largest(bends), "curvature");
          else CHECK(test::largest(curvature) == 0.0);
          // The sink is added to, scaled.
          std::vector<TestType> filled(at.size(), TestType(1));
          rg::evaluate_view(loss, made.view(), rg::GradientSink<TestType>{filled.data(), nullptr, TestType(0.5)}, workspace);
          for (std::size_t i = 0; i < at.size(); ++i) CHECK(static_cast<double>(filled[i]) == Approx(1 + static_cast<double>(gradient[i]) / 2));
        }
}

TEST_CASE("absent revisions are deleted, whatever stands there", "[comparative]") {
  const auto kept = make_revisions<double>(13, 5, 2, true);
  Revisions<double> masked;
  masked.weights = kept.weights;
  for (std::size_t q = 0; q + 1 < kept.offsets.size(); ++q) {
    const auto put = [&](double loss, bool present) { masked.losses.push_back(loss), masked.mask.push_back(present); };
    put(std::numeric_limits<double>::quiet_NaN(), false);
    for (std::size_t v = kept.offsets[q]; v < kept.offsets[q + 1]; ++v) put(kept.losses[v], true), put(1e300, false);
    masked.offsets.push_back(static_cast<std::uint32_t>(masked.losses.size()));
  }
  for (const auto form : {ComparativeForm::hinge, ComparativeForm::list_mle}) {
    const ComparativeRegularization loss{.form = form};
    std::vector<double> a(kept.losses.size()), b(masked.losses.size()), ha = a, hb = b;
    CHECK(rg::value_gradient_and_curvature(loss, kept.view(), a, ha) == rg::value_gradient_and_curvature(loss, masked.view(), b, hb));
    for (std::size_t i = 0, k = 0; i < b.size(); ++i) {
      CHECK(b[i] == (masked.mask[i] ? a[k] : 0.0));
      CHECK(hb[i] == (masked.mask[i] ? ha[k] : 0.0));
      k += masked.mask[i];
    }
  }
}

TEST_CASE("comparative regularisation: no pair, extremes, NaN", "[comparative]") {
  std::vector<double> gradient(3);
  rg::Workspace workspace;
  const std::vector<double> losses{3, 2, 1}, far{1e4, -1e4, 0}, none{0, 0, 0}, weightless{0};
  const std::vector<std::uint32_t> singles{0, 1, 2, 2, 3}, all{0, 3};
  for (const auto form : {ComparativeForm::hinge, ComparativeForm::list_mle}) {
    const ComparativeRegularization loss{.form = form};
    const rg::GradientSink<double> out{gradient.data()};
    CHECK_FALSE(loss.value_and_gradient(rg::RevisionView<double>{losses, singles, {}, {}}, out, workspace).valid);
    CHECK_FALSE(loss.value_and_gradient(rg::RevisionView<double>{losses, all, weightless, {}}, out, workspace).valid);
    CHECK_FALSE(loss.value_and_gradient(rg::RevisionView<double>{{}, std::span(all).first(1), {}, {}}, out, workspace).valid);
    CHECK(gradient == std::vector<double>(3, 0.0));
    CHECK(rg::is_finite(rg::value_and_gradient(loss, rg::RevisionView<double>{far, all, {}, {}}, gradient)));
    for (const double g : gradient) CHECK(rg::is_finite(g));
    std::fill(gradient.begin(), gradient.end(), 0.0);
    const std::vector<double> broken{1, std::numeric_limits<double>::quiet_NaN(), 2};
    CHECK_FALSE(rg::is_finite(rg::value(loss, rg::RevisionView<double>{broken, all, {}, {}})));
  }
}

TEST_CASE("revisions are checked at the door", "[comparative]") {
  const std::vector<double> losses{1, 2}, negative{-1};
  const std::vector<std::uint32_t> good{0, 2}, late{1, 2}, falling{0, 2, 1}, wrong{0, 1};
  const std::vector<std::uint8_t> mask{1};
  using View = rg::RevisionView<double>;
  CHECK(rg::validate(View{losses, good, {}, {}}));
  CHECK_THAT(rg::validate(View{losses, {}, {}, {}}).message(), contains("offsets is empty"));
  CHECK_THAT(rg::validate(View{losses, late, {}, {}}).message(), contains("offsets[0] is 1"));
  CHECK_THAT(rg::validate(View{losses, falling, {}, {}}).message(), contains("offsets[2] is 1, below offsets[1]"));
  CHECK_THAT(rg::validate(View{losses, wrong, {}, {}}).message(), contains("the last of offsets is 1; there are 2 losses"));
  CHECK_THAT(rg::validate(View{losses, good, losses, {}}).message(), contains("weights"));
  CHECK_THAT(rg::validate(View{losses, good, {}, mask}).message(), contains("mask"));
  CHECK_THAT(rg::validate(View{losses, good, negative, {}}).message(), contains("weights[0] is -1"));
  CHECK_THROWS_WITH(rg::value(ComparativeRegularization{}, View{losses, wrong, {}, {}}), contains("the last of offsets is 1"));
  CHECK_THAT(ComparativeRegularization{.margin = -1}.check().message(), contains("ComparativeRegularization.margin is -1"));
  CHECK_THAT(ComparativeRegularization{.temperature = 0}.check().message(), contains("ComparativeRegularization.temperature is 0"));
}
