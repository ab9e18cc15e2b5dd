// Loops over all parameters: sums of gradients and the optimizers' updates. The latter are plain, for the compiler to
// vectorise with the flags of the instruction set.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// As many numbers as a vector has doubles. GCC makes two conversions of half a vector of the generic one.
inline Vector<double> load_doubles(const float* p) {
#if AGPT_VECTOR_BYTES == 64
  return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(p));
#elif AGPT_VECTOR_BYTES == 32
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  typedef float Half __attribute__((vector_size(AGPT_VECTOR_BYTES / 2), may_alias, aligned(4)));
  return __builtin_convertvector(*reinterpret_cast<const Half*>(p), Vector<double>);
#endif
}
inline Vector<double> load_doubles(const double* p) { return load(p); }

// sum (kTogether vectors) (+)= the addends from their number `at` on; adds the squares to `squares`. All addends at once,
// so that sums stay in registers.
template <int kTogether, class Real>
inline void add_vectors(double* sum, const Real* const* addends, int n_addends, Index at, Vector<double> factor,
                        bool overwrite, Vector<double>* squares) {
  Vector<double> value[kTogether];
  for (int v = 0; v < kTogether; ++v) value[v] = overwrite ? Vector<double>{} : load(sum + at + v * kLanes<double>);
  for (int a = 0; a < n_addends; ++a) {
    const Real* from = addends[a] + at;
    for (int v = 0; v < kTogether; ++v) value[v] += factor * load_doubles(from + v * kLanes<double>);
  }
  for (int v = 0; v < kTogether; ++v) {
    store(sum + at + v * kLanes<double>, value[v]);
    squares[v] += value[v] * value[v];
  }
}

template <class Real>
double add_gradients(double* sum, const Real* const* addends, int n_addends, Index n, double scale, bool overwrite) {
  constexpr int kWidth = kLanes<double>;
  const Vector<double> factor = broadcast<double>(scale);
  Vector<double> squares[4] = {};
  Index i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) add_vectors<4>(sum, addends, n_addends, i, factor, overwrite, squares);
  for (; i + kWidth <= n; i += kWidth) add_vectors<1>(sum, addends, n_addends, i, factor, overwrite, squares);
  double total = sum_of_lanes<double>((squares[0] + squares[1]) + (squares[2] + squares[3]));
  for (; i < n; ++i) {
    double value = overwrite ? 0 : sum[i];
    for (int a = 0; a < n_addends; ++a) value += scale * static_cast<double>(addends[a][i]);
    sum[i] = value;
    total += value * value;
  }
  return total;
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
