// The sums of attention whose lanes are columns of the head: over keys for every row of a tile (outputs, dQ) and over
// the rows for every key (dK, dV). A few rows or keys go together, and only through what they see or who sees them.
#pragma once

#include "cpp/backend/cpu/kernels/seen_keys.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// A chunk of columns of one row in as few vectors as hold it.
template <class Real, int kChunk>
struct Columns {
  static constexpr int kWidth = kChunk < kLanes<Real> ? kChunk : kLanes<Real>, kParts = kChunk / kWidth;
  typedef Real Part __attribute__((vector_size(kWidth * sizeof(Real)), may_alias, aligned(alignof(Real))));
  Part part[kParts];

  static Columns load(const Real* x) {
    Columns columns;
    AGPT_UNROLL
    for (int i = 0; i < kParts; ++i) columns.part[i] = *reinterpret_cast<const Part*>(x + i * kWidth);
    return columns;
  }
  void store(Real* x) const {
    AGPT_UNROLL
    for (int i = 0; i < kParts; ++i) *reinterpret_cast<Part*>(x + i * kWidth) = part[i];
  }
  void add_product(Real factor, const Columns& x) {
    AGPT_UNROLL
    for (int i = 0; i < kParts; ++i) part[i] += factor * x.part[i];
  }
  void scale(Real factor) {
    AGPT_UNROLL
    for (int i = 0; i < kParts; ++i) part[i] *= factor;
  }
};

// How many rows of a tile, or keys, go together.
template <class Real>
constexpr int kTogether = kLanes<Real> < 4 ? kLanes<Real> : 4;

// out[row] = factors[row] * sum over the keys of weights[key][row] * keys[key].
template <class Real, int kChunk>
inline void sum_over_keys(const Real* weights, const int32_t* rows, const uint64_t* masks, const Tile& tile,
                          const Real* keys, Index stride, const Real* factors, Real* out, Index out_stride) {
  constexpr int kRows = kTogether<Real>;
  for (int first = 0; first < tile.n_rows; first += kRows) {
    const int n = tile.n_rows - first < kRows ? tile.n_rows - first : kRows;
    const SeenKeys seen = keys_seen_by(first, first + n, masks, tile);
    Columns<Real, kChunk> sum[kRows] = {};
    const auto add = [&](int begin, int end) {
      for (int j = begin; j < end; ++j) {
        const auto key = Columns<Real, kChunk>::load(keys + rows[j] * stride);
        const Real* w = weights + j * kLanes<Real> + first;
        AGPT_UNROLL
        for (int i = 0; i < kRows; ++i) sum[i].add_product(w[i], key);
      }
    };
    add(0, seen.path_end);
    add(seen.own_begin, seen.own_end);
    AGPT_UNROLL
    for (int i = 0; i < kRows; ++i) {
      if (i >= n) break;
      sum[i].scale(factors[first + i]);
      sum[i].store(out + (first + i) * out_stride);
    }
  }
}

// As sum_over_rows(), for the keys begin ... begin + kKeys - 1 of the tile, of which the first n_path lie before it.
template <int kKeys, class Real, int kChunk>
[[gnu::always_inline]] inline void sum_for_some_keys(int begin, int n_path, const Real* weights, const int32_t* rows,
                                                     const uint64_t* masks, const Real* x, Index x_stride, Real* to,
                                                     Index to_stride) {
  uint64_t seen_by = 0;
  AGPT_UNROLL
  for (int k = 0; k < kKeys; ++k) seen_by |= masks[begin + k];
  const int first = __builtin_ctzll(seen_by), end = 64 - __builtin_clzll(seen_by);
  const Real* w = weights + begin * kLanes<Real>;
  Columns<Real, kChunk> sum[kKeys] = {};
  for (int i = first; i < end; ++i) {
    const auto row = Columns<Real, kChunk>::load(x + i * x_stride);
    AGPT_UNROLL
    for (int k = 0; k < kKeys; ++k) sum[k].add_product(w[k * kLanes<Real> + i], row);
  }
  AGPT_UNROLL
  for (int k = 0; k < kKeys; ++k) {
    Real* key = to + rows[begin + k] * to_stride;
    if (begin + k < n_path) sum[k].add_product(1, Columns<Real, kChunk>::load(key));
    sum[k].store(key);
  }
}

// to[key] = sum over the rows of weights[key][row] * x[row] for the tile's own rows, += for the keys before them.
template <class Real, int kChunk>
inline void sum_over_rows(const Real* weights, const int32_t* rows, const uint64_t* masks, const Tile& tile,
                          const Real* x, Index x_stride, Real* to, Index to_stride) {
  constexpr int kKeys = kTogether<Real>;
  const int n_keys = tile.key_end - tile.key_begin, n_path = n_keys - tile.n_rows;
  int j = 0;
  for (; j + kKeys <= n_keys; j += kKeys)
    sum_for_some_keys<kKeys, Real, kChunk>(j, n_path, weights, rows, masks, x, x_stride, to, to_stride);
  for (; j < n_keys; ++j)
    sum_for_some_keys<1, Real, kChunk>(j, n_path, weights, rows, masks, x, x_stride, to, to_stride);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
