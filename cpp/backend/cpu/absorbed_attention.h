// Attention with absorbed key and value weights over tiles: which rows each query sees, head by head.
#pragma once

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"

namespace agpt {

/// The linear layer (d, 3 d) of queries, keys and values, as the kernel reads it.
template <class Real>
struct ProjectionWeights {
  const Real* packed_transposed;  // (3 d, d) in panels
  const Real* weight;             // (d, 3 d), row-major
  Index stride;
  const Real* bias;  // (3 d) or null
};

/// AbsorbedAttention::attend_absorbed() of the tiles [first, end) of the batch.
template <class Real>
void attend_with_absorbed_weights(const KernelTable<Real>& kernels, std::span<const int> heads,
                                  const ProjectionWeights<Real>& weights, bool has_keys, const BatchView& batch,
                                  std::pair<Index, Index> tiles, Rows<Real> x, Rows<Real> qkv, Rows<Real> out,
                                  AlignedBuffer<Real>& workspace) {
  Index d = 0;
  for (const int width : heads) d += width;
  AbsorbedAttentionArgs<Real> args{};
  args.x = x.data, args.x_stride = x.stride, args.columns = d;
  args.keys_stride = qkv.stride;
  args.key_weights = weights.packed_transposed, args.key_depth = 3 * d;
  args.value_stride = weights.stride;
  std::vector<int32_t> seen;
  for (const Tile& tile :
       batch.tiles.subspan(static_cast<size_t>(tiles.first), static_cast<size_t>(tiles.second - tiles.first)))
    for (int32_t i = 0; i < tile.n_rows; ++i) {
      seen.clear();
      for (auto key = static_cast<size_t>(tile.key_begin); key < static_cast<size_t>(tile.key_end); ++key)
        if (batch.key_mask[key] >> i & 1) seen.push_back(batch.key_row[key]);
      args.rows = seen.data(), args.n_keys = static_cast<int>(seen.size());
      workspace.grow(static_cast<size_t>(padded_width(d) + padded_width(args.n_keys)), "attention workspace");
      args.workspace = workspace.data();
      const Index row = tile.first_row + i;
      Index column = 0;
      for (const int width : heads) {
        args.width = width;
        args.scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(width)));
        args.q = qkv.from(row).data + column;
        args.keys = has_keys ? qkv.data + d + column : nullptr;
        args.first_key = d + column;
        args.value_weights = weights.weight + 2 * d + column;
        args.value_bias = weights.bias == nullptr ? nullptr : weights.bias + 2 * d + column;
        args.out = out.from(row).data + column;
        kernels.attend_absorbed(args);
        column += width;
      }
    }
}

}  // namespace agpt
