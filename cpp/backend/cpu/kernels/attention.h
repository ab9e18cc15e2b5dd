// Tile-path attention of one head: the lanes of a vector are the queries of a tile (consecutive pre-order rows), keys
// are scalars broadcast from where they lie. Nothing is gathered, no sum crosses lanes, and dK and dV are plain
// additions in a fixed order, so results repeat exactly. A key that a lane does not see gets probability exactly 0
// there.
//
// Columns of the head are taken in chunks of 16, 8, 4, 2 and 1, so that any width works and the common ones (16, 32,
// 64) run whole chunks in registers. Scores go through memory between chunks, which stays in the first-level cache.
#pragma once

#include "cpp/backend/cpu/kernels/attend_row.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
constexpr Real kMaskedScore = static_cast<Real>(-1e30);

// out[i] = column i of the chunk over the rows (row i in lane i); lanes beyond n_rows are zero.
template <class Real, int kChunk>
inline void load_columns(const Real* x, Index stride, int n_rows, Vector<Real>* out) {
  constexpr int kWidth = kLanes<Real>;
  if constexpr (kChunk % kWidth == 0) {
    AGPT_UNROLL
    for (int part = 0; part < kChunk; part += kWidth) {
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i) out[part + i] = i < n_rows ? load(x + i * stride + part) : Vector<Real>{};
      transpose<Real>(out + part);
    }
  } else {
    Real columns[kChunk][kWidth] = {};
    for (int i = 0; i < n_rows; ++i)
      for (int c = 0; c < kChunk; ++c) columns[c][i] = x[i * stride + c];
    for (int c = 0; c < kChunk; ++c) out[c] = load(columns[c]);
  }
}

template <class Real, int kChunk>
inline void store_columns(Vector<Real>* v, Real* x, Index stride, int n_rows) {
  constexpr int kWidth = kLanes<Real>;
  if constexpr (kChunk % kWidth == 0) {
    AGPT_UNROLL
    for (int part = 0; part < kChunk; part += kWidth) {
      transpose<Real>(v + part);
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i)
        if (i < n_rows) store(x + i * stride + part, v[part + i]);
    }
  } else {
    for (int i = 0; i < n_rows; ++i)
      for (int c = 0; c < kChunk; ++c) x[i * stride + c] = v[c][i];
  }
}

// Two dot products at a time: independent chains hide the latency of the multiply-adds.
template <class Real, int kChunk>
inline void dot_two(const Vector<Real>* q, const Real* first, const Real* second, Vector<Real>& a, Vector<Real>& b) {
  Vector<Real> a0 = q[0] * broadcast<Real>(first[0]), b0 = q[0] * broadcast<Real>(second[0]), a1{}, b1{};
  AGPT_UNROLL
  for (int i = 1; i < kChunk; ++i) {
    if (i % 2) {
      a1 += q[i] * broadcast<Real>(first[i]);
      b1 += q[i] * broadcast<Real>(second[i]);
    } else {
      a0 += q[i] * broadcast<Real>(first[i]);
      b0 += q[i] * broadcast<Real>(second[i]);
    }
  }
  a = a0 + a1;
  b = b0 + b1;
}

// scores[key] (+)= sum over the chunk of columns x keys: x holds one vector per column.
template <class Real, int kChunk>
inline void add_dot_products(const Vector<Real>* x, const int32_t* rows, int n_keys, const Real* keys, Index stride,
                             bool add, Real* scores) {
  constexpr int kWidth = kLanes<Real>;
  for (int j = 0; j < n_keys; j += 2) {
    const int other = j + 1 < n_keys ? j + 1 : j;
    Vector<Real> a, b;
    dot_two<Real, kChunk>(x, keys + rows[j] * stride, keys + rows[other] * stride, a, b);
    if (add) {
      a += load(scores + j * kWidth);
      b += load(scores + other * kWidth);
    }
    store(scores + j * kWidth, a);
    store(scores + other * kWidth, b);
  }
}

// x[column] = sum over keys of weights[key] * keys[key][column].
template <class Real, int kChunk>
inline void weighted_sum(const Real* weights, const int32_t* rows, int n_keys, const Real* keys, Index stride,
                         Vector<Real>* x) {
  AGPT_UNROLL
  for (int i = 0; i < kChunk; ++i) x[i] = Vector<Real>{};
  for (int j = 0; j < n_keys; ++j) {
    const Real* key = keys + rows[j] * stride;
    const Vector<Real> w = load(weights + j * kLanes<Real>);
    AGPT_UNROLL
    for (int i = 0; i < kChunk; ++i) x[i] += w * broadcast<Real>(key[i]);
  }
}

// to[key][column] += sum over the tile's rows of weights[key][row] * x[row][column].
template <class Real, int kChunk>
inline void scatter_to_keys(const Real* weights, const int32_t* rows, int n_keys, const Real* x, Index x_stride,
                            int n_rows, Real* to, Index to_stride) {
  constexpr int kWidth = kLanes<Real>;
  if constexpr (kChunk % kWidth == 0) {
    AGPT_UNROLL
    for (int part = 0; part < kChunk; part += kWidth) {
      Vector<Real> row[kWidth];
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i) row[i] = i < n_rows ? load(x + i * x_stride + part) : Vector<Real>{};
      for (int j = 0; j < n_keys; ++j) {
        const Real* w = weights + j * kWidth;
        Vector<Real> even = row[0] * broadcast<Real>(w[0]), odd{};
        AGPT_UNROLL
        for (int i = 1; i < kWidth; ++i) {
          if (i % 2)
            odd += row[i] * broadcast<Real>(w[i]);
          else
            even += row[i] * broadcast<Real>(w[i]);
        }
        Real* key = to + rows[j] * to_stride + part;
        store(key, load(key) + (even + odd));
      }
    }
  } else {
    for (int j = 0; j < n_keys; ++j) {
      Real* key = to + rows[j] * to_stride;
      for (int i = 0; i < n_rows; ++i) {
        const Real w = weights[j * kWidth + i];
        for (int c = 0; c < kChunk; ++c) key[c] += w * x[i * x_stride + c];
      }
    }
  }
}

// Calls body.template operator()<chunk>(first column) over the width.
template <class Body>
inline void for_each_chunk(int width, Body body) {
  int c = 0;
  for (; c + 16 <= width; c += 16) body.template operator()<16>(c);
  if (width - c >= 8) body.template operator()<8>(c), c += 8;
  if (width - c >= 4) body.template operator()<4>(c), c += 4;
  if (width - c >= 2) body.template operator()<2>(c), c += 2;
  if (width - c >= 1) body.template operator()<1>(c);
}

template <class Real>
void attend(const AttentionArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>;
  const Tile& tile = *args.tile;
  if (is_for_attend_row<Real>(tile, args.width)) return attend_row(args);
  const int n_keys = tile.key_end - tile.key_begin, n_rows = tile.n_rows;
  const int32_t* rows = args.key_row + tile.key_begin;
  const uint64_t* masks = args.key_mask + tile.key_begin;
  Real* scores = args.saved;

  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> q[kChunk];
    load_columns<Real, kChunk>(args.q + tile.first_row * args.qkv_stride + c, args.qkv_stride, n_rows, q);
    AGPT_UNROLL
    for (int i = 0; i < kChunk; ++i) q[i] *= args.scale;
    add_dot_products<Real, kChunk>(q, rows, n_keys, args.k + c, args.qkv_stride, c > 0, scores);
  });

  const Vector<Real> masked = broadcast<Real>(kMaskedScore<Real>), zero{};
  Vector<Real> top = masked, sum{};
  for (int j = 0; j < n_keys; ++j) {
    const Vector<Real> s = lanes_of<Real>(masks[j]) ? load(scores + j * kWidth) : masked;
    top = larger<Real>(top, s);
  }
  for (int j = 0; j < n_keys; ++j) {
    const Vector<Real> p = lanes_of<Real>(masks[j]) ? exponential(load(scores + j * kWidth) - top) : zero;
    sum += p;
    store(scores + j * kWidth, p);
  }
  const Vector<Real> inverse = 1 / (sum > zero ? sum : broadcast<Real>(1));  // lanes beyond n_rows see no key
  if (args.is_saved)
    for (int j = 0; j < n_keys; ++j) store(scores + j * kWidth, load(scores + j * kWidth) * inverse);
  const Vector<Real> left = args.is_saved ? broadcast<Real>(1) : inverse;  // of the division by the sum

  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> out[kChunk];
    weighted_sum<Real, kChunk>(scores, rows, n_keys, args.v + c, args.qkv_stride, out);
    AGPT_UNROLL
    for (int i = 0; i < kChunk; ++i) out[i] *= left;
    store_columns<Real, kChunk>(out, args.out + tile.first_row * args.out_stride + c, args.out_stride, n_rows);
  });
}

template <class Real>
void attend_backward(const AttentionArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>;
  const Tile& tile = *args.tile;
  const int n_keys = tile.key_end - tile.key_begin, n_rows = tile.n_rows;
  const int32_t* rows = args.key_row + tile.key_begin;
  const Real* p = args.saved;
  Real* ds = args.workspace;  // first dP, then dS
  const Real* dout = args.dout + tile.first_row * args.dout_stride;
  const Real* q = args.q + tile.first_row * args.qkv_stride;

  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> g[kChunk];
    load_columns<Real, kChunk>(dout + c, args.dout_stride, n_rows, g);
    add_dot_products<Real, kChunk>(g, rows, n_keys, args.v + c, args.qkv_stride, c > 0, ds);
  });
  Vector<Real> mean{};
  for (int j = 0; j < n_keys; ++j) mean += load(p + j * kWidth) * load(ds + j * kWidth);
  for (int j = 0; j < n_keys; ++j)
    store(ds + j * kWidth, load(p + j * kWidth) * args.scale * (load(ds + j * kWidth) - mean));

  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> dq[kChunk];
    weighted_sum<Real, kChunk>(ds, rows, n_keys, args.k + c, args.qkv_stride, dq);
    store_columns<Real, kChunk>(dq, args.dq + tile.first_row * args.dqkv_stride + c, args.dqkv_stride, n_rows);
    scatter_to_keys<Real, kChunk>(ds, rows, n_keys, q + c, args.qkv_stride, n_rows, args.dk + c, args.dqkv_stride);
    scatter_to_keys<Real, kChunk>(p, rows, n_keys, dout + c, args.dout_stride, n_rows, args.dv + c, args.dqkv_stride);
  });
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
