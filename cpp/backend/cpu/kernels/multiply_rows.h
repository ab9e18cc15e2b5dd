// Products of a few rows with a part of a matrix that is not packed.
#pragma once

#include <cstring>

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// out (kRows, n) = a (kRows, depth) times b, + bias: see KernelTable::multiply_rows. Independent sums hide the latency of
// the multiply-adds: those of the rows, or of a single row four.
template <class Real, int kRows>
inline void multiply_block_of_rows(const Real* a, Index a_stride, Index depth, const Real* b, Index b_stride,
                                   const Real* bias, Index n, Real* out, Index out_stride) {
  constexpr int kWidth = kLanes<Real>, kSums = kRows == 1 ? 4 : 1;
  for (Index c = 0; c < n; c += kWidth) {
    Vector<Real> sums[kRows][kSums] = {};
    for (Index i = 0; i < depth; i += kSums) {
      AGPT_UNROLL
      for (int s = 0; s < kSums; ++s) {
        if (i + s == depth) break;
        const Vector<Real> weights = load(b + (i + s) * b_stride + c);
        AGPT_UNROLL
        for (int r = 0; r < kRows; ++r) sums[r][s] += broadcast<Real>(a[r * a_stride + i + s]) * weights;
      }
    }
    AGPT_UNROLL
    for (int r = 0; r < kRows; ++r) {
      Vector<Real> sum = sums[r][0];
      if constexpr (kSums == 4) sum = (sum + sums[r][1]) + (sums[r][2] + sums[r][3]);
      if (bias != nullptr) sum += load(bias + c);
      Real part[kWidth];
      store(part, sum);
      std::memcpy(out + r * out_stride + c, part, static_cast<size_t>(n - c < kWidth ? n - c : kWidth) * sizeof(Real));
    }
  }
}

template <class Real>
void multiply_rows(const Real* a, Index a_stride, Index m, Index depth, const Real* b, Index b_stride, const Real* bias,
                   Index n, Real* out, Index out_stride) {
  constexpr int kRows = 4;
  Index r = 0;
  for (; r + kRows <= m; r += kRows)
    multiply_block_of_rows<Real, kRows>(a + r * a_stride, a_stride, depth, b, b_stride, bias, n, out + r * out_stride,
                                        out_stride);
  for (; r < m; ++r)
    multiply_block_of_rows<Real, 1>(a + r * a_stride, a_stride, depth, b, b_stride, bias, n, out + r * out_stride,
                                    out_stride);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
