// Accesses that a GPU would not survive or that give another result each time, and what the emulator says of them.
#include <doctest/doctest.h>

#include "tests/cuda_emu/emulated.h"
#include "tests/cuda_emu/emulator/access_check.h"

using namespace cuda_emu_test;

namespace {

__global__ void copy(float* out, const float* in, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = in[i];
}
__global__ void fill_dynamic_shared(int n, float* out) {
  float* const values = dynamic_shared<float>();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) values[i] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}
__global__ void read_misaligned(double* out, const float* in) { *out = *reinterpret_cast<const double*>(in + 1); }
__global__ void read_unwritten_shared(float* out) {
  __shared__ float values[32];
  if (threadIdx.x < 31) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}
__global__ void reuse_shared_without_barrier(float* out) {
  __shared__ float value;
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x == 0) value = static_cast<float>(round);
    __syncthreads();
    out[threadIdx.x] = value;
  }
}
__global__ void reuse_shared(float* out) {
  __shared__ float value;
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x == 0) value = static_cast<float>(round);
    __syncthreads();
    out[threadIdx.x] = value;
    __syncthreads();
  }
}
__global__ void swap_in_warp(float* out, bool synchronised) {
  __shared__ float values[32];
  values[threadIdx.x] = 1;
  if (synchronised) __syncwarp();
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}
__global__ void all_blocks_write_one(float* out) { out[0] = 1; }
__global__ void all_blocks_add_to_one(float* out) { atomicAdd(out, 1.0f); }
__global__ void add_and_read(float* out) {
  atomicAdd(out, 1.0f);
  out[1 + blockIdx.x] = out[0];
}

std::vector<float> ones(size_t n) { return std::vector<float>(n, 1.0f); }

}  // namespace

TEST_CASE("memory that nobody wrote begins as NaN, in every buffer") {
  const Device<float> out(3);
  for (float value : out.host()) CHECK(value != value);
}

TEST_CASE("a copy beyond an allocation is refused") {
  const Device<float> out(4);
  CHECK(cudaMemcpy(out.get(), ones(5).data(), 20, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemset(out.get() + 1, 0, 16) == cudaErrorInvalidValue);
  cudaGetLastError();
}

TEST_CASE("kernels without fault report none") {
  const Device<float> in(ones(100)), out(100);
  in_every_order([&] {
    CHECK(fault(copy, 4, 32, 0, out.get(), in.get(), 100) == "");
    CHECK(fault(fill_dynamic_shared, 1, 32, 4 * 64, 64, out.get()) == "");
    CHECK(fault(reuse_shared, 1, 64, 0, out.get()) == "");
    CHECK(fault(swap_in_warp, 1, 32, 0, out.get(), true) == "");
  });
}

TEST_CASE("an access outside an allocation is reported with its place") {
  const Device<float> in(ones(100)), out(99);
  in_every_order([&] {
    const std::string text = fault(copy, 4, 32, 0, out.get(), in.get(), 100);
    CHECK(
        begins(text, "out of bounds: block (3,0,0) thread (3,0,0) writes 4 bytes at byte 396 of an allocation of 396"));
    CHECK(contains(text, "addr2line"));
    CHECK(contains(fault(fill_dynamic_shared, 1, 32, 4 * 64, 65, out.get()), "of dynamic shared memory"));
  });
}

TEST_CASE("the host's memory is out of a kernel's bounds") {
  const std::vector<float> in = ones(32);
  const Device<float> out(32);
  CHECK(contains(fault(copy, 1, 32, 0, out.get(), in.data(), 32), "memory that is not the device's"));
}

TEST_CASE("memory that was given back is out of bounds") {
  float* gone = nullptr;
  cudaMalloc(&gone, 128);
  cudaMemset(gone, 0, 128);
  cudaFree(gone);
  const Device<float> out(32);
  CHECK(begins(fault(copy, 1, 32, 0, out.get(), gone, 32), "out of bounds: "));
}

TEST_CASE("a number at an address that is no multiple of its size is misaligned") {
  const Device<float> in(ones(8));
  const Device<double> out(1);
  CHECK(begins(fault(read_misaligned, 1, 1, 0, out.get(), in.get()), "misaligned: "));
}

TEST_CASE("a read of unwritten memory is reported") {
  const Device<float> in(32), out(32);
  in_every_order([&] {
    CHECK(contains(fault(copy, 1, 32, 0, out.get(), in.get(), 32), "of device memory that nobody has written"));
    CHECK(contains(fault(read_unwritten_shared, 2, 32, 0, out.get()), "of shared memory that no thread of the block"));
  });
}

TEST_CASE("shared memory is unwritten again in the next block") {
  const Device<float> out(32);
  CHECK(fault(read_unwritten_shared, 1, 31, 0, out.get()) == "");
  CHECK(begins(fault(read_unwritten_shared, 1, 32, 0, out.get()), "unwritten: "));
}

TEST_CASE("accesses of two threads with no barrier between are a race") {
  const Device<float> out(64);
  in_every_order([&] {
    CHECK(contains(fault(reuse_shared_without_barrier, 1, 64, 0, out.get()), "with no barrier between"));
    const std::string text = fault(swap_in_warp, 1, 32, 0, out.get(), false);
    CHECK((begins(text, "race: ") || begins(text, "unwritten: ")));
  });
}

TEST_CASE("blocks of one launch are not ordered, unless by atomics") {
  const Device<float> out(ones(3));
  in_every_order([&] {
    CHECK(contains(fault(all_blocks_write_one, 2, 1, 0, out.get()), "that another block wrote in the same launch"));
    CHECK(fault(all_blocks_add_to_one, 2, 32, 0, out.get()) == "");
    CHECK(contains(fault(add_and_read, 2, 1, 0, out.get()), "race: "));
  });
}

TEST_CASE("what a launch moves is counted once in device memory, and each time in shared memory") {
  const Device<float> in(ones(100)), out(100);
  in_every_order([&] {
    const auto moved = [&](const auto& work) {
      const cuda_emu::Traffic before = cuda_emu::traffic();
      work();
      const cuda_emu::Traffic after = cuda_emu::traffic();
      return std::vector<size_t>{after.read - before.read, after.written - before.written,
                                 after.shared - before.shared};
    };
    using Bytes = std::vector<size_t>;
    CHECK(moved([&] { launch(copy, 4, 32, 0, out.get(), in.get(), 100); }) == Bytes{400, 400, 0});
    CHECK(moved([&] { launch(reuse_shared, 1, 64, 0, out.get()); }) == Bytes{0, 4 * 64, 2 * 4 * (1 + 64)});
    CHECK(moved([&] { launch(all_blocks_add_to_one, 2, 32, 0, out.get()); }) == Bytes{4, 4, 0});
  });
}
