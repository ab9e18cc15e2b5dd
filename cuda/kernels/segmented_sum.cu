#include "cuda/kernels/segmented_sum.h"

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 4;

// Mapping of both kernels: a warp owns a piece or a group (x) and 32 columns of it (y), a lane a column. Nothing is shared.

template <class Real>
__global__ void piece_sums_kernel(SegmentsView segments, int columns, Index begin, Index end, Rows<Real> source,
                                  Real* partial) {
  const Index piece = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  const int column = static_cast<int>(blockIdx.y * kWarp + threadIdx.x % kWarp);
  if (piece >= segments.n_pieces || column >= columns) return;
  Real sum = 0;
#pragma unroll 4
  for (int32_t i = segments.piece_begin[piece]; i < segments.piece_begin[piece + 1]; ++i) {
    const Index item = segments.item[i];
    if (item >= begin && item < end) sum += source.data[item * source.stride + column];
  }
  partial[piece * columns + column] = sum;
}

template <class Real>
__global__ void group_sums_kernel(SegmentsView segments, int columns, const Real* partial, Rows<Real> target) {
  const Index group = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  const int column = static_cast<int>(blockIdx.y * kWarp + threadIdx.x % kWarp);
  if (group >= segments.n_groups || column >= columns) return;
  const int32_t first = segments.group_begin[group], last = segments.group_begin[group + 1];
  if (first == last) return;  // padding
  Real sum = 0;
#pragma unroll 4
  for (int32_t piece = first; piece < last; ++piece) sum += partial[static_cast<Index>(piece) * columns + column];
  target.data[segments.target[group] * target.stride + column] += sum;
}

}  // namespace

template <class Real>
void segmented_sum(const Queue& queue, const SegmentsView& segments, Index columns, Index begin, Index end,
                   Rows<Real> source, Real* partial, Rows<Real> target) {
  const auto across = static_cast<unsigned>(ceil_divide(columns, kWarp));
  launch(queue, piece_sums_kernel<Real>, dim3(static_cast<unsigned>(ceil_divide(segments.n_pieces, kWarps)), across),
         kWarps * kWarp, 0, segments, static_cast<int>(columns), begin, end, source, partial);
  launch(queue, group_sums_kernel<Real>, dim3(static_cast<unsigned>(ceil_divide(segments.n_groups, kWarps)), across),
         kWarps * kWarp, 0, segments, static_cast<int>(columns), partial, target);
}

template void segmented_sum(const Queue&, const SegmentsView&, Index, Index, Index, Rows<float>, float*, Rows<float>);
template void segmented_sum(const Queue&, const SegmentsView&, Index, Index, Index, Rows<double>, double*,
                            Rows<double>);

}  // namespace agpt::cuda
