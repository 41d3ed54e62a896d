// train_reranker/output_folder.hpp: all files or none.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace reranker {

struct OutputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Collects files in memory; commit() writes them beside their places and then renames them all. Until then nothing in
/// the folder changes, and a file that other programs read is never half written.
class OutputFolder {
 public:
  /// Throws OutputError where the folder can neither be used nor made: better now than after the training.
  explicit OutputFolder(std::filesystem::path folder);

  void add(std::string name, std::string content) { files_.emplace_back(std::move(name), std::move(content)); }
  void commit();

  const std::filesystem::path& path() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::vector<std::pair<std::string, std::string>> files_;
};

}  // namespace reranker
