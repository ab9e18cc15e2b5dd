// The starts of a trie, bucketed by the first bits of their suffixes and cut into chunks that can be worked on
// independently and in groups, so that the suffixes of one group at a time are in memory.
#pragma once

#include <vector>

#include "cpp/base/byte_image.h"
#include "cpp/base/thread_pool.h"
#include "cpp/trie/start_set.h"
#include "cpp/trie/window_sorter.h"

namespace agpt {

/// A chunk holds all suffixes of one or several first tokens or, where one first token has many, those of some of its
/// second tokens. The cuts depend on the text and the options alone, never on threads or memory.
class SuffixChunks {
 public:
  /// Counts the suffixes of each bucket, in `n_segments` parts of the starts at the same time. text and starts must
  /// outlive this.
  SuffixChunks(const PackedText& text, const StartSet& starts, const IndexOptions& options, int n_segments,
               ThreadPool& pool);

  Index size() const { return static_cast<Index>(chunks_.size()); }
  uint32_t n_suffixes(Index chunk) const { return at(chunk).end - at(chunk).begin; }
  uint32_t n_suffixes(Index first, Index last) const { return at(last - 1).end - at(first).begin; }
  /// Suffixes of the largest chunk.
  uint32_t largest() const;
  /// Tokens that all suffixes of the chunk share with those of a chunk beside it, 0 or 1.
  uint32_t shared_tokens(Index chunk) const { return at(chunk).shared_tokens; }
  /// Whether the chunk is the first of those that share a first token (always, if it shares none).
  bool begins_token(Index chunk) const { return at(chunk).begins_token; }

  /// Bytes of the tables of buckets, of which each segment has one.
  static size_t table_bytes(int n_segments) { return sizeof(uint32_t) * static_cast<size_t>(n_segments + 1) << 16; }

  /// Brings the suffixes of chunks first .. last - 1 into memory, instead of those before. Each chunk can be loaded
  /// once.
  void load(Index first, Index last, ThreadPool& pool);
  /// Lets go of the suffixes that were loaded, and returns what they lie in.
  ByteImage unload() { return std::move(suffixes_); }
  /// The suffixes of a loaded chunk: sorted once sort() was called for it, then the caller's to change.
  uint32_t* suffixes(Index chunk) { return loaded() + (at(chunk).begin - loaded_begin_); }

  /// Sorts a loaded chunk. common: (n_suffixes) tokens that each suffix shares with the one before it, up to depth + 1;
  /// shared_tokens() for the first.
  void sort(Index chunk, WindowSorter& sorter, uint8_t* common);

 private:
  struct Chunk {
    uint32_t first_bucket, last_bucket;  // exclusive
    uint32_t begin, end;                 // numbers of suffixes among all
    uint32_t shared_tokens;
    bool begins_token;
  };
  const Chunk& at(Index chunk) const { return chunks_[static_cast<size_t>(chunk)]; }
  uint32_t* loaded() { return reinterpret_cast<uint32_t*>(suffixes_.writable().data()); }
  uint32_t bucket(uint32_t suffix) const {
    return static_cast<uint32_t>(text_.window(suffix, key_bit_) >> (64 - bucket_bits_));
  }
  uint32_t n_buckets() const { return 1u << bucket_bits_; }
  uint32_t in_buckets(uint32_t first, uint32_t last) const { return bucket_begin_[last] - bucket_begin_[first]; }
  template <class Body>
  void for_each_start(ThreadPool& pool, Body body) const;
  void count(ThreadPool& pool);
  void cut(const IndexOptions& options);
  void cut_token(uint32_t first, uint32_t last, uint32_t step);
  void add_chunk(uint32_t first, uint32_t last);

  const PackedText& text_;
  const StartSet& starts_;
  uint32_t key_bit_;  // where the bits begin that choose the bucket: behind the first token if all starts share it
  uint32_t bucket_bits_;
  uint32_t wanted_;                          // suffixes of a chunk, about
  std::vector<uint32_t> bucket_begin_;       // numbers of suffixes among all
  std::vector<std::vector<uint32_t>> next_;  // by segment of the starts and bucket: where its next suffix goes
  std::vector<Chunk> chunks_;
  ByteImage suffixes_;
  uint32_t loaded_begin_ = 0;
};

}  // namespace agpt
