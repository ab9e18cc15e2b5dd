// Row-wise and element-wise kernels: norms, rotation, the softmax of the loss.
#pragma once

#include "cpp/backend/cpu/kernels/simd.h"

namespace agpt::AGPT_KERNELS_NAMESPACE {

// Calls body(first column, lanes that hold columns) for every vector of a row; only the last can be partial.
template <class Real, class Body>
inline void for_each_vector(Index columns, Body body) {
  const Mask<Real> all = lane_numbers<Real>() >= 0;
  Index c = 0;
  for (; c + kLanes<Real> <= columns; c += kLanes<Real>) body(c, all);
  if (c < columns) body(c, lanes_below<Real>(columns - c));
}

/// What a norm does to a row.
template <class Real>
struct RowScale {
  Real mean, scale;
};

template <class Real>
inline RowScale<Real> row_scale(bool subtract_mean, Real epsilon, Index columns, const Real* x) {
  const Vector<Real> zero{};
  const Real share = Real{1} / static_cast<Real>(columns);
  Vector<Real> sum{}, squares{};
  Real mean = 0;
  if (subtract_mean) {
    for (Index c = 0; c < columns; c += kLanes<Real>) sum += load(x + c);  // padding is zero
    mean = sum_of_lanes<Real>(sum) * share;
  }
  const Vector<Real> centre = broadcast<Real>(mean);
  for_each_vector<Real>(columns, [&](Index c, Mask<Real> used) {
    const Vector<Real> d = used ? load(x + c) - centre : zero;
    squares += d * d;
  });
  return {mean, 1 / std::sqrt(sum_of_lanes<Real>(squares) * share + epsilon)};
}

template <class Real>
void norm(bool subtract_mean, Real epsilon, const Real* gain, const Real* bias, Index columns, Index rows,
          const Real* x, Index x_stride, Real* y, Index y_stride, Real* statistics, Index statistics_stride) {
  const Vector<Real> zero{};
  for (Index r = 0; r < rows; ++r, x += x_stride, y += y_stride, statistics += statistics_stride) {
    const RowScale<Real> row = row_scale(subtract_mean, epsilon, columns, x);
    statistics[0] = row.mean;
    statistics[1] = row.scale;
    const Vector<Real> centre = broadcast<Real>(row.mean), factor = broadcast<Real>(row.scale);
    for_each_vector<Real>(columns, [&](Index c, Mask<Real> used) {
      Vector<Real> value = (load(x + c) - centre) * factor;
      if (gain != nullptr) value *= load(gain + c);
      if (bias != nullptr) value += load(bias + c);
      store(y + c, used ? value : zero);
    });
  }
}

template <class Real>
void norm_backward(bool subtract_mean, const Real* gain, Index columns, Index rows, const Real* x, Index x_stride,
                   const Real* statistics, Index statistics_stride, const Real* dy, Index dy_stride, Real* dx,
                   Index dx_stride, bool accumulate, Real* dgain, Real* dbias) {
  const Vector<Real> zero{};
  const Real share = Real{1} / static_cast<Real>(columns);
  for (Index r = 0; r < rows; ++r, x += x_stride, statistics += statistics_stride, dy += dy_stride, dx += dx_stride) {
    const Vector<Real> centre = broadcast<Real>(statistics[0]), factor = broadcast<Real>(statistics[1]);
    Vector<Real> sum{}, sum_normed{};
    for_each_vector<Real>(columns, [&](Index c, Mask<Real> used) {
      const Vector<Real> normed = used ? (load(x + c) - centre) * factor : zero;
      Vector<Real> g = used ? load(dy + c) : zero;
      if (dgain != nullptr) store(dgain + c, load(dgain + c) + g * normed);
      if (dbias != nullptr) store(dbias + c, load(dbias + c) + g);
      if (gain != nullptr) g *= load(gain + c);
      sum += g;
      sum_normed += g * normed;
    });
    const Vector<Real> mean = broadcast<Real>(subtract_mean ? sum_of_lanes<Real>(sum) * share : Real{0});
    const Vector<Real> mean_normed = broadcast<Real>(sum_of_lanes<Real>(sum_normed) * share);
    for_each_vector<Real>(columns, [&](Index c, Mask<Real> used) {
      Vector<Real> g = load(dy + c);
      if (gain != nullptr) g *= load(gain + c);
      Vector<Real> value = factor * (g - mean - (load(x + c) - centre) * factor * mean_normed);
      if (accumulate) value += load(dx + c);
      store(dx + c, used ? value : zero);
    });
  }
}

template <class Real>
void rotate_pairs(const RotationArgs<Real>& args) {
  for (Index r = 0; r < args.n_rows; ++r) {
    Real* row = args.x + r * args.x_stride;
    const Real* cosine = args.cosine + args.position[r] * args.period;
    const Real* sine = args.sine + args.position[r] * args.period;
    Index p = 0;
    for (; p + kLanes<Real> <= args.period; p += kLanes<Real>) {
      const Vector<Real> by_cosine = load(cosine + p), by_sine = load(sine + p);
      for (Index c = p; c < args.columns; c += args.period) {
        const Vector<Real> v = load(row + c);
        store(row + c, v * by_cosine + swap_pairs<Real>(v) * by_sine);
      }
    }
    for (; p < args.period; p += 2)
      for (Index c = p; c < args.columns; c += args.period) {
        const Real a = row[c], b = row[c + 1];
        row[c] = a * cosine[p] + b * sine[p];
        row[c + 1] = b * cosine[p + 1] + a * sine[p + 1];
      }
  }
}

template <class Real>
void add(Real* y, const Real* x, Index n) {
  for (Index c = 0; c < n; c += kLanes<Real>) store(y + c, load(y + c) + load(x + c));
}

template <class Real>
double log_sum_exp(Real* logits, Index n, bool gradient, Real weight) {
  const Vector<Real> zero{}, lowest = broadcast<Real>(static_cast<Real>(-1e30));
  Vector<Real> top = lowest;
  for_each_vector<Real>(n,
                        [&](Index c, Mask<Real> used) { top = larger<Real>(top, used ? load(logits + c) : lowest); });
  const Real largest = largest_lane<Real>(top);
  const Vector<Real> shift = broadcast<Real>(largest);
  Vector<Real> sum{};
  for_each_vector<Real>(n, [&](Index c, Mask<Real> used) {
    const Vector<Real> e = used ? exponential(load(logits + c) - shift) : zero;
    sum += e;
    if (gradient) store(logits + c, e);
  });
  const Real total = sum_of_lanes<Real>(sum);
  if (gradient) {
    const Vector<Real> factor = broadcast<Real>(weight / total);
    for (Index c = 0; c < n; c += kLanes<Real>) store(logits + c, load(logits + c) * factor);
  }
  return static_cast<double>(largest) + std::log(static_cast<double>(total));
}

}  // namespace agpt::AGPT_KERNELS_NAMESPACE
