// Rows of the embedding tables. The gradient is a segmented sum (segmented_sum.h).
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// out[r] = table[token[r]] (+ position_table[position[r]] where it is not null). Tables (entries, columns) have no
/// padding; token, position and out begin at the first of n_rows.
template <class Real>
void embed(const Queue& queue, const Real* table, const Real* position_table, Index columns, Index n_rows,
           const int32_t* token, const int32_t* position, Rows<Real> out);

}  // namespace agpt::cuda
