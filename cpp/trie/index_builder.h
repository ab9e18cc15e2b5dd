// Builds the index of a corpus: packs the text, sorts the suffixes at the starts, and turns each chunk of them into a
// part of the columns. No suffix array, no pointer trie.
#pragma once

#include <functional>
#include <vector>

#include "cpp/corpus/corpus.h"
#include "cpp/corpus/split.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Called now and then from the calling thread, with the part of the work that is done, 0 .. 1. What it throws ends the
/// build.
using BuildProgress = std::function<void(double fraction)>;

/// The index is the same, byte for byte, for any number of threads. n_threads = 0: as many as the machine has. Throws
/// ArgumentError for options out of range or a corpus that is too short or too long, and MemoryCapError.
TrieIndex build_trie_index(const Corpus& corpus, const IndexOptions& options, int n_threads = 0,
                           const BuildProgress& progress = nullptr);

/// The same for a corpus that was split already, and turned backwards if the options say so.
TrieIndex build_trie_index(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
                           int n_threads = 0, const BuildProgress& progress = nullptr);

/// The starts that a rule chooses among `tokens`, ascending. Throws ArgumentError if the rule does not suit the corpus:
/// documents need a `boundary`, stride and max a running text.
std::vector<uint32_t> choose_starts(TokenView tokens, std::optional<Token> boundary, const Starts& starts);

}  // namespace agpt
