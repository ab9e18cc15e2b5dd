# Looks for what the CUDA backend is compiled with. Sets AGPT_CUDA_MISSING to a sentence where something is not there, and
# AGPT_CUBLAS_INCLUDE_DIR to the folder of cublas_v2.h: of the toolkit, or of the Python package nvidia-cublas.
set(AGPT_CUDA_MISSING "")
set(AGPT_CUBLAS_INCLUDE_DIR "")

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  set(AGPT_CUDA_MISSING "no CUDA compiler was found: install the CUDA toolkit 12 or newer, or set CUDACXX to its nvcc")
  return()
endif()

execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE nvcc_text ERROR_QUIET)
string(REGEX MATCH "release ([0-9]+)\\." _ "${nvcc_text}")
set(nvcc_major "${CMAKE_MATCH_1}")
if(NOT nvcc_major OR nvcc_major LESS 12)
  set(AGPT_CUDA_MISSING "${CMAKE_CUDA_COMPILER} is of CUDA '${nvcc_major}', and CUDA 12 or newer is needed")
  return()
endif()

# The package puts its headers into site-packages/nvidia/cu13/include (CUDA 13) or nvidia/cublas/include (CUDA 12).
find_package(Python 3.10 QUIET COMPONENTS Interpreter)
set(site_packages "")
if(Python_EXECUTABLE)
  # sysconfig also knows the packages that pip hides from a build in isolation.
  execute_process(COMMAND ${Python_EXECUTABLE} -c
    "import sys, sysconfig; print(';'.join([*filter(None, sys.path), sysconfig.get_path('platlib')]))"
    OUTPUT_VARIABLE site_packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
# nvcc itself knows its toolkit; the file may be a link or a script.
execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --dryrun nothing.cu OUTPUT_QUIET ERROR_VARIABLE nvcc_plan)
string(REGEX MATCH "TOP=([^\r\n]*)" _ "${nvcc_plan}")
get_filename_component(toolkit "${CMAKE_MATCH_1}" ABSOLUTE)
set(cublas_places ${toolkit}/include ${toolkit}/targets/x86_64-linux/include ${toolkit}/targets/sbsa-linux/include)
foreach(folder IN LISTS site_packages)
  list(APPEND cublas_places ${folder}/nvidia/cu${nvcc_major}/include)
  if(nvcc_major EQUAL 12)
    list(APPEND cublas_places ${folder}/nvidia/cublas/include)
  endif()
endforeach()
unset(cublas_include CACHE)
find_path(cublas_include cublas_v2.h PATHS ${cublas_places} NO_DEFAULT_PATH NO_CACHE)
if(NOT cublas_include)
  if(nvcc_major GREATER_EQUAL 13)
    set(package "nvidia-cublas")
  else()
    set(package "nvidia-cublas-cu${nvcc_major}")
  endif()
  set(AGPT_CUDA_MISSING
    "cuBLAS's header cublas_v2.h is neither in ${toolkit} nor in Python's packages: pip install ${package} and build again")
  return()
endif()
set(AGPT_CUBLAS_INCLUDE_DIR ${cublas_include})
