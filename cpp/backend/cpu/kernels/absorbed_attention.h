// Attention of one query whose keys and values are not there: the query is multiplied by the key weights and the mean
// of the rows by the value weights, so that both meet the rows that keys and values would be made of.
#pragma once

#include <cstring>

#include "cpp/backend/cpu/kernels/attend_row.h"
#include "cpp/backend/cpu/kernels/matmul.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// out (columns) = x (width) times as many rows, from `first_row` on, of a packed matrix of `depth` rows.
template <class Real>
inline void times_packed_rows(const Real* x, int width, const Real* packed, Index depth, Index first_row, Index columns,
                              Real* out) {
  constexpr Index kWidth = kLanes<Real>;
  for (Index column = 0; column < columns; column += kPanelWidth<Real>) {
    const Index left = columns - column, used = left < kPanelWidth<Real> ? left : kPanelWidth<Real>;
    const Index step = (used + kWidth - 1) / kWidth * kWidth;
    const Real* rows = packed + column * depth + first_row * step;
    for (Index j = 0; j < step; j += kWidth) {
      Vector<Real> sum{};
      for (int i = 0; i < width; ++i) sum += broadcast<Real>(x[i]) * load(rows + i * step + j);
      store(out + column + j, sum);
    }
  }
}

// out (width) = x (depth) times a row-major matrix of rows that vectors may read beyond, + bias where it is not null.
template <class Real>
inline void times_rows(const Real* x, Index depth, const Real* rows, Index stride, const Real* bias, int width,
                       Real* out) {
  constexpr int kWidth = kLanes<Real>, kSums = 4;  // independent chains hide the latency of the multiply-adds
  for (int c = 0; c < width; c += kWidth) {
    Vector<Real> sums[kSums] = {};
    for (Index i = 0; i < depth; i += kSums) {
      AGPT_UNROLL
      for (int s = 0; s < kSums; ++s)
        if (i + s < depth) sums[s] += broadcast<Real>(x[i + s]) * load(rows + (i + s) * stride + c);
    }
    Vector<Real> sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    if (bias != nullptr) sum += load(bias + c);
    Real part[kWidth];
    store(part, sum);
    std::memcpy(out + c, part, static_cast<size_t>(width - c < kWidth ? width - c : kWidth) * sizeof(Real));
  }
}

template <class Real>
void attend_absorbed(const AbsorbedAttentionArgs<Real>& args) {
  constexpr Index kWidth = kLanes<Real>;
  const auto padded = static_cast<int>((args.columns + kWidth - 1) / kWidth * kWidth);
  Real* row = args.workspace;  // first the query, then the mean
  Real* p = row + padded;
  if (args.keys != nullptr) {
    probabilities_of_keys(args.q, args.scale, args.rows, args.n_keys, args.keys, args.keys_stride, args.width, p);
  } else {
    // The bias of keys adds the same to all scores of the query, which softmax does not see.
    times_packed_rows(args.q, args.width, args.key_weights, args.key_depth, args.first_key, args.columns, row);
    probabilities_of_keys(row, args.scale, args.rows, args.n_keys, args.x, args.x_stride, padded, p);
  }
  sum_of_keys(p, args.rows, args.n_keys, args.x, args.x_stride, padded, row);
  times_rows(row, args.columns, args.value_weights, args.value_stride, args.value_bias, args.width, args.out);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
