#include "cpp/train/range_batches.h"

#include <algorithm>

#include "cpp/rows/trie_rows.h"

namespace agpt {

RangeBatches::RangeBatches(std::vector<RowRange> ranges, Index batch_rows) : batch_rows_(batch_rows) {
  Index in_last_batch = batch_rows;  // as good as full: the first range begins one
  for (size_t number = 0; number < ranges.size(); ++number) {
    const RowRange& range = ranges[number];
    if (range.size() == 0) continue;
    ranges_.push_back({range, number});
    in_last_batch += range.size();
    if (in_last_batch <= batch_rows) {
      groups_.back().end = ranges_.size();
      continue;
    }
    groups_.push_back({n_batches_, ranges_.size() - 1, ranges_.size()});
    n_batches_ += (range.size() + batch_rows - 1) / batch_rows;
    in_last_batch = range.size();
  }
}

const RangeBatches::Group& RangeBatches::group_of(Index batch) const {
  return *(std::upper_bound(groups_.begin(), groups_.end(), batch,
                            [](Index number, const Group& group) { return number < group.first_batch; }) -
           1);
}

RangeBatches::Slice RangeBatches::part(const Group& group, Index i) const {
  Slice slice = ranges_[group.begin];
  const RowRange whole = slice.range;
  slice.range = {whole.rows, cut(whole, i - group.first_batch), cut(whole, i - group.first_batch + 1)};
  return slice;
}

Index RangeBatches::cut(const RowRange& range, Index i) const {
  const Index row = range.begin + i * batch_rows_;
  if (i == 0 || row >= range.end) return std::min(row, range.end);
  return std::max(range.begin, shallowest_cut(*range.rows, row, batch_rows_ / 4));
}

}  // namespace agpt
