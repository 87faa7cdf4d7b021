# Finds what jessl's headers need. Read by jessl's own build and by the installed jessl-config.cmake, so that both
# agree. Sets JESSL_BASE_LIBRARIES and makes jessl::torch and jessl::umappp; JESSL_MISSING says what was not found and what
# installs it.

set(JESSL_MISSING "")

# jessl_need(<package> <target> <Debian package> [find_package arguments...])
macro(jessl_need package target debian)
  if(NOT TARGET ${target} AND NOT JESSL_PACKAGE_ONLY)
    find_package(${package} ${ARGN} QUIET)
  endif()
  if(NOT TARGET ${target} AND NOT JESSL_PACKAGE_ONLY)
    string(APPEND JESSL_MISSING "\n  ${package}: apt-get install ${debian}")
  endif()
endmacro()

jessl_need(Eigen3 Eigen3::Eigen libeigen3-dev 3.4 NO_MODULE)
jessl_need(Boost Boost::headers libboost1.81-dev 1.81)
jessl_need(nlohmann_json nlohmann_json::nlohmann_json nlohmann-json3-dev 3.10)
jessl_need(JPEG JPEG::JPEG libjpeg62-turbo-dev)
jessl_need(PNG PNG::PNG libpng-dev)
jessl_need(ZLIB ZLIB::ZLIB zlib1g-dev)
jessl_need(Threads Threads::Threads g++)
set(JESSL_BASE_LIBRARIES
  Eigen3::Eigen Boost::headers nlohmann_json::nlohmann_json JPEG::JPEG PNG::PNG ZLIB::ZLIB Threads::Threads)

if(JESSL_TORCH AND NOT TARGET jessl::torch AND NOT JESSL_PACKAGE_ONLY)
  include(${CMAKE_CURRENT_LIST_DIR}/JesslTorch.cmake)
endif()

if(JESSL_UMAP AND NOT TARGET jessl::umappp AND NOT JESSL_PACKAGE_ONLY)
  include(${CMAKE_CURRENT_LIST_DIR}/JesslUmappp.cmake)
endif()

if(JESSL_MISSING AND NOT CMAKE_FIND_PACKAGE_NAME STREQUAL "jessl")
  message(FATAL_ERROR "jessl: something is missing (in a checkout of jessl, cmake/bootstrap.sh installs it):${JESSL_MISSING}")
endif()
