// Attention with absorbed key and value weights over tiles: the queries go through the key weights together, each sees
// its rows, and the means of rows go through the value weights together.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "cpp/backend/cpu/kernel_table.h"
#include "cpp/base/memory.h"

namespace agpt {

/// The linear layer (d, 3 d) of queries, keys and values, as the kernels read it.
template <class Real>
struct ProjectionWeights {
  const Real* packed_transposed;  // (3 d, d) in panels
  const Real* weight;             // (d, 3 d), row-major
  Index stride;
  const Real* bias;  // (3 d) or null
};

/// AbsorbedAttention::attend_absorbed() of a stream. It keeps its memory from call to call.
template <class Real>
class AbsorbedAttentionLoop {
 public:
  AbsorbedAttentionLoop(const KernelTable<Real>& kernels, std::span<const int> heads)
      : kernels_(kernels), heads_(heads) {
    for (const int width : heads) d_ += width;
    const bool are_equal = std::ranges::all_of(heads, [&](int width) { return width == heads.front(); });
    heads_at_a_time_ = kernels.attend_four_heads != nullptr && are_equal && heads.size() % 4 == 0 ? 4 : 1;
  }

  /// Of the tiles [first, end) of the batch, which follow one another.
  void attend(const ProjectionWeights<Real>& weights, bool has_keys, const BatchView& batch, Index first, Index end,
              Rows<Real> x, Rows<Real> qkv, Rows<Real> out) {
    if (first == end) return;
    const auto tiles = batch.tiles.subspan(static_cast<size_t>(first), static_cast<size_t>(end - first));
    first_row_ = tiles.front().first_row;
    n_rows_ = tiles.back().first_row + tiles.back().n_rows - first_row_;
    rows_.grow(static_cast<size_t>(n_rows_ * row_stride()), "absorbed attention");
    if (!has_keys) take_key_weights(weights, qkv);
    for (const Tile& tile : tiles)
      for (int32_t i = 0; i < tile.n_rows; ++i) attend_row(batch, tile, i, has_keys, x, qkv);
    take_value_weights(weights, out);
  }

 private:
  Index padded() const { return padded_width(d_); }
  /// Numbers of rows_ for one row of the batch.
  Index row_stride() const { return static_cast<Index>(heads_.size()) * padded(); }
  Real* in_head(size_t head) { return rows_.data() + static_cast<Index>(head) * padded(); }

  /// Calls body(head, its first column).
  template <class Body>
  void for_each_head(Body body) const {
    Index column = 0;
    for (size_t head = 0; head < heads_.size(); column += heads_[head++]) body(head, column);
  }

  /// rows_ = every query times the key weights of its head. Their bias adds the same to all scores of the query, which
  /// softmax does not see.
  void take_key_weights(const ProjectionWeights<Real>& weights, Rows<Real> qkv) {
    for_each_head([&](size_t head, Index column) {
      MatmulArgs<Real> args{};
      args.a = qkv.from(first_row_).data + column, args.a_stride = qkv.stride;
      args.m = n_rows_, args.k = heads_[head];
      args.c_stride = row_stride();
      for (Index first = 0; first < d_; first += kernels_.panel_width) {
        const Index used = std::min<Index>(d_ - first, kernels_.panel_width),
                    step = (used + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
        args.n = static_cast<int>(used);
        args.packed = weights.packed_transposed + first * 3 * d_ + (d_ + column) * step;
        args.c = in_head(head) + first;
        kernels_.matmul(args);
      }
    });
  }

  /// rows_ = in every head the mean of the rows of x that row i of the tile sees, from what is there of the query.
  void attend_row(const BatchView& batch, const Tile& tile, int32_t i, bool has_keys, Rows<Real> x, Rows<Real> qkv) {
    HeadsArgs<Real> args{};
    args.rows = keys_of(batch, tile, i, args.n_keys);
    const Index row = tile.first_row + i;
    p_.grow(static_cast<size_t>(padded_width(heads_at_a_time_ * Index{args.n_keys})), "absorbed attention");
    args.p = p_.data();
    args.v = x.data, args.v_stride = x.stride, args.v_columns = padded();
    args.out_step = padded();
    for_each_head([&](size_t head, Index column) {
      if (head % static_cast<size_t>(heads_at_a_time_) != 0) return;
      args.scale = static_cast<Real>(1 / std::sqrt(static_cast<double>(heads_[head])));
      args.out = in_head(head) + (row - first_row_) * row_stride();
      if (has_keys) {
        args.q = qkv.from(row).data + column, args.q_step = heads_[head];
        args.k = qkv.data + d_ + column, args.k_stride = qkv.stride, args.k_step = args.k_columns = heads_[head];
      } else {
        args.q = args.out, args.q_step = padded();
        args.k = x.data, args.k_stride = x.stride, args.k_step = 0, args.k_columns = padded();
      }
      (heads_at_a_time_ == 4 ? kernels_.attend_four_heads : kernels_.attend_one_head)(args);
    });
  }

  /// The rows that row i of the tile sees; all that the tile lists where it has no other row.
  const int32_t* keys_of(const BatchView& batch, const Tile& tile, int32_t i, int& n_keys) {
    const auto begin = static_cast<size_t>(tile.key_begin), end = static_cast<size_t>(tile.key_end);
    if (tile.n_rows == 1) {
      n_keys = static_cast<int>(end - begin);
      return batch.key_row.data() + begin;
    }
    seen_.clear();
    for (size_t key = begin; key < end; ++key)
      if (batch.key_mask[key] >> i & 1) seen_.push_back(batch.key_row[key]);
    n_keys = static_cast<int>(seen_.size());
    return seen_.data();
  }

  void take_value_weights(const ProjectionWeights<Real>& weights, Rows<Real> out) {
    for_each_head([&](size_t head, Index column) {
      const Real* bias = weights.bias == nullptr ? nullptr : weights.bias + 2 * d_ + column;
      kernels_.multiply_rows(in_head(head), row_stride(), n_rows_, d_, weights.weight + 2 * d_ + column, weights.stride,
                             bias, heads_[head], out.from(first_row_).data + column, out.stride);
    });
  }

  const KernelTable<Real>& kernels_;
  const std::span<const int> heads_;
  Index d_ = 0, heads_at_a_time_ = 1;
  Index first_row_ = 0, n_rows_ = 0;  // the queries
  AlignedBuffer<Real> rows_;          // (queries, heads, padded d): queries, then means of rows
  AlignedBuffer<Real> p_;
  std::vector<int32_t> seen_;
};

}  // namespace agpt
