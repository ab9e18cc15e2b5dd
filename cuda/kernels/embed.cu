#include "cuda/kernels/embed.h"

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kWarps = 8;

// Mapping: a warp owns a row, a lane every 32nd column. No shared memory, no barriers.
template <class Real>
__global__ void embed_kernel(const Real* table, const Real* position_table, int columns, Index n_rows,
                             const int32_t* token, const int32_t* position, Rows<Real> out) {
  const Index row = static_cast<Index>(blockIdx.x) * kWarps + threadIdx.x / kWarp;
  if (row >= n_rows) return;
  const Real* from = table + static_cast<Index>(token[row]) * columns;
  const Real* also = position_table == nullptr ? nullptr : position_table + static_cast<Index>(position[row]) * columns;
  Real* to = out.data + row * out.stride;
  for (int c = static_cast<int>(threadIdx.x % kWarp); c < columns; c += kWarp)
    to[c] = also == nullptr ? from[c] : from[c] + also[c];
}

}  // namespace

template <class Real>
void embed(const Queue& queue, const Real* table, const Real* position_table, Index columns, Index n_rows,
           const int32_t* token, const int32_t* position, Rows<Real> out) {
  launch(queue, embed_kernel<Real>, static_cast<unsigned>(ceil_divide(n_rows, kWarps)), kWarps * kWarp, 0, table,
         position_table, static_cast<int>(columns), n_rows, token, position, out);
}

template void embed(const Queue&, const float*, const float*, Index, Index, const int32_t*, const int32_t*,
                    Rows<float>);
template void embed(const Queue&, const double*, const double*, Index, Index, const int32_t*, const int32_t*,
                    Rows<double>);

}  // namespace agpt::cuda
