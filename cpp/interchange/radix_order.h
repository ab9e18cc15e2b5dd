// The records of a radix directory in the order that a reference builder gives them their ids.
#pragma once

#include <functional>
#include <vector>

#include "cpp/interchange/first_starts.h"
#include "cpp/trie/trie_walk.h"

namespace agpt {

/// One edge with its endpoint, as the reference builders write it.
struct RadixRecord {
  uint32_t id, parent;  // from 1; the root is 0
  Index text;           // the path's token of depth k is index.token(text + k - 1)
  int first_depth;      // of the edge's first token
  int depth;            // of its last
  uint32_t mass;        // of its first row, by the convention of the builder
  std::span<const TokenCount> entries;
};
using RecordSink = std::function<void(const RadixRecord&)>;

/// Drops edges of too little mass from a depth on, with all below them.
struct EdgePruning {
  Index min_mass = 1;
  int min_depth = 4;

  bool drops(Index mass, int first_depth) const { return mass < min_mass && first_depth >= min_depth; }
};

/// Nodes [begin, end), where `begin` is the generation-th edge on the way from the root. It is a run of whole subtrees
/// of siblings, or one node alone.
struct NodeRange {
  Index begin, end;
  int generation;
};

/// Builder A: the nodes breadth first, siblings and entries by token. The nodes of a generation are consecutive, in
/// pre-order, so a record's id is the number of its generation's first plus its rank there, and nothing needs to be
/// stored. Edges that run into the end of the text have no record, whether the index has them or not.
class BreadthFirstOrder {
 public:
  BreadthFirstOrder(const TrieIndex& index, const EdgePruning& pruning);

  Index n_records() const { return n_records_; }
  /// Gives sink the records of a range in the order of their ids. The ranges before it must have been passed.
  void emit(const NodeRange& range, const RecordSink& sink) const;
  /// Goes on behind a range.
  void pass(const NodeRange& range);

 private:
  // Calls visit(edge, generation, walk) for every node of a range that has a record.
  template <class Visit>
  void for_each(const NodeRange& range, Visit visit) const;
  bool emit_generation(const NodeRange& range, size_t generation, const RecordSink& sink) const;

  const TrieIndex& index_;
  const EdgePruning pruning_;
  Index n_records_ = 0;
  std::vector<uint32_t> first_id_;  // of each generation; that of the root, 0, has id 0
  std::vector<uint32_t> rank_;      // records of each generation in the ranges that were passed
};

/// Builder B: for each first token in turn the nodes breadth first, siblings and entries in reverse order of their
/// first occurrence in the text. Masses include the occurrence at the end of the text; edges below a mass are pruned
/// here, because builder B prunes by its own masses.
class FirstSeenOrder {
 public:
  /// index: of every start, not pruned, and not imported.
  FirstSeenOrder(const TrieIndex& index, const EdgePruning& pruning);

  /// Gives sink the records below one root child, the first of which gets `first_id`. Returns how many.
  Index emit(Index root_child, uint32_t first_id, const RecordSink& sink);

 private:
  struct Waiting {
    Index node;
    uint32_t id;
  };
  bool emit_node(Index node, uint32_t parent, uint32_t id, const RecordSink& sink);

  const TrieIndex& index_;
  const EdgePruning pruning_;
  FirstStarts first_;
  std::vector<Waiting> queue_;
  std::vector<Index> children_;
  std::vector<SeenEntry> entries_;
  std::vector<TokenCount> ordered_;
};

}  // namespace agpt
