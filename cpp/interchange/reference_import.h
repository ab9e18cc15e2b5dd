// Reads a trie of the reference builders into an index of ours.
#pragma once

#include "cpp/interchange/reference_files.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// The index of the trie alone, without a text. Throws FormatError if the files are damaged, hold no trie, violate an
/// invariant (the first violation is named) or are deeper than an index can be; ArgumentError if they are too large.
///
/// Endpoints, edges, targets and the masses at both ends of each edge are kept exactly. A radix directory does not say
/// at which depth of an edge a start ran into the end of the text: it is taken to be the deepest possible, so that the
/// masses of at most `depth` rows inside edges may be one too large. Counts of its builder B include the end of the text.
TrieIndex import_reference(const ReferenceFiles& files);

}  // namespace agpt
