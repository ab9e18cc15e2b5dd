// Attention of one head for a tile of up to as many rows as a vector has lanes. Scores and their gradients have the rows
// in the lanes: the columns of a key are scalars, broadcast from where they lie. Sums over keys and over rows have the
// columns of the head in the lanes (kernels/attention_sums.h). No sum crosses lanes, and dK and dV are plain additions
// in a fixed order, so results repeat exactly. A key that a row does not see gets probability exactly 0 there.
//
// Columns of the head are taken in chunks of 16, 8, 4, 2 and 1, so that any width works and the common ones (16, 32,
// 64) run whole chunks in registers. Scores go through memory between chunks, which stays in the first-level cache.
#pragma once

#include "cpp/backend/cpu/kernels/attend_row.h"
#include "cpp/backend/cpu/kernels/attention_sums.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
constexpr Real kMaskedScore = static_cast<Real>(-1e30);

// out[i] = column i of the chunk over the rows (row i in lane i); lanes beyond n_rows hold anything finite.
template <class Real, int kChunk>
inline void load_columns(const Real* x, Index stride, int n_rows, Vector<Real>* out) {
  constexpr int kWidth = kLanes<Real>;
  if constexpr (kChunk % kWidth == 0) {
    AGPT_UNROLL
    for (int part = 0; part < kChunk; part += kWidth) {
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i) out[part + i] = load(x + (i < n_rows ? i : n_rows - 1) * stride + part);
      transpose<Real>(out + part);
    }
  } else {
    Real columns[kChunk][kWidth] = {};
    for (int i = 0; i < n_rows; ++i)
      for (int c = 0; c < kChunk; ++c) columns[c][i] = x[i * stride + c];
    for (int c = 0; c < kChunk; ++c) out[c] = load(columns[c]);
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

// Calls finish(key, product) for every key, where product is that of the columns of the chunk in the rows (x holds one
// vector per column) with those of the key, plus sums[key] where `add`.
template <class Real, int kChunk, class Finish>
inline void dot_products(const Vector<Real>* x, const int32_t* rows, int n_keys, const Real* keys, Index stride,
                         const Real* sums, bool add, Finish finish) {
  constexpr int kWidth = kLanes<Real>;
  int j = 0;
  Vector<Real> a, b;
  for (; j + 2 <= n_keys; j += 2) {
    dot_two<Real, kChunk>(x, keys + rows[j] * stride, keys + rows[j + 1] * stride, a, b);
    if (add) {
      a += load(sums + j * kWidth);
      b += load(sums + (j + 1) * kWidth);
    }
    finish(j, a);
    finish(j + 1, b);
  }
  if (j == n_keys) return;
  dot_two<Real, kChunk>(x, keys + rows[j] * stride, keys + rows[j] * stride, a, b);
  finish(j, add ? a + load(sums + j * kWidth) : a);
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

  const Vector<Real> masked = broadcast<Real>(kMaskedScore<Real>), zero{};
  Vector<Real> top = masked, sum{};
  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> q[kChunk];
    load_columns<Real, kChunk>(args.q + tile.first_row * args.qkv_stride + c, args.qkv_stride, n_rows, q);
    AGPT_UNROLL
    for (int i = 0; i < kChunk; ++i) q[i] *= args.scale;
    dot_products<Real, kChunk>(q, rows, n_keys, args.k + c, args.qkv_stride, scores, c > 0,
                               [&](int key, Vector<Real> s) {
                                 store(scores + key * kWidth, s);
                                 if (c + kChunk == args.width)
                                   top = larger<Real>(top, pick_lanes<Real>(masks[key], s, masked));
                               });
  });
  for (int j = 0; j < n_keys; ++j) {
    const Vector<Real> p = pick_lanes<Real>(masks[j], exponential(load(scores + j * kWidth) - top), zero);
    sum += p;
    store(scores + j * kWidth, p);
  }
  const Vector<Real> inverse = 1 / (sum > zero ? sum : broadcast<Real>(1));  // lanes beyond n_rows see no key
  if (args.is_saved)
    for (int j = 0; j < n_keys; ++j) store(scores + j * kWidth, load(scores + j * kWidth) * inverse);
  Real left[kWidth];  // of the division by the sum
  store(left, args.is_saved ? broadcast<Real>(1) : inverse);

  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    sum_over_keys<Real, kChunk>(scores, rows, masks, tile, args.v + c, args.qkv_stride, left,
                                args.out + tile.first_row * args.out_stride + c, args.out_stride);
  });
}

template <class Real>
void attend_backward(const AttentionArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>;
  const Tile& tile = *args.tile;
  const int n_keys = tile.key_end - tile.key_begin, n_rows = tile.n_rows;
  const int32_t* rows = args.key_row + tile.key_begin;
  const uint64_t* masks = args.key_mask + tile.key_begin;
  const Real* p = args.saved;
  Real* ds = args.workspace;  // first dP, then dS
  const Real* dout = args.dout + tile.first_row * args.dout_stride;
  const Real* q = args.q + tile.first_row * args.qkv_stride;

  Vector<Real> mean{};
  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    Vector<Real> g[kChunk];
    load_columns<Real, kChunk>(dout + c, args.dout_stride, n_rows, g);
    dot_products<Real, kChunk>(g, rows, n_keys, args.v + c, args.qkv_stride, ds, c > 0, [&](int key, Vector<Real> dp) {
      store(ds + key * kWidth, dp);
      if (c + kChunk == args.width) mean += load(p + key * kWidth) * dp;
    });
  });
  for (int j = 0; j < n_keys; ++j)
    store(ds + j * kWidth, load(p + j * kWidth) * args.scale * (load(ds + j * kWidth) - mean));

  Real ones[kWidth];
  store(ones, broadcast<Real>(1));
  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    sum_over_keys<Real, kChunk>(ds, rows, masks, tile, args.k + c, args.qkv_stride, ones,
                                args.dq + tile.first_row * args.dqkv_stride + c, args.dqkv_stride);
    add_to_keys<Real, kChunk>(ds, rows, masks, tile, q + c, args.qkv_stride, args.dk + c, args.dqkv_stride);
    add_to_keys<Real, kChunk>(p, rows, masks, tile, dout + c, args.dout_stride, args.dv + c, args.dqkv_stride);
  });
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
