// How kernels are launched: through one function, which counts and checks.
#pragma once

#include <atomic>
#include <utility>

#include "cpp/base/types.h"
#include "cuda/runtime/check.h"

namespace agpt::cuda {

/// Where a launcher puts its kernels, and the count of what was launched.
struct Queue {
  cudaStream_t stream = nullptr;
  std::atomic<Index>* launches = nullptr;
};

inline Index ceil_divide(Index a, Index b) { return (a + b - 1) / b; }

/// Grids along x only reach 2^31 - 1 blocks: enough for every batch, whose rows are numbered by int32_t.
template <class... Parameters, class... Arguments>
void launch(const Queue& queue, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = queue.stream;
  AGPT_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, Parameters(std::forward<Arguments>(arguments))...));
  ++*queue.launches;
}

}  // namespace agpt::cuda
