#include "support/catch.hpp"

#include <rankgrad/core/partition_point.hpp>

#include <cstddef>

TEST_CASE("partition_point: the first number that is not before, for every border of every range", "[core]") {
  for (std::size_t begin : {std::size_t{0}, std::size_t{5}})
    for (std::size_t size = 0; size <= 9; ++size)
      for (std::size_t border = begin; border <= begin + size; ++border) {
        const auto before = [&](std::size_t i) {
          CHECK((begin <= i && i < begin + size));   // asks about nothing else
          return i < border;
        };
        CHECK(rankgrad::partition_point(begin, begin + size, before) == border);
      }
}
