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

}  // namespace

size_t PackedText::bytes_needed(TokenView tokens, int depth) {
  return bytes_for(tokens.size(), depth, bits_of_token(tokens));
}

PackedText::PackedText(TokenView tokens, int depth)
    : token_bits_(bits_of_token(tokens)), bytes_(bytes_for(tokens.size(), depth, token_bits_), 0) {
  uint8_t* out = bytes_.data();
  uint64_t pending = 0;
  uint32_t n_pending = 0;  // bits; fewer than 32 between tokens
  const auto put_word = [&](uint64_t bits) {
    const uint32_t word = __builtin_bswap32(static_cast<uint32_t>(bits));
    std::memcpy(out, &word, sizeof word);
    out += sizeof word;
  };
  tokens.visit([&](auto ids) {
    for (const uint64_t id : ids) {
      pending = pending << token_bits_ | (id + 1);
      n_pending += token_bits_;
      if (n_pending >= 32) {
        n_pending -= 32;
        put_word(pending >> n_pending);
      }
    }
  });
  if (n_pending > 0) put_word(pending << (32 - n_pending));
}

}  // namespace agpt
