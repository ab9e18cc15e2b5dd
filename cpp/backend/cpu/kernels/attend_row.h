// Attention of one head for a tile of one row, as generation has it for every new token: with a single query the lanes
// of a vector are first the columns of the head, then keys, then columns again, so that no lane is idle.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Whether attend_row() takes such a tile: its vectors must not reach beyond the head. All keys of such a tile are seen.
template <class Real>
inline bool is_for_attend_row(const Tile& tile, int width) {
  return tile.n_rows == 1 && width % kLanes<Real> == 0;
}

// Scores of the keys rows[0 .. n), n <= lanes, by lane; the other lanes are masked.
template <class Real>
inline Vector<Real> scores_of_keys(const Real* q, Real scale, const int32_t* rows, int n, const Real* keys,
                                   Index stride, int width) {
  Vector<Real> products[kLanes<Real>];
  AGPT_UNROLL
  for (int i = 0; i < kLanes<Real>; ++i) {
    const Real* key = keys + rows[i < n ? i : 0] * stride;
    products[i] = load(q) * load(key);
    for (int c = kLanes<Real>; c < width; c += kLanes<Real>) products[i] += load(q + c) * load(key + c);
  }
  return lanes_below<Real>(n) ? sums_of_lanes<Real>(products) * scale : broadcast<Real>(static_cast<Real>(-1e30));
}

// out (width) = sum over keys of weights[key] * keys[key].
template <class Real>
inline void sum_of_keys(const Real* weights, const int32_t* rows, int n_keys, const Real* keys, Index stride, int width,
                        Real* out) {
  constexpr int kSums = 4;  // independent chains hide the latency of the multiply-adds
  for (int c = 0; c < width; c += kLanes<Real>) {
    Vector<Real> sums[kSums] = {};
    int j = 0;
    for (; j + kSums <= n_keys; j += kSums) {
      AGPT_UNROLL
      for (int s = 0; s < kSums; ++s)
        sums[s] += broadcast<Real>(weights[j + s]) * load(keys + rows[j + s] * stride + c);
    }
    for (; j < n_keys; ++j) sums[0] += broadcast<Real>(weights[j]) * load(keys + rows[j] * stride + c);
    store(out + c, (sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
}

// p = softmax over the keys of scale * q . keys[rows[key]]. p has room for n_keys rounded up to whole vectors.
template <class Real>
inline void probabilities_of_keys(const Real* q, Real scale, const int32_t* rows, int n_keys, const Real* keys,
                                  Index stride, int width, Real* p) {
  constexpr int kWidth = kLanes<Real>;
  Vector<Real> top = broadcast<Real>(static_cast<Real>(-1e30)), sum{};
  for (int j = 0; j < n_keys; j += kWidth) {
    const int n = n_keys - j < kWidth ? n_keys - j : kWidth;
    const Vector<Real> s = scores_of_keys<Real>(q, scale, rows + j, n, keys, stride, width);
    top = larger<Real>(top, s);
    store(p + j, s);
  }
  const Vector<Real> largest = broadcast<Real>(largest_lane<Real>(top)), zero{};
  for (int j = 0; j < n_keys; j += kWidth) {
    const Vector<Real> e = lanes_below<Real>(n_keys - j) ? exponential(load(p + j) - largest) : zero;
    sum += e;
    store(p + j, e);
  }
  const Real inverse = 1 / sum_of_lanes<Real>(sum);
  for (int j = 0; j < n_keys; j += kWidth) store(p + j, load(p + j) * inverse);
}

template <class Real>
void attend_row(const AttentionArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>;
  const Tile& tile = *args.tile;
  const int n_keys = tile.key_end - tile.key_begin;
  const int32_t* rows = args.key_row + tile.key_begin;
  Real* p = args.saved;  // key by key, without gaps at first
  probabilities_of_keys(args.q + tile.first_row * args.qkv_stride, args.scale, rows, n_keys, args.k, args.qkv_stride,
                        args.width, p);
  sum_of_keys<Real>(p, rows, n_keys, args.v, args.qkv_stride, args.width, args.out + tile.first_row * args.out_stride);

  if (!args.is_saved) return;
  const Vector<Real> zero{};
  for (int j = n_keys; j-- > 0;) {  // as the backward pass reads them: lane 0 of a vector a key
    const Real weight = p[j];
    store(p + j * kWidth, zero);
    p[j * kWidth] = weight;
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
