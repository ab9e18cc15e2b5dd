#include "cuda/kernels/optimizer.h"

#include <cmath>

#include "cuda/device/warp.cuh"

namespace agpt::cuda {
namespace {

constexpr int kThreads = 256;
constexpr Index kMostParts = 1024;

// Mapping of the kernels over numbers: a thread owns every (threads of the grid)-th number. Sums are of fixed cuts.

template <class Real>
__global__ void add_scaled_kernel(Index n, double scale, const Real* addend, double* sum) {
  const Index step = static_cast<Index>(gridDim.x) * kThreads;
  for (Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += step)
    sum[i] += scale * static_cast<double>(addend[i]);
}

__global__ void scale_and_square_kernel(Index n, double scale, double* gradient, double* partial) {
  __shared__ double parts[kThreads / kWarp];
  const Index step = static_cast<Index>(gridDim.x) * kThreads;
  double sum = 0;
  for (Index i = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x; i < n; i += step) {
    const double value = gradient[i] * scale;
    gradient[i] = value;
    sum += value * value;
  }
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// One block.
__global__ void finish_step_kernel(Index n_parts, const double* partial, double given, double weight, double clip_norm,
                                   double* running, StepRecord* record) {
  __shared__ double parts[kThreads / kWarp];
  double sum = 0;
  for (Index i = threadIdx.x; i < n_parts; i += kThreads) sum += partial[i];
  sum = block_sum(sum, parts);
  if (threadIdx.x != 0) return;
  StepRecord found;
  found.loss = (given + (running != nullptr ? *running : 0.0)) / weight;
  found.gradient_norm = std::sqrt(sum);
  found.clip_factor = clip_norm > 0 && found.gradient_norm > clip_norm ? clip_norm / found.gradient_norm : 1;
  found.is_finite = std::isfinite(found.loss) && std::isfinite(found.gradient_norm) ? 1 : 0;
  if (running != nullptr) *running = 0;
  *record = found;
}

// Mapping: a block owns a piece of a tensor, a thread every kThreads-th number of it.
template <class Real>
__global__ void update_kernel(UpdateNumbers numbers, const FlatPiece* pieces, const StepRecord* record,
                              const double* gradient, Real* parameters, Real* first, Real* second) {
  if (record->is_finite == 0) return;
  const FlatPiece piece = pieces[blockIdx.x];
  const Real rate = static_cast<Real>(numbers.learning_rate), epsilon = static_cast<Real>(numbers.epsilon);
  const Real beta1 = static_cast<Real>(numbers.beta1), beta2 = static_cast<Real>(numbers.beta2);
  const Real correction1 = static_cast<Real>(numbers.correction1), correction2 = static_cast<Real>(numbers.correction2);
  const Real decay = static_cast<Real>(piece.is_vector ? numbers.vector_decay : numbers.matrix_decay);
  for (Index i = piece.begin + threadIdx.x; i < piece.begin + piece.size; i += kThreads) {
    const Real g = static_cast<Real>(gradient[i] * record->clip_factor);
    Real move = g;
    if (numbers.kind == OptimizerKind::momentum) {
      move = beta1 * first[i] + g;
      first[i] = move;
    } else if (numbers.kind != OptimizerKind::sgd) {
      if (numbers.kind == OptimizerKind::adam) {
        move = beta1 * first[i] + (1 - beta1) * g;
        first[i] = move;
      }
      const Real v = beta2 * second[i] + (1 - beta2) * g * g;
      second[i] = v;
      move = move * correction1 / (std::sqrt(v * correction2) + epsilon);
    }
    parameters[i] = (parameters[i] - rate * move) * (1 - rate * decay);
  }
}

unsigned blocks_for(Index n) { return static_cast<unsigned>(norm_parts(n)); }

}  // namespace

Index norm_parts(Index n) {
  const Index parts = ceil_divide(n, kThreads);
  return parts < kMostParts ? parts : kMostParts;
}

template <class Real>
void add_scaled(const Queue& queue, Index n, double scale, const Real* addend, double* sum) {
  launch(queue, add_scaled_kernel<Real>, blocks_for(n), kThreads, 0, n, scale, addend, sum);
}

void scale_and_square(const Queue& queue, Index n, double scale, double* gradient, double* partial) {
  launch(queue, scale_and_square_kernel, blocks_for(n), kThreads, 0, n, scale, gradient, partial);
}

void finish_step(const Queue& queue, Index n_parts, const double* partial, double given, double weight,
                 double clip_norm, double* running, StepRecord* record) {
  launch(queue, finish_step_kernel, 1, kThreads, 0, n_parts, partial, given, weight, clip_norm, running, record);
}

template <class Real>
void update_parameters(const Queue& queue, const UpdateNumbers& numbers, Index n_pieces, const FlatPiece* pieces,
                       const StepRecord* record, const double* gradient, Real* parameters, Real* first, Real* second) {
  launch(queue, update_kernel<Real>, static_cast<unsigned>(n_pieces), kThreads, 0, numbers, pieces, record, gradient,
         parameters, first, second);
}

#define AGPT_INSTANTIATE(Real)                                                                                    \
  template void add_scaled(const Queue&, Index, double, const Real*, double*);                                    \
  template void update_parameters(const Queue&, const UpdateNumbers&, Index, const FlatPiece*, const StepRecord*, \
                                  const double*, Real*, Real*, Real*);
AGPT_INSTANTIATE(float)
AGPT_INSTANTIATE(double)
#undef AGPT_INSTANTIATE

}  // namespace agpt::cuda
