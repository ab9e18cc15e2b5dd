// What the files of all reference formats have in common: where they come from, and lists of counted tokens.
#pragma once

#include <vector>

#include "cpp/interchange/byte_reader.h"
#include "cpp/trie/trie_index.h"

namespace agpt {

/// The text that a reference trie was made from.
struct ReferenceSource {
  Index n_tokens = 0, vocabulary_size = 0;
  uint64_t token_hash = 0;
};

/// Reads n_tokens, vocabulary_size, token_hash and the name of the tokenizer, which must be the known one.
ReferenceSource read_source(ByteReader& reader);

/// Pairs of token and count in the bytes of a file.
class EntriesView {
 public:
  EntriesView(const std::byte* begin, uint32_t size) : begin_(begin), size_(size) {}

  size_t size() const { return size_; }
  TokenCount operator[](size_t i) const { return {load_u32(begin_ + 8 * i), load_u32(begin_ + 8 * i + 4)}; }
  const std::byte* end() const { return begin_ + 8 * size_t{size_}; }
  /// Sum of the counts.
  Index mass() const;
  /// Replaces `sorted` by the entries in token order.
  void sort_by_token(std::vector<TokenCount>& sorted) const;

 private:
  const std::byte* begin_;
  uint32_t size_;
};

/// Reads the number of entries and steps over them. Throws FormatError unless tokens are below `vocabulary_size` and
/// counts positive.
void skip_entries(ByteReader& reader, Index vocabulary_size);

/// Reads a number that counts things of `least_bytes` each in what remains: it cannot be larger than fits.
Index read_count(ByteReader& reader, size_t least_bytes);

}  // namespace agpt
