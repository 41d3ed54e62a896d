# find_package(rankgrad) and pkg-config. Headers only: one package serves every architecture.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_DATADIR}/cmake/rankgrad")

install(TARGETS rankgrad EXPORT rankgradTargets FILE_SET HEADERS)
install(EXPORT rankgradTargets NAMESPACE rankgrad:: DESTINATION "${config_dir}")

configure_package_config_file(cmake/rankgradConfig.cmake.in "${PROJECT_BINARY_DIR}/rankgradConfig.cmake" INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/rankgradConfigVersion.cmake" COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
configure_file(cmake/rankgrad.pc.in "${PROJECT_BINARY_DIR}/rankgrad.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/rankgradConfig.cmake" "${PROJECT_BINARY_DIR}/rankgradConfigVersion.cmake"
              cmake/RankgradDependencies.cmake DESTINATION "${config_dir}")
install(FILES "${PROJECT_BINARY_DIR}/rankgrad.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
