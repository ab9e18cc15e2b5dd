// The CUDA backend's one entry. Without CUDA, no_cuda.cpp stands behind it.
#pragma once

#include <memory>

#include "cpp/backend/backend.h"

namespace agpt {

/// Throws DeviceError where the build has no CUDA or the machine no usable GPU.
template <class Real>
std::unique_ptr<Backend<Real>> make_cuda_backend(const ModelShape& shape, const BackendOptions& options);

}  // namespace agpt
