// Operations on each number of a matrix: activations, clearing, and the bias and residual that a product is added to.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

// Matrices begin at the first row of n_rows.

/// x += bias (columns), if it is not null; out = activation(x). Where out is x, x is not kept.
template <class Real>
void activate(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows, const Real* bias,
              Rows<Real> x, Rows<Real> out);
/// d *= activation'(x).
template <class Real>
void activate_backward(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows, Rows<Real> x,
                       Rows<Real> d);
/// The same, and sum[c] += the sum over the rows of d[r][c]. partial: room for column_sum_parts() * columns numbers.
template <class Real>
void activate_backward_and_sum(const Queue& queue, ElementwiseActivation kind, Index columns, Index n_rows,
                               Rows<Real> x, Rows<Real> d, Real* partial, Real* sum);
/// m = 0.
template <class Real>
void clear_rows(const Queue& queue, Index columns, Index n_rows, Rows<Real> m);
/// y = bias (columns), plus residual where its data is not null; bias may be null. residual may be y.
template <class Real>
void bias_and_residual(const Queue& queue, Index columns, Index n_rows, const Real* bias, Rows<Real> residual,
                       Rows<Real> y);

}  // namespace agpt::cuda
