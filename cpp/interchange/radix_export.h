// Writes an index as a radix directory of the reference builders, byte for byte as they would.
#pragma once

#include <string>

#include "cpp/interchange/output_folder.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Whose order of ids, siblings and entries, and whose masses.
enum class BuilderOrder {
  breadth_first,  ///< builder A, from a leveled directory: breadth first, by token
  first_seen,     ///< builder B, from the corpus: by first token, then breadth first, the latest seen first
};

/// Reads "a" or "b". Throws ArgumentError.
BuilderOrder parse_builder_order(const std::string& text);

/// The files that hold one subtree each, beside those that hold one depth each.
enum class SubtreeFiles {
  none,
  unigram,  ///< one for each first token
  bigram,   ///< one for each first two tokens; builder A only, ids below 255
};

/// Reads 0 (none), 1 (unigram) or 2 (bigram). Throws ArgumentError.
SubtreeFiles parse_subtree_level(int level);

struct RadixExport {
  BuilderOrder order = BuilderOrder::breadth_first;
  SubtreeFiles subtrees = SubtreeFiles::none;
  /// Edges of less mass are left out, from this depth on, by the builder's own masses; only for an index that is not
  /// pruned. 1: as the index was pruned.
  Index prune_min_mass = 1;
  int prune_min_depth = 4;
};

/// The records and the tokens on their edges.
struct RadixTotals {
  Index n_records = 0, edge_tokens = 0;
};

/// The index may be pruned, reversed, of either rule for the end of the text, and for builder A imported. Throws
/// ArgumentError for an index of documents, of other starts than every, or with ids that the keys have no room for.
RadixTotals export_radix(const TrieIndex& index, const RadixExport& options, OutputFolder& folder);

}  // namespace agpt
