// Writes an index as a single file of the reference: one record for each distinct path, in the order of insertion.
#pragma once

#include "cpp/interchange/output_folder.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// A single file, as the older builder writes it: nodes and entries in the order of insertion, start by start. Starts
/// are every or max. Returns the number of nodes, the root included. Throws ArgumentError for others, and for an index that is pruned, of documents or imported. Memory
/// is 9 bytes a node of the index and 5 a start.
Index export_single(const TrieIndex& index, std::unique_ptr<OutputFile> file);

}  // namespace agpt
