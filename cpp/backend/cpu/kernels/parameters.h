// Loops over all parameters: sums of gradients and the optimizers' updates. They are plain, for the compiler to
// vectorise with the flags of the instruction set; only the sum of squares needs its order fixed by hand.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
void add_scaled(double* __restrict sum, const Real* __restrict x, Index n, double scale) {
  for (Index i = 0; i < n; ++i) sum[i] += scale * static_cast<double>(x[i]);
}

inline double scale_and_square(double* x, Index n, double scale) {
  constexpr int kWidth = kLanes<double>;
  Vector<double> even{}, odd{};
  Index i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    const Vector<double> a = load(x + i) * scale, b = load(x + i + kWidth) * scale;
    store(x + i, a);
    store(x + i + kWidth, b);
    even += a * a;
    odd += b * b;
  }
  double sum = sum_of_lanes<double>(even + odd);
  for (; i < n; ++i) {
    x[i] *= scale;
    sum += x[i] * x[i];
  }
  return sum;
}

template <OptimizerKind kind, class Real>
inline void update_as(const TensorUpdate<Real>& u) {
  [[maybe_unused]] const Real beta1 = u.beta1, beta2 = u.beta2, epsilon = u.epsilon, correction1 = u.correction1,
                              correction2 = u.correction2, rate = u.learning_rate, keep = 1 - rate * u.decay;
  const double scale = u.scale;
  const double* __restrict gradient = u.gradient;
  Real* __restrict parameters = u.parameters;
  Real* __restrict first = u.first;
  Real* __restrict second = u.second;
  for (Index i = 0; i < u.size; ++i) {
    const Real g = static_cast<Real>(gradient[i] * scale);
    Real move = g;
    if constexpr (kind == OptimizerKind::momentum) {
      move = first[i] = beta1 * first[i] + g;
    } else if constexpr (kind != OptimizerKind::sgd) {
      const Real v = second[i] = beta2 * second[i] + (1 - beta2) * g * g;
      if constexpr (kind == OptimizerKind::adam) move = (first[i] = beta1 * first[i] + (1 - beta1) * g) * correction1;
      move = move / (std::sqrt(v * correction2) + epsilon);
    }
    parameters[i] = (parameters[i] - rate * move) * keep;
  }
}

template <class Real>
void update_tensor(const TensorUpdate<Real>& update) {
  switch (update.kind) {
    case OptimizerKind::sgd:
      return update_as<OptimizerKind::sgd>(update);
    case OptimizerKind::momentum:
      return update_as<OptimizerKind::momentum>(update);
    case OptimizerKind::adam:
      return update_as<OptimizerKind::adam>(update);
    case OptimizerKind::rmsprop:
    case OptimizerKind::rmsprop_corrected:
      return update_as<OptimizerKind::rmsprop>(update);
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
