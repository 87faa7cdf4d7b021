# An overlay port that packages the checkout it lies in: vcpkg install jessl --overlay-ports=packaging/vcpkg/ports
# LibTorch is not a dependency: the program that uses jessl says where its own is (JESSL_TORCH_DIR).
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

set(VCPKG_BUILD_TYPE release)  # headers only

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS -DJESSL_PACKAGE_ONLY=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME jessl CONFIG_PATH share/jessl)

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/lib" "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
