// What a kernel may use: qualifiers, vector types, the builtin variables, barriers, warp collectives, atomics and
// intrinsics. Part of the stand-in cuda_runtime.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tests/cuda_emu/emulator/access_check.h"
#include "tests/cuda_emu/emulator/scheduler.h"

#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block runs at a time
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__

struct alignas(8) float2 {
  float x, y;
};
struct float3 {
  float x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// Set whenever a fiber is entered; kernels read them as they read CUDA's.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace cuda_emu {

using Here = std::source_location;

template <class T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>, "a warp exchanges values of at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}
template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class T>
T shuffle(const char* operation, unsigned mask, T value, int source, const Here& at) {
  return from_bits<T>(warp_exchange({operation, at}, mask, to_bits(value), source).value);
}

/// The first lane of the calling lane's segment of `width` lanes.
inline int segment(int width) { return lane_id() & ~(width - 1); }
/// CUDA's rule: a source outside the segment means the lane itself.
inline int within_segment(int source, int width) {
  return source >= segment(width) && source < segment(width) + width ? source : lane_id();
}

/// *p = operation(*p) as one step: fibers do not interrupt each other. Returns the value before.
template <class T, class Operation>
T atomically(T* p, const Operation& operation) {
  begin_atomic();
  const T before = *p;
  *p = operation(before);
  end_atomic();
  return before;
}

template <class T, class Combine>
T reduce_lanes(const char* operation, unsigned mask, T value, const Here& at, const Combine& combine) {
  warp_gather({operation, at}, mask, to_bits(value));
  const int first = std::countr_zero(mask);
  T result = from_bits<T>(offered_by(first));
  for (int lane = first + 1; lane < 32; ++lane)
    if (mask >> lane & 1) result = combine(result, from_bits<T>(offered_by(lane)));
  return result;
}

}  // namespace cuda_emu

// ---- barriers ----
inline void __syncthreads(cuda_emu::Here at = cuda_emu::Here::current()) {
  cuda_emu::block_barrier({"__syncthreads", at});
}
inline int __syncthreads_or(int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::block_vote({"__syncthreads_or", at}, p != 0).any;
}
inline int __syncthreads_and(int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::block_vote({"__syncthreads_and", at}, p != 0).all;
}
inline int __syncthreads_count(int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::block_vote({"__syncthreads_count", at}, p != 0).count;
}
inline void __syncwarp(unsigned mask = ~0u, cuda_emu::Here at = cuda_emu::Here::current()) {
  cuda_emu::warp_exchange({"__syncwarp", at}, mask, 0, cuda_emu::lane_id());
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline unsigned __activemask() { return cuda_emu::active_mask(); }

// ---- warp collectives ----
template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::shuffle("__shfl_sync", mask, v, cuda_emu::segment(width) + (source & (width - 1)), at);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32, cuda_emu::Here at = cuda_emu::Here::current()) {
  const int source = cuda_emu::lane_id() ^ lanes;  // a lower segment may be read, a higher one may not
  return cuda_emu::shuffle("__shfl_xor_sync", mask, v,
                           source < cuda_emu::segment(width) + width ? source : cuda_emu::lane_id(), at);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, cuda_emu::Here at = cuda_emu::Here::current()) {
  const int source = cuda_emu::lane_id() + static_cast<int>(by);
  return cuda_emu::shuffle("__shfl_down_sync", mask, v, cuda_emu::within_segment(source, width), at);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, cuda_emu::Here at = cuda_emu::Here::current()) {
  const int source = cuda_emu::lane_id() - static_cast<int>(by);
  return cuda_emu::shuffle("__shfl_up_sync", mask, v, cuda_emu::within_segment(source, width), at);
}
inline unsigned __ballot_sync(unsigned mask, int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::warp_exchange({"__ballot_sync", at}, mask, p != 0, cuda_emu::lane_id()).set;
}
inline int __any_sync(unsigned mask, int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::warp_exchange({"__any_sync", at}, mask, p != 0, cuda_emu::lane_id()).set != 0;
}
inline int __all_sync(unsigned mask, int p, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::warp_exchange({"__all_sync", at}, mask, p == 0, cuda_emu::lane_id()).set == 0;
}
template <class T>
T __reduce_add_sync(unsigned mask, T v, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::reduce_lanes("__reduce_add_sync", mask, v, at, [](T a, T b) { return a + b; });
}
template <class T>
T __reduce_max_sync(unsigned mask, T v, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::reduce_lanes("__reduce_max_sync", mask, v, at, [](T a, T b) { return std::max(a, b); });
}
template <class T>
T __reduce_min_sync(unsigned mask, T v, cuda_emu::Here at = cuda_emu::Here::current()) {
  return cuda_emu::reduce_lanes("__reduce_min_sync", mask, v, at, [](T a, T b) { return std::min(a, b); });
}
template <class T>
unsigned __match_any_sync(unsigned mask, T v, cuda_emu::Here at = cuda_emu::Here::current()) {
  cuda_emu::warp_gather({"__match_any_sync", at}, mask, cuda_emu::to_bits(v));
  unsigned equal = 0;
  for (int lane = 0; lane < 32; ++lane)
    if ((mask >> lane & 1) && cuda_emu::offered_by(lane) == cuda_emu::to_bits(v)) equal |= 1u << lane;
  return equal;
}

// ---- atomics ----
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return static_cast<T>(old + v); });
}
template <class T>
T atomicSub(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return static_cast<T>(old - v); });
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return std::max(old, v); });
}
template <class T>
T atomicMin(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return std::min(old, v); });
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T) { return v; });
}
template <class T>
T atomicOr(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return static_cast<T>(old | v); });
}
template <class T>
T atomicAnd(T* p, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [v](T old) { return static_cast<T>(old & v); });
}
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
  return cuda_emu::atomically(p, [=](T old) { return old == expected ? v : old; });
}

// ---- intrinsics ----
inline float __expf(float x) { return std::exp(x); }
inline float __exp2f(float x) { return std::exp2(x); }
inline float __logf(float x) { return std::log(x); }
inline float __log2f(float x) { return std::log2(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __powf(float x, float y) { return std::pow(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __saturatef(float x) { return std::min(std::max(x, 0.0f), 1.0f); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((uint64_t{a} * b) >> 32); }
template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, std::type_identity_t<T> v) {
  *p = v;
}
template <class T>
void __stcg(T* p, std::type_identity_t<T> v) {
  *p = v;
}
[[noreturn]] inline void __trap() { cuda_emu::fail("the kernel called __trap()"); }
using std::max;
using std::min;

/// Dynamic shared memory; nvcc's version of this function is in cuda/device/shared_memory.cuh.
template <class T>
T* dynamic_shared() {
  return static_cast<T*>(cuda_emu::dynamic_shared_memory());
}
