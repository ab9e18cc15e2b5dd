// Cuts an index into units: the subtrees of single tokens, of bigrams, of n-grams, or runs of subtrees of about equal
// size. A unit is one range of the pre-order; the ancestors of its first row are all the context that it needs from
// outside (docs/partition.md).
#pragma once

#include <string>
#include <vector>

#include "cpp/trie/trie_index.h"

namespace agpt {

/// Where to cut.
struct PartitionRule {
  /// The nodes below each path of this many tokens stay together. Nodes of shorter paths belong to the unit that follows
  /// them in pre-order (the last ones to the last unit), so every node is in exactly one unit.
  int ngram = 1;
  /// Rows that a unit may have, at least the depth of the index; 0: any number. A larger unit is cut between subtrees,
  /// and these are taken together again, neighbour by neighbour, while they fit.
  Index largest = 0;

  /// Reads "unigram", "bigram", "ngram=N" or "balanced=SIZE". Throws ArgumentError.
  static PartitionRule parse(const std::string& text);
};

/// The first node of each unit in pre-order, then n_nodes(); one element alone for an index without nodes. Throws
/// ArgumentError for a rule out of range.
std::vector<Index> partition_nodes(const TrieIndex& index, const PartitionRule& rule);

/// Figures of units; one element for each.
struct PartitionFigures {
  std::vector<Index> positions;  // rows
  std::vector<Index> nodes;      // endpoints
  std::vector<Index> mass;       // sum over the rows
  std::vector<Index> ancestors;  // of the first row: context-only rows that come before the unit
};

/// unit_begin: what partition_nodes() returned. One walk over the index.
PartitionFigures measure_partition(const TrieIndex& index, const std::vector<Index>& unit_begin);

}  // namespace agpt
