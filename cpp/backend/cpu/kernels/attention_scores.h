// Products of the rows of a tile, which are the lanes, with keys, whose columns are scalars, broadcast from where they
// lie: scores, and the gradients of probabilities.
#pragma once

#include "cpp/backend/cpu/kernels/seen_keys.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// out[i] = column i of the chunk over the rows (row i in lane i); lanes beyond n_rows hold anything finite.
template <class Real, int kChunk>
inline void load_columns(const Real* x, Index stride, int n_rows, Vector<Real>* out) {
  constexpr int kWidth = kLanes<Real>;
  if constexpr (kChunk % kWidth == 0) {
    AGPT_UNROLL
    for (int part = 0; part < kChunk; part += kWidth) {
      const Real* row = x + part;
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i) {
        out[part + i] = load(row);
        row += stride & -static_cast<Index>(i + 1 < n_rows);  // the last row again and again; without a branch
      }
      transpose<Real>(out + part);
    }
  } else {
    Real columns[kChunk][kWidth] = {};
    for (int i = 0; i < n_rows; ++i)
      for (int c = 0; c < kChunk; ++c) columns[c][i] = x[i * stride + c];
    for (int c = 0; c < kChunk; ++c) out[c] = load(columns[c]);
  }
}

// Two dot products at a time: independent chains hide the latency of the multiply-adds. Some lanes: a vector of numbers.
template <int kChunk, class Real, class SomeLanes>
[[gnu::always_inline]] inline void dot_two(const SomeLanes* x, const Real* first, const Real* second, SomeLanes& a,
                                           SomeLanes& b) {
  const SomeLanes zero{};
  SomeLanes a0 = x[0] * (first[0] - zero), b0 = x[0] * (second[0] - zero), a1{}, b1{};
  AGPT_UNROLL
  for (int i = 1; i < kChunk; ++i) {
    if (i % 2) {
      a1 += x[i] * (first[i] - zero);
      b1 += x[i] * (second[i] - zero);
    } else {
      a0 += x[i] * (first[i] - zero);
      b0 += x[i] * (second[i] - zero);
    }
  }
  a = a0 + a1;
  b = b0 + b1;
}

// state = fold(state, key, product) for the keys begin ... end - 1 of a tile; returns the last.
template <int kChunk, class Real, class SomeLanes, class Fold>
[[gnu::always_inline]] inline Vector<Real> fold_range(const SomeLanes* x, int begin, int end, const int32_t* rows,
                                                      const Real* keys, Index stride, Vector<Real> state, Fold fold) {
  SomeLanes a, b;
  int j = begin;
  for (; j + 2 <= end; j += 2) {
    dot_two<kChunk>(x, keys + rows[j] * stride, keys + rows[j + 1] * stride, a, b);
    state = fold(fold(state, j, a), j + 1, b);
  }
  if (j == end) return state;
  dot_two<kChunk>(x, keys + rows[j] * stride, keys + rows[j] * stride, a, b);
  return fold(state, j, a);
}

// state = fold(state, key, product) for every key of the tile; returns the last. The product is that of the chunk of
// columns of the rows (x holds one vector per column) with those of the key; it may be 0 in lanes that do not see it.
template <class Real, int kChunk, class Fold>
[[gnu::always_inline]] inline Vector<Real> fold_products(const Vector<Real>* x, const int32_t* rows,
                                                         [[maybe_unused]] const uint64_t* masks, const Tile& tile,
                                                         const Real* keys, Index stride, Vector<Real> state,
                                                         Fold fold) {
  const int n_keys = tile.key_end - tile.key_begin;
#if AGPT_VECTOR_BYTES == 64  // half a vector takes half the time on processors that run whole ones in two halves
  constexpr int kHalf = kLanes<Real> / 2;
  const int n_path = n_keys - tile.n_rows;
  const bool has_upper = tile.n_rows > kHalf;
  const SeenKeys by_upper = has_upper ? keys_seen_by(kHalf, tile.n_rows, masks, tile) : SeenKeys{0, n_keys, n_keys};
  HalfVector<Real> half[kChunk];
  AGPT_UNROLL
  for (int i = 0; i < kChunk; ++i) half[i] = lower_half(x[i]);
  state = fold_range<kChunk>(x, 0, by_upper.path_end, rows, keys, stride, state, fold);
  state = fold_range<kChunk>(half, by_upper.path_end, by_upper.own_begin, rows, keys, stride, state,
                             [&](Vector<Real> before, int key, HalfVector<Real> product) {
                               return fold(before, key, as_lower_half(product));
                             });
  if (!has_upper) return state;
  state = fold_range<kChunk>(x, by_upper.own_begin, n_path + kHalf, rows, keys, stride, state, fold);
  AGPT_UNROLL
  for (int i = 0; i < kChunk; ++i) half[i] = upper_half(x[i]);
  return fold_range<kChunk>(half, n_path + kHalf, n_keys, rows, keys, stride, state,
                            [&](Vector<Real> before, int key, HalfVector<Real> product) {
                              return fold(before, key, as_upper_half(product));
                            });
#else
  return fold_range<kChunk>(x, 0, n_keys, rows, keys, stride, state, fold);
#endif
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
