#include "cuda/kernels/column_sums.h"

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;
constexpr Index kRowsPerPart = 1024, kMostParts = 1024;
constexpr int kPartThreads = 128;

template <class Real>
struct Plain {
  Rows<Real> m;
  bool operator==(const Plain&) const = default;
  __device__ Real operator()(Index row, int column) const { return m.data[row * m.stride + column]; }
};

template <class Real>
struct Normed {
  Rows<Real> dy, x, statistics;
  bool operator==(const Normed&) const = default;
  __device__ Real operator()(Index row, int column) const {
    const Real* at = statistics.data + row * statistics.stride;
    return dy.data[row * dy.stride + column] * (x.data[row * x.stride + column] - at[0]) * at[1];
  }
};

// Mapping: a block owns 32 columns (y) of one part of the rows (x), a lane a column, a warp every kWarps-th row. Shared
// memory: one number a thread. Barriers: all threads reach the one below. The order of the sum is fixed.
template <class Real, class Term>
__global__ void column_sums_kernel(Term term, int columns, Index n_rows, Index rows_per_part, Real* partial) {
  __shared__ Real sums[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  const int column = static_cast<int>(blockIdx.y) * kWarp + lane;
  const Index begin = static_cast<Index>(blockIdx.x) * rows_per_part;
  const Index end = begin + rows_per_part < n_rows ? begin + rows_per_part : n_rows;
  Real sum = 0;
  if (column < columns) {
#pragma unroll 4
    for (Index row = begin + warp; row < end; row += kWarps) sum += term(row, column);
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= columns) return;
  for (int w = 1; w < kWarps; ++w) sum += sums[w][lane];
  partial[static_cast<Index>(blockIdx.x) * columns + column] = sum;
}

// Mapping: a thread owns one number of the sum. Nothing is shared.
template <class Real>
__global__ void add_parts_kernel(Index size, Index n_parts, const Real* partial, Real* sum) {
  const Index i = static_cast<Index>(blockIdx.x) * kPartThreads + threadIdx.x;
  if (i >= size) return;
  Real total = 0;
#pragma unroll 8
  for (Index part = 0; part < n_parts; ++part) total += partial[part * size + i];
  sum[i] += total;
}

template <class Real, class Term>
void sum_columns(const Queue& queue, Index columns, Index n_rows, const Term& term, Real* partial, Real* sum) {
  const Index parts = column_sum_parts(n_rows);
  if (parts == 0) return;
  const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(ceil_divide(columns, kWarp)));
  launch(queue, column_sums_kernel<Real, Term>, grid, kWarps * kWarp, 0, term, static_cast<int>(columns), n_rows,
         ceil_divide(n_rows, parts), partial);
  add_parts<Real>(queue, columns, parts, partial, sum);
}

}  // namespace

Index column_sum_parts(Index n_rows) {
  const Index parts = ceil_divide(n_rows, kRowsPerPart);
  return parts < kMostParts ? parts : kMostParts;
}

template <class Real>
void column_sums(const Queue& queue, Index columns, Index n_rows, Rows<Real> m, Real* partial, Real* sum) {
  sum_columns(queue, columns, n_rows, Plain<Real>{m}, partial, sum);
}

template <class Real>
void column_sums_normed(const Queue& queue, Index columns, Index n_rows, Rows<Real> dy, Rows<Real> x,
                        Rows<Real> statistics, Real* partial, Real* sum) {
  sum_columns(queue, columns, n_rows, Normed<Real>{dy, x, statistics}, partial, sum);
}

template <class Real>
void add_parts(const Queue& queue, Index size, Index n_parts, const Real* partial, Real* sum) {
  launch(queue, add_parts_kernel<Real>, static_cast<unsigned>(ceil_divide(size, kPartThreads)), kPartThreads, 0, size,
         n_parts, partial, sum);
}

#define AGPT_INSTANTIATE(Real)                                                                                    \
  template void column_sums(const Queue&, Index, Index, Rows<Real>, Real*, Real*);                                \
  template void column_sums_normed(const Queue&, Index, Index, Rows<Real>, Rows<Real>, Rows<Real>, Real*, Real*); \
  template void add_parts(const Queue&, Index, Index, const Real*, Real*);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
