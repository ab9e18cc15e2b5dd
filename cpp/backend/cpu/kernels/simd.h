// The only place that knows the vector width. Kernels are written with GCC/Clang vector extensions on
// Simd<Real>::Vector and compile for any width: AGPT_VECTOR_BYTES is 64 (AVX-512), 32 (AVX2) or 16 (SSE2, NEON). Each
// kernels_*.cpp defines it and AGPT_KERNELS_NAMESPACE, so that no inline function of one instruction set can be linked
// in place of another's. No standard containers or algorithms here, for the same reason.
#pragma once

#include <cmath>
#include <cstdint>
#if AGPT_VECTOR_BYTES >= 32
#include <immintrin.h>
#endif

#include "cpp/backend/cpu/kernel_table.h"

#if defined(__clang__)
#define AGPT_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define AGPT_UNROLL _Pragma("unroll")
#else
#define AGPT_UNROLL _Pragma("GCC unroll 16")
#endif

namespace agpt::AGPT_KERNELS_NAMESPACE {

template <class Real>
struct Simd;

template <>
struct Simd<float> {
  typedef float Vector __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias));
  typedef float Unaligned __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias, aligned(4)));
  typedef int32_t Mask __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias));
  typedef uint32_t Bits __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias));
  typedef int32_t Integer;
};

template <>
struct Simd<double> {
  typedef double Vector __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias));
  typedef double Unaligned __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias, aligned(8)));
  typedef int64_t Mask __attribute__((vector_size(AGPT_VECTOR_BYTES), may_alias));
  typedef int64_t Integer;
};

template <class Real>
using Vector = typename Simd<Real>::Vector;
template <class Real>
using Mask = typename Simd<Real>::Mask;

template <class Real>
constexpr int kLanes = AGPT_VECTOR_BYTES / static_cast<int>(sizeof(Real));

#if AGPT_VECTOR_BYTES == 64
constexpr __mmask16 kAllLanes = 0xffff;  // intrinsics without a mask start from an undefined vector, which GCC warns of
#endif

template <class Real>
inline Vector<Real> load(const Real* p) {
  return *reinterpret_cast<const typename Simd<Real>::Unaligned*>(p);
}
template <class Real>
inline void store(Real* p, Vector<Real> v) {
  *reinterpret_cast<typename Simd<Real>::Unaligned*>(p) = v;
}
// x - 0 is x, also for -0, so the compiler may and does emit a plain broadcast.
template <class Real>
inline Vector<Real> broadcast(Real x) {
  return x - Vector<Real>{};
}
template <class Real>
inline Vector<Real> larger(Vector<Real> a, Vector<Real> b) {
#if AGPT_VECTOR_BYTES == 64  // GCC would compare and blend
  if constexpr (sizeof(Real) == 4) return _mm512_maskz_max_ps(kAllLanes, a, b);
#endif
  return a > b ? a : b;
}

// 0, 1, 2, ... and 1, 2, 4, ... by lane.
template <class Real>
inline Mask<Real> lane_numbers() {
  Mask<Real> m{};
  for (int i = 0; i < kLanes<Real>; ++i) m[i] = i;
  return m;
}
template <class Real>
inline Mask<Real> lane_bits() {
  Mask<Real> m{};
  for (int i = 0; i < kLanes<Real>; ++i) m[i] = 1 << i;
  return m;
}
// Lanes whose bit is set in `bits` are true.
template <class Real>
inline Mask<Real> lanes_of(uint64_t bits) {
  return ((static_cast<typename Simd<Real>::Integer>(bits) - Mask<Real>{}) & lane_bits<Real>()) != 0;
}
// a in the lanes whose bit is set in `bits`, b in the others.
template <class Real>
inline Vector<Real> pick_lanes(uint64_t bits, Vector<Real> a, Vector<Real> b) {
#if AGPT_VECTOR_BYTES == 64
  if constexpr (sizeof(Real) == 4)
    return _mm512_mask_mov_ps(b, static_cast<__mmask16>(bits), a);
  else
    return _mm512_mask_mov_pd(b, static_cast<__mmask8>(bits), a);
#else
  return lanes_of<Real>(bits) ? a : b;
#endif
}
#if AGPT_VECTOR_BYTES == 64
constexpr __mmask8 kAllLanesOfHalf = 0xff;
inline __m256 lower_half(Vector<float> v) { return _mm512_maskz_extractf32x8_ps(kAllLanesOfHalf, v, 0); }
inline __m256 upper_half(Vector<float> v) { return _mm512_maskz_extractf32x8_ps(kAllLanesOfHalf, v, 1); }
inline __m256d lower_half(Vector<double> v) { return _mm512_maskz_extractf64x4_pd(kAllLanesOfHalf, v, 0); }
inline __m256d upper_half(Vector<double> v) { return _mm512_maskz_extractf64x4_pd(kAllLanesOfHalf, v, 1); }
template <class Real>
using HalfVector = decltype(lower_half(Vector<Real>{}));
// The other half is 0.
inline Vector<float> as_lower_half(__m256 v) { return _mm512_maskz_insertf32x8(kAllLanes, Vector<float>{}, v, 0); }
inline Vector<float> as_upper_half(__m256 v) { return _mm512_maskz_insertf32x8(kAllLanes, Vector<float>{}, v, 1); }
inline Vector<double> as_lower_half(__m256d v) {
  return _mm512_maskz_insertf64x4(kAllLanesOfHalf, Vector<double>{}, v, 0);
}
inline Vector<double> as_upper_half(__m256d v) {
  return _mm512_maskz_insertf64x4(kAllLanesOfHalf, Vector<double>{}, v, 1);
}
#endif
// Lanes below `count` are true.
template <class Real>
inline Mask<Real> lanes_below(Index count) {
  return lane_numbers<Real>() < (static_cast<typename Simd<Real>::Integer>(count) - Mask<Real>{});
}

// The first `count` numbers, at most a vector of them, and zeros: what lies behind them is not read.
template <class Real>
inline Vector<Real> load_first(const Real* p, Index count) {
#if AGPT_VECTOR_BYTES == 64
  const unsigned first = (1u << count) - 1;
  if constexpr (sizeof(Real) == sizeof(float))
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(first), p);
  else
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(first), p);
#elif AGPT_VECTOR_BYTES == 32
  const auto first = reinterpret_cast<__m256i>(lanes_below<Real>(count));
  if constexpr (sizeof(Real) == sizeof(float))
    return _mm256_maskload_ps(p, first);
  else
    return _mm256_maskload_pd(p, first);
#else
  Vector<Real> v{};
  for (int i = 0; i < count; ++i) v[i] = p[i];
  return v;
#endif
}

// 2^x for x <= 0: x = n + f with |f| <= 1/2, for 2^f the polynomial of degree 5 with the least relative error (7e-8; with
// rounding 2.2e-7), n added to the exponent (as unsigned bits: the sum passes 2^31). Below 2^-126 the result is 2^-126.
inline Vector<float> power_of_two(Vector<float> x) {
  x = larger<float>(x, broadcast<float>(-126.f));
#if AGPT_VECTOR_BYTES == 64
  const Vector<float> n = _mm512_maskz_roundscale_ps(kAllLanes, x, _MM_FROUND_TO_NEAREST_INT), f = x - n;
#else
  const Vector<float> magic = broadcast<float>(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vector<float> shifted = x + magic, f = x - (shifted - magic);
#endif
  Vector<float> p = broadcast<float>(1.32764722e-3f);
  p = p * f + 9.67554133e-3f;
  p = p * f + 5.55071327e-2f;
  p = p * f + 2.40221197e-1f;
  p = p * f + 6.93146967e-1f;
  p = p * f + 1.00000012f;
#if AGPT_VECTOR_BYTES == 64
  return _mm512_maskz_scalef_ps(kAllLanes, p, n);
#else
  using Bits = Simd<float>::Bits;
  return reinterpret_cast<Vector<float>>(reinterpret_cast<Bits>(p) + (reinterpret_cast<Bits>(shifted) << 23));
#endif
}
inline Vector<double> power_of_two(Vector<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = std::exp2(x[i]);
  return x;
}

template <class Real>
constexpr Real kLog2E = static_cast<Real>(1.442695040888963407359924681);

// e^x for x <= 0.
inline Vector<float> exponential(Vector<float> x) { return power_of_two(x * kLog2E<float>); }
inline Vector<double> exponential(Vector<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

#if !defined(__clang__)
template <class V, class M>
inline V shuffle_lanes(V a, V b, M lanes) {
  return __builtin_shuffle(a, b, lanes);
}
#else
template <class V, class M>
inline V shuffle_lanes(V a, V b, M lanes) {
  constexpr int n = sizeof(V) / sizeof(a[0]);
  V out;
  for (int i = 0; i < n; ++i) out[i] = lanes[i] < n ? a[lanes[i]] : b[lanes[i] - n];
  return out;
}
#endif

// Lanes are combined in halves, so the order of the sum is that of a tree.
template <class Real>
inline Real sum_of_lanes(Vector<Real> v) {
  AGPT_UNROLL
  for (int half = kLanes<Real> / 2; half > 0; half /= 2) v += shuffle_lanes(v, v, lane_numbers<Real>() ^ half);
  return v[0];
}
// Lane l of the result is the sum over the lanes of v[l], for as many vectors as lanes: at each stage two vectors become
// one, whose lanes are halves of both.
template <class Real>
inline Vector<Real> sums_of_lanes(Vector<Real>* v) {
  const Mask<Real> lane = lane_numbers<Real>();
  AGPT_UNROLL
  for (int half = kLanes<Real> / 2; half > 0; half /= 2) {
    const Mask<Real> is_second = (lane & half) != 0;
    AGPT_UNROLL
    for (int i = 0; i < half; ++i) {
      const Vector<Real> a = v[i], b = v[i + half], other = is_second ? a : b;
      v[i] = (is_second ? b : a) + shuffle_lanes(other, other, lane ^ half);
    }
  }
  return v[0];
}

template <class Real>
inline Real largest_lane(Vector<Real> v) {
  AGPT_UNROLL
  for (int half = kLanes<Real> / 2; half > 0; half /= 2)
    v = larger<Real>(v, shuffle_lanes(v, v, lane_numbers<Real>() ^ half));
  return v[0];
}

template <class Real>
inline Vector<Real> swap_pairs(Vector<Real> v) {
  return shuffle_lanes(v, v, lane_numbers<Real>() ^ 1);
}

// Transposes the square whose rows are v[0 .. lanes): log2(lanes) stages, each exchanging blocks of `size`.
template <class Real>
inline void transpose(Vector<Real>* v) {
  const Mask<Real> lane = lane_numbers<Real>();
  AGPT_UNROLL
  for (int size = 1; size < kLanes<Real>; size *= 2) {
    const Mask<Real> high = (lane & size) != 0;
    const Mask<Real> low_pick = high ? lane - size + kLanes<Real> : lane;
    const Mask<Real> high_pick = high ? lane + kLanes<Real> : lane + size;
    AGPT_UNROLL
    for (int i = 0; i < kLanes<Real>; ++i)
      if (!(i & size)) {
        const Vector<Real> a = v[i], b = v[i + size];
        v[i] = shuffle_lanes(a, b, low_pick);
        v[i + size] = shuffle_lanes(a, b, high_pick);
      }
  }
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
