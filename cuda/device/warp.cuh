// Sums and maxima over the lanes of a warp and the warps of a block, always in the same order.
#pragma once

#include <cuda_runtime.h>

namespace agpt::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

template <class T>
__device__ T warp_sum(T value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

template <class T>
__device__ T warp_max(T value) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    const T other = __shfl_xor_sync(kAllLanes, value, offset);
    value = other > value ? other : value;
  }
  return value;
}

/// The sum over all threads of a one-dimensional block of whole warps, returned to thread 0. All threads must call it;
/// `parts` has one number for each warp and may be used again after the next barrier.
template <class T>
__device__ T block_sum(T value, T* parts) {
  value = warp_sum(value);
  if (threadIdx.x % kWarp == 0) parts[threadIdx.x / kWarp] = value;
  __syncthreads();
  if (threadIdx.x == 0)
    for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) value += parts[warp];
  return value;
}

}  // namespace agpt::cuda
