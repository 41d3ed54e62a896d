// The bridge between Catch2 2 and 3: tests include this and nothing of Catch2.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
inline auto contains(const char* part) { return Catch::Matchers::ContainsSubstring(part); }
#else
#include <catch2/catch.hpp>
inline auto contains(const char* part) { return Catch::Matchers::Contains(part); }
#endif
