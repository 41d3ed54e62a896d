#include "support/catch.hpp"

#include <rankgrad/core/evaluate.hpp>
#include <rankgrad/core/validate.hpp>
#include <rankgrad/pairwise/ranknet.hpp>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace rg = rankgrad;

namespace {

template <class T>
constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();

/// Nineteen items, so that whole packs and a tail are looked at in both types.
template <class T>
struct Input {
  std::vector<T> scores = std::vector<T>(19, T(1)), labels = std::vector<T>(19, T(2)), weights = std::vector<T>(19, T(1)),
                 easiness = std::vector<T>(19, T(0.5)), list_weights{1, 2, 3};
  std::vector<std::uint8_t> mask = std::vector<std::uint8_t>(19, std::uint8_t{1});
  std::vector<std::uint32_t> offsets{0, 4, 4, 19};

  rg::ListView<T> list() const { return {.scores = scores, .labels = labels, .weights = weights, .mask = mask, .easiness = easiness}; }
  rg::RaggedBatch<T> batch() const {
    return {.scores = scores, .labels = labels, .weights = weights, .mask = mask, .easiness = easiness, .list_weights = list_weights, .offsets = offsets};
  }
  std::string said() const { return rg::validate(list()).message(); }
  std::string batch_said() const { return rg::validate(batch()).message(); }
};

struct Asks {
  template <class View>
  rg::Status check_input(const View& view) const {
    return view.weights.empty() ? rg::Status::error("rankgrad: no weights") : rg::Status{};
  }
};

}  // namespace

TEMPLATE_TEST_CASE("validate names what is wrong with a list, and where", "[core]", float, double) {
  using T = TestType;
  CHECK(rg::validate(Input<T>{}.list()));
  CHECK(rg::validate(rg::ListView<T>{}));
  const auto changed = [](auto change) { Input<T> input; change(input); return input; };

  CHECK(changed([](auto& i) { i.labels.pop_back(); }).said() == "rankgrad: labels has 18 elements where 19 are expected");
  CHECK(changed([](auto& i) { i.weights.pop_back(); }).said() == "rankgrad: weights has 18 elements where 19 are expected");
  CHECK(changed([](auto& i) { i.mask.pop_back(); }).said() == "rankgrad: mask has 18 elements where 19 are expected");
  CHECK(changed([](auto& i) { i.easiness.pop_back(); }).said() == "rankgrad: easiness has 18 elements where 19 are expected");
  CHECK(changed([](auto& i) { i.weights.clear(), i.mask.clear(), i.easiness.clear(); }).said().empty());

  for (const std::size_t where : {0u, 7u, 16u, 18u}) {
    const std::string place = "[" + std::to_string(where) + "]";
    for (const T bad : {not_a_number<T>, infinity<T>, -infinity<T>})
      CHECK_THAT(changed([&](auto& i) { i.labels[where] = bad; }).said(), contains(("labels" + place + " is").c_str()));
    for (const T bad : {not_a_number<T>, infinity<T>, T(-0.5)})
      CHECK_THAT(changed([&](auto& i) { i.weights[where] = bad; }).said(), contains(("weights" + place + " is").c_str()));
    for (const T bad : {not_a_number<T>, T(-0.5), T(1.5)})
      CHECK_THAT(changed([&](auto& i) { i.easiness[where] = bad; }).said(), contains(("easiness" + place + " is").c_str()));
  }
  CHECK_THAT(changed([](auto& i) { i.easiness[3] = T(1.5); }).said(), contains("easiness[3] is 1.5; expected a finite number between 0 and 1"));
  // The first of several is named.
  CHECK_THAT(changed([](auto& i) { i.labels[17] = not_a_number<T>, i.labels[5] = infinity<T>; }).said(), contains("labels[5] is inf"));
  // Not wrong: negative labels, zero weights, NaN scores, and anything at all behind the mask.
  CHECK(changed([](auto& i) { i.labels[1] = T(-3), i.weights[2] = T(0), i.scores[3] = not_a_number<T>; }).said().empty());
  CHECK(changed([](auto& i) { i.labels[4] = i.weights[4] = i.easiness[4] = not_a_number<T>, i.mask[4] = 0; }).said().empty());
}

TEMPLATE_TEST_CASE("validate names what is wrong with a batch, and where", "[core]", float, double) {
  using T = TestType;
  CHECK(rg::validate(Input<T>{}.batch()));
  const auto changed = [](auto change) { Input<T> input; change(input); return input.batch_said(); };

  CHECK_THAT(changed([](auto& i) { i.offsets.clear(); }), contains("offsets is empty"));
  CHECK_THAT(changed([](auto& i) { i.offsets[0] = 1; }), contains("offsets[0] is 1; it must be 0"));
  CHECK_THAT(changed([](auto& i) { i.offsets[2] = 3; }), contains("offsets[2] is 3, below offsets[1], which is 4"));
  CHECK_THAT(changed([](auto& i) { i.offsets[3] = 18; }), contains("the last of offsets is 18; there are 19 scores"));
  CHECK_THAT(changed([](auto& i) { i.list_weights.pop_back(); }), contains("list_weights has 2 elements where 3 are expected"));
  CHECK_THAT(changed([](auto& i) { i.list_weights[1] = T(-1); }), contains("list_weights[1] is -1"));
  CHECK_THAT(changed([](auto& i) { i.list_weights[2] = not_a_number<T>; }), contains("list_weights[2] is"));
  CHECK_THAT(changed([](auto& i) { i.labels[18] = not_a_number<T>; }), contains("labels[18] is"));
  CHECK(changed([](auto& i) { i.list_weights.clear(); }).empty());
  const std::vector<std::uint32_t> zero{0};
  CHECK(rg::validate(rg::RaggedBatch<T>{.offsets = zero}));
}

TEMPLATE_TEST_CASE("validate draws its lines where they are, in whole packs and in the tail", "[core]", float, double) {
  using T = TestType;
  constexpr T largest = std::numeric_limits<T>::max(), one = T(1), smallest = std::numeric_limits<T>::denorm_min();
  for (const std::size_t i : {0u, 7u, 18u}) {
    const auto accepts = [&](std::vector<T> Input<T>::*array, T value) {
      Input<T> input;
      (input.*array)[i] = value;
      return static_cast<bool>(rg::validate(input.list()));
    };
    INFO("item " << i);
    for (const T good : {largest, -largest, T(-0.0), -smallest}) CHECK(accepts(&Input<T>::labels, good));
    for (const T bad : {infinity<T>, -infinity<T>, not_a_number<T>, -not_a_number<T>}) CHECK_FALSE(accepts(&Input<T>::labels, bad));
    for (const T good : {largest, T(0), T(-0.0), smallest}) CHECK(accepts(&Input<T>::weights, good));
    for (const T bad : {-smallest, -largest, infinity<T>, -infinity<T>, not_a_number<T>, -not_a_number<T>}) CHECK_FALSE(accepts(&Input<T>::weights, bad));
    for (const T good : {one, T(0), T(-0.0)}) CHECK(accepts(&Input<T>::easiness, good));
    for (const T bad : {std::nextafter(one, T(2)), -smallest, not_a_number<T>, -not_a_number<T>}) CHECK_FALSE(accepts(&Input<T>::easiness, bad));
  }
}

TEST_CASE("what is finite", "[core]") {
  for (const double x : {0.0, -0.0, 1.0, -5e-324, 1.7976931348623157e308}) CHECK(rg::is_finite(x));
  for (const double x : {not_a_number<double>, -not_a_number<double>, infinity<double>, -infinity<double>}) CHECK_FALSE(rg::is_finite(x));
  for (const float x : {0.0f, 1e-45f, 3.4028235e38f}) CHECK(rg::is_finite(x));
  for (const float x : {not_a_number<float>, infinity<float>, -infinity<float>}) CHECK_FALSE(rg::is_finite(x));
}

TEST_CASE("parameters are checked by name", "[core]") {
  CHECK(rg::check_parameter("tau", 0.5, 0));
  CHECK(rg::check_parameter("tau", 0, 0, true));
  CHECK(std::string(rg::check_parameter("tau", 0, 0).message()) == "rankgrad: tau is 0; it must be finite and above 0");
  CHECK(std::string(rg::check_parameter("tau", -1, 0, true).message()) == "rankgrad: tau is -1; it must be finite and at least 0");
  CHECK_FALSE(rg::check_parameter("tau", not_a_number<double>, 0));
  CHECK_FALSE(rg::check_parameter("tau", infinity<double>, 0));
  CHECK(rg::check_parameter_between("a", 1, 0, 1));
  CHECK(std::string(rg::check_parameter_between("a", 2, 0, 1).message()) == "rankgrad: a is 2; it must be between 0 and 1");
  CHECK_FALSE(rg::check_parameter_between("a", not_a_number<double>, 0, 1));
  struct Plain {};
  CHECK(rg::validate_parameters(Plain{}));
  CHECK_FALSE(rg::validate_parameters(rg::RankNet{.sigma = -1}));
}

TEST_CASE("a loss may ask more of its input", "[core]") {
  const Input<double> input;
  rg::ListView<double> bare = input.list();
  CHECK(rg::validate_input(Asks{}, bare));
  bare.weights = {};
  CHECK_FALSE(rg::validate_input(Asks{}, bare));
  CHECK(rg::validate_input(rg::RankNet{}, bare));
  CHECK_THROWS_WITH(rg::check_at_the_door(Asks{}, bare), "rankgrad: no weights");
}
