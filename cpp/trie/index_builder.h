// Builds the index of a corpus: packs the text, sorts the suffixes at the starts, and turns each chunk of them into a
// part of the columns. No suffix array, no pointer trie.
#pragma once

#include <functional>
#include <string>

#include "cpp/corpus/corpus.h"
#include "cpp/corpus/split.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// Called now and then from the calling thread, with the part of the work that is done, 0 .. 1, and what is going on:
/// "packing", "sorting" or "writing". What it throws ends the build.
using BuildProgress = std::function<void(double fraction, const std::string& stage)>;

/// What a build may use. The index does not depend on it.
struct BuildResources {
  int n_threads = 0;  ///< 0: as many as the machine has
  size_t memory = 0;  ///< bytes of the build's arrays, the corpus included, at most; 0: no cap
  BuildProgress progress = nullptr;
  std::function<void(const std::string&)> remark = nullptr;  ///< takes a sentence that the user should know
};

/// Builds in memory. The index is the same, byte for byte, for any number of threads. n_threads = 0: as many as the
/// machine has. Throws ArgumentError for options out of range or a corpus that is too short or too long, and
/// MemoryCapError.
TrieIndex build_trie_index(const Corpus& corpus, const IndexOptions& options, int n_threads = 0,
                           const BuildProgress& progress = nullptr);

/// The same for a corpus that was split already, and turned backwards if the options say so.
TrieIndex build_trie_index(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options,
                           int n_threads = 0, const BuildProgress& progress = nullptr);

/// Builds the same bytes straight into a file, which shows its name only when whole. If resources.memory is too little
/// for all parts, finished ones wait in the folder `path`.build, which a later call for the same index goes on with and
/// removes at the end. Throws as above; MemoryCapError names the least memory that will do; FormatError if a file cannot
/// be written.
void build_trie_index_file(const std::string& path, const Corpus& corpus, const IndexOptions& options,
                           const BuildResources& resources);

}  // namespace agpt
