// How much memory a build takes, and how its chunks are grouped so that it stays below a cap.
#pragma once

#include <optional>
#include <vector>

#include "cpp/corpus/token_view.h"
#include "cpp/trie/index_options.h"
#include "cpp/trie/suffix_chunks.h"

namespace agpt {

/// Chunks first .. last - 1, whose suffixes are in memory together.
struct ChunkGroup {
  Index first, last;
};

/// How a build is carried out. All ways give the same bytes.
struct BuildSchedule {
  int n_threads;
  bool parts_in_files;  // rather than in memory, until the index is put together
  std::vector<ChunkGroup> groups;
  size_t peak_bytes;  // at most, as far as can be said before
};

class BuildMemory {
 public:
  /// For at most `cap` bytes (0: as many as it takes) and `n_threads` threads. `tokens` is the training text of a corpus
  /// of `corpus_bytes`.
  BuildMemory(TokenView tokens, std::optional<Token> boundary, const IndexOptions& options, size_t corpus_bytes,
              size_t cap, int n_threads);

  /// How many threads count buckets.
  int n_segments() const { return n_segments_; }
  /// Bytes of the starts, the limits of their paths and the tables of buckets.
  size_t table_bytes() const { return table_bytes_; }
  /// Scratch of a thread that works on chunks of at most `n` suffixes.
  size_t thread_bytes(size_t n) const;
  /// Parts of `n` suffixes, at most.
  size_t part_bytes(size_t n) const;

  /// Throws MemoryCapError, naming the least that will do, if the cap is less. may_use_files: whether parts can be kept
  /// in files; if not, the cap is not looked at.
  BuildSchedule schedule(const SuffixChunks& chunks, bool may_use_files) const;

 private:
  size_t group_bytes(const SuffixChunks& chunks, ChunkGroup group) const;
  std::vector<ChunkGroup> group_chunks(const SuffixChunks& chunks, size_t bytes) const;

  int token_bytes_, n_threads_, n_segments_;
  size_t cap_;
  size_t table_bytes_;
  size_t fixed_bytes_;  // held from the first count of buckets to the last part
};

}  // namespace agpt
