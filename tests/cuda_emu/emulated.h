// What the emulator's tests share: launching a kernel and asking which fault it had.
#pragma once

#include <cuda_runtime.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace cuda_emu_test {

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, Parameters(arguments)...);
  return error ? error : cudaDeviceSynchronize();
}

/// What the runtime says of the launch, and forgets: "" where it succeeded.
template <class... Parameters, class... Arguments>
std::string fault(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments) {
  const cudaError_t error = launch(kernel, grid, block, shared_bytes, arguments...);
  if (error == cudaSuccess) return "";
  const std::string text = cudaGetErrorString(error);
  cuda_emu::clear_fault();
  return text;
}

inline bool begins(const std::string& text, const char* with) { return text.starts_with(with); }
inline bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/// Device memory with the elements of a vector, or with nothing written.
template <class T>
class Device {
 public:
  explicit Device(size_t size) : size_(size) { cudaMalloc(&data_, size * sizeof(T)); }
  explicit Device(const std::vector<T>& values) : Device(values.size()) {
    cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice);
  }
  ~Device() { cudaFree(data_); }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  T* get() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost);
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

/// Runs body() with the threads in every order.
template <class Body>
void in_every_order(const Body& body) {
  const cuda_emu::Order before = cuda_emu::order();
  for (cuda_emu::Order order : {cuda_emu::Order::forward, cuda_emu::Order::reverse, cuda_emu::Order::random}) {
    cuda_emu::set_order(order, 7);
    body();
  }
  cuda_emu::set_order(before);
}

}  // namespace cuda_emu_test
