#include "cpp/trie/packed_text.h"

#include <algorithm>
#include <bit>

namespace agpt {
namespace {

uint32_t bits_of_token(TokenView tokens) {
  return tokens.visit([](auto ids) {
    const uint64_t largest = ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end());
    return static_cast<uint32_t>(std::bit_width(largest + 1));
  });
}

size_t bytes_for(Index n_tokens, int depth, uint32_t token_bits) {
  constexpr size_t kSpare = 80;  // the last window is read whole
  return static_cast<size_t>(n_tokens + depth + 2) * token_bits / 8 + kSpare;
}

// Packs tokens to `out`, whole words of 32 bits; the last is filled up with zeros.
template <class Id>
void pack(std::span<const Id> ids, uint32_t token_bits, uint8_t* out) {
  uint64_t pending = 0;
  uint32_t n_pending = 0;  // bits; fewer than 32 between tokens
  const auto put_word = [&](uint64_t bits) {
    const uint32_t word = __builtin_bswap32(static_cast<uint32_t>(bits));
    std::memcpy(out, &word, sizeof word);
    out += sizeof word;
  };
  for (const uint64_t id : ids) {
    pending = pending << token_bits | (id + 1);
    n_pending += token_bits;
    if (n_pending >= 32) {
      n_pending -= 32;
      put_word(pending >> n_pending);
    }
  }
  if (n_pending > 0) put_word(pending << (32 - n_pending));
}

}  // namespace

size_t PackedText::bytes_needed(TokenView tokens, int depth) {
  return bytes_for(tokens.size(), depth, bits_of_token(tokens));
}

PackedText::PackedText(TokenView tokens, int depth, ThreadPool& pool)
    : token_bits_(bits_of_token(tokens)),
      image_(ByteImage::allocate(bytes_for(tokens.size(), depth, token_bits_), "the packed text")),
      bytes_(reinterpret_cast<const uint8_t*>(image_.bytes().data())) {
  constexpr size_t kSegment = size_t{1} << 18;  // tokens; a multiple of 32, so that segments are whole words
  auto* const out = reinterpret_cast<uint8_t*>(image_.writable().data());
  tokens.visit([&](auto ids) {
    const auto n_segments = static_cast<Index>((ids.size() + kSegment - 1) / kSegment);
    pool.run(n_segments, [&](Index segment, int) {
      const size_t begin = static_cast<size_t>(segment) * kSegment;
      pack(ids.subspan(begin, std::min(kSegment, ids.size() - begin)), token_bits_, out + begin / 8 * token_bits_);
    });
  });
}

}  // namespace agpt
