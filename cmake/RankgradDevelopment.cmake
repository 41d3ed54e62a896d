# What our own tests, benchmarks and examples are built with. Never exported.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

option(RANKGRAD_WERROR "Treat warnings as errors" OFF)
set(RANKGRAD_SANITIZE "" CACHE STRING "Sanitizers for our own code, for example address,undefined")

add_library(rankgrad_development INTERFACE)
target_link_libraries(rankgrad_development INTERFACE rankgrad::rankgrad)
target_compile_options(rankgrad_development INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wundef
  # Clang's also speaks of double and long double, which tests compare by design.
  $<$<CXX_COMPILER_ID:GNU>:-Wdouble-promotion>
  # GCC 12's own AVX-512 intrinsics trip these after inlining, whatever the include order.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>
  $<$<BOOL:${RANKGRAD_WERROR}>:-Werror>
  $<$<BOOL:${RANKGRAD_MARCH}>:-march=${RANKGRAD_MARCH}>)
if(RANKGRAD_SANITIZE)
  target_compile_options(rankgrad_development INTERFACE -fsanitize=${RANKGRAD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(rankgrad_development INTERFACE -fsanitize=${RANKGRAD_SANITIZE})
endif()
find_package(Threads REQUIRED)
target_link_libraries(rankgrad_development INTERFACE Threads::Threads)
