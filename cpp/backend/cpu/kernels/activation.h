// Activations that take more than an instruction, applied to a block of a matrix product while it is in the first-level
// cache.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// The normal density and distribution function. In float: Phi(-|x|) = phi-weighted polynomial in 1 / (1 + p|x|)
// (Abramowitz and Stegun 7.1.26, absolute error 1.5e-7); in double: the library's erfc, lane by lane.
inline void normal(Vector<float> x, Vector<float>& density, Vector<float>& distribution) {
  const Vector<float> zero{}, size = x < zero ? -x : x;
  const Vector<float> bell = exponential(-0.5f * size * size);  // exp(-z^2) with z = |x| / sqrt(2)
  const Vector<float> t = 1.f / (1.f + 0.231641888f * size);    // 0.3275911 / sqrt(2)
  Vector<float> p = broadcast<float>(0.5f * 1.061405429f);
  p = p * t - 0.5f * 1.453152027f;
  p = p * t + 0.5f * 1.421413741f;
  p = p * t - 0.5f * 0.284496736f;
  p = p * t + 0.5f * 0.254829592f;
  const Vector<float> tail = p * t * bell;
  density = 0.39894228f * bell;
  distribution = x < zero ? tail : 1.f - tail;
}
inline void normal(Vector<double> x, Vector<double>& density, Vector<double>& distribution) {
  for (int i = 0; i < kLanes<double>; ++i) {
    density[i] = 0.39894228040143267794 * std::exp(-x[i] * x[i] / 2);
    distribution[i] = 0.5 * std::erfc(-x[i] * 0.70710678118654752440);
  }
}

// The activation of v; v becomes its slope there.
template <class Real, ElementwiseActivation kind>
inline Vector<Real> activation(Vector<Real>& v) {
  if constexpr (kind == ElementwiseActivation::gelu) {
    Vector<Real> density, distribution;
    normal(v, density, distribution);
    const Vector<Real> value = v * distribution;
    v = distribution + v * density;
    return value;
  } else {
    const Vector<Real> positive = larger<Real>(v, Vector<Real>{});
    v = positive + positive;
    return positive * positive;
  }
}

// (rows, columns) blocks, columns a multiple of the vector's.
template <class Real, ElementwiseActivation kind, bool kKeepsSlope>
void activate_block(Index rows, Index columns, Real* c, Index c_stride, Real* activated, Index stride) {
  for (Index r = 0; r < rows; ++r, c += c_stride, activated += stride)
    for (Index j = 0; j < columns; j += kLanes<Real>) {
      Vector<Real> v = load(c + j);
      store(activated + j, activation<Real, kind>(v));
      if (kKeepsSlope) store(c + j, v);
    }
}

template <class Real>
void multiply_blocks(Index rows, Index columns, Real* c, Index c_stride, const Real* by, Index stride) {
  for (Index r = 0; r < rows; ++r, c += c_stride, by += stride)
    for (Index j = 0; j < columns; j += kLanes<Real>) store(c + j, load(c + j) * load(by + j));
}

template <class Real, ElementwiseActivation kind>
inline void activate_block_as(const MatmulArgs<Real>& m, Index rows, Index columns, Real* c, Real* activated) {
  if (m.finish == Finish::activate_and_keep_slope)
    activate_block<Real, kind, true>(rows, columns, c, m.c_stride, activated, m.other_stride);
  else
    activate_block<Real, kind, false>(rows, columns, c, m.c_stride, activated, m.other_stride);
}

// A block of C that was just stored, with that of m.other. Not for relu. Out of line, for products have many kinds of
// blocks.
template <class Real>
[[gnu::noinline]] void finish_block(const MatmulArgs<Real>& m, Index rows, Index columns, Real* c, Real* other) {
  if (m.finish == Finish::multiply_by_slope)
    multiply_blocks<Real>(rows, columns, c, m.c_stride, other, m.other_stride);
  else if (m.activation == ElementwiseActivation::gelu)
    activate_block_as<Real, ElementwiseActivation::gelu>(m, rows, columns, c, other);
  else
    activate_block_as<Real, ElementwiseActivation::relu_squared>(m, rows, columns, c, other);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
