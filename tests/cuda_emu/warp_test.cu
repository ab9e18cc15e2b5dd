// Warp collectives, votes and atomics of the emulator against what CUDA's documentation says they compute.
#include <doctest/doctest.h>

#include "tests/cuda_emu/emulated.h"

using namespace cuda_emu_test;

namespace {

constexpr unsigned kAll = ~0u;

__global__ void shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* const mine = out + lane * 8;
  mine[0] = __shfl_sync(kAll, lane, 35);    // modulo the width
  mine[1] = __shfl_sync(kAll, lane, 3, 8);  // lane 3 of each eight
  mine[2] = __shfl_up_sync(kAll, lane, 2);
  mine[3] = __shfl_down_sync(kAll, lane, 2, 16);
  mine[4] = __shfl_xor_sync(kAll, lane, 5);
  mine[5] = static_cast<int>(__ballot_sync(kAll, lane % 3 == 0));
  mine[6] = __any_sync(kAll, lane == 31) + 2 * __all_sync(kAll, lane < 31);
  mine[7] = __reduce_add_sync(kAll, lane) + static_cast<int>(__match_any_sync(kAll, lane / 16) >> 31);
}
__global__ void wide_values(double* out) {
  const double value = 1.0 / (1 + threadIdx.x);
  out[threadIdx.x] = __shfl_xor_sync(kAll, value, 31);
}
__global__ void half_warps(int* out) {
  const unsigned mask = threadIdx.x < 16 ? 0xffffu : 0xffff0000u;
  int sum = 1;
  for (int offset = 8; offset > 0; offset /= 2) sum += __shfl_xor_sync(mask, sum, offset);
  if (threadIdx.x >= 16)
    for (int i = 0; i < 3; ++i) sum += __shfl_sync(0xffff0000u, 1, 16);
  out[threadIdx.x] = sum;
}
__global__ void votes(int* out) {
  const int some = __syncthreads_or(threadIdx.x == 50), all = __syncthreads_and(threadIdx.x < 64);
  out[threadIdx.x] = some + 2 * all + 4 * __syncthreads_count(threadIdx.x % 2);
}
__global__ void atomics(int* out) {
  atomicAdd(out, 2);
  atomicMax(out + 1, static_cast<int>(threadIdx.x));
  atomicMin(out + 2, static_cast<int>(threadIdx.x));
  atomicOr(out + 3, 1 << threadIdx.x % 8);
  int seen = out[4];
  (void)seen;
}
__global__ void places(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  atomicAdd(out + block * 24 + thread, 1);
}

}  // namespace

TEST_CASE("shuffles and votes of a warp") {
  const Device<int> out(32 * 8);
  in_every_order([&] {
    REQUIRE(fault(shuffles, 1, 32, 0, out.get()) == "");
    const std::vector<int> got = out.host();
    for (int lane = 0; lane < 32; ++lane) {
      const int* const mine = got.data() + lane * 8;
      CHECK(mine[0] == 3);
      CHECK(mine[1] == lane / 8 * 8 + 3);
      CHECK(mine[2] == (lane < 2 ? lane : lane - 2));
      CHECK(mine[3] == (lane % 16 + 2 < 16 ? lane + 2 : lane));
      CHECK(mine[4] == (lane ^ 5));
      CHECK(mine[5] == static_cast<int>(0x49249249u));
      CHECK(mine[6] == 1);
      CHECK(mine[7] == 496 + (lane >= 16));
    }
  });
}

TEST_CASE("eight bytes are exchanged whole") {
  const Device<double> out(32);
  in_every_order([&] {
    REQUIRE(fault(wide_values, 1, 32, 0, out.get()) == "");
    for (size_t lane = 0; lane < 32; ++lane) CHECK(out.host()[lane] == 1.0 / static_cast<double>(32 - lane));
  });
}

TEST_CASE("parts of a warp may exchange independently") {
  const Device<int> out(32);
  in_every_order([&] {
    REQUIRE(fault(half_warps, 1, 32, 0, out.get()) == "");
    for (size_t lane = 0; lane < 32; ++lane) CHECK(out.host()[lane] == (lane < 16 ? 16 : 19));
  });
}

TEST_CASE("votes of a block") {
  const Device<int> out(64);
  in_every_order([&] {
    REQUIRE(fault(votes, 1, 64, 0, out.get()) == "");
    CHECK(out.host() == std::vector<int>(64, 1 + 2 + 4 * 32));
  });
}

TEST_CASE("atomics of all threads take effect") {
  in_every_order([&] {
    const Device<int> out(std::vector<int>{0, 0, 9, 0, 0});
    REQUIRE(fault(atomics, 1, 64, 0, out.get()) == "");
    CHECK(out.host() == std::vector<int>{128, 63, 0, 255, 0});
  });
}

TEST_CASE("every thread of every block runs once") {
  in_every_order([&] {
    const Device<int> out(std::vector<int>(24 * 24, 0));
    REQUIRE(fault(places, dim3(2, 3, 4), dim3(4, 3, 2), 0, out.get()) == "");
    CHECK(out.host() == std::vector<int>(24 * 24, 1));
  });
}
