#include "cpp/trie/suffix_chunks.h"

namespace agpt {

SuffixChunks::SuffixChunks(const PackedText& text, const StartSet& starts, const IndexOptions& options, int n_segments,
                           ThreadPool& pool)
    : text_(text), starts_(starts), next_(static_cast<size_t>(n_segments)) {
  const bool share_the_first_token = options.starts.rule == Starts::Rule::documents && options.depth > 1;
  key_bit_ = share_the_first_token ? text.token_bits() : 0;
  const uint32_t bits_to_the_cap = static_cast<uint32_t>(options.depth + 1) * text.token_bits() - key_bit_;
  bucket_bits_ = std::min({16u, static_cast<uint32_t>(std::bit_width(starts.size())), bits_to_the_cap});
  // Small enough to share out evenly, large enough to waste nothing.
  wanted_ = std::min(starts.size() / 64, 1u << 18) + 1;
  count(pool);
  cut(options);
}

// body(segment, start) for every start, ascending within its segment.
template <class Body>
void SuffixChunks::for_each_start(ThreadPool& pool, Body body) const {
  const auto n_segments = static_cast<Index>(next_.size());
  pool.run(n_segments, [&](Index segment, int) {
    const Index n = starts_.size();
    starts_.for_each(static_cast<uint32_t>(n * segment / n_segments),
                     static_cast<uint32_t>(n * (segment + 1) / n_segments),
                     [&](uint32_t start) { body(static_cast<size_t>(segment), start); });
  });
}

void SuffixChunks::count(ThreadPool& pool) {
  for (auto& next : next_) next.assign(n_buckets(), 0);
  for_each_start(pool, [this](size_t segment, uint32_t start) { ++next_[segment][bucket(start)]; });
  bucket_begin_.assign(n_buckets() + 1, 0);
  uint32_t n = 0;
  for (uint32_t b = 0; b < n_buckets(); ++b) {
    for (auto& next : next_) n += std::exchange(next[b], n);
    bucket_begin_[b + 1] = n;
  }
}

void SuffixChunks::cut(const IndexOptions& options) {
  const uint32_t token_bits = text_.token_bits(), bits = key_bit_ + bucket_bits_;
  const uint32_t token_buckets = key_bit_ > 0 ? n_buckets() : 1u << (bits > token_bits ? bits - token_bits : 0);
  const uint32_t second_token_buckets = 1u << (bits > 2 * token_bits ? bits - 2 * token_bits : 0);
  // A first token may be cut if its row is there for certain, and branches. Pruning is decided on its whole mass.
  const auto may_be_cut = [&](uint32_t n) {
    return bits > token_bits && options.depth > 1 &&
           (options.prune_min_depth > 1 || static_cast<Index>(n) >= options.prune_min_mass);
  };
  uint32_t first = 0;
  for (uint32_t b = 0; b < n_buckets(); b += token_buckets) {
    const uint32_t end = b + token_buckets, n = in_buckets(b, end);
    if (n > wanted_ && may_be_cut(n)) {
      add_chunk(first, b);
      cut_token(b, end, second_token_buckets);
      first = end;
    } else if (in_buckets(first, end) >= wanted_) {
      add_chunk(first, end);
      first = end;
    }
  }
  add_chunk(first, n_buckets());
}

// Cuts a first token between second tokens.
void SuffixChunks::cut_token(uint32_t first, uint32_t last, uint32_t step) {
  const size_t n_before = chunks_.size();
  for (uint32_t b = first, begin = first; b < last; b += step) {
    if (b + step < last && in_buckets(begin, b + step) < wanted_) continue;
    add_chunk(begin, b + step);
    begin = b + step;
  }
  if (chunks_.size() - n_before < 2) return;  // a single second token
  for (size_t c = n_before; c < chunks_.size(); ++c) {
    chunks_[c].shared_tokens = 1;
    chunks_[c].begins_token = c == n_before;
  }
}

void SuffixChunks::add_chunk(uint32_t first, uint32_t last) {
  if (first < last && in_buckets(first, last) > 0)
    chunks_.push_back({first, last, bucket_begin_[first], bucket_begin_[last], 0, true});
}

uint32_t SuffixChunks::largest() const {
  uint32_t largest = 0;
  for (const Chunk& chunk : chunks_) largest = std::max(largest, chunk.end - chunk.begin);
  return largest;
}

void SuffixChunks::load(Index first, Index last, ThreadPool& pool) {
  suffixes_ = {};
  const Chunk &from = at(first), &to = at(last - 1);
  suffixes_ = ByteImage::allocate(sizeof(uint32_t) * (to.end - from.begin), "the suffixes");
  loaded_begin_ = from.begin;
  uint32_t* const suffixes = loaded();
  for_each_start(pool, [&](size_t segment, uint32_t start) {
    const uint32_t b = bucket(start);
    if (from.first_bucket <= b && b < to.last_bucket) suffixes[next_[segment][b]++ - from.begin] = start;
  });
}

void SuffixChunks::sort(Index chunk, WindowSorter& sorter, uint8_t* common) {
  const Chunk& c = at(chunk);
  uint32_t* const chunk_suffixes = suffixes(chunk);
  common[0] = static_cast<uint8_t>(c.shared_tokens);
  for (uint32_t b = c.first_bucket; b < c.last_bucket; ++b) {
    const uint32_t begin = bucket_begin_[b] - c.begin, n = in_buckets(b, b + 1);
    if (n == 0) continue;
    uint32_t* const in_bucket = chunk_suffixes + begin;
    // Neighbours in different buckets differ in their first bits.
    if (begin > 0) common[begin] = sorter.common_tokens(in_bucket[-1], in_bucket[0], key_bit_);
    sorter.sort(in_bucket, common + begin, n, key_bit_ + bucket_bits_);
  }
}

}  // namespace agpt
