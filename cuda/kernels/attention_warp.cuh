// What both directions of attention share: a head's columns are cut over the warps of a block's layer, each of kColumns;
// the other side of the product (keys for queries, queries for keys) is staged in shared memory, some rows at a time, and
// read by all lanes at once.
#pragma once

#include <cmath>

#include "cuda/device/shared_memory.cuh"
#include "cuda/device/vec.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/kernels/attention.h"

namespace agpt::cuda {

/// Rows staged at a time: such that the widest head fits into 48 KiB in either precision.
template <class Real>
constexpr int kStagedRows = sizeof(Real) == 4 ? 32 : 16;

/// Products that are summed over the warps of a head at a time.
template <class Real>
constexpr int kProducts = sizeof(Real) == 4 ? 8 : 2;

/// Threads of a block: of several narrow heads, or of one or more wide ones.
template <bool kOneWarp>
constexpr int kMostThreads = kOneWarp ? 128 : 256;

/// The shared memory of one head of a block. `padded` columns are the head's, filled up to whole warps with zeros.
template <class Real>
struct HeadMemory {
  Real* first;     // (staged rows, padded)
  Real* second;    // (staged rows, padded)
  Real* products;  // (warps, kProducts, lanes); none where a head is one warp
  Real* log_sum;   // (lanes)
  Real* mean;      // (lanes)
  uint32_t* mask;  // (staged rows)

  static __host__ __device__ size_t reals(int padded, int warps) {
    const size_t products = warps > 1 ? static_cast<size_t>(warps) * kProducts<Real> * kWarp : 0;
    return 2 * static_cast<size_t>(kStagedRows<Real>) * padded + products + 2 * kWarp;
  }
  static __host__ __device__ size_t bytes(int padded, int warps) {
    return reals(padded, warps) * sizeof(Real) + kStagedRows<Real> * sizeof(uint32_t);
  }
  __device__ HeadMemory(unsigned char* memory, int padded, int warps) {
    first = reinterpret_cast<Real*>(memory);
    second = first + kStagedRows<Real> * padded;
    products = second + kStagedRows<Real> * padded;
    mask = reinterpret_cast<uint32_t*>(first + reals(padded, warps));
    mean = first + reals(padded, warps) - kWarp;
    log_sum = mean - kWarp;
  }
};

/// One thread's place in a head: lane `lane` of the warp that holds the columns [own, own + kColumns) of it.
template <class Real, int kColumns, bool kOneWarp>
struct HeadWarp {
  DeviceHead head;
  HeadMemory<Real> memory;
  int lane, part, padded;

  __device__ explicit HeadWarp(const DeviceHead* heads)
      : head(heads[blockIdx.y * blockDim.z + threadIdx.z]),
        memory(dynamic_shared<unsigned char>() + threadIdx.z * HeadMemory<Real>::bytes(width_of_block(), warps()),
               width_of_block(), warps()),
        lane(static_cast<int>(threadIdx.x)),
        part(kOneWarp ? 0 : static_cast<int>(threadIdx.y)),
        padded(width_of_block()) {}

  static __device__ int warps() { return kOneWarp ? 1 : static_cast<int>(blockDim.y); }
  static __device__ int width_of_block() { return warps() * kColumns; }

  /// First column of the warp in the head, and how many of its columns the head has.
  __device__ int own() const { return part * kColumns; }
  __device__ int valid() const { return head.width - own() < kColumns ? head.width - own() : kColumns; }

  /// All threads of the head have come here. Heads of a block take the same steps, so a block barrier serves them all.
  static __device__ void barrier() {
    if constexpr (kOneWarp)
      __syncwarp();
    else
      __syncthreads();
  }

  /// Columns of the thread's warp from a row of a matrix; zeros where there is none. `from` is the row's first column of
  /// the head.
  __device__ void load(Real (&x)[kColumns], const Real* from, bool present, Real scale) const {
    from += own();
    if (present && valid() == kColumns && reinterpret_cast<uintptr_t>(from) % sizeof(Vec4<float>) == 0) {
#pragma unroll
      for (int v = 0; v < kColumns / 4; ++v) {
        const Vec4<Real> four = as_vectors(from)[v];
#pragma unroll
        for (int i = 0; i < 4; ++i) x[4 * v + i] = scale * four.at[i];
      }
      return;
    }
#pragma unroll
    for (int c = 0; c < kColumns; ++c) x[c] = present && c < valid() ? scale * from[c] : Real(0);
  }

  /// to = scale * x.
  __device__ void store(const Real (&x)[kColumns], Real* to, Real scale) const {
    to += own();
    if (valid() == kColumns && reinterpret_cast<uintptr_t>(to) % sizeof(Vec4<float>) == 0) {
#pragma unroll
      for (int v = 0; v < kColumns / 4; ++v) {
        Vec4<Real> four;
#pragma unroll
        for (int i = 0; i < 4; ++i) four.at[i] = scale * x[4 * v + i];
        as_vectors(to)[v] = four;
      }
      return;
    }
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
      if (c < valid()) to[c] = scale * x[c];
  }

  /// to += scale * x, while other blocks add to the same numbers.
  __device__ void add_atomically(const Real (&x)[kColumns], Real* to, Real scale) const {
#pragma unroll
    for (int c = 0; c < kColumns; ++c)
      if (c < valid()) atomicAdd(to + own() + c, scale * x[c]);
  }

  /// Stages column c of row i, for i below kStagedRows, where row(i) is a pointer to the head's first column or null.
  template <class Row>
  __device__ void stage(Real* to, const Row& row) const {
    for (int i = part * kWarp + lane; i < kStagedRows<Real> * padded; i += warps() * kWarp) {
      const int item = i / padded, column = i - item * padded;
      const Real* from = row(item);
      to[i] = from != nullptr && column < head.width ? from[column] : Real(0);
    }
  }

  /// Stages the keys, the values and the masks of the first kStagedRows of a tile's keys [begin, end), or of all; returns
  /// how many. All threads of the head call it and read what it staged.
  __device__ int stage_keys(const DeviceTiles& tiles, int begin, int end, Rows<Real> qkv, Index model_width) const {
    const int n_keys = end - begin < kStagedRows<Real> ? end - begin : kStagedRows<Real>;
    const auto key = [&](int i) -> const Real* {
      return i < n_keys ? qkv.data + tiles.key_row[begin + i] * qkv.stride + model_width + head.column : nullptr;
    };
    const auto value = [&](int i) -> const Real* { return i < n_keys ? key(i) + model_width : nullptr; };
    barrier();  // nobody reads the last keys any more
    stage(memory.first, key);
    stage(memory.second, value);
    if (part == 0 && lane < kStagedRows<Real>) memory.mask[lane] = lane < n_keys ? tiles.key_mask[begin + lane] : 0;
    barrier();
    return n_keys;
  }

  /// products[i] = x . staged row i, over the warp's columns.
  template <int kCount>
  __device__ void multiply(const Real (&x)[kColumns], const Real* staged, Real* products) const {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      Real sum = 0;
#pragma unroll
      for (int v = 0; v < kColumns / 4; ++v) {
        const Vec4<Real> four = as_vectors(staged + i * padded + own())[v];
#pragma unroll
        for (int j = 0; j < 4; ++j) sum += x[4 * v + j] * four.at[j];
      }
      products[i] = sum;
    }
  }

  /// x += factor * staged row.
  __device__ void add(Real (&x)[kColumns], Real factor, const Real* staged) const {
#pragma unroll
    for (int v = 0; v < kColumns / 4; ++v) {
      const Vec4<Real> four = as_vectors(staged + own())[v];
#pragma unroll
      for (int j = 0; j < 4; ++j) x[4 * v + j] += factor * four.at[j];
    }
  }

  /// The products of the whole head, in all its warps.
  __device__ void sum_over_warps(Real (&products)[kProducts<Real>]) const {
    if constexpr (!kOneWarp) {
#pragma unroll
      for (int i = 0; i < kProducts<Real>; ++i)
        memory.products[(part * kProducts<Real> + i) * kWarp + lane] = products[i];
      __syncthreads();
#pragma unroll
      for (int i = 0; i < kProducts<Real>; ++i) {
        Real sum = 0;
        for (int w = 0; w < warps(); ++w) sum += memory.products[(w * kProducts<Real> + i) * kWarp + lane];
        products[i] = sum;
      }
      __syncthreads();  // the room is free again
    }
  }

  __device__ Real score_scale() const { return 1 / std::sqrt(static_cast<Real>(head.width)); }
};

/// The launch of a kernel over tiles (x) and heads (y, z): one layer of a block per head.
template <class Real, class Kernel, class... Arguments>
void launch_heads(const Queue& queue, Kernel kernel, const HeadGroup& group, Index n_tiles, Arguments&&... arguments) {
  const dim3 grid(static_cast<unsigned>(n_tiles), static_cast<unsigned>(group.n_heads / group.heads_per_block));
  const dim3 block(kWarp, static_cast<unsigned>(group.warps), static_cast<unsigned>(group.heads_per_block));
  launch(queue, kernel, grid, block,
         group.heads_per_block * HeadMemory<Real>::bytes(group.columns * group.warps, group.warps),
         std::forward<Arguments>(arguments)...);
}

}  // namespace agpt::cuda
