// Dynamic shared memory: the one place where nvcc and the emulator differ.
#pragma once

#include <cuda_runtime.h>

#if defined(__CUDACC__)
/// The block's dynamic shared memory, 16-byte aligned.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}
#endif
