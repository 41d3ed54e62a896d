// train_reranker/output_folder.cpp
// SPDX-License-Identifier: MIT
#include "output_folder.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include <unistd.h>

namespace reranker {

namespace fs = std::filesystem;

OutputFolder::OutputFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::path existing = fs::absolute(folder_, error).lexically_normal();
  while (!existing.empty() && !fs::exists(existing, error) && existing != existing.root_path()) existing = existing.parent_path();
  if (!fs::is_directory(existing, error)) throw OutputError(fmt::format("{}: is not a folder", existing.string()));
  if (access(existing.c_str(), W_OK | X_OK) != 0) throw OutputError(fmt::format("{}: no permission to write here", existing.string()));
}

void OutputFolder::commit() {
  std::vector<fs::path> written;
  const auto temporary = [&](const std::string& name) { return folder_ / fmt::format(".{}.{}.tmp", name, getpid()); };
  try {
    fs::create_directories(folder_);
    for (const auto& [name, content] : files_) {
      written.push_back(temporary(name));
      std::ofstream stream(written.back(), std::ios::binary);
      stream.write(content.data(), static_cast<std::streamsize>(content.size()));
      stream.close();
      if (!stream) throw OutputError(fmt::format("{}: cannot be written", (folder_ / name).string()));
    }
    for (const auto& [name, content] : files_) fs::rename(temporary(name), folder_ / name);
  } catch (const std::exception& problem) {
    std::error_code ignored;
    for (const fs::path& file : written) fs::remove(file, ignored);
    throw OutputError(problem.what());
  }
  files_.clear();
}

}  // namespace reranker
