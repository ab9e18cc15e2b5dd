// Attention of four equal heads together for a tile of one row, as generation has it for every new token: a vector holds
// the scores that a few keys have in all four heads, so that softmax and the sums over lanes are shared.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

constexpr int kHeadsTogether = 4;

// The width of a head, known to the compiler where it is that of a vector: then all addresses are sums of constants.
template <class Real, bool kIsOneVector>
inline int head_width(int width) {
  return kIsOneVector ? kLanes<Real> : width;
}

// p[4 key + head] = exp(scale * q . keys[rows[key]] - the head's largest); returns the sums over the keys by lane % 4.
template <class Real, bool kIsOneVector>
inline Vector<Real> exponentials_of_heads(const Real* q, Real scale, const int32_t* rows, int n_keys, const Real* keys,
                                          Index stride, int any_width, Real* p) {
  const int width = head_width<Real, kIsOneVector>(any_width);
  constexpr int kWidth = kLanes<Real>, kKeys = kWidth / kHeadsTogether;  // of a vector
  const Vector<Real> masked = broadcast<Real>(static_cast<Real>(-1e30)), zero{};
  Vector<Real> top = masked, sum{};
  for (int j = 0; j < n_keys; j += kKeys) {
    Vector<Real> products[kWidth];
    AGPT_UNROLL
    for (int i = 0; i < kWidth; ++i) {
      const int head = i % kHeadsTogether, key = j + i / kHeadsTogether;
      const Real* k = keys + rows[key < n_keys ? key : j] * stride + head * width;
      products[i] = load(q + head * width) * load(k);
      for (int c = kWidth; c < width; c += kWidth) products[i] += load(q + head * width + c) * load(k + c);
    }
    const Vector<Real> scores = sums_of_lanes<Real>(products) * scale;
    const Vector<Real> s = lanes_below<Real>((n_keys - j) * kHeadsTogether) ? scores : masked;
    top = larger<Real>(top, s);
    store(p + j * kHeadsTogether, s);
  }
  const Mask<Real> lane = lane_numbers<Real>();
  AGPT_UNROLL
  for (int half = kWidth / 2; half >= kHeadsTogether; half /= 2)
    top = larger<Real>(top, shuffle_lanes(top, top, lane ^ half));
  for (int j = 0; j < n_keys; j += kKeys) {
    Real* at = p + j * kHeadsTogether;
    const Vector<Real> e = lanes_below<Real>((n_keys - j) * kHeadsTogether) ? exponential(load(at) - top) : zero;
    sum += e;
    store(at, e);
  }
  AGPT_UNROLL
  for (int half = kWidth / 2; half >= kHeadsTogether; half /= 2) sum += shuffle_lanes(sum, sum, lane ^ half);
  return sum;
}

// Attention of the heads at columns 0, width, 2 width and 3 width, without keeping probabilities.
template <class Real, bool kIsOneVector>
inline void attend_four_heads_of_width(const AttentionArgs<Real>& args) {
  const int width = head_width<Real, kIsOneVector>(args.width);
  const Tile& tile = *args.tile;
  const int n_keys = tile.key_end - tile.key_begin;
  const int32_t* rows = args.key_row + tile.key_begin;
  const Vector<Real> inverse =
      1 / exponentials_of_heads<Real, kIsOneVector>(args.q + tile.first_row * args.qkv_stride, args.scale, rows, n_keys,
                                                    args.k, args.qkv_stride, width, args.saved);
  Real* out = args.out + tile.first_row * args.out_stride;
  for (int c = 0; c < width; c += kLanes<Real>) {
    Vector<Real> sums[2][kHeadsTogether] = {};  // keys of even and odd number: shorter chains of multiply-adds
    for (int j = 0; j < n_keys; j += 2) {
      AGPT_UNROLL
      for (int odd = 0; odd < 2; ++odd) {
        if (j + odd == n_keys) break;
        const Real* p = args.saved + (j + odd) * kHeadsTogether;
        const Real* v = args.v + rows[j + odd] * args.qkv_stride + c;
        AGPT_UNROLL
        for (int h = 0; h < kHeadsTogether; ++h) sums[odd][h] += broadcast<Real>(p[h]) * load(v + h * width);
      }
    }
    AGPT_UNROLL
    for (int h = 0; h < kHeadsTogether; ++h)
      store(out + h * width + c, (sums[0][h] + sums[1][h]) * broadcast<Real>(inverse[h]));
  }
}

template <class Real>
void attend_four_heads(const AttentionArgs<Real>& args) {
  if constexpr (kLanes<Real> >= kHeadsTogether) {
    if (args.width == kLanes<Real>)
      attend_four_heads_of_width<Real, true>(args);
    else
      attend_four_heads_of_width<Real, false>(args);
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
