# Runs all benchmarks in one interleaved go, so that what the machine does meanwhile hits all methods alike, and prints
# the report. Leaves results.txt, results.json, ratios.json, bars.json, report.txt and plots/*.svg where it runs.
message(STATUS "running ${BENCH} (${REPETITIONS} interleaved repetitions of ${FILTER})")
execute_process(
  COMMAND "${BENCH}" "--benchmark_filter=${FILTER}" --benchmark_repetitions=${REPETITIONS} --benchmark_min_time=${MIN_TIME}
          --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true
          --benchmark_out=results.json --benchmark_out_format=json
  OUTPUT_FILE results.txt RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the benchmarks failed: ${failed}")
endif()
execute_process(COMMAND "${REPORT}" results.json . OUTPUT_FILE report.txt RESULT_VARIABLE failed)
execute_process(COMMAND "${CMAKE_COMMAND}" -E cat report.txt)
if(failed)
  message(FATAL_ERROR "at least one benchmark computes something else than its twin")
endif()
if(GNUPLOT)
  execute_process(COMMAND "${GNUPLOT}" plots.gp WORKING_DIRECTORY plots RESULT_VARIABLE failed)
  if(failed)
    message(WARNING "gnuplot failed: ${failed}")
  endif()
else()
  message(STATUS "no plots: gnuplot was not found (Debian: apt-get install gnuplot-nox)")
endif()
