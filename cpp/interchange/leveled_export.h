// Writes an index as a leveled directory of the reference: one record for each distinct path, a file for each depth.
#pragma once

#include "cpp/interchange/output_folder.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// A leveled directory, as the streaming builder writes it: one level after the other, each in one walk over the index.
/// Returns the number of nodes, the root included. The index may be reversed, of either rule for the end of the text, and imported if it is exact. Throws ArgumentError
/// for one of documents, of other starts than every, or pruned: the format knows none of that.
Index export_leveled(const TrieIndex& index, OutputFolder& folder);

}  // namespace agpt
