// train_reranker/options.hpp: the command line.
// SPDX-License-Identifier: MIT
#pragma once

#include "trainer.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace reranker {

enum ExitStatus { success = 0, bad_input = 1, bad_usage = 2, failed = 3 };

struct Options {
  std::optional<std::filesystem::path> data, validation, test;
  std::optional<std::uint32_t> first_stage_feature;
  std::vector<Objective> objectives;
  TrainingOptions training;
  double validation_fraction = 0.2, test_fraction = 0.2;
  std::size_t threads = 0;
  std::filesystem::path out = "train_reranker_out";
};

/// What to do, or the exit status where that is settled: --help, --list-losses, a mistake (said on stderr).
struct CommandLine {
  std::optional<Options> options;
  int exit_status = success;
};
CommandLine parse_command_line(int argc, char** argv);

}  // namespace reranker
