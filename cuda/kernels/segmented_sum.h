// Sums of rows that belong together, wherever they lie: the gradient of an embedding over the rows that read its token,
// of a key over the tiles that see it. The rows are listed by group, so no two threads add to one number and the sums
// repeat exactly.
#pragma once

#include "cpp/backend/backend.h"
#include "cuda/runtime/launch.h"

namespace agpt::cuda {

/// Rows by group, on the device. Long groups are cut into pieces, so that one token that is read everywhere does not make
/// one thread add everything. Groups and pieces may be empty.
struct SegmentsView {
  Index n_pieces = 0, n_groups = 0;
  const int32_t* item = nullptr;         // (items) rows of the source, grouped
  const int32_t* piece_begin = nullptr;  // (pieces + 1) into item
  const int32_t* group_begin = nullptr;  // (groups + 1) into the pieces
  const int32_t* target = nullptr;       // (groups) row of the sum
  bool operator==(const SegmentsView&) const = default;
};

/// target[segments.target[g]][c] += sum over the items of group g of source[item][c], of the items in [begin, end).
/// partial: room for n_pieces * columns numbers.
template <class Real>
void segmented_sum(const Queue& queue, const SegmentsView& segments, Index columns, Index begin, Index end,
                   Rows<Real> source, Real* partial, Rows<Real> target);

}  // namespace agpt::cuda
