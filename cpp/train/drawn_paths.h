// Paths drawn for a step, as the forest that they are: what several of them share is computed once, with their number as
// its weight.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "cpp/rows/trie_rows.h"

namespace agpt {

/// The starts that lead to a row, in the order of the trie: start 0 and those behind it run through the first child of
/// the root. The path of a start is the nodes that it runs through, down to a leaf or to where its text ends.
class DrawnPaths {
 public:
  /// Merges the paths of `starts`, ascending numbers of which each may occur often, and cuts the forest into batches of
  /// at most `batch_rows` rows, or of one path where that is longer. What lies above a cut is computed on both sides of
  /// it. The weight of a row is multiplied by the number of its batch's paths that run through its node, and, with
  /// `scale`, by scale / (all starts that do). The index must outlive the forest.
  DrawnPaths(const TrieIndex& index, std::span<const Index> starts, Index batch_rows, std::optional<double> scale);

  Index n_batches() const { return static_cast<Index>(batch_begin_.size()) - 1; }
  /// Rows of all batches together.
  Index n_rows() const;
  /// Appends the rows of a batch.
  void append(Index number, const Weighting& weighting, RowBatch& batch) const;

 private:
  class Planner;

  const TrieIndex* index_;
  std::vector<Index> nodes_;  // of each batch in pre-order
  std::vector<double> factors_;
  std::vector<size_t> batch_begin_;
};

}  // namespace agpt
