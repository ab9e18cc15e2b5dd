#include "cuda/kernels/rotate.h"

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;

// Mapping: a warp owns a row, a lane every 32nd pair of q, then of k. No shared memory, no barriers.
template <class Real>
__global__ void rotate_kernel(Rotations<Real> rotations, Index n_rows, const int32_t* position, Rows<Real> qkv,
                              bool inverse) {
  const Index row = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (row >= n_rows) return;
  const Index angles = static_cast<Index>(position[row]) * rotations.n_pairs;
  for (int i = static_cast<int>(threadIdx.x % kWarp); i < 2 * rotations.n_pairs; i += kWarp) {
    const int pair = i < rotations.n_pairs ? i : i - rotations.n_pairs;
    Real* at = qkv.data + row * qkv.stride + rotations.column[pair] + (i == pair ? 0 : rotations.model_width);
    const Real cosine = rotations.cosine[angles + pair];
    const Real sine = inverse ? -rotations.sine[angles + pair] : rotations.sine[angles + pair];
    const Real a = at[0], b = at[1];
    at[0] = a * cosine - b * sine;
    at[1] = a * sine + b * cosine;
  }
}

}  // namespace

template <class Real>
void rotate(const Queue& queue, const Rotations<Real>& rotations, Index n_rows, const int32_t* position, Rows<Real> qkv,
            bool inverse) {
  if (rotations.n_pairs == 0) return;
  launch(queue, rotate_kernel<Real>, static_cast<unsigned>(ceil_divide(n_rows, kWarps)), kWarps * kWarp, 0, rotations,
         n_rows, position, qkv, inverse);
}

template void rotate(const Queue&, const Rotations<float>&, Index, const int32_t*, Rows<float>, bool);
template void rotate(const Queue&, const Rotations<double>&, Index, const int32_t*, Rows<double>, bool);

}  // namespace agpt::cuda
