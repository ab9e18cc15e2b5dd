// Writes an index in the reference formats that have one record for each distinct path, byte for byte as their builders
// would.
#pragma once

#include "cpp/interchange/output_folder.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

struct PathTotals {
  Index n_nodes = 0;  // the root's included
};

/// A leveled directory, as the streaming builder writes it: one level after the other, each in one walk over the index.
/// The index may be reversed, of either rule for the end of the text, and imported if it is exact. Throws ArgumentError
/// for one of documents, of other starts than every, or pruned: the format knows none of that.
PathTotals export_leveled(const TrieIndex& index, OutputFolder& folder);

/// A single file, as the older builder writes it: nodes and entries in the order of insertion, start by start. Starts
/// are every or max. Throws ArgumentError for others, and for an index that is pruned, of documents or imported. Memory
/// is 9 bytes a node of the index and 5 a start.
PathTotals export_single(const TrieIndex& index, std::unique_ptr<OutputFile> file);

}  // namespace agpt
