// Layer norm and RMS norm.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// One norm with its parameters on the device; gain and bias (columns) may be null.
template <class Real>
struct DeviceNorm {
  bool subtract_mean = true;
  const Real* gain = nullptr;
  const Real* bias = nullptr;
  double epsilon = 0;
  bool operator==(const DeviceNorm&) const = default;
};

// Matrices begin at the first row of n_rows.

/// y = norm(x); statistics (rows, 2): mean and 1 / deviation.
template <class Real>
void norm(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x, Rows<Real> y,
          Rows<Real> statistics);
/// How many partial sums norm_backward() makes of n_rows rows.
Index norm_backward_parts(Index n_rows);

/// dx (+)= the gradient through the norm. Partial sums of the gradients of gain and bias, norm_backward_parts() of `columns`
/// numbers, go where partial_gain and partial_bias are not null; add_parts() adds them (column_sums.h).
template <class Real>
void norm_backward(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x,
                   Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate, Real* partial_gain,
                   Real* partial_bias);

}  // namespace agpt::cuda
