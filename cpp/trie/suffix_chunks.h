// The starts of a trie, bucketed by the first bits of their suffixes and cut into chunks that can be worked on
// independently.
#pragma once

#include <vector>

#include "cpp/trie/window_sorter.h"

namespace agpt {

/// A chunk holds all suffixes of one or several first tokens. The cuts depend on the text alone, never on the number of
/// threads, and so does everything built from them.
class SuffixChunks {
 public:
  /// starts: ascending.
  SuffixChunks(const PackedText& text, const std::vector<uint32_t>& starts, int depth);

  Index size() const { return static_cast<Index>(chunks_.size()); }
  uint32_t n_suffixes(Index chunk) const { return at(chunk).end - at(chunk).begin; }
  uint32_t largest() const;
  /// The suffixes of a chunk: sorted once sort() was called for it, then the caller's to change.
  uint32_t* suffixes(Index chunk) { return suffixes_.data() + at(chunk).begin; }

  /// Sorts a chunk. common: (n_suffixes) tokens that each suffix shares with the one before it, up to depth + 1; 0 for
  /// the first.
  void sort(Index chunk, WindowSorter& sorter, uint8_t* common);

 private:
  struct Chunk {
    uint32_t first_bucket, last_bucket;  // exclusive
    uint32_t begin, end;                 // in suffixes_
  };
  const Chunk& at(Index chunk) const { return chunks_[static_cast<size_t>(chunk)]; }
  void cut(uint32_t token_bits);

  uint32_t bucket_bits_;
  std::vector<uint32_t> bucket_begin_;
  std::vector<uint32_t> suffixes_;
  std::vector<Chunk> chunks_;
};

}  // namespace agpt
