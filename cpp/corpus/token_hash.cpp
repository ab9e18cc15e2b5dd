#include "cpp/corpus/token_hash.h"

namespace agpt {

uint64_t token_hash(TokenView tokens) {
  constexpr uint64_t kStart = 1469598103934665603u, kPrime = 1099511628211u;
  const uint64_t hash = tokens.visit([](auto ids) {
    uint64_t h = kStart;
    for (const Token id : ids)
      for (int shift = 0; shift < 32; shift += 8) h = (h ^ ((id >> shift) & 0xFF)) * kPrime;
    return h;
  });
  return (hash ^ static_cast<uint64_t>(tokens.size())) * kPrime;
}

}  // namespace agpt
