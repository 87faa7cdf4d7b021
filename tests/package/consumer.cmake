# What both consumers build, once they have jessl::base and jessl::jessl: plain.cpp and, with LibTorch, ${torch_program}.cpp.
foreach(program plain ${torch_program})
  add_executable(${program} ${CMAKE_CURRENT_LIST_DIR}/${program}.cpp)
  add_test(NAME ${program} COMMAND ${program})
endforeach()
target_link_libraries(plain PRIVATE jessl::base)
target_link_libraries(${torch_program} PRIVATE jessl::jessl)

# jessl must not have set anything of this project's.
get_directory_property(options COMPILE_OPTIONS)
get_target_property(base_options jessl::base INTERFACE_COMPILE_OPTIONS)
foreach(leaked IN ITEMS CMAKE_CXX_STANDARD CMAKE_CXX_FLAGS JESSL_MISSING)
  if(${leaked})
    message(FATAL_ERROR "jessl set ${leaked} to '${${leaked}}' in a project that uses it")
  endif()
endforeach()
if(options OR base_options)
  message(FATAL_ERROR "jessl set compile options on a project that uses it: ${options} ${base_options}")
endif()
