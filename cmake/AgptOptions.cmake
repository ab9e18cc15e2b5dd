# Every choice that a builder has, in one place.
option(AGPT_BUILD_PYTHON "Build the Python extension" OFF)
option(AGPT_BUILD_TESTS "Build the C++ tests" ${PROJECT_IS_TOP_LEVEL})
option(AGPT_WERROR "Treat warnings as errors" OFF)
set(AGPT_CUDA AUTO CACHE STRING "The CUDA backend: AUTO (where nvcc and cuBLAS's headers are found), ON or OFF")
set_property(CACHE AGPT_CUDA PROPERTY STRINGS AUTO ON OFF)
set(AGPT_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPUs to compile for; 90 without -real includes PTX for newer ones")
option(AGPT_CUDA_RESOURCES "Print each kernel's registers and spills while compiling, for tools/kernel_budget.py" OFF)
option(AGPT_CUDA_EMULATED "Build the CUDA backend for the emulator of tests/cuda_emu, which needs no GPU" OFF)
set(AGPT_SANITIZE "" CACHE STRING "Sanitizers for the engine, e.g. address,undefined")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# Hidden by default: the kernels are compiled once per instruction set, and an inline function that two of
# them share must never be merged into one by the linker across the extension's boundary.
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

find_package(Threads REQUIRED)

# Flags reach targets through this one alone; there are no directory-wide flags.
add_library(agpt_flags INTERFACE)
target_compile_features(agpt_flags INTERFACE cxx_std_20)
target_compile_options(agpt_flags INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wno-sign-conversion>"
  # nobody reads errno, and setting it keeps std::sqrt from being vectorised
  $<$<COMPILE_LANGUAGE:CXX>:-fno-math-errno>
  $<$<AND:$<BOOL:${AGPT_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>)
if(AGPT_SANITIZE)
  target_compile_options(agpt_flags INTERFACE
    -fsanitize=${AGPT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # GCC sees uninitialised reads in the code that its own sanitizers add.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(agpt_flags INTERFACE -fsanitize=${AGPT_SANITIZE})
endif()
message(STATUS "agpt ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, sanitize '${AGPT_SANITIZE}'")
