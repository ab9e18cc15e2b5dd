// Kernels that break a rule of the execution model, one each, and what the emulator says of them.
#include <doctest/doctest.h>

#include "tests/cuda_emu/emulated.h"

using namespace cuda_emu_test;

namespace {

__global__ void reverse_without_barrier(float* out, const float* in) {
  __shared__ float copy[64];
  copy[threadIdx.x] = in[threadIdx.x];
  out[threadIdx.x] = copy[63 - threadIdx.x];
}
__global__ void reverse_with_barrier(float* out, const float* in) {
  __shared__ float copy[64];
  copy[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = copy[63 - threadIdx.x];
}
__global__ void barrier_in_one_branch() {
  if (threadIdx.x < 40) __syncthreads();
}
__global__ void barrier_in_each_branch() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void barrier_in_a_loop_of_different_length() {
  for (unsigned i = 0; i <= threadIdx.x / 32; ++i) __syncthreads();
}
__global__ void shuffle_after_lanes_returned(float* out) {
  if (threadIdx.x >= 20) return;
  out[threadIdx.x] = __shfl_xor_sync(~0u, 1.0f, 1);
}
__global__ void shuffle_from_lane_outside_mask(float* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 20);
}
__global__ void shuffle_with_mask_without_itself(float* out) { out[threadIdx.x] = __shfl_sync(1u, 1.0f, 0); }
__global__ void shuffle_with_absent_lanes(float* out) {
  out[threadIdx.x] = __shfl_sync(0xfffffu, 1.0f, 0);  // 20 lanes of a block of 16
}
__global__ void two_collectives_in_one_warp(float* out) {
  if (threadIdx.x < 16)
    out[threadIdx.x] = __shfl_xor_sync(~0u, 1.0f, 1);
  else
    out[threadIdx.x] = static_cast<float>(__ballot_sync(~0u, 1));
}
__global__ void warp_waits_for_block() {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    __syncwarp();
}
__global__ void traps() {
  if (threadIdx.x == 3) __trap();
}

}  // namespace

TEST_CASE("a missing barrier gives another result in another order of the threads") {
  std::vector<float> in(64);
  for (size_t i = 0; i < 64; ++i) in[i] = static_cast<float>(i);
  const std::vector<float> reversed(in.rbegin(), in.rend());
  const Device<float> input(in), out(64);
  cuda_emu::check_accesses(false);  // which would end the kernel at the first fault
  int right = 0;
  in_every_order([&] {
    CHECK(fault(reverse_without_barrier, 1, 64, 0, out.get(), input.get()) == "");
    right += out.host() == reversed;
  });
  CHECK(right < 3);
  in_every_order([&] {
    CHECK(fault(reverse_with_barrier, 1, 64, 0, out.get(), input.get()) == "");
    CHECK(out.host() == reversed);
  });
  cuda_emu::check_accesses(true);
}

TEST_CASE("a barrier that not all threads reach is divergent") {
  in_every_order([] {
    const std::string text = fault(barrier_in_one_branch, 2, 64, 0);
    CHECK(begins(text, "divergent barrier: 24 of 64 threads returned before __syncthreads at "));
    CHECK(contains(text, "kernel_faults_test.cu:"));
    CHECK(begins(fault(barrier_in_a_loop_of_different_length, 1, 64, 0), "divergent barrier: 32 of 64 threads"));
  });
}

TEST_CASE("two barriers are not one barrier") {
  in_every_order(
      [] { CHECK(contains(fault(barrier_in_each_branch, 1, 64, 0), " while block (0,0,0) thread (0,0,0)")); });
}

TEST_CASE("a shuffle needs all lanes that its mask names") {
  const Device<float> out(32);
  in_every_order([&] {
    CHECK(contains(fault(shuffle_after_lanes_returned, 1, 32, 0, out.get()), "with lane 20, which has returned"));
    CHECK(contains(fault(shuffle_from_lane_outside_mask, 1, 32, 0, out.get()), "reads lane 20 in __shfl_sync"));
    CHECK(contains(fault(shuffle_with_mask_without_itself, 1, 32, 0, out.get()), "leaves the thread itself out"));
    CHECK(contains(fault(shuffle_with_absent_lanes, 1, 16, 0, out.get()), "lane 16, which the block does not have"));
  });
}

TEST_CASE("the lanes of a warp meet in one collective") {
  const Device<float> out(32);
  in_every_order([&] { CHECK(begins(fault(two_collectives_in_one_warp, 1, 32, 0, out.get()), "divergent warp: ")); });
}

TEST_CASE("threads that wait for each other are a deadlock") {
  in_every_order([] { CHECK(begins(fault(warp_waits_for_block, 1, 32, 0), "deadlock: ")); });
}

TEST_CASE("a trap ends the launch") { CHECK(contains(fault(traps, 1, 32, 0), "__trap()")); }

TEST_CASE("a fault stays until it is cleared, as on a GPU") {
  CHECK(launch(traps, 1, 32, 0) == cudaErrorLaunchFailure);
  int* memory = nullptr;
  CHECK(cudaMalloc(&memory, 4) == cudaErrorLaunchFailure);
  CHECK(cudaGetLastError() == cudaErrorLaunchFailure);
  cuda_emu::clear_fault();
  CHECK(cudaMalloc(&memory, 4) == cudaSuccess);
  CHECK(cudaFree(memory) == cudaSuccess);
}

TEST_CASE("launches that no GPU accepts are refused") {
  CHECK(launch(traps, 1, 1025, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(traps, 0, 32, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(traps, dim3(1, 65536), 32, 0) == cudaErrorInvalidConfiguration);
  CHECK(launch(traps, 1, 32, 49 * 1024) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(barrier_in_one_branch, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024) ==
        cudaSuccess);
  CHECK(fault(barrier_in_one_branch, 1, 32, 64 * 1024) == "");
  CHECK(cudaFuncSetAttribute(barrier_in_one_branch, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 * 1024) ==
        cudaErrorInvalidValue);
  cudaGetLastError();
}
