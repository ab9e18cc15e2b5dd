// The emulated runtime's one device, its errors and its launches. Environment: AGPT_EMU_DEVICES (default 1; 0: no device;
// -1: no driver), AGPT_EMU_COMPUTE_CAPABILITY (default 9.0), AGPT_EMU_MEMORY (bytes, default 4 GiB); scheduler.h and
// access_check.h tell of AGPT_EMU_ORDER and AGPT_EMU_CHECKS.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/cuda_emu/emulator/runtime_api.h"
#include "tests/cuda_emu/emulator/runtime_state.h"

namespace cuda_emu {

Runtime& runtime() {
  static Runtime the;
  return the;
}

long setting(const char* name, long otherwise) {
  const char* const value = std::getenv(name);
  return value ? std::atol(value) : otherwise;
}

size_t device_memory_bytes() { return static_cast<size_t>(setting("AGPT_EMU_MEMORY", 4L << 30)); }

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess) runtime().last = error;
  return error;
}

cudaError_t device_error() {
  const long devices = setting("AGPT_EMU_DEVICES", 1);
  return devices > 0 ? cudaSuccess : devices == 0 ? cudaErrorNoDevice : cudaErrorInsufficientDriver;
}

cudaError_t enqueue_work(cudaStream_t handle, Work work) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(handle);
    if (!stream) return cudaErrorInvalidValue;
    enqueue(*stream, std::move(work));
    return cudaSuccess;
  });
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel,
                   std::shared_ptr<const KernelCall> kernel_call) {
  return call([&]() -> cudaError_t {
    const auto stream = find_stream(config.stream);
    if (!stream || config.numAttrs) return cudaErrorInvalidValue;
    const auto found = runtime().dynamic_shared_limit.find(kernel);
    const size_t limit = found == runtime().dynamic_shared_limit.end() ? kDefaultDynamicShared : found->second;
    if (config.dynamicSmemBytes > limit) return cudaErrorInvalidValue;
    const dim3 grid = config.gridDim, block = config.blockDim;
    const unsigned threads = block.x * block.y * block.z;
    if (threads == 0 || threads > 1024 || block.z > 64 || !grid.x || !grid.y || !grid.z || grid.y > 65535 ||
        grid.z > 65535)
      return cudaErrorInvalidConfiguration;
    enqueue(*stream, [grid, block, bytes = config.dynamicSmemBytes, kernel_call] {
      ++runtime().counters.launches;
      run_grid(grid, block, bytes, *kernel_call);
    });
    return cudaSuccess;
  });
}

cudaError_t allow_dynamic_shared(const void* kernel, size_t bytes) {
  return call([&]() -> cudaError_t {
    if (bytes > kMaxDynamicShared) return cudaErrorInvalidValue;
    runtime().dynamic_shared_limit[kernel] = std::max(bytes, kDefaultDynamicShared);
    return cudaSuccess;
  });
}

void clear_fault() {
  runtime().fault.reset();
  runtime().last = cudaSuccess;
}

Counters counters() {
  const std::lock_guard lock(runtime().mutex);
  return runtime().counters;
}

}  // namespace cuda_emu

using namespace cuda_emu;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
  }
  return "unknown";
}

const char* cudaGetErrorString(cudaError_t error) {
  thread_local std::string text;
  const std::lock_guard lock(runtime().mutex);
  text = error == cudaErrorLaunchFailure && runtime().fault ? *runtime().fault : cudaGetErrorName(error);
  return text.c_str();
}

cudaError_t cudaPeekAtLastError() { return runtime().last; }

cudaError_t cudaGetLastError() {
  const cudaError_t error = runtime().last;
  if (!runtime().fault) runtime().last = cudaSuccess;
  return error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(std::max(0L, setting("AGPT_EMU_DEVICES", 1)));
  return note(device_error());
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return note(device_error());
}

cudaError_t cudaSetDevice(int device) {
  return call([&] { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return call([&]() -> cudaError_t {
    if (device != 0) return cudaErrorInvalidDevice;
    *properties = {};
    std::strcpy(properties->name, "emulated GPU");
    cudaDeviceGetAttribute(&properties->major, cudaDevAttrComputeCapabilityMajor, 0);
    cudaDeviceGetAttribute(&properties->minor, cudaDevAttrComputeCapabilityMinor, 0);
    properties->totalGlobalMem = device_memory_bytes();
    properties->sharedMemPerBlock = kDefaultDynamicShared;
    properties->sharedMemPerBlockOptin = kMaxDynamicShared;
    properties->multiProcessorCount = 2;
    properties->warpSize = 32;
    properties->regsPerBlock = 65536;
    properties->maxThreadsPerMultiProcessor = 2048;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return call([&]() -> cudaError_t {
    if (device != 0) return cudaErrorInvalidDevice;
    const char* const chosen = std::getenv("AGPT_EMU_COMPUTE_CAPABILITY");
    const std::string capability = chosen ? chosen : "9.0";
    switch (attribute) {
      case cudaDevAttrComputeCapabilityMajor:
        *value = std::atoi(capability.c_str());
        break;
      case cudaDevAttrComputeCapabilityMinor:
        *value = std::atoi(capability.substr(capability.find('.') + 1).c_str());
        break;
      case cudaDevAttrMultiProcessorCount:
        *value = 2;
        break;
      case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(kMaxDynamicShared);
        break;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = setting("AGPT_EMU_DEVICES", 1) < 0 ? 0 : CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return call([&] {
    *total = device_memory_bytes();
    *free = *total - std::min(*total, runtime().counters.bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return waiting_call([] { drain_all(); });
}
cudaError_t cudaDeviceReset() { return cudaDeviceSynchronize(); }
