#include "cpp/trie/suffix_chunks.h"

namespace agpt {

SuffixChunks::SuffixChunks(const PackedText& text, const std::vector<uint32_t>& starts, int depth) {
  const auto n = static_cast<uint32_t>(starts.size());
  const uint32_t bits_to_the_cap = static_cast<uint32_t>(depth + 1) * text.token_bits();
  bucket_bits_ = std::min({16u, static_cast<uint32_t>(std::bit_width(n)), bits_to_the_cap});
  const auto bucket = [&](uint32_t suffix) { return text.window(suffix, 0) >> (64 - bucket_bits_); };
  const size_t n_buckets = size_t{1} << bucket_bits_;
  bucket_begin_.assign(n_buckets + 1, 0);
  for (const uint32_t start : starts) ++bucket_begin_[bucket(start) + 1];
  for (size_t b = 0; b < n_buckets; ++b) bucket_begin_[b + 1] += bucket_begin_[b];
  suffixes_.resize(n);
  std::vector<uint32_t> next(bucket_begin_.begin(), bucket_begin_.end() - 1);
  for (const uint32_t start : starts) suffixes_[next[bucket(start)]++] = start;
  cut(text.token_bits());
}

void SuffixChunks::cut(uint32_t token_bits) {
  constexpr uint32_t kWantedChunks = 64;  // small enough to share out evenly, large enough to waste nothing
  const auto n = static_cast<uint32_t>(suffixes_.size());
  const auto n_buckets = static_cast<uint32_t>(bucket_begin_.size() - 1);
  const uint32_t bits_below_token = bucket_bits_ > token_bits ? bucket_bits_ - token_bits : 0;
  const uint32_t wanted = n / kWantedChunks + 1;
  uint32_t first = 0;
  for (uint32_t b = 1; b <= n_buckets; ++b) {
    const bool token_ends = (b & ((1u << bits_below_token) - 1)) == 0;
    if (b < n_buckets && (!token_ends || bucket_begin_[b] - bucket_begin_[first] < wanted)) continue;
    if (bucket_begin_[b] > bucket_begin_[first]) chunks_.push_back({first, b, bucket_begin_[first], bucket_begin_[b]});
    first = b;
  }
}

uint32_t SuffixChunks::largest() const {
  uint32_t largest = 0;
  for (const Chunk& chunk : chunks_) largest = std::max(largest, chunk.end - chunk.begin);
  return largest;
}

void SuffixChunks::sort(Index chunk, WindowSorter& sorter, uint8_t* common) {
  const Chunk& c = at(chunk);
  common[0] = 0;
  for (uint32_t b = c.first_bucket; b < c.last_bucket; ++b) {
    const uint32_t begin = bucket_begin_[b], n = bucket_begin_[b + 1] - begin;
    if (n == 0) continue;
    uint8_t* const bucket_common = common + (begin - c.begin);
    // Neighbours in different buckets differ in their first bits.
    if (begin > c.begin) bucket_common[0] = sorter.common_tokens(suffixes_[begin - 1], suffixes_[begin], 0);
    sorter.sort(suffixes_.data() + begin, bucket_common, n, bucket_bits_);
  }
}

}  // namespace agpt
