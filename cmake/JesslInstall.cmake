# Installs the headers and the files by which find_package(jessl) works.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(jessl_config_dir ${CMAKE_INSTALL_DATADIR}/jessl)

target_include_directories(jessl_base INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
if(JESSL_TORCH)
  target_include_directories(jessl_jessl INTERFACE
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/jessl/distributed/gloo>)
endif()
install(DIRECTORY include/jessl TYPE INCLUDE FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/jessl)

# Two sets, so that a consumer without LibTorch never reads a target that mentions it.
install(TARGETS jessl_base EXPORT jessl-base)
install(EXPORT jessl-base NAMESPACE jessl:: DESTINATION ${jessl_config_dir})
if(JESSL_TORCH)
  install(TARGETS jessl_jessl EXPORT jessl-torch)
  install(EXPORT jessl-torch NAMESPACE jessl:: DESTINATION ${jessl_config_dir})
endif()

write_basic_package_version_file(${PROJECT_BINARY_DIR}/jessl-config-version.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(
  FILES cmake/jessl-config.cmake cmake/JesslDependencies.cmake cmake/JesslTorch.cmake cmake/JesslUmappp.cmake
        ${PROJECT_BINARY_DIR}/jessl-config-version.cmake
  DESTINATION ${jessl_config_dir})
