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

# The commands that compile the precompiled headers' own sources are those of the checks that call the compiler themselves.
set(plain_like ${CMAKE_BINARY_DIR}/compile_commands.json ${CMAKE_CURRENT_SOURCE_DIR}/plain_pch.cpp)
set(torch_like ${CMAKE_BINARY_DIR}/compile_commands.json ${CMAKE_CURRENT_SOURCE_DIR}/torch_pch.cpp)

# Every header compiles without another before it (headers_alone.py): the plain families, and single headers of others, without
# LibTorch's folders in the search path. The precompiled headers bring other libraries alone; check/std_includes sees to what they would hide of the
# standard one.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/include/jessl/*.hpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/optional_headers.txt)
file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/optional_headers.txt optional REGEX "^[^#]")
list(TRANSFORM optional PREPEND jessl/)
if(NOT TARGET jessl::umappp)
  list(REMOVE_ITEM headers ${optional})
endif()
foreach(kind IN ITEMS plain torch)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/${kind}_headers.txt)
  file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/${kind}_headers.txt also_${kind} REGEX "^[^#]")
  list(TRANSFORM also_${kind} PREPEND jessl/)
endforeach()
list(FILTER headers EXCLUDE REGEX "^jessl/(base|torch|umap)_source\\.hpp$")  # compiled as jessl_separate_base and jessl_separate
set(plain_headers ${headers})
list(FILTER plain_headers INCLUDE REGEX "^jessl/(core|data|augment|eval)(/|\\.hpp)")
list(REMOVE_ITEM plain_headers ${also_torch})
list(APPEND plain_headers ${also_plain})
set(torch_headers ${headers})
list(REMOVE_ITEM torch_headers ${plain_headers} jessl/jessl.hpp)  # which has nothing but the others
foreach(kind IN ITEMS plain torch)
  add_test(NAME check/headers_${kind} COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/headers_alone.py
    ${${kind}_like} ${PROJECT_SOURCE_DIR}/include ${${kind}_headers})
  set_tests_properties(check/headers_${kind} PROPERTIES PROCESSORS 2)
endforeach()

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
foreach(kind IN ITEMS plain torch)
  add_test(NAME fail/${kind} COMMAND Python3::Interpreter ${CMAKE_CURRENT_LIST_DIR}/compile_fails.py
    ${${kind}_like} ${${kind}_cases})
endforeach()
