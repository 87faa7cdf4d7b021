# Checks of the sources as a whole; included by tests/CMakeLists.txt.

find_package(Python3 QUIET COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
  message(FATAL_ERROR "jessl: the tests need python3 to check the sources: apt-get install python3")
endif()

add_test(NAME check/include_rules COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/include_rules.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/code_blocks COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/code_blocks.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/docstrings COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/docstrings.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/versions COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/versions.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/format COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/format.py ${PROJECT_SOURCE_DIR})
set_tests_properties(check/format PROPERTIES SKIP_REGULAR_EXPRESSION "^skipped: ")
add_test(NAME check/messages COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/messages.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/std_includes COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/std_includes.py ${PROJECT_SOURCE_DIR})
add_test(NAME check/self_test COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/self_test.py)

# Every header compiles as the only line of a source file, and all those files link into one program: a function that
# is not inline is then defined twice. The plain families are compiled without LibTorch's folders in the search path.
# The precompiled headers bring other libraries alone; check/std_includes sees to what they would hide of the standard one.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include/jessl ${PROJECT_SOURCE_DIR}/include/jessl/*.hpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/torch_headers.txt)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/torch_headers.txt torch_headers REGEX "^[^#]")
set(plain_sources "")
set(torch_sources "")
foreach(header IN LISTS headers)
  string(REGEX REPLACE "[/.]" "_" name ${header})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include <jessl/@header@>  // IWYU pragma: keep\n" @ONLY)
  if(header MATCHES "^(core|data|augment|eval)(/|\\.hpp)" AND NOT header IN_LIST torch_headers)
    list(APPEND plain_sources ${source})
  elseif(header MATCHES "/" OR header STREQUAL jessl.hpp)  # jessl.hpp includes the families' headers
    list(APPEND torch_sources ${source})
  endif()
endforeach()
add_library(jessl_plain_headers OBJECT ${plain_sources})
target_link_libraries(jessl_plain_headers PRIVATE jessl_plain_test_options)
target_precompile_headers(jessl_plain_headers REUSE_FROM jessl_plain_pch)
add_library(jessl_torch_headers OBJECT ${torch_sources})
target_link_libraries(jessl_torch_headers PRIVATE jessl_torch_test_options)
target_precompile_headers(jessl_torch_headers REUSE_FROM jessl_torch_pch)

list(LENGTH headers count)
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/headers/main.cpp
  CONTENT "#include <cstdio>\nint main() { std::puts(\"@count@ headers compile alone and link together\"); }\n" @ONLY)
add_executable(jessl_headers ${CMAKE_CURRENT_BINARY_DIR}/headers/main.cpp)
target_link_libraries(jessl_headers PRIVATE jessl_plain_headers jessl_torch_headers jessl::jessl jessl_own)
add_test(NAME check/headers COMMAND jessl_headers)

# tests/fail/<name>.cpp must not compile, and say why; tests/fail/<name>.ok.cpp must. A case with a line "// torch" is
# compiled like the LibTorch tests, the others without LibTorch.
file(GLOB cases CONFIGURE_DEPENDS fail/*.cpp)
list(FILTER cases EXCLUDE REGEX "\\.ok\\.cpp$")
set(plain_cases "")
set(torch_cases "")
foreach(case IN LISTS cases)
  file(STRINGS ${case} torch LIMIT_COUNT 1 REGEX "^// torch$")
  if(torch)
    list(APPEND torch_cases ${case})
  else()
    list(APPEND plain_cases ${case})
  endif()
endforeach()
set(plain_like ${CMAKE_CURRENT_SOURCE_DIR}/plain_pch.cpp)
set(torch_like ${CMAKE_CURRENT_SOURCE_DIR}/torch_pch.cpp)
foreach(kind IN ITEMS plain torch)
  add_test(NAME fail/${kind} COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/compile_fails.py
    ${CMAKE_BINARY_DIR}/compile_commands.json ${${kind}_like} ${${kind}_cases})
endforeach()
