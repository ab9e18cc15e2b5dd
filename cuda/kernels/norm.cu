#include "cuda/kernels/norm.h"

#include <cmath>

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;

// Mapping of both kernels: a warp owns a row, a lane every 32nd column. Rows are read twice or three times; the later reads
// find them in the L1 cache. No shared memory and no block barriers: whole warps leave early.

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

template <class Real>
__global__ void norm_backward_kernel(DeviceNorm<Real> shape, int columns, Index n_rows, Rows<Real> x,
                                     Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate) {
  const Index row = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  if (row >= n_rows) return;
  const Real* input = x.data + row * x.stride;
  const Real* from = dy.data + row * dy.stride;
  Real* to = dx.data + row * dx.stride;
  const Real mean = statistics.data[row * statistics.stride], scale = statistics.data[row * statistics.stride + 1];
  const auto scaled = [&](int c) { return shape.gain != nullptr ? from[c] * shape.gain[c] : from[c]; };
  Real mean_g = 0, mean_g_normed = 0;
  for (int c = lane; c < columns; c += kWarp) {
    const Real g = scaled(c);
    mean_g += g;
    mean_g_normed += g * (input[c] - mean) * scale;
  }
  mean_g = shape.subtract_mean ? warp_sum(mean_g) / static_cast<Real>(columns) : Real(0);
  mean_g_normed = warp_sum(mean_g_normed) / static_cast<Real>(columns);
  for (int c = lane; c < columns; c += kWarp) {
    const Real value = scale * (scaled(c) - mean_g - (input[c] - mean) * scale * mean_g_normed);
    to[c] = accumulate ? to[c] + value : value;
  }
}

}  // namespace

template <class Real>
void norm(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x, Rows<Real> y,
          Rows<Real> statistics) {
  launch(queue, norm_kernel<Real>, static_cast<unsigned>(ceil_divide(n_rows, kWarps)), kWarps * kWarp, 0, shape,
         static_cast<int>(columns), n_rows, x, y, statistics);
}

template <class Real>
void norm_backward(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x,
                   Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate) {
  launch(queue, norm_backward_kernel<Real>, static_cast<unsigned>(ceil_divide(n_rows, kWarps)), kWarps * kWarp, 0,
         shape, static_cast<int>(columns), n_rows, x, statistics, dy, dx, accumulate);
}

#define AGPT_INSTANTIATE(Real)                                                                                         \
  template void norm(const Queue&, const DeviceNorm<Real>&, Index, Index, Rows<Real>, Rows<Real>, Rows<Real>);         \
  template void norm_backward(const Queue&, const DeviceNorm<Real>&, Index, Index, Rows<Real>, Rows<Real>, Rows<Real>, \
                              Rows<Real>, bool);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
