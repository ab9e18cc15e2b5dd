// Stands in for NVIDIA's header of the same name where the CUDA backend is built for the emulator: a .cu file then is C++
// for the host's compiler. Kernels are launched with cudaLaunchKernelEx, because <<<>>> is no C++; dynamic shared memory
// comes from agpt::cuda::dynamic_shared<T>(), because an `extern __shared__` array is none either.
#pragma once

#include "tests/cuda_emu/emulator/device_functions.h"  // what kernels call
#include "tests/cuda_emu/emulator/runtime_api.h"       // what the host calls
