#include "cuda/kernels/cross_entropy.h"

#include <cmath>

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;
constexpr Index kMostParts = 4096;

// The warp's loss of one row; where `gradient`, x becomes its gradient. A lane owns every 32nd column, and only it writes
// there: a target that appears twice in a row is safe.
template <class Real>
__device__ double row_loss(const DeviceTargets& targets, Index row, int columns, Real* x, bool gradient) {
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  const int32_t first = targets.begin[row], last = targets.begin[row + 1];
  if (first == last) {
    if (gradient)
      for (int c = lane; c < columns; c += kWarp) x[c] = 0;
    return 0;
  }
  Real largest = -INFINITY, sum = 0;
  for (int c = lane; c < columns; c += kWarp) largest = x[c] > largest ? x[c] : largest;
  largest = warp_max(largest);
  for (int c = lane; c < columns; c += kWarp) sum += std::exp(x[c] - largest);
  const Real log_sum = largest + std::log(warp_sum(sum));
  double loss = 0;
  for (int32_t e = first + lane; e < last; e += kWarp)
    loss += targets.weight[e] * (static_cast<double>(log_sum) - static_cast<double>(x[targets.token[e]]));
  loss = warp_sum(loss);  // every lane has read its targets' logits before one is overwritten
  if (!gradient) return loss;
  const Real weight = static_cast<Real>(targets.row_weight[row]);
  for (int c = lane; c < columns; c += kWarp) x[c] = weight * std::exp(x[c] - log_sum);
  for (int32_t e = first; e < last; ++e)
    if (targets.token[e] % kWarp == lane) x[targets.token[e]] -= static_cast<Real>(targets.weight[e]);
  return loss;
}

// Mapping: a warp owns every (kWarps * gridDim.x)-th row. Shared memory: one number a warp. Barriers: all threads reach the
// one in block_sum(). The order of the sum depends on the number of rows alone.
template <class Real>
__global__ void cross_entropy_kernel(DeviceTargets targets, int columns, Index begin, Index end, Rows<Real> logits,
                                     bool gradient, double* partial) {
  __shared__ double parts[kWarps];
  double loss = 0;
  for (Index row = begin + static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp; row < end;
       row += static_cast<Index>(gridDim.x) * kWarps)
    loss += row_loss(targets, row, columns, logits.data + row * logits.stride, gradient);
  loss = block_sum(threadIdx.x % kWarp == 0 ? loss : 0.0, parts);
  if (threadIdx.x == 0) partial[blockIdx.x] = loss;
}

template <class Real>
__global__ void row_losses_kernel(DeviceTargets targets, int columns, Index begin, Index end, Rows<Real> logits,
                                  double* losses) {
  const Index row = begin + static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (row >= end) return;
  const double loss = row_loss(targets, row, columns, logits.data + row * logits.stride, false);
  if (threadIdx.x % kWarp == 0) losses[row - begin] = loss;
}

// One block adds the partial losses in a fixed order.
__global__ void add_losses_kernel(Index n_parts, const double* partial, double* loss) {
  __shared__ double parts[kWarps];
  double sum = 0;
  for (Index i = threadIdx.x; i < n_parts; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) *loss += sum;
}

}  // namespace

Index loss_parts(Index n_rows) {
  const Index parts = ceil_divide(n_rows, kWarps);
  return parts < kMostParts ? parts : kMostParts;
}

template <class Real>
void cross_entropy(const Queue& queue, const DeviceTargets& targets, Index columns, Index begin, Index end,
                   Rows<Real> logits, bool gradient, double* partial, double* loss) {
  const Index parts = loss_parts(end - begin);
  if (parts == 0) return;
  launch(queue, cross_entropy_kernel<Real>, static_cast<unsigned>(parts), kWarps * kWarp, 0, targets,
         static_cast<int>(columns), begin, end, logits, gradient, partial);
  launch(queue, add_losses_kernel, 1, kWarps * kWarp, 0, parts, partial, loss);
}

template <class Real>
void row_losses(const Queue& queue, const DeviceTargets& targets, Index columns, Index begin, Index end,
                Rows<Real> logits, double* losses) {
  launch(queue, row_losses_kernel<Real>, static_cast<unsigned>(ceil_divide(end - begin, kWarps)), kWarps * kWarp, 0,
         targets, static_cast<int>(columns), begin, end, logits, losses);
}

#define AGPT_INSTANTIATE(Real)                                                                                    \
  template void cross_entropy(const Queue&, const DeviceTargets&, Index, Index, Index, Rows<Real>, bool, double*, \
                              double*);                                                                           \
  template void row_losses(const Queue&, const DeviceTargets&, Index, Index, Index, Rows<Real>, double*);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
