#include "cuda/kernels/attention.h"

#include <algorithm>

#include "cuda/kernels/attention_warp.cuh"

namespace agpt::cuda {
namespace {

// Mapping: a layer (z) of a block owns a tile (x) and a head (y, z); a lane owns a query, a warp of the layer some columns
// of it. Keys and values pass through shared memory; the softmax is kept up to date as they pass, so nothing of the size
// of the scores is stored. Barriers: the layers of a block walk the same keys, so all threads reach each of them.
template <class Real, int kColumns, bool kOneWarp>
__global__ void __launch_bounds__(kMostThreads<kOneWarp>, kOneWarp && sizeof(Real) == 4 ? 4 : 1)
    attend_kernel(DeviceTiles tiles, HeadsView heads, const DeviceHead* group, Rows<Real> qkv, Rows<Real> out,
                  Real* saved) {
  const HeadWarp<Real, kColumns, kOneWarp> warp(group);
  const Tile tile = tiles.tiles[tiles.first_tile + blockIdx.x];
  const bool present = warp.lane < tile.n_rows;
  const Index row = tile.first_row + warp.lane, d = heads.model_width;
  constexpr int kCount = kProducts<Real>;

  Real q[kColumns], o[kColumns] = {};
  warp.load(q, qkv.data + row * qkv.stride + warp.head.column, present, warp.score_scale());
  Real largest = -INFINITY, sum = 0;
  for (int first = tile.key_begin; first < tile.key_end; first += kStagedRows<Real>) {
    const int n_keys = warp.stage_keys(tiles, first, tile.key_end, qkv, d);
    for (int k = 0; k < n_keys; k += kCount) {
      Real score[kCount];
      warp.template multiply<kCount>(q, warp.memory.first + k * warp.padded, score);
      warp.sum_over_warps(score);
      Real above = largest;
      unsigned seen = 0;
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const unsigned sees = warp.memory.mask[k + i] >> warp.lane & 1u;
        seen |= sees << i;
        if (sees && score[i] > above) above = score[i];
      }
      if (seen == 0) continue;
      const Real keep = std::exp(largest - above);  // 0 for the first keys
      largest = above;
      sum *= keep;
#pragma unroll
      for (Real& column : o) column *= keep;
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const Real p = seen >> i & 1u ? std::exp(score[i] - largest) : Real(0);
        sum += p;
        warp.add(o, p, warp.memory.second + (k + i) * warp.padded);
      }
    }
  }
  if (!present) return;
  warp.store(o, out.data + row * out.stride + warp.head.column, 1 / sum);
  if (warp.part == 0) saved[(row - tiles.first_row) * heads.n_heads + warp.head.number] = largest + std::log(sum);
}

template <class Real, int kColumns>
void attend_group(const Queue& queue, const HeadsView& heads, const HeadGroup& group, const DeviceTiles& tiles,
                  Rows<Real> qkv, Rows<Real> out, Real* saved) {
  launch_heads<Real>(queue,
                     group.warps == 1 ? attend_kernel<Real, kColumns, true> : attend_kernel<Real, kColumns, false>,
                     group, tiles.n_tiles, tiles, heads, group.heads, qkv, out, saved);
}

}  // namespace

std::vector<DeviceHead> group_heads(const std::vector<int>& widths, const DeviceHead* device,
                                    std::vector<HeadGroup>& groups) {
  std::vector<DeviceHead> heads, order;
  for (int32_t column = 0; const int width : widths) {
    heads.push_back({column, width, static_cast<int32_t>(heads.size())});
    column += width;
  }
  const auto columns_of = [](const DeviceHead& head) { return head.width <= 4 ? 4 : head.width <= 8 ? 8 : 16; };
  const auto warps_of = [](const DeviceHead& head) { return head.width <= 16 ? 1 : (head.width + 15) / 16; };
  while (!heads.empty()) {
    HeadGroup group{columns_of(heads[0]), warps_of(heads[0]), 0, 1, device + order.size()};
    const auto belongs = [&](const DeviceHead& head) {
      return columns_of(head) == group.columns && warps_of(head) == group.warps;
    };
    std::copy_if(heads.begin(), heads.end(), std::back_inserter(order), belongs);
    group.n_heads = static_cast<int>(device + order.size() - group.heads);
    std::erase_if(heads, belongs);
    for (int n = 2; n * group.warps <= 4; ++n)
      if (group.n_heads % n == 0) group.heads_per_block = n;
    groups.push_back(group);
  }
  return order;
}

template <class Real>
void attend(const Queue& queue, const HeadsView& heads, const DeviceTiles& tiles, Rows<Real> qkv, Rows<Real> out,
            Real* saved) {
  for (const HeadGroup& group : *heads.groups) {
    if (group.columns == 4) attend_group<Real, 4>(queue, heads, group, tiles, qkv, out, saved);
    if (group.columns == 8) attend_group<Real, 8>(queue, heads, group, tiles, qkv, out, saved);
    if (group.columns == 16) attend_group<Real, 16>(queue, heads, group, tiles, qkv, out, saved);
  }
}

template void attend(const Queue&, const HeadsView&, const DeviceTiles&, Rows<float>, Rows<float>, float*);
template void attend(const Queue&, const HeadsView&, const DeviceTiles&, Rows<double>, Rows<double>, double*);

}  // namespace agpt::cuda
