#include "cuda/kernels/norm.h"

#include <cmath>

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;
constexpr Index kRowsPerPart = 256, kMostParts = 1024;
// Columns of a block of the backward kernel: the gradients of gain and bias take all its threads at the end.
constexpr int kBlockColumns = kWarps * kWarp / 2, kLaneColumns = kBlockColumns / kWarp;

// Mapping: a warp owns a row, a lane every 32nd column. Rows are read twice or three times; the later reads find them in
// the L1 cache. No shared memory and no block barriers: whole warps leave early.

template <class Real>
__global__ void norm_kernel(DeviceNorm<Real> shape, int columns, Index n_rows, Rows<Real> x, Rows<Real> y,
                            Rows<Real> statistics) {
  const Index row = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  if (row >= n_rows) return;
  const Real* from = x.data + row * x.stride;
  Real* to = y.data + row * y.stride;
  Real mean = 0, square = 0;
  if (shape.subtract_mean) {
    for (int c = lane; c < columns; c += kWarp) mean += from[c];
    mean = warp_sum(mean) / static_cast<Real>(columns);
  }
  for (int c = lane; c < columns; c += kWarp) square += (from[c] - mean) * (from[c] - mean);
  square = warp_sum(square) / static_cast<Real>(columns);
  const Real scale = 1 / std::sqrt(square + static_cast<Real>(shape.epsilon));
  for (int c = lane; c < columns; c += kWarp) {
    Real value = (from[c] - mean) * scale;
    if (shape.gain != nullptr) value *= shape.gain[c];
    if (shape.bias != nullptr) value += shape.bias[c];
    to[c] = value;
  }
  if (lane < 2) statistics.data[row * statistics.stride + lane] = lane == 0 ? mean : scale;
}

// One row in the backward pass, all lanes of a warp together: dx = scale (g - mean g - normed mean(g normed)), where
// g = dy gain and normed = (x - mean) scale.
template <class Real>
struct BackwardRow {
  const Real *x, *dy, *gain;
  Real mean, scale, mean_g = 0, mean_g_normed = 0;

  __device__ BackwardRow(const DeviceNorm<Real>& shape, int columns, const Real* x_, const Real* dy_,
                         const Real* statistics)
      : x(x_), dy(dy_), gain(shape.gain), mean(statistics[0]), scale(statistics[1]) {
    for (int c = static_cast<int>(threadIdx.x % kWarp); c < columns; c += kWarp) {
      mean_g += g(c);
      mean_g_normed += g(c) * normed(c);
    }
    mean_g = shape.subtract_mean ? warp_sum(mean_g) / static_cast<Real>(columns) : Real(0);
    mean_g_normed = warp_sum(mean_g_normed) / static_cast<Real>(columns);
  }
  __device__ Real g(int c) const { return gain != nullptr ? dy[c] * gain[c] : dy[c]; }
  __device__ Real normed(int c) const { return (x[c] - mean) * scale; }
  __device__ Real dx(int c) const { return scale * (g(c) - mean_g - normed(c) * mean_g_normed); }
};

// Mapping: a block owns one part of the rows (x) and kBlockColumns columns (y), a warp every kWarps-th row, a lane every
// 32nd column. Shared memory: the sums of gain and bias of each warp. Barriers: all threads reach the one below. The order
// of the sums depends on the number of rows alone.
template <class Real>
__global__ void norm_backward_kernel(DeviceNorm<Real> shape, int columns, Index n_rows, Index rows_per_part,
                                     Rows<Real> x, Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate,
                                     Real* partial_gain, Real* partial_bias) {
  __shared__ Real sums[2][kWarps][kBlockColumns];
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  const int first_column = static_cast<int>(blockIdx.y) * kBlockColumns;
  const Index begin = static_cast<Index>(blockIdx.x) * rows_per_part;
  const Index end = begin + rows_per_part < n_rows ? begin + rows_per_part : n_rows;
  Real gain_sum[kLaneColumns] = {}, bias_sum[kLaneColumns] = {};
  for (Index r = begin + warp; r < end; r += kWarps) {
    const BackwardRow<Real> row(shape, columns, x.data + r * x.stride, dy.data + r * dy.stride,
                                statistics.data + r * statistics.stride);
    Real* const to = dx.data + r * dx.stride;
#pragma unroll
    for (int i = 0; i < kLaneColumns; ++i) {
      const int c = first_column + i * kWarp + lane;
      if (c >= columns) break;
      gain_sum[i] += row.dy[c] * row.normed(c);
      bias_sum[i] += row.dy[c];
      to[c] = accumulate ? to[c] + row.dx(c) : row.dx(c);
    }
  }
#pragma unroll
  for (int i = 0; i < kLaneColumns; ++i) {
    sums[0][warp][i * kWarp + lane] = gain_sum[i];
    sums[1][warp][i * kWarp + lane] = bias_sum[i];
  }
  __syncthreads();
  const int which = static_cast<int>(threadIdx.x) / kBlockColumns, own = static_cast<int>(threadIdx.x) % kBlockColumns;
  Real* const partial = which == 0 ? partial_gain : partial_bias;
  if (partial == nullptr || first_column + own >= columns) return;
  Real sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += sums[which][w][own];
  partial[static_cast<Index>(blockIdx.x) * columns + first_column + own] = sum;
}

}  // namespace

template <class Real>
void norm(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x, Rows<Real> y,
          Rows<Real> statistics) {
  launch(queue, norm_kernel<Real>, static_cast<unsigned>(ceil_divide(n_rows, kWarps)), kWarps * kWarp, 0, shape,
         static_cast<int>(columns), n_rows, x, y, statistics);
}

Index norm_backward_parts(Index n_rows) {
  const Index parts = ceil_divide(n_rows, kRowsPerPart);
  return parts < kMostParts ? parts : kMostParts;
}

template <class Real>
void norm_backward(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x,
                   Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate, Real* partial_gain,
                   Real* partial_bias) {
  const Index parts = norm_backward_parts(n_rows);
  if (parts == 0) return;
  const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(ceil_divide(columns, kBlockColumns)));
  launch(queue, norm_backward_kernel<Real>, grid, kWarps * kWarp, 0, shape, static_cast<int>(columns), n_rows,
         ceil_divide(n_rows, parts), x, statistics, dy, dx, accumulate, partial_gain, partial_bias);
}

#define AGPT_INSTANTIATE(Real)                                                                                         \
  template void norm(const Queue&, const DeviceNorm<Real>&, Index, Index, Rows<Real>, Rows<Real>, Rows<Real>);         \
  template void norm_backward(const Queue&, const DeviceNorm<Real>&, Index, Index, Rows<Real>, Rows<Real>, Rows<Real>, \
                              Rows<Real>, bool, Real*, Real*);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
