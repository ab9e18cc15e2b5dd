// Streams, events, graphs and memory of the emulated runtime: work that nothing waits for may not have happened.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>

#include "tests/cuda_emu/emulated.h"

using namespace cuda_emu_test;

namespace {

__global__ void add(int* values, int n, int amount) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] += amount;
}

cudaError_t add_in(cudaStream_t stream, int* values, int amount) {
  cudaLaunchConfig_t config{};
  config.blockDim = 32;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, add, values, 4, amount);
}

struct Stream {
  Stream() { cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking); }
  ~Stream() { cudaStreamDestroy(handle); }
  cudaStream_t handle = nullptr;
};

struct Late {  // work runs when it is waited for
  Late() { cuda_emu::set_order(cuda_emu::Order::reverse); }
  ~Late() { cuda_emu::set_order(before); }
  cuda_emu::Order before = cuda_emu::order();
};

struct Environment {
  Environment(const char* name_, const char* value) : name(name_) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name); }
  const char* name;
};

template <class T>
T* pinned(size_t n) {
  T* memory = nullptr;
  cudaMallocHost(&memory, n * sizeof(T));
  return memory;
}

}  // namespace

TEST_CASE("the work of a stream is done when it has been waited for, and may not be before") {
  const Device<int> values(std::vector<int>(4, 0));
  int* const result = pinned<int>(4);
  {
    const Late late;
    const Stream stream;
    add_in(stream.handle, values.get(), 1);
    cudaMemcpyAsync(result, values.get(), 16, cudaMemcpyDeviceToHost, stream.handle);
    CHECK(result[0] == -1);
    CHECK(cudaStreamQuery(stream.handle) == cudaErrorNotReady);
    CHECK(cudaStreamSynchronize(stream.handle) == cudaSuccess);
    CHECK(result[0] == 1);
  }
  cudaFreeHost(result);
}

TEST_CASE("a staging buffer that is reused too early spoils the upload, pageable memory does not") {
  const Device<int> values(4);
  int* const staging = pinned<int>(4);
  const Late late;
  const Stream stream;
  std::memset(staging, 0, 16);
  cudaMemcpyAsync(values.get(), staging, 16, cudaMemcpyHostToDevice, stream.handle);
  std::memset(staging, 1, 16);
  cudaStreamSynchronize(stream.handle);
  CHECK(values.host()[0] == 0x01010101);
  std::vector<int> pageable(4, 5);
  cudaMemcpyAsync(values.get(), pageable.data(), 16, cudaMemcpyHostToDevice, stream.handle);
  pageable.assign(4, 6);
  cudaStreamSynchronize(stream.handle);
  CHECK(values.host()[0] == 5);
  cudaFreeHost(staging);
}

TEST_CASE("a stream that waits for an event sees what came before it in the other stream") {
  in_every_order([] {
    const Device<int> values(std::vector<int>(4, 0));
    const Stream first, second;
    cudaEvent_t event = nullptr;
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    add_in(first.handle, values.get(), 1);
    cudaEventRecord(event, first.handle);
    cudaStreamWaitEvent(second.handle, event, 0);
    add_in(second.handle, values.get(), 10);
    CHECK(cudaStreamSynchronize(second.handle) == cudaSuccess);
    CHECK(values.host() == std::vector<int>(4, 11));
    CHECK(cudaEventSynchronize(event) == cudaSuccess);
    cudaEventDestroy(event);
  });
}

TEST_CASE("a graph repeats what was captured, with the arguments of then") {
  in_every_order([] {
    const Device<int> values(std::vector<int>(4, 0));
    const Stream stream;
    REQUIRE(cudaStreamBeginCapture(stream.handle, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    int amount = 3;
    add_in(stream.handle, values.get(), amount);
    amount = 100;
    CHECK(cudaStreamSynchronize(stream.handle) == cudaErrorStreamCaptureUnsupported);
    cudaGraph_t graph = nullptr;
    REQUIRE(cudaStreamEndCapture(stream.handle, &graph) == cudaSuccess);
    CHECK(values.host()[0] == 0);
    cudaGraphExec_t executable = nullptr;
    REQUIRE(cudaGraphInstantiate(&executable, graph, 0) == cudaSuccess);
    for (int i = 0; i < 4; ++i) cudaGraphLaunch(executable, stream.handle);
    cudaStreamSynchronize(stream.handle);
    CHECK(values.host()[0] == 12);
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
  });
}

TEST_CASE("rows are copied and set with their strides") {
  const Device<int> values(std::vector<int>(12, 0));
  const std::vector<int> rows{1, 2, 3, 4};
  CHECK(cudaMemcpy2DAsync(values.get(), 16, rows.data(), 8, 8, 2, cudaMemcpyHostToDevice) == cudaSuccess);
  CHECK(cudaMemset2DAsync(values.get() + 2, 16, 0xff, 4, 3) == cudaSuccess);
  CHECK(values.host() == std::vector<int>{1, 2, -1, 0, 3, 4, -1, 0, 0, 0, -1, 0});
}

TEST_CASE("device memory ends where the emulated device's does") {
  const Environment small("AGPT_EMU_MEMORY", "1000");
  int *first = nullptr, *second = nullptr;
  CHECK(cudaMalloc(&first, 600) == cudaSuccess);
  CHECK(cudaMalloc(&second, 600) == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaErrorMemoryAllocation);
  CHECK(cudaGetLastError() == cudaSuccess);
  cudaFree(first);
  CHECK(cudaMalloc(&second, 600) == cudaSuccess);
  cudaFree(second);
}

TEST_CASE("a machine without a device or driver says so") {
  int count = -1;
  {
    const Environment none("AGPT_EMU_DEVICES", "0");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice);
  }
  {
    const Environment none("AGPT_EMU_DEVICES", "-1");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    CHECK(count == 0);
  }
  CHECK(cudaGetDeviceCount(&count) == cudaSuccess);
  CHECK(count == 1);
  cudaGetLastError();
}
