// Four numbers that are loaded and stored at once.
#pragma once

#include <cuda_runtime.h>

namespace agpt::cuda {

/// Rows of matrices are multiples of kRowQuantum numbers, so every row is a whole number of these, aligned.
template <class Real>
struct alignas(16) Vec4 {
  Real at[4];
};

template <class Real>
__device__ Vec4<Real>* as_vectors(Real* p) {
  return reinterpret_cast<Vec4<Real>*>(p);
}
template <class Real>
__device__ const Vec4<Real>* as_vectors(const Real* p) {
  return reinterpret_cast<const Vec4<Real>*>(p);
}

}  // namespace agpt::cuda
