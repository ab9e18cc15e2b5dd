// The kernel that sums columns over the rows of a matrix, and of what is computed from matrices as it passes.
#pragma once

#include "cuda/device/vec.cuh"
#include "cuda/device/warp.cuh"
#include "cuda/kernels/column_sums.h"

namespace agpt::cuda {

constexpr int kColumnSumWarps = 8;
/// Columns of a block: four a lane.
constexpr int kColumnSumColumns = 4 * kWarp;

// Mapping: a block owns kColumnSumColumns columns (y) of one part of the rows (x), a lane four of them, a warp every
// kColumnSumWarps-th row. term(row, v) is called once for each row and vector v of four columns; it may have effects of its
// own. Shared memory: the sums of each warp. Barriers: all threads reach the one below. The order of the sum is fixed.
template <class Real, class Term>
__global__ void column_sums_kernel(Term term, int columns, Index n_rows, Index rows_per_part, Real* partial) {
  __shared__ Real sums[kColumnSumWarps][kColumnSumColumns];
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  const int vector = static_cast<int>(blockIdx.y) * kWarp + lane;
  const Index begin = static_cast<Index>(blockIdx.x) * rows_per_part;
  const Index end = begin + rows_per_part < n_rows ? begin + rows_per_part : n_rows;
  Vec4<Real> sum{};
  if (4 * vector < columns) {
#pragma unroll 4
    for (Index row = begin + warp; row < end; row += kColumnSumWarps) {
      const Vec4<Real> value = term(row, vector);
      for (int i = 0; i < 4; ++i) sum.at[i] += value.at[i];
    }
  }
  for (int i = 0; i < 4; ++i) sums[warp][4 * lane + i] = sum.at[i];
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x), column = static_cast<int>(blockIdx.y) * kColumnSumColumns + own;
  if (own >= kColumnSumColumns || column >= columns) return;
  Real total = 0;
  for (int w = 0; w < kColumnSumWarps; ++w) total += sums[w][own];
  partial[static_cast<Index>(blockIdx.x) * columns + column] = total;
}

/// sum[c] += sum over the rows of the term's column c. partial: room for column_sum_parts() * columns numbers.
template <class Real, class Term>
void sum_columns(const Queue& queue, Index columns, Index n_rows, const Term& term, Real* partial, Real* sum) {
  const Index parts = column_sum_parts(n_rows);
  if (parts == 0) return;
  const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(ceil_divide(columns, kColumnSumColumns)));
  launch(queue, column_sums_kernel<Real, Term>, grid, kColumnSumWarps * kWarp, 0, term, static_cast<int>(columns),
         n_rows, ceil_divide(n_rows, parts), partial);
  add_parts<Real>(queue, columns, parts, partial, sum);
}

}  // namespace agpt::cuda
