# How the CUDA backend is built: AGPT_CUDA_KIND is nvcc, emulated or none, and AGPT_CUDA_ABSENCE says why it is none.
# agpt_add_cuda_library() compiles the same sources in the first two cases.
set(AGPT_CUDA_KIND none)
set(AGPT_CUDA_ABSENCE "")

if(AGPT_CUDA_EMULATED)
  set(AGPT_CUDA_KIND emulated)
elseif(AGPT_CUDA STREQUAL "OFF")
  set(AGPT_CUDA_ABSENCE "it was built with AGPT_CUDA=OFF")
else()
  include(AgptFindCuda)  # sets AGPT_CUDA_MISSING and, where nothing is missing, AGPT_CUBLAS_INCLUDE_DIR
  if(NOT AGPT_CUDA_MISSING)
    set(AGPT_CUDA_KIND nvcc)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
  elseif(AGPT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "AGPT_CUDA=ON, but ${AGPT_CUDA_MISSING}")
  else()
    set(AGPT_CUDA_ABSENCE "${AGPT_CUDA_MISSING}")
  endif()
endif()
message(STATUS "CUDA backend: ${AGPT_CUDA_KIND} ${AGPT_CUDA_ABSENCE}")

# agpt_add_cuda_library(name source...): a static library of .cu and .cpp sources that include CUDA's headers.
function(agpt_add_cuda_library name)
  add_library(${name} STATIC ${ARGN})
  agpt_use_cuda(${name})
endfunction()

# agpt_use_cuda(target): makes CUDA's headers, real or emulated, those of the target.
function(agpt_use_cuda name)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  if(AGPT_CUDA_KIND STREQUAL "emulated")
    get_target_property(sources ${name} SOURCES)
    list(FILTER sources INCLUDE REGEX "\\.cu$")
    set_source_files_properties(${sources} PROPERTIES LANGUAGE CXX)
    target_link_libraries(${name} PUBLIC agpt_cuda_emulator PRIVATE agpt_flags)
    target_compile_options(${name} PRIVATE -Wno-unknown-pragmas)  # unroll
    if(NOT AGPT_SANITIZE)
      # The compiler then reports every access to memory to the emulator, which is not the thread sanitizer: see
      # tests/cuda_emu/emulator/access_hooks.cpp.
      target_compile_options(${name} PRIVATE -fsanitize=thread)
    endif()
  else()
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES "${AGPT_CUDA_ARCHITECTURES}" CUDA_STANDARD 20)
    target_compile_options(${name} PRIVATE $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${AGPT_CUDA_RESOURCES}>>:-Xptxas=-v>)
    target_include_directories(${name} SYSTEM PRIVATE ${AGPT_CUBLAS_INCLUDE_DIR})
    target_link_libraries(${name} PUBLIC CUDA::cudart_static PRIVATE agpt_flags ${CMAKE_DL_LIBS})
  endif()
endfunction()
