// Attention of one head for a tile of up to as many rows as a vector has lanes. Scores and their gradients have the rows
// in the lanes (kernels/attention_scores.h), sums over keys and over rows the columns of the head
// (kernels/attention_sums.h). No sum crosses lanes, and dK and dV are plain additions in a fixed order, so results repeat
// exactly. A key that a row does not see gets probability exactly 0 there.
//
// Columns of the head are taken in chunks of 16, 8, 4, 2 and 1, so that any width works and the common ones (16, 32,
// 64) run whole chunks in registers. Scores go through memory between chunks, which stays in the first-level cache.
#pragma once

#include "cpp/backend/cpu/kernels/attend_row.h"
#include "cpp/backend/cpu/kernels/attention_scores.h"
#include "cpp/backend/cpu/kernels/attention_sums.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
constexpr Real kMaskedScore = static_cast<Real>(-1e30);

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
    for (int i = 0; i < kChunk; ++i) q[i] *= args.scale * kLog2E<Real>;
    const bool is_last = c + kChunk == args.width;
    top = fold_products<Real, kChunk>(
        q, rows, masks, tile, args.k + c, args.qkv_stride, top, [=](Vector<Real> before, int key, Vector<Real> s) {
          if (c > 0) s += load(scores + key * kWidth);
          store(scores + key * kWidth, s);
          return is_last ? larger<Real>(before, pick_lanes<Real>(masks[key], s, masked)) : before;
        });
  });
  for (int j = 0; j < n_keys; ++j) {
    const Vector<Real> p = pick_lanes<Real>(masks[j], power_of_two(load(scores + j * kWidth) - top), zero);
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
    const bool is_last = c + kChunk == args.width;
    mean = fold_products<Real, kChunk>(g, rows, masks, tile, args.v + c, args.qkv_stride, mean,
                                       [=](Vector<Real> before, int key, Vector<Real> dp) {
                                         if (c > 0) dp += load(ds + key * kWidth);
                                         store(ds + key * kWidth, dp);
                                         return is_last ? before + load(p + key * kWidth) * dp : before;
                                       });
  });
  for (int j = 0; j < n_keys; ++j)
    store(ds + j * kWidth, load(p + j * kWidth) * args.scale * (load(ds + j * kWidth) - mean));

  Real ones[kWidth];
  store(ones, broadcast<Real>(1));
  for_each_chunk(args.width, [&]<int kChunk>(int c) {
    sum_over_keys<Real, kChunk>(ds, rows, masks, tile, args.k + c, args.qkv_stride, ones,
                                args.dq + tile.first_row * args.dqkv_stride + c, args.dqkv_stride);
    sum_over_rows<Real, kChunk>(ds, rows, masks, tile, q + c, args.qkv_stride, args.dk + c, args.dqkv_stride);
    sum_over_rows<Real, kChunk>(p, rows, masks, tile, dout + c, args.dout_stride, args.dv + c, args.dqkv_stride);
  });
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
