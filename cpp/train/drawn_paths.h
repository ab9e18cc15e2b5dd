// Paths drawn for a step, as the forest that they are: what several of them share is computed once, with their number as
// its weight.
#pragma once

#include <vector>

#include "cpp/rows/trie_rows.h"

namespace agpt {

class DrawnPaths {
 public:
  /// A path: the nodes from a root child down to a leaf.
  using Path = std::vector<Index>;

  /// Cuts the forest of `paths` into batches of at most `batch_rows` rows, or of one path where that is longer. What
  /// lies above a cut is computed on both sides of it. The index must outlive the forest.
  DrawnPaths(const TrieIndex& index, std::vector<Path> paths, Index batch_rows);

  Index n_batches() const { return static_cast<Index>(batch_begin_.size()) - 1; }

  /// Appends the rows of a batch; the weight of each is multiplied by the number of the batch's paths through it, and
  /// by its factor where given.
  void append(Index number, const Weighting& weighting, RowFactors* factors, RowBatch& batch) const;

 private:
  const TrieIndex* index_;
  std::vector<Index> nodes_;     // of each batch in pre-order
  std::vector<double> n_paths_;  // of the batch through each node
  std::vector<size_t> batch_begin_ = {0};
};

}  // namespace agpt
