// Walks the nodes of an index in pre-order. Each node costs a few loads from columns that are read front to back:
// nothing is searched, so a pass over all rows runs at memory speed.
#pragma once

#include <span>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// A node with the edge that leads to it: rows of depths parent_depth + 1 .. depth. Each row but the last has one
/// target, the next token of the path; the last is the endpoint.
struct TrieEdge {
  Index node = 0;
  int parent_depth = 0;
  int depth = 0;
  Index text = 0;     // the path's token of depth k is token(text + k - 1)
  uint32_t mass = 0;  // of the endpoint
};

class TrieWalk {
 public:
  /// Begins at any node; n_nodes() is the end. The index must outlive the walk.
  TrieWalk(const TrieIndex& index, Index first_node);

  /// Moves to the next node and fills `edge`; false at the end.
  bool next(TrieEdge& edge);

  // Of the node that next() moved to:

  /// Mass of the row at `depth` on the edge. It is that of the endpoint, but for starts that run into the end of the
  /// text.
  uint32_t row_mass(int depth) const {
    uint32_t mass = mass_;
    for (size_t i = ended_begin_; i < ended_end_; ++i) mass += index_->columns_.ended_depth[i] > depth;
    return mass;
  }

  /// What follows the endpoint, in token order; valid until the next call of next() or targets().
  std::span<const TokenCount> targets() { return targets(targets_); }
  /// The same in the caller's memory, for walks that end soon; valid while nothing else is written there.
  std::span<const TokenCount> targets(std::vector<TokenCount>& targets) const;

 private:
  uint32_t read_leaf_mass();

  const TrieIndex* index_;
  Index node_, leaf_;  // the next node, the leaves before it
  // The next element of each sparse column.
  size_t mass_overflow_, heavy_, short_leaf_, childless_, ended_end_;
  // Of the node that next() moved to: where its elements of the sparse columns begin, and whether it is a heavy leaf.
  size_t own_childless_ = 0, ended_begin_ = 0;
  bool own_heavy_ = false;
  uint32_t mass_ = 0;
  Index text_ = 0;
  int depth_ = 0;
  std::vector<TokenCount> targets_;
};

}  // namespace agpt
