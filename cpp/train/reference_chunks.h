// How the reference trainer cuts a trie: root children into chunks of edges. It meant the chunks as a unit of memory, but
// they decide how much every row counts.
#pragma once

#include <span>
#include <vector>

#include "cpp/rows/weighting.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Group g is the g-th root child with all below it. The nodes of a group are sorted by the depth of their endpoints, then
/// by the number of edges above them, then in pre-order: the order of the reference, which numbers nodes breadth first.
/// Chunks are consecutive nodes of a group, as many as have at most `chunk_positions` rows on their edges; no edge is
/// cut.
class ReferenceChunks {
 public:
  /// batch_rows: what a batch may have, ghost rows excluded. Throws ArgumentError for chunks that could not hold an edge.
  ReferenceChunks(const TrieIndex& index, Index chunk_positions, Index batch_rows);

  Index n_groups() const { return static_cast<Index>(group_begin_.size()) - 1; }
  Index n_chunks() const { return static_cast<Index>(chunk_begin_.size()) - 1; }
  Index n_batches() const { return static_cast<Index>(batch_begin_.size()) - 1; }

  /// The first chunk of group g; n_chunks() for g = n_groups().
  Index first_chunk(Index group) const { return group_begin_[static_cast<size_t>(group)]; }
  /// The first batch of chunk c; n_batches() for c = n_chunks().
  Index first_batch(Index chunk) const { return chunk_begin_[static_cast<size_t>(chunk)]; }
  /// The nodes of batch b: endpoints of one depth, in pre-order, so that none is an ancestor of another.
  std::span<const Index> nodes(Index batch) const {
    const Index begin = batch_begin_[static_cast<size_t>(batch)], end = batch_begin_[static_cast<size_t>(batch) + 1];
    return std::span(nodes_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  }
  /// The nodes of all batches of chunk c.
  std::span<const Index> chunk_nodes(Index chunk) const;

 private:
  struct Node;
  /// The nodes [begin, end) in pre-order.
  static std::vector<Node> nodes_between(const TrieIndex& index, Index begin, Index end);
  /// Sorts the nodes of a chunk and cuts them into batches.
  void add_chunk(std::span<Node> chunk, Index batch_rows);

  std::vector<Index> nodes_;
  std::vector<Index> batch_begin_, chunk_begin_, group_begin_;  // in nodes_, in batches, in chunks
};

/// f(c) / (mean of f over the rows of the chunk) by node, c the mass of the first row on its edge: what the reference
/// weighs the rows of an edge with, before the factors of entropy and of rows inside an edge.
std::vector<double> relative_masses(const TrieIndex& index, const ReferenceChunks& chunks, const Weighting& weighting);

}  // namespace agpt
