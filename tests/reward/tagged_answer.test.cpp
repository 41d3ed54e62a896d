#include <rankgrad/reward/tagged_answer.hpp>

#include "support/catch.hpp"

#include <array>
#include <string>
#include <vector>

namespace reward = rankgrad::reward;

namespace {
std::string answer(std::string_view text) {
  const auto found = reward::tagged_answer(text);
  return found.found ? std::string(found.text) : "none";
}
std::vector<std::uint32_t> ids(std::string_view text) {
  std::array<std::uint32_t, 8> out{};
  const auto parsed = reward::parse_ids(text, out);
  if (!parsed.valid) return {};
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(parsed.count)};
}
}  // namespace

TEST_CASE("tagged answer: what is found", "[reward]") {
  CHECK(answer("<think>a</think><answer>[3]</answer>") == "[3]");
  CHECK(answer("<think></think> \n\t <answer> 7\n</answer>") == " 7\n");
  CHECK(answer("well <think>line\nbreak</think>\n<answer>x</answer> and more") == "x");       // text around is allowed
  CHECK(answer("<think>a<think>b</think> c </think><answer>x</answer>") == "x");              // up to a later </think>
  CHECK(answer("<think>a</think> so <answer>x</answer></think><answer>y</answer>") == "y");   // text between: not this one
  CHECK(answer("<think>a</think><answer>x<answer>y</answer>") == "x<answer>y");
  CHECK(answer("<think>a</think><answer></answer>").empty());
}

TEST_CASE("tagged answer: what is not", "[reward]") {
  for (const char* text : {"", "[3]", "<answer>[3]</answer>", "<think>a</think>", "<think>a</think><answer>[3]",
                           "<think>a</think> so <answer>[3]</answer>",
                           "</think><answer>x</answer>", "a</think><answer>x</answer><think>", "<answer>x</answer><think>a</think>",
                           "<think>a<answer>x</answer>", "<THINK>a</THINK><answer>x</answer>", "<think>a</think><answer>x</answer"})
    CHECK(answer(text) == "none");
}

TEST_CASE("tagged answer: lists of ids", "[reward]") {
  CHECK(ids("[3, 1,2]") == std::vector<std::uint32_t>{3, 1, 2});
  CHECK(ids("[3]") == std::vector<std::uint32_t>{3});
  CHECK(ids("[3,  \n 1]") == std::vector<std::uint32_t>{3, 1});
  CHECK(ids("[99999999999999999999, 0]") == std::vector<std::uint32_t>{0xffffffff, 0});
  for (const char* text : {"", "[", "[]", "3", "[3", "3]", "[3 ]", "[ 3]", "[3,]", "[,3]", "[3 1]", "[a]", "[-1]", "[3, ]", "[1.5]", " [3]"})
    CHECK(ids(text).empty());

  std::array<std::uint32_t, 2> two{};
  const auto parsed = reward::parse_ids("[5, 6, 7]", two);
  CHECK(parsed.valid);
  CHECK(parsed.count == 3);
  CHECK(two == std::array<std::uint32_t, 2>{5, 6});
  CHECK(reward::parse_ids("[5, 6, 7]", {}).count == 3);
  // A first answer that is no list is passed over, as by the pattern.
  CHECK(reward::tagged_ids("<think>a</think><answer>no</answer></think><answer>[4, 2]</answer>", two).valid);
  CHECK(two == std::array<std::uint32_t, 2>{4, 2});
  CHECK_FALSE(reward::tagged_ids("<think>a</think><answer>no</answer>", two).valid);
}
