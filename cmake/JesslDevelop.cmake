# Settings of jessl's own tests, examples and benchmarks. Never read when jessl is part of another project.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug or Release" FORCE)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(JESSL_ARCH auto CACHE STRING "-march of our own programs: auto, none, or a name like x86-64-v3")
option(JESSL_SANITIZE "Compile our own programs with ASan and UBSan" OFF)
option(JESSL_STATIC_IMAGE_LIBRARIES "Link libjpeg, libpng and zlib statically, for programs carried to another machine" OFF)

# Unless told otherwise, LibTorch is where cmake/bootstrap.sh leaves it.
if(NOT JESSL_TORCH_DIR)
  set(JESSL_TORCH_DIR $ENV{JESSL_TORCH_DIR})
endif()
if(NOT JESSL_TORCH_DIR)
  set(JESSL_TORCH_DIR ${PROJECT_SOURCE_DIR}/.deps/libtorch)
endif()

# What needs umappp is built where that is: where cmake/bootstrap.sh leaves it, unless told otherwise.
if(NOT JESSL_UMAPPP_DIR)
  set(JESSL_UMAPPP_DIR $ENV{JESSL_UMAPPP_DIR})
endif()
if(NOT JESSL_UMAPPP_DIR)
  set(JESSL_UMAPPP_DIR ${PROJECT_SOURCE_DIR}/.deps/umappp)
endif()
if(JESSL_UMAP AND NOT EXISTS ${JESSL_UMAPPP_DIR}/umappp/umappp.hpp)
  message(STATUS "jessl: no umappp at ${JESSL_UMAPPP_DIR} (cmake/bootstrap.sh brings it): the test of eval::UMAP and the map by UMAP of jessl map are left out")
  set(JESSL_UMAP OFF)
endif()

if(JESSL_STATIC_IMAGE_LIBRARIES)
  find_library(JPEG_LIBRARY NAMES libjpeg.a)
  find_library(PNG_LIBRARY NAMES libpng16.a libpng.a)
  find_library(ZLIB_LIBRARY NAMES libz.a)
endif()

if(JESSL_CUDA)
  find_program(JESSL_NVCC nvcc HINTS $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  if(NOT JESSL_NVCC)
    message(FATAL_ERROR "jessl: nvcc was not found. Install the CUDA toolkit 13.0 and put its bin folder into PATH, "
      "or use the preset release, which builds the CPU-only library.")
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${JESSL_NVCC})
  endif()
  enable_language(CUDA)
  # CMake 3.25.1 does not know that this nvcc speaks C++20.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA_STANDARD 20)
endif()

find_program(JESSL_CCACHE ccache)
mark_as_advanced(JESSL_CCACHE)
if(JESSL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these two, ccache does not keep what was compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${JESSL_CCACHE})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

# The best of the x86-64 levels that this processor has. A level's name, not "native", so that objects in a compiler
# cache shared by several machines are found only by those that can run them.
function(jessl_detect_arch out)
  set(${out} none PARENT_SCOPE)
  if(NOT EXISTS /proc/cpuinfo OR NOT CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    return()
  endif()
  file(STRINGS /proc/cpuinfo flags LIMIT_COUNT 1 REGEX "^flags")
  string(REPLACE " " ";" flags "${flags}")
  set(level "")
  foreach(candidate x86-64-v3=avx,avx2,bmi1,bmi2,f16c,fma,abm,movbe x86-64-v4=avx512f,avx512bw,avx512cd,avx512dq,avx512vl)
    string(REGEX MATCH "(.*)=(.*)" _ ${candidate})
    set(name ${CMAKE_MATCH_1})
    string(REPLACE "," ";" needed ${CMAKE_MATCH_2})
    list(REMOVE_ITEM needed ${flags})
    if(needed)
      return()
    endif()
    set(${out} ${name} PARENT_SCOPE)
  endforeach()
endfunction()

if(JESSL_ARCH STREQUAL "auto")
  jessl_detect_arch(jessl_arch)
else()
  set(jessl_arch ${JESSL_ARCH})
endif()
message(STATUS "jessl: -march of tests, examples and benchmarks: ${jessl_arch}")

# Linked PRIVATE by everything we build ourselves.
add_library(jessl_warnings INTERFACE)
target_compile_options(jessl_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror>
  # GCC 12 finds the first two in its own AVX-512 intrinsics, hundreds of times. The others depend on the optimiser's
  # mood and are known to cry wolf (Eigen, std::string): seen, not fatal.
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized -Wno-uninitialized -Wno-error=array-bounds -Wno-error=stringop-overflow
    -Wno-error=stringop-overread -Wno-error=restrict>)
add_library(jessl_own INTERFACE)
target_link_libraries(jessl_own INTERFACE jessl_warnings)
if(NOT jessl_arch STREQUAL "none")
  target_compile_options(jessl_own INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=${jessl_arch}>)
endif()
if(JESSL_CUDA)
  # Our own programs are linked where there is no GPU, too, without the libraries that LibTorch's load on one (cmake/bootstrap.sh --cuda).
  target_link_options(jessl_own INTERFACE LINKER:--allow-shlib-undefined)
endif()
if(JESSL_SANITIZE)
  target_compile_options(jessl_own INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  target_link_options(jessl_own INTERFACE -fsanitize=address,undefined)
endif()
