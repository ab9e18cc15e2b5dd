#include "cuda/deferred_work.h"

#include <utility>

#include "cuda/kernels/elementwise.h"

namespace agpt::cuda {

template <class Real>
std::optional<DeferredBias<Real>> DeferredWork<Real>::take_bias(Rows<Real> y, Index n_rows) {
  if (!bias_ || bias_->y != y || bias_->n_rows != n_rows) return std::nullopt;
  return std::exchange(bias_, std::nullopt);
}

template <class Real>
std::optional<DeferredSlope<Real>> DeferredWork<Real>::take_slope(Rows<Real> d, Index n_rows) {
  if (!slope_ || slope_->d != d || slope_->n_rows != n_rows) return std::nullopt;
  return std::exchange(slope_, std::nullopt);
}

template <class Real>
void DeferredWork<Real>::launch(const Queue& queue) {
  if (const auto bias = std::exchange(bias_, std::nullopt))
    bias_and_residual(queue, bias->columns, bias->n_rows, bias->bias, bias->y, bias->y);
  if (const auto slope = std::exchange(slope_, std::nullopt))
    activate_backward(queue, slope->kind, slope->columns, slope->n_rows, slope->x, slope->d);
}

template class DeferredWork<float>;
template class DeferredWork<double>;

}  // namespace agpt::cuda
