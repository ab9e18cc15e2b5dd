// The emulated runtime's memory: device memory is the host's, allocated to size, filled with NaN and watched by
// access_check.h; copies obey the streams.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "tests/cuda_emu/emulator/access_check.h"
#include "tests/cuda_emu/emulator/runtime_api.h"
#include "tests/cuda_emu/emulator/runtime_state.h"

namespace cuda_emu {
namespace {

constexpr size_t kAlignment = 256;

bool is_pinned(const void* memory) {
  auto& pinned = runtime().pinned;
  auto above = pinned.upper_bound(memory);
  if (above == pinned.begin()) return false;
  --above;
  return static_cast<const char*>(memory) < static_cast<const char*>(above->first) + above->second;
}

cudaError_t allocate_device(void** memory, size_t bytes) {
  Runtime& r = runtime();
  const size_t total = device_memory_bytes();
  if (any_capture()) return cudaErrorStreamCaptureUnsupported;
  if (bytes > total - std::min(total, r.counters.bytes)) return cudaErrorMemoryAllocation;
  *memory = ::operator new(std::max<size_t>(bytes, 1), std::align_val_t{kAlignment});  // to size: an overrun is seen
  std::memset(*memory, 0xff, bytes);                                                   // NaN: it begins undefined
  add_device_memory(*memory, bytes);
  r.device[*memory] = bytes;
  ++r.counters.allocations;
  r.counters.bytes += bytes;
  r.counters.peak_bytes = std::max(r.counters.peak_bytes, r.counters.bytes);
  return cudaSuccess;
}

cudaError_t free_device(void* memory) {
  Runtime& r = runtime();
  const auto found = r.device.find(memory);
  if (found == r.device.end()) return cudaErrorInvalidValue;
  r.counters.bytes -= found->second;
  r.device.erase(found);
  remove_device_memory(memory);
  ::operator delete(memory, std::align_val_t{kAlignment});
  return cudaSuccess;
}

/// Rows of a copy; a plain copy is one row.
struct Copy {
  char* to;
  const char* from;
  size_t to_pitch, from_pitch, width, height;
  bool to_device, from_device;

  void run() const {
    for (size_t row = 0; row < height; ++row) {
      char* const target = to + row * to_pitch;
      const char* const source = from + row * from_pitch;
      std::memcpy(target, source, width);
      if (to_device && from_device) copy_written(target, source, width);
      if (to_device && !from_device) mark_written(target, width);
    }
  }
};

size_t extent(size_t pitch, size_t width, size_t height) { return height ? (height - 1) * pitch + width : 0; }

cudaError_t enqueue_copy(Copy copy, cudaMemcpyKind kind, cudaStream_t handle) {
  const auto stream = find_stream(handle);
  if (!stream) return cudaErrorInvalidValue;
  const size_t to_bytes = extent(copy.to_pitch, copy.width, copy.height);
  const size_t from_bytes = extent(copy.from_pitch, copy.width, copy.height);
  copy.to_device = is_device_memory(copy.to, to_bytes);
  copy.from_device = is_device_memory(copy.from, from_bytes);
  const bool wants_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool wants_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (to_bytes == 0) return cudaSuccess;
  if (kind != cudaMemcpyDefault && (wants_to != copy.to_device || wants_from != copy.from_device))
    return cudaErrorInvalidValue;
  if (!copy.from_device && !is_pinned(copy.from) && !stream->capture) {
    // CUDA has read pageable memory when the call returns; pinned memory may be read at any time until it is waited for.
    auto staged = std::make_shared<std::vector<char>>(copy.from, copy.from + from_bytes);
    copy.from = staged->data();
    enqueue(*stream, [copy, staged] { copy.run(); });
  } else {
    enqueue(*stream, [copy] { copy.run(); });
  }
  if (!copy.to_device && !is_pinned(copy.to) && !stream->capture) drain(*stream);
  return cudaSuccess;
}

cudaError_t enqueue_set(void* memory, size_t pitch, int value, size_t width, size_t height, cudaStream_t handle) {
  const auto stream = find_stream(handle);
  if (!stream || !is_device_memory(memory, extent(pitch, width, height))) return cudaErrorInvalidValue;
  enqueue(*stream, [=] {
    for (size_t row = 0; row < height; ++row) {
      std::memset(static_cast<char*>(memory) + row * pitch, value, width);
      mark_written(static_cast<char*>(memory) + row * pitch, width);
    }
  });
  return cudaSuccess;
}

}  // namespace
}  // namespace cuda_emu

using namespace cuda_emu;

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return call([&] { return allocate_device(memory, bytes); });
}

cudaError_t cudaFree(void* memory) {
  if (!memory) return cudaSuccess;
  const cudaError_t error = waiting_call([] { drain_all(); });
  const std::lock_guard lock(runtime().mutex);
  const cudaError_t freed = free_device(memory);  // also after a fault: its memory is the host's
  return error ? error : freed;
}

cudaError_t cudaMallocAsync(void** memory, size_t bytes, cudaStream_t) { return cudaMalloc(memory, bytes); }

cudaError_t cudaFreeAsync(void* memory, cudaStream_t handle) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    enqueue(*stream, [memory] { free_device(memory); });
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  return call([&] {
    *memory = ::operator new(std::max<size_t>(bytes, 1), std::align_val_t{kAlignment});
    std::memset(*memory, 0xff, bytes);
    runtime().pinned[*memory] = bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** memory, size_t bytes) { return cudaHostAlloc(memory, bytes, cudaHostAllocDefault); }

cudaError_t cudaFreeHost(void* memory) {
  if (!memory) return cudaSuccess;
  const cudaError_t error = waiting_call([] { drain_all(); });
  const std::lock_guard lock(runtime().mutex);
  if (runtime().pinned.erase(memory) == 0) return note(cudaErrorInvalidValue);
  ::operator delete(memory, std::align_val_t{kAlignment});
  return error;
}

cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  const Copy copy{
      static_cast<char*>(to), static_cast<const char*>(from), to_pitch, from_pitch, width, height, false, false};
  return call([&] { return enqueue_copy(copy, kind, stream); });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

cudaError_t cudaMemset2DAsync(void* memory, size_t pitch, int value, size_t width, size_t height, cudaStream_t stream) {
  return call([&] { return enqueue_set(memory, pitch, value, width, height, stream); });
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  return cudaMemset2DAsync(memory, bytes, value, bytes, 1, stream);
}

cudaError_t cudaMemset(void* memory, int value, size_t bytes) { return cudaMemsetAsync(memory, value, bytes, nullptr); }
