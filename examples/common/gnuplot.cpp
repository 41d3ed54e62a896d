// common/gnuplot.cpp
// SPDX-License-Identifier: MIT
#include "gnuplot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include <unistd.h>

namespace examples {
namespace {

bool on_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  std::string_view folders = path ? path : "";
  while (!folders.empty()) {
    const std::size_t colon = std::min(folders.find(':'), folders.size());
    const auto file = std::filesystem::path(folders.substr(0, colon)) / program;
    if (access(file.c_str(), X_OK) == 0) return true;
    folders.remove_prefix(std::min(colon + 1, folders.size()));
  }
  return false;
}

}  // namespace

std::optional<std::string> drawn_by_gnuplot(const std::string& script) {
  if (!on_path("gnuplot")) return {};
  std::string file = (std::filesystem::temp_directory_path() / "rankgrad-XXXXXX").string();
  const int descriptor = mkstemp(file.data());
  if (descriptor < 0) return {};
  close(descriptor);

  std::string quoted;   // gnuplot doubles a quote within quotes
  for (const char c : file) quoted.append(c == '\'' ? 2 : 1, c);
  std::FILE* pipe = popen("gnuplot", "w");
  bool good = pipe != nullptr;
  if (pipe) {
    const std::string all = fmt::format("set output '{}'\n{}", quoted, script);
    good = std::fwrite(all.data(), 1, all.size(), pipe) == all.size();
    good = pclose(pipe) == 0 && good;
  }
  std::ifstream stream(file, std::ios::binary);
  std::string svg{std::istreambuf_iterator<char>(stream), {}};
  std::filesystem::remove(file);
  if (!good || svg.empty()) return {};
  return svg;
}

}  // namespace examples
