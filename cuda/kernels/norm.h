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
/// dx (+)= the gradient through the norm; those of gain and bias are column sums.
template <class Real>
void norm_backward(const Queue& queue, const DeviceNorm<Real>& shape, Index columns, Index n_rows, Rows<Real> x,
                   Rows<Real> statistics, Rows<Real> dy, Rows<Real> dx, bool accumulate);

}  // namespace agpt::cuda
