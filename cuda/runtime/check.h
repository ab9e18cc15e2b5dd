// Errors of the CUDA runtime as DeviceError.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "cpp/base/error.h"

namespace agpt::cuda {

/// Throws DeviceError, naming the call, unless `result` is success.
inline void require_success(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  throw DeviceError(std::string("the GPU call ") + call + " failed: " + cudaGetErrorString(result));
}

}  // namespace agpt::cuda

#define AGPT_CUDA_CHECK(call) ::agpt::cuda::require_success(call, #call)
