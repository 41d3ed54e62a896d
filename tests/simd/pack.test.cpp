#include "support/catch.hpp"
#include "support/lists.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/listwise/softmax.hpp>
#include <rankgrad/pairwise/ranknet.hpp>
#include <rankgrad/pointwise/sigmoid_cross_entropy.hpp>
#include <rankgrad/simd/pack.hpp>

#include <limits>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace rg = rankgrad;
namespace simd = rankgrad::simd;

TEMPLATE_TEST_CASE("packs load, store and reduce", "[simd]", float, double, std::int32_t, std::int64_t) {
  using T = TestType;
  constexpr std::size_t n = simd::lanes<T>;
  std::vector<T> values(n + 1);
  for (std::size_t i = 0; i <= n; ++i) values[i] = T(i * i + 1);
  std::vector<T> out(n + 1, T(-1));
  simd::store(out.data() + 1, simd::load(values.data() + 1));   // not aligned
  CHECK(out[0] == T(-1));
  for (std::size_t i = 1; i <= n; ++i) CHECK(out[i] == values[i]);
  simd::accumulate(out.data() + 1, simd::Pack<T>(T(2)));
  CHECK(out[n] == values[n] + T(2));
  simd::store(out.data(), simd::iota<T>(T(3)));
  for (std::size_t i = 0; i < n; ++i) CHECK(out[i] == T(3 + i));
  T total = 0;
  for (std::size_t i = 0; i < n; ++i) total = T(total + values[i]);
  CHECK(simd::sum(simd::load(values.data())) == total);
  CHECK(simd::highest(simd::load(values.data())) == values[n - 1]);
  for (std::size_t top = 0; top < n; ++top) {
    std::vector<T> peak(n, T(-5));
    peak[top] = T(-4);
    CHECK(simd::highest(simd::load(peak.data())) == T(-4));
  }
}

TEST_CASE("bits are reinterpreted, not converted", "[simd]") {
  const auto bits = simd::bit_cast<std::int32_t>(simd::Pack<float>(1.0f));
  CHECK(simd::highest(simd::Pack<std::int32_t>(bits)) == 0x3f800000);
  CHECK(simd::highest(simd::bit_cast<double>(simd::Pack<std::int64_t>(0x4000000000000000))) == 2.0);
}

TEMPLATE_TEST_CASE("a row visits every element once, in whole packs and one part", "[simd]", float, double) {
  using T = TestType;
  for (std::size_t n = 0; n < 5 * simd::lanes<T> + 3; ++n) {
    std::vector<T> count(n + 1, T(0)), doubled(n + 1, T(-7));
    std::size_t parts = 0, next = 0;
    bool in_order = true;
    simd::for_each_pack<T>(n, [&](std::size_t i, auto at) {
      in_order = in_order && i == next;
      next = i + simd::lanes<T>;
      parts += std::is_same_v<decltype(at), simd::Part<T>>;
      at.accumulate(&count[i], at.load_ones());
      at.store(&doubled[i], at.load(&count[i], T(99)) * simd::Pack<T>(T(2)));
    });
    INFO("n = " << n);
    CHECK(in_order);
    CHECK(parts == (n % simd::lanes<T> != 0));
    for (std::size_t i = 0; i < n; ++i) CHECK((count[i] == T(1) && doubled[i] == T(2)));
    CHECK((count[n] == T(0) && doubled[n] == T(-7)));
  }
}

TEMPLATE_TEST_CASE("a part fills the lanes that do not exist", "[simd]", float, double) {
  using T = TestType;
  constexpr std::size_t lanes = simd::lanes<T>;
  std::vector<T> values(lanes, T(3)), lane(lanes);
  for (std::size_t n = 0; n < lanes; ++n) {
    simd::store(lane.data(), simd::load_n(values.data(), n, T(8)));
    for (std::size_t l = 0; l < lanes; ++l) CHECK(lane[l] == (l < n ? T(3) : T(8)));
    simd::store(lane.data(), simd::Part<T>{n}.load_ones());
    for (std::size_t l = 0; l < lanes; ++l) CHECK(lane[l] == (l < n ? T(1) : T(0)));
  }
}

#if defined(__unix__)
namespace {
/// Memory that ends where the next page may not be touched.
class Cliff {
 public:
  Cliff() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    memory_ = static_cast<char*>(mmap(nullptr, 2 * page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(memory_ != MAP_FAILED);
    REQUIRE(mprotect(memory_ + page_, page_, PROT_NONE) == 0);
  }
  ~Cliff() { munmap(memory_, 2 * page_); }
  Cliff(const Cliff&) = delete;
  Cliff& operator=(const Cliff&) = delete;

  template <class T>
  std::span<T> place(const std::vector<T>& values) {
    T* start = reinterpret_cast<T*>(memory_ + page_) - values.size();
    std::copy(values.begin(), values.end(), start);
    return {start, values.size()};
  }

 private:
  std::size_t page_;
  char* memory_;
};
}  // namespace

TEMPLATE_TEST_CASE("the caller's memory is never touched past its end", "[simd]", float, double) {
  using T = TestType;
  Cliff scores, labels, weights, gradient, curvature;
  for (std::size_t n = 1; n < 3 * simd::lanes<T>; ++n) {
    const auto list = test::make_list<T>(n, 17, {.weights = true});
    const std::vector<T> zeros(n);
    const rg::ListView<T> view{.scores = scores.place(list.scores), .labels = labels.place(list.labels), .weights = weights.place(list.weights)};
    const auto grad = gradient.place(zeros), hess = curvature.place(zeros);
    for (const T value : {rg::value_gradient_and_curvature(rg::RankNet{}, view, grad, hess), rg::value_gradient_and_curvature(rg::Softmax{}, view, grad, hess),
                          rg::value_gradient_and_curvature(rg::SigmoidCrossEntropy{}, view, grad, hess)})
      CHECK(rg::is_finite(value));
  }
}
#endif
