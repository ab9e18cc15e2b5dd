// Which start, in a given order of starts, is the first to run through each edge and to each target of an index: what
// the order of insertion into a trie depends on.
#pragma once

#include <functional>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// A target with the number of the first start that met it.
struct SeenEntry {
  TokenCount entry;
  uint32_t first;
};

/// Finds the child of a node, or of the root, by the first token of its edge, with one load per sibling.
class ChildFinder {
 public:
  explicit ChildFinder(const TrieIndex& index);

  /// node = -1: the root. Returns -1 if there is no such child.
  Index find(Index node, Token token) const;
  /// One past the last node of the subtree.
  Index subtree_end(Index node) const { return node < 0 ? index_.n_nodes() : subtree_end_[static_cast<size_t>(node)]; }

 private:
  const TrieIndex& index_;
  std::vector<uint32_t> subtree_end_;
  std::vector<uint32_t> roots_;  // by token, ascending
};

class FirstStarts {
 public:
  static constexpr uint32_t kNever = 0xFFFFFFFF;

  /// start(i), 0 <= i < n_starts: where in the text start number i is.
  FirstStarts(const TrieIndex& index, Index n_starts, const std::function<Index(Index)>& start);

  /// The number of the first start through the first row of the node's edge.
  uint32_t of_node(Index node) const { return node_[static_cast<size_t>(node)]; }
  /// Replaces `entries` by the node's targets, in token order.
  void entries(Index node, std::vector<SeenEntry>& entries) const;

 private:
  void follow(uint32_t number, Index begin);
  void meet_target(Index node, Token token, uint32_t number);

  const TrieIndex& index_;
  ChildFinder children_;
  std::vector<uint32_t> node_, heavy_, childless_;  // by node; by element of the columns of targets
};

}  // namespace agpt
