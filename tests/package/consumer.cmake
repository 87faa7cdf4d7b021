# What the consumers build, once they have jessl::base and, where there is a ${torch_program}, jessl::jessl: plain.cpp and,
# with LibTorch, ${torch_program}.cpp.
foreach(program plain ${torch_program})
  add_executable(${program} ${CMAKE_CURRENT_LIST_DIR}/${program}.cpp)
  add_test(NAME ${program} COMMAND ${program})
endforeach()
target_link_libraries(plain PRIVATE jessl::base)
if(torch_program)
  target_link_libraries(${torch_program} PRIVATE jessl::jessl)
elseif(TARGET jessl::jessl OR TARGET jessl::torch)
  message(FATAL_ERROR "there is a target with LibTorch in a project that asked for jessl::base alone")
endif()

# jessl must not have set anything of this project's,
get_directory_property(options COMPILE_OPTIONS)
foreach(leaked IN ITEMS CMAKE_CXX_STANDARD CMAKE_CXX_FLAGS JESSL_MISSING)
  if(${leaked})
    message(FATAL_ERROR "jessl set ${leaked} to '${${leaked}}' in a project that uses it")
  endif()
endforeach()
if(options)
  message(FATAL_ERROR "jessl set compile options of a project that uses it: ${options}")
endif()

# and brings who links it nothing that changes the meaning of other code or the checks of the linker.
foreach(target jessl::base jessl::jessl jessl::torch)
  if(NOT TARGET ${target})
    continue()
  endif()
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_OPTIONS)
    get_target_property(brought ${target} INTERFACE_${property})
    if(brought)
      list(FILTER brought EXCLUDE REGEX "^-L|^LINKER:-rpath,|^JESSL_")  # where LibTorch lies, and our own macros
    endif()
    if(brought)
      message(FATAL_ERROR "${target} brings ${property} to whoever links it: ${brought}")
    endif()
  endforeach()
endforeach()
