// Zeros of a matrix, which a product need not multiply: half of what relu makes, and more in models that have trained.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Only wide vectors pay for the search. A way through a mask serves as many vectors of columns as hide its steps.
constexpr bool kFindsZeros = AGPT_VECTOR_BYTES >= 32;
constexpr int kVectorsOfMask = AGPT_VECTOR_BYTES == 64 ? 4 : 8;
template <class Real>
constexpr Index kColumnsOfMask = kVectorsOfMask * kLanes<Real>;
constexpr Index kMaskedColumns = 64;  // as many as a mask has bits

// Bit i says that lane i is not 0.
template <class Real>
inline uint64_t nonzero_lanes(Vector<Real> v) {
#if AGPT_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4)
    return _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
  else
    return _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
#elif AGPT_VECTOR_BYTES == 32
  if constexpr (sizeof(Real) == 4)
    return static_cast<uint64_t>(_mm256_movemask_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ)));
  else
    return static_cast<uint64_t>(_mm256_movemask_pd(_mm256_cmp_pd(v, _mm256_setzero_pd(), _CMP_NEQ_UQ)));
#else
  uint64_t bits = 0;
  for (int i = 0; i < kLanes<Real>; ++i) bits |= static_cast<uint64_t>(v[i] != 0) << i;
  return bits;
#endif
}

// Bit i says that x[i] is not 0, for n <= kMaskedColumns numbers; what follows them up to a whole vector can be read.
template <class Real>
inline uint64_t nonzeros(const Real* x, Index n) {
  uint64_t bits = 0;
  for (Index i = 0; i < n; i += kLanes<Real>) bits |= nonzero_lanes<Real>(load(x + i)) << i;
  return n < kMaskedColumns ? bits & ((uint64_t{1} << n) - 1) : bits;
}

// Whether it pays to look for the zeros of x (rows, columns), judged by a few rows.
template <class Real>
inline bool has_many_zeros(const Real* x, Index stride, Index rows, Index columns) {
  constexpr Index kRowsAsked = 4;
  constexpr double kMostNonzeros = 0.6;
  if (rows < kRowsAsked) return false;
  int found = 0;
  for (Index i = 0; i < kRowsAsked; ++i)
    for (Index c = 0; c < columns; c += kMaskedColumns)
      found += __builtin_popcountll(nonzeros(x + i * rows / kRowsAsked * stride + c,
                                             columns - c < kMaskedColumns ? columns - c : kMaskedColumns));
  return found < kMostNonzeros * static_cast<double>(kRowsAsked * columns);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
