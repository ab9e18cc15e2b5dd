// The state of the emulated runtime, and the frame of its calls: one at a time, refused after a fault.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "tests/cuda_emu/emulator/runtime_api.h"
#include "tests/cuda_emu/emulator/streams.h"

namespace cuda_emu {

struct Runtime {
  std::recursive_mutex mutex;
  std::optional<std::string> fault;
  cudaError_t last = cudaSuccess;
  std::map<const void*, size_t> device, pinned;        // allocations
  std::map<const void*, size_t> dynamic_shared_limit;  // of kernels that asked for more
  Counters counters{};
};
Runtime& runtime();

/// An environment variable's number.
long setting(const char* name, long otherwise);
size_t device_memory_bytes();

/// Remembers the error for cudaGetLastError(), and returns it.
cudaError_t note(cudaError_t error);
/// Why there is no device, or success.
cudaError_t device_error();

/// Runs the body of a call of the runtime; a kernel's fault becomes its error.
template <class Body>
cudaError_t call(const Body& body) {
  Runtime& r = runtime();
  const std::lock_guard lock(r.mutex);
  if (const cudaError_t error = device_error()) return note(error);
  if (r.fault) return note(cudaErrorLaunchFailure);
  try {
    return note(body());
  } catch (const KernelFault& fault) {
    r.fault = fault.what();
    return note(cudaErrorLaunchFailure);
  }
}

/// A call that waits for work, which the capture of a graph cannot contain.
template <class Body>
cudaError_t waiting_call(const Body& body) {
  return call([&]() -> cudaError_t {
    if (any_capture()) return cudaErrorStreamCaptureUnsupported;
    ++runtime().counters.synchronizations;
    body();
    return cudaSuccess;
  });
}

/// A call that puts work into a stream.
cudaError_t enqueue_work(cudaStream_t handle, Work work);

}  // namespace cuda_emu
