// Proves that reference files were made from a text: every byte of them is what the text gives.
#pragma once

#include "cpp/corpus/corpus.h"
#include "cpp/interchange/reference_files.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// The index of `corpus` that gives exactly these files, whichever builder's order they are in. Length and hash decide
/// whether the text was read backwards; the depth is that of the files; how a radix directory was pruned is found from
/// the edges that it lacks. Throws ArgumentError if the corpus has documents or is another text, FormatError if the
/// files are damaged or differ anywhere from what the text gives (the message says where).
TrieIndex index_of_text(const ReferenceFiles& files, const Corpus& corpus, int n_threads = 0);

}  // namespace agpt
