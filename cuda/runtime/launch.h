// How kernels are launched: through one function, which counts and checks, and may hold a launch back to be part of a graph.
#pragma once

#include <atomic>
#include <memory>
#include <tuple>
#include <utility>

#include "cpp/base/types.h"
#include "cuda/runtime/check.h"
#include "cuda/runtime/launch_graphs.h"

namespace agpt::cuda {

/// Where a launcher puts its kernels, and the count of what was launched.
struct Queue {
  cudaStream_t stream = nullptr;
  std::atomic<Index>* launches = nullptr;
  LaunchGraphs* held_back = nullptr;  ///< Where given, launches wait there for its flush().
};

inline Index ceil_divide(Index a, Index b) { return (a + b - 1) / b; }

/// Makes a launch, now or with the others that are held back.
template <class Made>
void put(const Queue& queue, Made launch) {
  if (queue.held_back != nullptr) return queue.held_back->add(std::make_unique<Made>(std::move(launch)));
  launch.make(queue.stream);
  ++*queue.launches;
}

/// A kernel, its grid and its arguments, whose types must all have ==.
template <class... Parameters>
class KernelLaunch final : public Launch {
 public:
  using Kernel = void (*)(Parameters...);

  KernelLaunch(Kernel kernel, dim3 grid, dim3 block, size_t shared_bytes, std::tuple<Parameters...> arguments)
      : kernel_(kernel), grid_(grid), block_(block), shared_bytes_(shared_bytes), arguments_(std::move(arguments)) {}

  void make(cudaStream_t stream) const override {
    cudaLaunchConfig_t config{};
    config.gridDim = grid_;
    config.blockDim = block_;
    config.dynamicSmemBytes = shared_bytes_;
    config.stream = stream;
    std::apply(
        [&](const Parameters&... arguments) { AGPT_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel_, arguments...)); },
        arguments_);
  }

  bool equals(const Launch& other) const override {
    const auto* const same = dynamic_cast<const KernelLaunch*>(&other);
    return same != nullptr && kernel_ == same->kernel_ && equal(grid_, same->grid_) && equal(block_, same->block_) &&
           shared_bytes_ == same->shared_bytes_ && arguments_ == same->arguments_;
  }

 private:
  static bool equal(const dim3& a, const dim3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

  Kernel kernel_;
  dim3 grid_, block_;
  size_t shared_bytes_;
  std::tuple<Parameters...> arguments_;
};

/// Grids along x only reach 2^31 - 1 blocks: enough for every batch, whose rows are numbered by int32_t.
template <class... Parameters, class... Arguments>
void launch(const Queue& queue, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  put(queue, KernelLaunch<Parameters...>(kernel, grid, block, shared_bytes,
                                         std::tuple<Parameters...>(Parameters(std::forward<Arguments>(arguments))...)));
}

}  // namespace agpt::cuda
