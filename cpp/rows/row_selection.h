// Which rows of a trie are trained on: all of them, or the shared core with a part of its tails. Most rows of a deep trie
// lie on tails, the ends of paths that one start alone runs through; that part of the trie shares nothing, so how much
// of it is worth its cost is a choice.
#pragma once

#include <vector>

#include "cpp/trie/trie_walk.h"

namespace agpt {

/// What is trained of a tail: of the rows of mass 1 at the end of a path.
enum class Tails {
  full,        ///< all of it
  first,       ///< its first `tail_rows` rows
  whitespace,  ///< up to the first row that reads white space; all of it if there is none
  none,        ///< nothing: the rows of mass above 1 alone
  sampled,     ///< all of it with probability `tail_rate`, weighing 1 / tail_rate: unbiased for `full`
};

struct RowChoice {
  Tails tails = Tails::full;
  int tail_rows = 8;
  double tail_rate = 0.125;
  int max_depth = kMaxDepth;  ///< deeper rows are left out

  /// Throws ArgumentError for a value out of range.
  void validate() const;
  bool operator==(const RowChoice&) const = default;
};

/// The rows of an index that a choice selects, numbered in pre-order from 0. The ancestors of a selected row are selected
/// too. The index must outlive the selection.
class RowSelection {
 public:
  /// `draw` decides which tails `sampled` takes. Throws ArgumentError for `whitespace` where tokens have no text.
  explicit RowSelection(const TrieIndex& index, const RowChoice& choice = {}, uint64_t draw = 0);

  const TrieIndex& index() const { return *index_; }
  Index n_rows() const { return n_rows_; }
  /// Whether no row is left out, whatever the draw.
  bool is_everything() const { return rows_before_block_.empty(); }
  /// Selected rows before the first of the node's edge.
  Index rows_before(Index node) const;
  /// The node whose edge holds the selected row.
  Index node_of_row(Index row) const;
  /// What the weights of rows on tails are multiplied by.
  double tail_factor() const { return choice_.tails == Tails::sampled ? 1 / choice_.tail_rate : 1; }

 private:
  friend class SelectionWalk;

  int last_depth(const TrieEdge& edge, int tail_depth) const;
  int whitespace_depth(const TrieEdge& edge, int tail_depth) const;
  bool is_drawn(Index node) const;

  const TrieIndex* index_;
  RowChoice choice_;
  uint64_t draw_;
  std::vector<bool> is_whitespace_;       // by token, for `whitespace`
  std::vector<Index> rows_before_block_;  // by 64 nodes; empty if all rows are selected
  Index n_rows_ = 0;
};

/// A node with the rows of its edge that are selected: those of depths parent_depth + 1 .. last_depth.
struct SelectedEdge : TrieEdge {
  Index first_selected = 0;  // number of the first selected row, if there is one
  int last_depth = 0;        // parent_depth if no row is selected
  int tail_depth = 0;        // least depth of the tail's rows; depth + 1 without a tail

  Index n_selected() const { return last_depth - parent_depth; }
};

/// Walks the nodes of an index in pre-order with their selected rows.
class SelectionWalk {
 public:
  /// The selection must outlive the walk.
  SelectionWalk(const RowSelection& selection, Index first_node);
  SelectionWalk(RowSelection&&, Index) = delete;

  /// Moves to the next node and fills `edge`; false at the end.
  bool next(SelectedEdge& edge);
  /// The walk over all rows, at the node that next() moved to.
  TrieWalk& trie() { return walk_; }

 private:
  friend class RowSelection;
  SelectionWalk(const RowSelection& selection, Index first_node, Index rows_before)
      : selection_(&selection), walk_(selection.index(), first_node), row_(rows_before) {}

  const RowSelection* selection_;
  TrieWalk walk_;
  Index row_;
};

}  // namespace agpt
