#include "cpp/interchange/reference_view.h"

#include <algorithm>

#include "cpp/interchange/reference_format.h"

namespace agpt {

namespace {
constexpr uint32_t kLargest = 0x7FFFFFFF;  // numbers are signed
}

ReferenceSource read_source(ByteReader& reader) {
  ReferenceSource source;
  source.n_tokens = reader.u32();
  source.vocabulary_size = reader.u32();
  source.token_hash = reader.u64();
  reader.require(source.n_tokens >= 2 && source.n_tokens <= kLargest, "the number of tokens is impossible");
  reader.require(source.vocabulary_size >= 1 && source.vocabulary_size <= kLargest,
                 "the size of the vocabulary is impossible");
  const uint32_t tag_bytes = reader.u32();
  reader.require(
      tag_bytes == kTokenizerTag.size() && std::memcmp(reader.take(tag_bytes), kTokenizerTag.data(), tag_bytes) == 0,
      "the tokenizer is not 'char.sorted_unique.v1', the only one known");
  return source;
}

Index EntriesView::mass() const {
  Index sum = 0;
  for (size_t i = 0; i < size(); ++i) sum += (*this)[i].count;
  return sum;
}

void EntriesView::sort_by_token(std::vector<TokenCount>& sorted) const {
  sorted.clear();
  for (size_t i = 0; i < size(); ++i) sorted.push_back((*this)[i]);
  std::sort(sorted.begin(), sorted.end(), [](const TokenCount& a, const TokenCount& b) { return a.token < b.token; });
}

void skip_entries(ByteReader& reader, Index vocabulary_size) {
  const Index n = read_count(reader, 8);
  const EntriesView entries(reader.take(8 * static_cast<size_t>(n)), static_cast<uint32_t>(n));
  for (size_t i = 0; i < entries.size(); ++i) {
    reader.require(entries[i].token < vocabulary_size, "a token is outside the vocabulary");
    reader.require(entries[i].count >= 1 && entries[i].count <= kLargest, "a count is not positive");
  }
}

Index read_count(ByteReader& reader, size_t least_bytes) {
  const uint32_t n = reader.u32();
  reader.require(n <= reader.remaining() / least_bytes, "it says to hold more than its size allows");
  return n;
}

}  // namespace agpt
