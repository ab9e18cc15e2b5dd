#include "cuda/runtime/memory.h"

namespace agpt::cuda {
namespace {

std::string megabytes(Index bytes) { return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB"; }

}  // namespace

void* MemoryCount::take(Index bytes, const char* what) {
  const Index used = used_ += bytes;
  void* memory = nullptr;
  const bool above_cap = cap_ > 0 && used > cap_;
  if (above_cap || cudaMalloc(&memory, static_cast<size_t>(bytes)) != cudaSuccess) {
    cudaGetLastError();  // a failed allocation must not be reported by a later call
    used_ -= bytes;
    const std::string limit =
        above_cap ? "are above the memory cap of " + megabytes(cap_) : std::string("are more than the device has");
    throw DeviceError(megabytes(bytes) + " of device memory for " + what + ", beside the " + megabytes(used - bytes) +
                      " in use, " + limit +
                      ": raise --mem-cap, choose smaller batches, a smaller model or a GPU with more memory");
  }
  for (Index seen = peak_; used > seen && !peak_.compare_exchange_weak(seen, used);) {
  }
  return memory;
}

void MemoryCount::give_back(void* memory, Index bytes) noexcept {
  try {
    if (before_giving_back_) before_giving_back_();
  } catch (const DeviceError&) {
    // Whatever waits for the device next says the same.
  }
  cudaFree(memory);  // an error here is one of an earlier call, which has thrown
  used_ -= bytes;
}

void PinnedBuffer::reserve(Index bytes) {
  if (bytes <= bytes_) return;
  release();
  void* memory = nullptr;
  AGPT_CUDA_CHECK(cudaMallocHost(&memory, static_cast<size_t>(bytes)));
  data_ = static_cast<std::byte*>(memory);
  bytes_ = bytes;
}

void PinnedBuffer::release() noexcept {
  if (data_ != nullptr) cudaFreeHost(data_);
  data_ = nullptr;
  bytes_ = 0;
}

}  // namespace agpt::cuda
