// The fast CPU backend: vector kernels chosen at run time, weights packed in both orientations.
#pragma once

#include <memory>
#include <string>

#include "cpp/backend/backend.h"

namespace agpt {

/// kernels: "generic", "avx2", "avx512", or empty for the best that this processor runs.
template <class Real>
std::unique_ptr<Backend<Real>> make_cpu_backend(const ModelShape& shape, const std::string& kernels = "");

}  // namespace agpt
