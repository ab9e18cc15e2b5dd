// From the sorted suffixes of one chunk to its part of the columns of an index.
//
// The suffixes are read from last to first, with a stack of the branching nodes that are still open. A node is emitted
// when all to the right of its first leaf has been seen, children before parents, last sibling first: that is reverse
// pre-order, with subtree size, mass and targets already complete. So there is no second pass, and every column is
// stored last element first.
//
// The end of the text. A suffix that is a proper prefix of its right neighbour ("ended", at most `depth` of them)
// passes through rows but makes no leaf and no branch: it is taken out of the scan and noted on the edge where it
// stops. A suffix that runs out before full depth without being such a prefix is a tail; so is a document. Its edge
// ends at its last row, and if there is no row below its parent, the token is a target of the parent that no child
// stands for.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "cpp/trie/index_layout.h"
#include "cpp/trie/index_options.h"
#include "cpp/trie/path_limits.h"

namespace agpt {

/// Small numbers in one byte; 255 stands for one in the list.
struct OverflowColumn {
  std::vector<uint8_t> small;
  std::vector<uint32_t> at, value;

  void push(uint32_t number) {
    if (number >= 255) {
      at.push_back(static_cast<uint32_t>(small.size()));
      value.push_back(number);
      number = 255;
    }
    small.push_back(static_cast<uint8_t>(number));
  }
  void clear() {
    small.clear();
    at.clear();
    value.clear();
  }
};

/// Totals by depth of rows, kept as differences so that an edge costs the same whatever its length.
struct DepthTotals {
  explicit DepthTotals(int depth) : rows(size_t(depth) + 2), shared(rows), nodes(rows), mass(rows) {}
  std::vector<uint64_t> rows, shared, nodes, mass;  // (depth + 2)

  void clear() {
    for (auto* totals : {&rows, &shared, &nodes, &mass}) std::fill(totals->begin(), totals->end(), 0);
  }

  void add_edge(uint32_t parent_depth, uint32_t depth, uint32_t edge_mass) {
    ++rows[parent_depth + 1];
    --rows[depth + 1];
    shared[parent_depth + 1] += edge_mass > 1;
    shared[depth + 1] -= edge_mass > 1;
    mass[parent_depth + 1] += edge_mass;
    mass[depth + 1] -= edge_mass;
    ++nodes[depth];
  }

  /// The rows above the points where starts ended on the edge have more mass than its endpoint. ended: the depths.
  void add_ended(uint32_t parent_depth, uint32_t depth, uint32_t endpoint_mass, std::span<const uint32_t> ended) {
    if (ended.empty()) return;
    for (uint32_t d = parent_depth + 1; d < depth; ++d) {
      uint32_t more = 0;
      for (const uint32_t at : ended) more += d < at && at <= depth;
      const uint64_t becomes_shared = endpoint_mass == 1 && more > 0;
      mass[d] += more;
      mass[d + 1] -= more;
      shared[d] += becomes_shared;
      shared[d + 1] -= becomes_shared;
    }
  }
};

/// A token that follows a node without a child standing for it, and how often.
template <class Id>
struct ChildlessTarget {
  Id token;
  uint32_t count;
};

/// Columns of one chunk, last element first but for leaf_start. Nodes are numbered from the last.
template <class Id>
struct TriePart {
  explicit TriePart(int depth) : totals(depth) {}

  std::vector<uint8_t> parent_depth;
  std::vector<Id> label;
  OverflowColumn size, mass;             // of interior nodes
  std::span<const uint32_t> leaf_start;  // first leaf first; in the memory of the sorted suffixes
  std::vector<uint32_t> heavy_leaf;      // leaf, numbered from the last
  std::vector<uint32_t> heavy_begin;     // its first target, counted from the end of the next two
  std::vector<Id> entry_token;
  OverflowColumn entry_count;
  std::vector<uint32_t> short_leaf_node, childless_node, ended_node;
  std::vector<uint8_t> short_leaf_depth, ended_depth;
  std::vector<Id> childless_token;
  OverflowColumn childless_count;
  uint32_t n_suffixes = 0;  // that it was made from
  uint64_t n_entries = 0;
  DepthTotals totals;
  // What the part adds to the node of the first token that its chunk shares with others.
  uint32_t open_mass = 0;
  uint32_t open_start = 0;                          // its first suffix
  std::vector<ChildlessTarget<Id>> open_childless;  // last token first

  uint32_t n_nodes() const { return static_cast<uint32_t>(parent_depth.size()); }
  void clear();

  /// No part of `n_suffixes` takes more bytes: each is a leaf and perhaps a branching node, or a target.
  static size_t most_bytes(size_t n_suffixes) { return n_suffixes * (2 * (1 + sizeof(Id)) + 2 + 2 * sizeof(uint32_t)); }
};

template <class Id>
class TriePartBuilder {
 public:
  TriePartBuilder(std::span<const Id> tokens, const PathLimits& limits, const IndexOptions& options)
      : tokens_(tokens), limits_(limits), options_(options), depth_(static_cast<uint32_t>(options.depth)) {}

  /// Replaces `part`. suffixes: (n) sorted by depth + 1 tokens; overwritten by the leaves. common: (n) tokens shared
  /// with the suffix before; common[0] = 1 if all share a first token whose node is built from several parts, else 0.
  /// n > 0.
  void build(uint32_t* suffixes, const uint8_t* common, uint32_t n, TriePart<Id>& part);

  /// Replaces `part` by the node, of depth 1, of a first token that is built from several parts, which follow it and
  /// have `n_nodes` in all. mass, childless (last token first): the sum of what they add. leaf_start: a suffix that
  /// begins with the token; the part refers to it.
  void build_token(uint32_t& leaf_start, uint32_t mass, const std::vector<ChildlessTarget<Id>>& childless,
                   uint32_t n_nodes, TriePart<Id>& part);

 private:
  // A branching node whose subtree is not complete yet.
  struct OpenNode {
    uint32_t depth;
    uint32_t first;        // the number its first descendant got, or will get
    uint32_t mass;         // of its children seen so far
    uint32_t n_childless;  // its targets without a child, in childless_
  };
  using Target = ChildlessTarget<Id>;
  // What became of the edge to a node.
  struct Edge {
    uint32_t start;  // a suffix that runs through it
    uint32_t depth;  // of its endpoint
    uint32_t mass;   // of its endpoint
    bool is_tail;    // the text or document ends before full depth
  };

  void begin(uint32_t* suffixes, uint32_t n, TriePart<Id>& part);
  void end();
  uint32_t n_leaves() const { return n_suffixes_ - leaf_at_; }
  uint32_t read_leaf(const uint8_t* common, uint32_t item);
  bool add_leaf();
  bool close(const OpenNode& node, uint32_t start);
  bool is_kept(const Edge& edge) const;
  void emit(const Edge& edge);
  void drop(const Edge& edge);
  uint32_t n_ended_below(uint32_t depth, const Edge& edge) const;
  void make_leaf(uint32_t start);

  const std::span<const Id> tokens_;
  const PathLimits& limits_;
  const IndexOptions& options_;
  const uint32_t depth_;
  TriePart<Id>* part_ = nullptr;
  uint32_t* suffixes_ = nullptr;
  uint32_t n_suffixes_ = 0;
  uint32_t leaf_at_ = 0;           // leaves go to the end of suffixes_, which has been read by then
  std::vector<OpenNode> open_;     // the first is the root
  std::vector<Target> childless_;  // of the open nodes, innermost last, last token first
  // The leaf that was read last.
  Edge leaf_;
  uint32_t left_ = 0;            // tokens that it shares with the suffix before it
  std::vector<Target> targets_;  // last token first; empty if the mass is 1
  std::vector<uint32_t> ended_;  // depths at which ended suffixes to its left stop, deepest first
};

extern template struct TriePart<uint8_t>;
extern template struct TriePart<uint16_t>;
extern template struct TriePart<uint32_t>;
extern template class TriePartBuilder<uint8_t>;
extern template class TriePartBuilder<uint16_t>;
extern template class TriePartBuilder<uint32_t>;

}  // namespace agpt
