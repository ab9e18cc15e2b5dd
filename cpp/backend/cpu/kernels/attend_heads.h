// Attention of single queries, as generation has one for every new token and evaluation one for every prediction: of
// one head, or of four equal heads together. A vector then holds the scores that a few keys have in all four heads, so
// that softmax and the sums over lanes are shared.
#pragma once

#include "cpp/backend/cpu/kernels/attend_row.h"
#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

constexpr int kHeadsTogether = 4;

// Where the heads of a key lie, as far as the compiler may know it.
enum class HeadLayout {
  side_by_side,  // heads as wide as a vector, one behind the other: all addresses are sums of constants
  shared,        // all heads see the same rows: a row is loaded once
  any
};

template <class Real, HeadLayout layout>
inline Index step_of_heads(Index step) {
  return layout == HeadLayout::side_by_side ? kLanes<Real> : layout == HeadLayout::shared ? 0 : step;
}

// p[4 key + head] = scale * q . key of the head; the other lanes of the last vector are masked. Returns the largest by
// lane.
template <class Real, HeadLayout layout>
inline Vector<Real> scores_of_heads(const HeadsArgs<Real>& args) {
  constexpr int kWidth = kLanes<Real>, kKeys = kWidth / kHeadsTogether;  // of a vector
  const Index key_step = step_of_heads<Real, layout>(args.k_step);
  const Index query_step = layout == HeadLayout::side_by_side ? kWidth : args.q_step;
  const Index width = layout == HeadLayout::side_by_side ? kWidth : args.k_columns;
  const Vector<Real> masked = broadcast<Real>(static_cast<Real>(-1e30));
  Vector<Real> top = masked;
  for (int j = 0; j < args.n_keys; j += kKeys) {
    const Real* keys[kKeys];
    AGPT_UNROLL
    for (int i = 0; i < kKeys; ++i) keys[i] = args.k + args.rows[j + i < args.n_keys ? j + i : j] * args.k_stride;
    Vector<Real> products[kWidth] = {};
    for (Index c = 0; c < width; c += kWidth) {
      AGPT_UNROLL
      for (int i = 0; i < kWidth; ++i) {
        const int head = i % kHeadsTogether;
        products[i] += load(args.q + head * query_step + c) * load(keys[i / kHeadsTogether] + head * key_step + c);
      }
    }
    const Vector<Real> scores = sums_of_lanes<Real>(products) * args.scale;
    const Vector<Real> s = lanes_below<Real>((args.n_keys - j) * kHeadsTogether) ? scores : masked;
    top = larger<Real>(top, s);
    store(args.p + j * kHeadsTogether, s);
  }
  return top;
}

// p = exp(p - the head's largest); returns the sums over the keys by lane % 4.
template <class Real>
inline Vector<Real> exponentials_of_heads(Vector<Real> top, int n_keys, Real* p) {
  constexpr int kWidth = kLanes<Real>, kKeys = kWidth / kHeadsTogether;
  const Mask<Real> lane = lane_numbers<Real>();
  Vector<Real> sum{};
  const Vector<Real> zero{};
  AGPT_UNROLL
  for (int half = kWidth / 2; half >= kHeadsTogether; half /= 2)
    top = larger<Real>(top, shuffle_lanes(top, top, lane ^ half));
  for (int j = 0; j < n_keys; j += kKeys) {
    Real* at = p + j * kHeadsTogether;
    const Vector<Real> e = lanes_below<Real>((n_keys - j) * kHeadsTogether) ? exponential(load(at) - top) : zero;
    sum += e;
    store(at, e);
  }
  AGPT_UNROLL
  for (int half = kWidth / 2; half >= kHeadsTogether; half /= 2) sum += shuffle_lanes(sum, sum, lane ^ half);
  return sum;
}

// Columns [c, c + kVectors lanes) of the heads' outputs: inverse[head] times the sum over the keys of p times the value.
template <class Real, HeadLayout layout, int kVectors>
inline void sum_of_values(const HeadsArgs<Real>& args, Vector<Real> inverse, Index c) {
  constexpr int kChains = kVectors > 1 ? 1 : 2;  // keys of even and odd number: shorter chains of multiply-adds
  const Index step = step_of_heads<Real, layout>(args.v_step);
  Vector<Real> sums[kChains][kHeadsTogether][kVectors] = {};
  for (int j = 0; j < args.n_keys; j += kChains) {
    AGPT_UNROLL
    for (int chain = 0; chain < kChains; ++chain) {
      if (j + chain == args.n_keys) break;
      const Real* p = args.p + (j + chain) * kHeadsTogether;
      const Real* v = args.v + args.rows[j + chain] * args.v_stride + c;
      AGPT_UNROLL
      for (int h = 0; h < kHeadsTogether; ++h) {
        AGPT_UNROLL
        for (int i = 0; i < kVectors; ++i)
          sums[chain][h][i] += broadcast<Real>(p[h]) * load(v + h * step + i * kLanes<Real>);
      }
    }
  }
  AGPT_UNROLL
  for (int h = 0; h < kHeadsTogether; ++h) {
    AGPT_UNROLL
    for (int i = 0; i < kVectors; ++i) {
      Vector<Real> total = sums[0][h][i];
      if constexpr (kChains == 2) total += sums[1][h][i];
      store(args.out + h * args.out_step + c + i * kLanes<Real>, total * broadcast<Real>(inverse[h]));
    }
  }
}

template <class Real, HeadLayout layout>
inline void attend_heads_in(const HeadsArgs<Real>& args, const Vector<Real> inverse) {
  // So many vectors of a shared row that their sums in four heads fill the registers.
  constexpr int kVectors = layout == HeadLayout::shared ? AGPT_VECTOR_BYTES / 16 : 1;
  Index c = 0;
  for (; c + kVectors * kLanes<Real> <= args.v_columns; c += kVectors * kLanes<Real>)
    sum_of_values<Real, layout, kVectors>(args, inverse, c);
  for (; c < args.v_columns; c += kLanes<Real>) sum_of_values<Real, layout, 1>(args, inverse, c);
}

template <class Real>
void attend_four_heads(const HeadsArgs<Real>& args) {
  if constexpr (kLanes<Real> >= kHeadsTogether) {
    const auto is_side_by_side = [](Index step, Index columns) {
      return step == kLanes<Real> && columns == kLanes<Real>;
    };
    const Vector<Real> top = is_side_by_side(args.k_step, args.k_columns) && args.q_step == kLanes<Real>
                                 ? scores_of_heads<Real, HeadLayout::side_by_side>(args)
                             : args.k_step == 0 ? scores_of_heads<Real, HeadLayout::shared>(args)
                                                : scores_of_heads<Real, HeadLayout::any>(args);
    const Vector<Real> inverse = 1 / exponentials_of_heads<Real>(top, args.n_keys, args.p);
    if (is_side_by_side(args.v_step, args.v_columns))
      attend_heads_in<Real, HeadLayout::side_by_side>(args, inverse);
    else if (args.v_step == 0)
      attend_heads_in<Real, HeadLayout::shared>(args, inverse);
    else
      attend_heads_in<Real, HeadLayout::any>(args, inverse);
  }
}

template <class Real>
void attend_one_head(const HeadsArgs<Real>& args) {
  probabilities_of_keys(args.q, args.scale, args.rows, args.n_keys, args.k, args.k_stride,
                        static_cast<int>(args.k_columns), args.p);
  sum_of_keys(args.p, args.rows, args.n_keys, args.v, args.v_stride, static_cast<int>(args.v_columns), args.out);
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
