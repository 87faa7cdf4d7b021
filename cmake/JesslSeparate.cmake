# jessl's functions that are no templates, compiled once for our tests and examples instead of in each of them:
#
#   jessl_separate_base    to link instead of jessl::base
#   jessl_separate         to link instead of jessl::jessl
#
# docs/packaging.md shows how another project does the same.

file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/separate/base.cpp CONTENT "#include <jessl/base_source.hpp>\n" @ONLY)
add_library(jessl_separate_base STATIC ${CMAKE_CURRENT_BINARY_DIR}/separate/base.cpp)
target_compile_definitions(jessl_separate_base PUBLIC JESSL_SEPARATE_COMPILATION)
target_link_libraries(jessl_separate_base PUBLIC jessl::base $<TARGET_NAME_IF_EXISTS:jessl::umappp> PRIVATE jessl_own)
if(TARGET jessl::umappp)
  set(umap ${CMAKE_CURRENT_BINARY_DIR}/separate/umap.cpp)
  file(CONFIGURE OUTPUT ${umap} CONTENT "#include <jessl/umap_source.hpp>\n" @ONLY)
  target_sources(jessl_separate_base PRIVATE ${umap})
  # Eigen's decompositions take the compiler 63 s with -O3, and 38 s so.
  set_source_files_properties(${umap} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:Release>:-O1>)
endif()

if(TARGET jessl::jessl)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/separate/torch.cpp CONTENT "#include <jessl/torch_source.hpp>\n" @ONLY)
  add_library(jessl_separate STATIC ${CMAKE_CURRENT_BINARY_DIR}/separate/torch.cpp)
  target_link_libraries(jessl_separate PUBLIC jessl_separate_base jessl::jessl PRIVATE jessl_own)
  # Its loops ask for vectors themselves: -O3 takes the compiler a seventh longer, and the quickstart's step is as fast.
  target_compile_options(jessl_separate PRIVATE $<$<CONFIG:Release>:-O2>)
endif()
