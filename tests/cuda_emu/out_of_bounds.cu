// Writes one number behind the memory that its argument names (static, dynamic, device), from a kernel. The address
// sanitizer must report it.
#include <cstring>

#include "tests/cuda_emu/emulated.h"

using namespace cuda_emu_test;

namespace {

__global__ void overrun_static(float* out, int n) {
  __shared__ float values[32];
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) values[i] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}
__global__ void overrun_dynamic(int n) {
  float* const values = dynamic_shared<float>();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) values[i] = 1;
}
__global__ void overrun_device(float* values, int n) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) values[i] = 1;
}

}  // namespace

int main(int count, char** arguments) {
  const char* const memory = count > 1 ? arguments[1] : "";
  const Device<float> values(32);
  if (!std::strcmp(memory, "static")) launch(overrun_static, 1, 32, 0, values.get(), 33);
  if (!std::strcmp(memory, "dynamic")) launch(overrun_dynamic, 1, 32, 32 * sizeof(float), 33);
  if (!std::strcmp(memory, "device")) launch(overrun_device, 1, 32, 0, values.get(), 33);
  return 0;
}
