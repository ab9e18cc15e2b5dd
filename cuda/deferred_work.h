// Work of operations that the next operation can do while its own data passes: it waits one operation long, and is launched
// alone where the next one cannot use it.
#pragma once

#include <optional>

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// y += bias, which the activation behind a linear layer does as it reads y.
template <class Real>
struct DeferredBias {
  const Real* bias = nullptr;
  Index columns = 0, n_rows = 0;
  Rows<Real> y;
};

/// d *= activation'(x), behind which the gradient of a bias is the sum of the columns of d.
template <class Real>
struct DeferredSlope {
  ElementwiseActivation kind{};
  Index columns = 0, n_rows = 0;
  Rows<Real> x, d;
};

/// What an operation has put off. Each of the take functions returns what fits, which the caller then does.
template <class Real>
class DeferredWork {
 public:
  void put_off(const DeferredBias<Real>& bias) { bias_ = bias; }
  void put_off(const DeferredSlope<Real>& slope) { slope_ = slope; }

  /// The bias of the n_rows rows from y on.
  std::optional<DeferredBias<Real>> take_bias(Rows<Real> y, Index n_rows);
  /// The slope that the n_rows rows from d on still lack.
  std::optional<DeferredSlope<Real>> take_slope(Rows<Real> d, Index n_rows);

  /// Launches what nobody took.
  void launch(const Queue& queue);

 private:
  std::optional<DeferredBias<Real>> bias_;
  std::optional<DeferredSlope<Real>> slope_;
};

}  // namespace agpt::cuda
