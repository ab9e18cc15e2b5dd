// A text as one big-endian bit string: token v is v + 1 in as many bits as the alphabet needs, zeros follow the end.
//
// Comparing two suffixes is then comparing bit strings, 64 bits at a time whatever the alphabet: 9 characters of a text
// with 65, 8 bytes, or 2 tokens of a vocabulary of 2^31 per load. The end of the text is 0: it sorts first and equals
// no token.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpp/base/byte_image.h"
#include "cpp/base/thread_pool.h"
#include "cpp/base/types.h"
#include "cpp/corpus/token_view.h"

namespace agpt {

class PackedText {
 public:
  /// `depth`: how many tokens beyond the end a window may reach. Counts towards the memory cap.
  PackedText(TokenView tokens, int depth, ThreadPool& pool);

  /// Bytes that a packed text takes.
  static size_t bytes_needed(TokenView tokens, int depth);

  /// Bits of a token, 1 .. 32.
  uint32_t token_bits() const { return token_bits_; }

  /// 64 bits that begin `bit` bits into the suffix at `position`.
  uint64_t window(uint64_t position, uint64_t bit) const {
    const uint64_t at = position * token_bits_ + bit;
    const uint8_t* const byte = bytes_ + (at >> 3);
    uint64_t word;
    std::memcpy(&word, byte, sizeof word);
    const unsigned shift = at & 7;
    return __builtin_bswap64(word) << shift | byte[8] >> (8 - shift);  // shift 0: the last term is 0
  }

 private:
  uint32_t token_bits_;
  ByteImage image_;
  const uint8_t* bytes_;
};

}  // namespace agpt
