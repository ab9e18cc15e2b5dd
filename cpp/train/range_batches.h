// Ranges of a trie's rows dealt to batches of about the same size: several small ranges share a batch, a large one is
// cut where few ghost rows are needed.
#pragma once

#include <vector>

#include "cpp/rows/row_selection.h"

namespace agpt {

/// Rows [begin, end) of a selection, which must outlive its use.
struct RowRange {
  const RowSelection* rows;
  Index begin, end;

  Index size() const { return end - begin; }
};

class RangeBatches {
 public:
  /// Takes memory for the ranges, not for the batches. Empty ranges vanish.
  RangeBatches(std::vector<RowRange> ranges, Index batch_rows);

  Index size() const { return n_batches_; }
  /// A range that a batch is made of, or a part of one, and which number it had when given.
  struct Slice {
    RowRange range;
    size_t number;
  };
  /// Calls body(slice) for those of batch i, in order.
  template <class Body>
  void for_each_slice(Index i, Body body) const {
    const Group& group = group_of(i);
    if (group.end - group.begin == 1) return body(part(group, i));
    for (size_t n = group.begin; n < group.end; ++n) body(ranges_[n]);
  }

 private:
  // Batches first_batch, first_batch + 1, ... hold the ranges [begin, end): more than one batch if it is one range.
  struct Group {
    Index first_batch;
    size_t begin, end;
  };
  const Group& group_of(Index batch) const;
  /// What batch i has of the one range of its group.
  Slice part(const Group& group, Index i) const;
  Index cut(const RowRange& range, Index i) const;

  std::vector<Slice> ranges_;
  std::vector<Group> groups_;
  Index batch_rows_, n_batches_ = 0;
};

}  // namespace agpt
