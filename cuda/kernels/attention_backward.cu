#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_warp.cuh"

namespace agpt::cuda {
namespace {

template <class Real>
struct BackwardRows {
  Rows<Real> qkv, dout;
  const Real* saved;
  Rows<Real> dqkv;
  KeyGradients<Real> keys;
  bool operator==(const BackwardRows&) const = default;
};

// A lane is a query: the gradient of q, and for the keys' turn each query's log of the sum and mean of dp, in shared
// memory. With dp = dout . v, the mean m = sum p dp is known only at the end, so the two sums of
// dq = sum p (dp - m) k = sum p dp k - m sum p k are kept apart.
template <class Real, int kColumns, bool kOneWarp>
__device__ void backward_of_queries(const HeadWarp<Real, kColumns, kOneWarp>& warp, const DeviceTiles& tiles,
                                    const HeadsView& heads, const Tile& tile, const BackwardRows<Real>& rows) {
  constexpr int kCount = kProducts<Real> / 2;
  const bool present = warp.lane < tile.n_rows;
  const Index row = tile.first_row + warp.lane, d = heads.model_width;
  const Real log_sum = present ? rows.saved[(row - tiles.first_row) * heads.n_heads + warp.head.number] : Real(0);
  Real q[kColumns], dout[kColumns], with_dp[kColumns] = {}, without[kColumns] = {}, mean = 0;
  warp.load(q, rows.qkv.data + row * rows.qkv.stride + warp.head.column, present, warp.score_scale());
  warp.load(dout, rows.dout.data + row * rows.dout.stride + warp.head.column, present, 1);
  for (int first = tile.key_begin; first < tile.key_end; first += kStagedRows<Real>) {
    const int n_keys = warp.stage_keys(tiles, first, tile.key_end, rows.qkv, d);
    for (int k = 0; k < n_keys; k += kCount) {
      Real products[2 * kCount];  // scores, then dp
      warp.template multiply<kCount>(q, warp.memory.first + k * warp.padded, products);
      warp.template multiply<kCount>(dout, warp.memory.second + k * warp.padded, products + kCount);
      warp.sum_over_warps(products);
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const bool sees = warp.memory.mask[k + i] >> warp.lane & 1u;
        const Real p = sees ? std::exp(products[i] - log_sum) : Real(0), p_dp = p * products[kCount + i];
        const Real* staged = warp.memory.first + (k + i) * warp.padded;
        mean += p_dp;
        warp.add(with_dp, p_dp, staged);
        warp.add(without, p, staged);
      }
    }
  }
  if (warp.part == 0) {
    warp.memory.log_sum[warp.lane] = log_sum;
    warp.memory.mean[warp.lane] = mean;
  }
#pragma unroll
  for (int c = 0; c < kColumns; ++c) with_dp[c] -= mean * without[c];
  if (present) warp.store(with_dp, rows.dqkv.data + row * rows.dqkv.stride + warp.head.column, warp.score_scale());
}

// A lane is a key, 32 of the tile's at a time: the gradients of k and v over the tile's queries.
template <class Real, int kColumns, bool kOneWarp>
__device__ void backward_of_keys(const HeadWarp<Real, kColumns, kOneWarp>& warp, const DeviceTiles& tiles,
                                 const HeadsView& heads, const Tile& tile, const BackwardRows<Real>& rows) {
  constexpr int kStaged = kStagedRows<Real>, kCount = kProducts<Real> / 2;
  const Index d = heads.model_width;
  const int n_path = tile.key_end - tile.key_begin - tile.n_rows;
  for (int first = tile.key_begin; first < tile.key_end; first += kWarp) {
    const int key = first + warp.lane;
    const bool present = key < tile.key_end;
    const Index row = present ? tiles.key_row[key] : 0;
    const uint32_t mask = present ? tiles.key_mask[key] : 0;
    const Real* from = rows.qkv.data + row * rows.qkv.stride + d + warp.head.column;
    Real k[kColumns], v[kColumns], dk[kColumns] = {}, dv[kColumns] = {};
    warp.load(k, from, present, warp.score_scale());
    warp.load(v, from + d, present, 1);
    for (int begin = 0; begin < tile.n_rows; begin += kStaged) {
      const int n_queries = tile.n_rows - begin < kStaged ? tile.n_rows - begin : kStaged;
      const Index first_query = tile.first_row + begin;
      warp.barrier();  // nobody reads what is staged; means and logs of all queries are there
      warp.stage(warp.memory.first, [&](int i) -> const Real* {
        return i < n_queries ? rows.qkv.data + (first_query + i) * rows.qkv.stride + warp.head.column : nullptr;
      });
      warp.stage(warp.memory.second, [&](int i) -> const Real* {
        return i < n_queries ? rows.dout.data + (first_query + i) * rows.dout.stride + warp.head.column : nullptr;
      });
      warp.barrier();
      for (int i = 0; i < n_queries; i += kCount) {
        Real products[2 * kCount];  // scores, then dp
        warp.template multiply<kCount>(k, warp.memory.first + i * warp.padded, products);
        warp.template multiply<kCount>(v, warp.memory.second + i * warp.padded, products + kCount);
        warp.sum_over_warps(products);
#pragma unroll
        for (int j = 0; j < kCount; ++j) {
          const int query = begin + i + j;
          const bool seen = mask >> query & 1u;
          const Real p = seen ? std::exp(products[j] - warp.memory.log_sum[query]) : Real(0);
          warp.add(dv, p, warp.memory.second + (i + j) * warp.padded);
          warp.add(dk, p * (products[kCount + j] - warp.memory.mean[query]), warp.memory.first + (i + j) * warp.padded);
        }
      }
    }
    if (!present) continue;  // no barrier is left for this lane but those that all lanes of the head take
    Real* const own = rows.dqkv.data + row * rows.dqkv.stride + d + warp.head.column;
    const int number = key - tile.key_begin;
    if (rows.keys.by_atomics) {
      warp.add_atomically(dk, own, warp.score_scale());
      warp.add_atomically(dv, own + d, 1);
      continue;
    }
    const bool on_path = number < n_path;
    const Index place = tiles.path_begin[tiles.first_tile + blockIdx.x] + Index{number};
    Real* const to = on_path ? rows.keys.path + place * 2 * d + warp.head.column : own;
    warp.store(dk, to, warp.score_scale());
    warp.store(dv, to + d, 1);
  }
}

// Mapping: a layer (z) of a block owns a tile (x) and a head (y, z), first with its queries as lanes, then with its keys.
// Scores are computed again in both turns: shared memory holds rows, not scores. A row is an own row of one tile only, so
// its dqkv has one writer; keys before the tile's own rows have a place for each tile that sees them. Without those places
// all keys' gradients are added by atomics, in an order that varies.
template <class Real, int kColumns, bool kOneWarp>
__global__ void __launch_bounds__(kMostThreads<kOneWarp>, kOneWarp && sizeof(Real) == 4 ? 3 : 1)
    attend_backward_kernel(DeviceTiles tiles, HeadsView heads, const DeviceHead* group, BackwardRows<Real> rows) {
  const HeadWarp<Real, kColumns, kOneWarp> warp(group);
  const Tile tile = tiles.tiles[tiles.first_tile + blockIdx.x];
  backward_of_queries(warp, tiles, heads, tile, rows);
  backward_of_keys(warp, tiles, heads, tile, rows);
}

template <class Real, int kColumns>
void backward_of_group(const Queue& queue, const HeadsView& heads, const HeadGroup& group, const DeviceTiles& tiles,
                       const BackwardRows<Real>& rows) {
  launch_heads<Real>(
      queue,
      group.warps == 1 ? attend_backward_kernel<Real, kColumns, true> : attend_backward_kernel<Real, kColumns, false>,
      group, tiles.n_tiles, tiles, heads, group.heads, rows);
}

}  // namespace

template <class Real>
void attend_backward(const Queue& queue, const HeadsView& heads, const DeviceTiles& tiles, Rows<Real> qkv,
                     Rows<Real> dout, const Real* saved, Rows<Real> dqkv, const KeyGradients<Real>& keys) {
  const BackwardRows<Real> rows{qkv, dout, saved, dqkv, keys};
  for (const HeadGroup& group : *heads.groups) {
    if (group.columns == 4) backward_of_group<Real, 4>(queue, heads, group, tiles, rows);
    if (group.columns == 8) backward_of_group<Real, 8>(queue, heads, group, tiles, rows);
    if (group.columns == 16) backward_of_group<Real, 16>(queue, heads, group, tiles, rows);
  }
}

template void attend_backward(const Queue&, const HeadsView&, const DeviceTiles&, Rows<float>, Rows<float>,
                              const float*, Rows<float>, const KeyGradients<float>&);
template void attend_backward(const Queue&, const HeadsView&, const DeviceTiles&, Rows<double>, Rows<double>,
                              const double*, Rows<double>, const KeyGradients<double>&);

}  // namespace agpt::cuda
