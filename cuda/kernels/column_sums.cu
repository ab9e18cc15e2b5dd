#include "cuda/kernels/column_sums.h"

#include "cuda/kernels/column_sums.cuh"

namespace agpt::cuda {
namespace {

constexpr Index kRowsPerPart = 1024, kMostParts = 1024;
constexpr int kPartThreads = 128;

template <class Real>
struct RowVector {
  Rows<Real> m;
  bool operator==(const RowVector&) const = default;
  __device__ Vec4<Real> operator()(Index row, int vector) const { return as_vectors(m.data + row * m.stride)[vector]; }
};

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

}  // namespace

Index column_sum_parts(Index n_rows) {
  const Index parts = ceil_divide(n_rows, kRowsPerPart);
  return parts < kMostParts ? parts : kMostParts;
}

template <class Real>
void column_sums(const Queue& queue, Index columns, Index n_rows, Rows<Real> m, Real* partial, Real* sum) {
  sum_columns(queue, columns, n_rows, RowVector<Real>{m}, partial, sum);
}

template <class Real>
void add_parts(const Queue& queue, Index size, Index n_parts, const Real* partial, Real* sum) {
  launch(queue, add_parts_kernel<Real>, static_cast<unsigned>(ceil_divide(size, kPartThreads)), kPartThreads, 0, size,
         n_parts, partial, sum);
}

#define AGPT_INSTANTIATE(Real)                                                     \
  template void column_sums(const Queue&, Index, Index, Rows<Real>, Real*, Real*); \
  template void add_parts(const Queue&, Index, Index, const Real*, Real*);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
