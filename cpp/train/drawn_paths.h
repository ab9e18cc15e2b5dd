// Paths drawn for a step, as the forest that they are: what several of them share is computed once, with their number as
// its weight.
#pragma once

#include <span>
#include <vector>

#include "cpp/rows/trie_rows.h"

namespace agpt {

/// Paths one after the other, each the nodes from a root child down to a leaf.
class PathList {
 public:
  explicit PathList(Index n_paths) { end_.reserve(static_cast<size_t>(n_paths)); }

  void append(std::span<const Index> path) {
    nodes_.insert(nodes_.end(), path.begin(), path.end());
    end_.push_back(nodes_.size());
  }
  /// In the order of the index; valid until the next append.
  std::vector<std::span<const Index>> sorted() const;
  size_t n_nodes() const { return nodes_.size(); }

 private:
  std::vector<Index> nodes_;
  std::vector<size_t> end_;  // of each path
};

class DrawnPaths {
 public:
  /// Cuts the forest of `paths` into batches of at most `batch_rows` rows, or of one path where that is longer. What
  /// lies above a cut is computed on both sides of it. The index must outlive the forest.
  DrawnPaths(const TrieIndex& index, const PathList& paths, Index batch_rows);

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
