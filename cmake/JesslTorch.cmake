# Finds LibTorch and makes the imported target jessl::torch: headers, libraries, OpenMP; with JESSL_CUDA the GPU's too.
# Included by JesslDependencies.cmake, in jessl's own build and in that of everybody who calls find_package(jessl).
#
# The wheel's own find_package(Torch) is not used: a CUDA wheel makes it enable the CUDA language, fail without a
# toolkit, warn, set C++17 and compile for eleven architectures. A few lines do without all that, and link torch_cpu
# and c10 alone where no GPU is asked for: 0.5 GB of libraries instead of 4.7.
#
# Where LibTorch is looked for, in this order: JESSL_TORCH_DIR (CMake variable, then environment), CMAKE_PREFIX_PATH,
# the site-packages of the Python in PATH. JESSL_TORCH_DIR is the folder that has include/torch and lib/libtorch_cpu.so.

set(JESSL_TORCH_VERSION 2.11)  # the release jessl is written for; others are at the caller's own risk

function(jessl_find_torch out reason)
  set(hints ${JESSL_TORCH_DIR} $ENV{JESSL_TORCH_DIR})
  if(NOT hints)
    foreach(prefix IN LISTS CMAKE_PREFIX_PATH)
      list(APPEND hints ${prefix} ${prefix}/torch ${prefix}/libtorch)
    endforeach()
    find_program(JESSL_PYTHON NAMES python3 python)
    mark_as_advanced(JESSL_PYTHON)
    if(JESSL_PYTHON)
      # Asks where torch lies without importing it, which would take seconds.
      execute_process(
        COMMAND ${JESSL_PYTHON} -c
                "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
        OUTPUT_VARIABLE site OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
      list(APPEND hints ${site})
    endif()
  endif()
  foreach(hint IN LISTS hints)
    # The folder above it, as left by unpacking a wheel, is taken as well.
    foreach(dir ${hint} ${hint}/torch)
      if(EXISTS ${dir}/include/torch/headeronly/version.h AND EXISTS ${dir}/lib/libtorch_cpu.so)
        get_filename_component(dir ${dir} ABSOLUTE)
        set(${out} ${dir} PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
  string(REPLACE ";" ", " looked "${hints}")
  set(${out} NOTFOUND PARENT_SCOPE)
  set(${reason}
      "LibTorch ${JESSL_TORCH_VERSION} (looked in: ${looked}): pip install torch==${JESSL_TORCH_VERSION}.0, or set JESSL_TORCH_DIR to \
the folder that has include/torch and lib/libtorch_cpu.so"
      PARENT_SCOPE)
endfunction()

function(jessl_add_torch dir)
  file(STRINGS ${dir}/include/torch/headeronly/version.h lines REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" version "${lines}")
  if(NOT version VERSION_EQUAL JESSL_TORCH_VERSION)
    message(WARNING "jessl: LibTorch ${version} at ${dir}; jessl is written for and tested with ${JESSL_TORCH_VERSION}.")
  endif()

  add_library(jessl::torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(jessl::torch SYSTEM INTERFACE ${dir}/include ${dir}/include/torch/csrc/api/include)
  # Plain options: of a library's full path CMake would make an rpath itself, and warn about the wheel's own libgomp.
  # torch_cpu's own needs (CUPTI, the CUDA runtime) linker and loader find by its own rpath.
  target_link_options(jessl::torch INTERFACE -L${dir}/lib LINKER:-rpath,${dir}/lib)
  # at::parallel_for is inline, and serial in a program that is compiled without OpenMP.
  target_link_libraries(jessl::torch INTERFACE -ltorch_cpu -lc10 OpenMP::OpenMP_CXX)
  if(JESSL_CUDA)
    target_compile_definitions(jessl::torch INTERFACE JESSL_CUDA=1)
    # No program names a symbol of torch_cuda; it registers its kernels when it is loaded, so the linker must keep it.
    target_link_libraries(jessl::torch INTERFACE
      -Wl,--no-as-needed -ltorch_cuda -Wl,--as-needed -lc10_cuda CUDA::cudart)
  endif()
  message(STATUS "jessl: LibTorch ${version} at ${dir}")
endfunction()

jessl_need(OpenMP OpenMP::OpenMP_CXX g++ COMPONENTS CXX)
jessl_find_torch(jessl_torch_dir jessl_torch_reason)
if(NOT jessl_torch_dir)
  string(APPEND JESSL_MISSING "\n  ${jessl_torch_reason}")
endif()
if(JESSL_CUDA)
  find_package(CUDAToolkit 13.0 QUIET)
  if(NOT TARGET CUDA::cudart)
    string(APPEND JESSL_MISSING
      "\n  CUDA toolkit 13.0: install it and put its bin folder into PATH, or build with JESSL_CUDA=OFF")
  elseif(jessl_torch_dir AND NOT EXISTS ${jessl_torch_dir}/lib/libtorch_cuda.so)
    string(APPEND JESSL_MISSING "\n  a LibTorch with CUDA: the one at ${jessl_torch_dir} is for the CPU alone")
  endif()
endif()
if(NOT JESSL_MISSING)
  jessl_add_torch(${jessl_torch_dir})
endif()
