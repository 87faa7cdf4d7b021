# Finds umappp, headers that make maps by UMAP, and makes the imported target jessl::umappp, which jessl/eval/umap.hpp
# needs beside jessl::base. Included by JesslDependencies.cmake where JESSL_UMAP asks for it, in jessl's own build and in
# that of everybody who calls find_package(jessl COMPONENTS umap).
#
# Where it is looked for: JESSL_UMAPPP_DIR (CMake variable, then environment), the folder that has umappp/umappp.hpp and,
# beside it, the libraries which that includes; then where CMake looks for headers, CMAKE_PREFIX_PATH among it.

find_path(jessl_umappp_dir umappp/umappp.hpp HINTS ${JESSL_UMAPPP_DIR} $ENV{JESSL_UMAPPP_DIR} NO_CACHE)
if(jessl_umappp_dir)
  add_library(jessl::umappp INTERFACE IMPORTED GLOBAL)
  # After all other folders: what brings umappp may bring another release of Eigen, and a program must have only one.
  target_compile_options(jessl::umappp INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter \"${jessl_umappp_dir}\">")
  message(STATUS "jessl: umappp at ${jessl_umappp_dir}")
else()
  string(APPEND JESSL_MISSING "\n  umappp: pip install assorthead==0.1.4, and set JESSL_UMAPPP_DIR to its folder assorthead/include")
endif()
