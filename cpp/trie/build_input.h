// The text of a build, ready to be worked on: split, packed, its starts chosen and counted into chunks.
#pragma once

#include <optional>

#include "cpp/base/thread_pool.h"
#include "cpp/corpus/split.h"
#include "cpp/trie/build_memory.h"
#include "cpp/trie/path_limits.h"
#include "cpp/trie/suffix_chunks.h"

namespace agpt {

/// split_corpus() for a build. Throws ArgumentError for options out of range or a corpus that is too short or too long.
CorpusSplit checked_split(const Corpus& corpus, const IndexOptions& options);

/// `n_threads`, or as many as the machine has if it is 0. Throws ArgumentError if it is not 0 to 1024, and for options
/// out of range or against the corpus.
int checked_threads(const Vocabulary& vocabulary, const IndexOptions& options, int n_threads);

/// Cannot be moved: its parts refer to each other, and to the split and the options.
class BuildInput {
 public:
  /// memory: cap in bytes, 0 for none.
  BuildInput(const CorpusSplit& split, const Vocabulary& vocabulary, const IndexOptions& options, size_t memory,
             ThreadPool& pool);
  BuildInput(const BuildInput&) = delete;
  BuildInput& operator=(const BuildInput&) = delete;

  const BuildMemory& memory() const { return memory_; }
  const StartSet& starts() const { return starts_; }
  const PathLimits& limits() const { return limits_; }
  const PackedText& text() const { return text_; }
  SuffixChunks& chunks() { return chunks_; }

 private:
  const BuildMemory memory_;
  const MemoryReservation reserved_;
  const StartSet starts_;
  const PathLimits limits_;
  const PackedText text_;
  SuffixChunks chunks_;
};

}  // namespace agpt
