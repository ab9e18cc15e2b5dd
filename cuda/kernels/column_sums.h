// Sums over the rows of a matrix, and of stacked partial results: the gradients of biases, norms and weights. In two
// phases with a fixed cut, so the sums repeat exactly.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// How many partial sums column_sums() makes of n_rows rows.
Index column_sum_parts(Index n_rows);

/// sum[c] += sum over rows of m[r][c]. partial: room for column_sum_parts() * columns numbers.
template <class Real>
void column_sums(const Queue& queue, Index columns, Index n_rows, Rows<Real> m, Real* partial, Real* sum);

/// sum[i] += sum over parts of partial[part * size + i].
template <class Real>
void add_parts(const Queue& queue, Index size, Index n_parts, const Real* partial, Real* sum);

}  // namespace agpt::cuda
