// common/gnuplot.hpp: pictures by gnuplot, where it is installed.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>
#include <string>

namespace examples {

/// Colours that stay apart for the colour-blind (Okabe and Ito).
inline constexpr std::array palette{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"};

/// What gnuplot draws from the script (its data inside, no output set), sent to it through a pipe; nothing where there is
/// no gnuplot or it fails.
std::optional<std::string> drawn_by_gnuplot(const std::string& script);

}  // namespace examples
