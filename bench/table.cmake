# Runs all benchmarks in one interleaved go, so that what the machine does meanwhile hits all backends alike, and prints
# the ratios. Leaves results.txt, results.json and ratios.json where it runs.
message(STATUS "running ${BENCH} (${REPETITIONS} interleaved repetitions of ${FILTER})")
execute_process(
  COMMAND "${BENCH}" "--benchmark_filter=${FILTER}" --benchmark_repetitions=${REPETITIONS} --benchmark_min_time=${MIN_TIME}
          --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
          --benchmark_out=results.json --benchmark_out_format=json
  OUTPUT_FILE results.txt RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the benchmarks failed: ${failed}")
endif()
execute_process(COMMAND "${RATIOS}" results.json ratios.json RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "at least one benchmark computes something else than its twin")
endif()
