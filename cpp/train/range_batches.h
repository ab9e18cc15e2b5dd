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
  /// The ranges that batch i is made of, and which number each had when given.
  struct Slice {
    RowRange range;
    size_t number;
  };
  std::vector<Slice> batch(Index i) const;

 private:
  // Batches first_batch, first_batch + 1, ... hold the ranges [begin, end): more than one batch if it is one range.
  struct Group {
    Index first_batch;
    size_t begin, end;
  };
  Index cut(const RowRange& range, Index i) const;

  std::vector<Slice> ranges_;
  std::vector<Group> groups_;
  Index batch_rows_, n_batches_ = 0;
};

}  // namespace agpt
