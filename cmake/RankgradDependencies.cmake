# The one dependency of the headers. Used by the build and installed beside the package's config.
#
# Debian 12's xsimd package exports a target that links a library which does not exist (-lxtl), and its version file
# refuses every range. So: take the include directory from whatever there is, read the version from the header, and
# make a target of our own that carries system includes and nothing else.
if(NOT TARGET rankgrad_xsimd)
  set(xsimd_hints "")
  foreach(candidate IN ITEMS xsimd xsimd::xsimd)
    if(TARGET ${candidate})
      get_target_property(candidate_includes ${candidate} INTERFACE_INCLUDE_DIRECTORIES)
      if(candidate_includes)
        string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^>]*)>" "\\1" candidate_includes "${candidate_includes}")
        list(APPEND xsimd_hints ${candidate_includes})
      endif()
    endif()
  endforeach()
  find_path(RANKGRAD_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp HINTS ${xsimd_hints} DOC "Where xsimd/xsimd.hpp is")

  if(NOT RANKGRAD_XSIMD_INCLUDE_DIR AND RANKGRAD_FETCH_XSIMD)
    include(FetchContent)
    FetchContent_Declare(xsimd GIT_REPOSITORY https://github.com/xtensor-stack/xsimd.git GIT_TAG 13.2.0)
    FetchContent_MakeAvailable(xsimd)
    set(RANKGRAD_XSIMD_INCLUDE_DIR "${xsimd_SOURCE_DIR}/include" CACHE PATH "Where xsimd/xsimd.hpp is" FORCE)
  endif()
  if(NOT RANKGRAD_XSIMD_INCLUDE_DIR)
    message(FATAL_ERROR "rankgrad needs xsimd 8.1 or later. Install it (Debian: apt-get install libxsimd-dev), set "
                        "RANKGRAD_XSIMD_INCLUDE_DIR, or configure with -DRANKGRAD_FETCH_XSIMD=ON")
  endif()

  file(STRINGS "${RANKGRAD_XSIMD_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp" xsimd_version_lines
       REGEX "#define XSIMD_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" xsimd_version "${xsimd_version_lines}")
  string(REPLACE ";" "." xsimd_version "${xsimd_version}")
  if(xsimd_version VERSION_LESS 8.1.0)
    message(FATAL_ERROR "rankgrad needs xsimd 8.1 or later; ${RANKGRAD_XSIMD_INCLUDE_DIR} has ${xsimd_version}")
  endif()

  add_library(rankgrad_xsimd INTERFACE)
  target_include_directories(rankgrad_xsimd SYSTEM INTERFACE "$<BUILD_INTERFACE:${RANKGRAD_XSIMD_INCLUDE_DIR}>")
endif()
