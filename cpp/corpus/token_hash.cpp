#include "cpp/corpus/token_hash.h"

namespace agpt {
namespace {

constexpr uint64_t kStart = 1469598103934665603u, kPrime = 1099511628211u;

uint64_t mix_in(uint64_t hash, uint64_t byte) { return (hash ^ byte) * kPrime; }

}  // namespace

uint64_t token_hash(TokenView tokens) {
  const uint64_t hash = tokens.visit([](auto ids) {
    uint64_t h = kStart;
    for (const Token id : ids)
      for (int shift = 0; shift < 32; shift += 8) h = mix_in(h, (id >> shift) & 0xFF);
    return h;
  });
  return mix_in(hash, static_cast<uint64_t>(tokens.size()));
}

uint64_t text_hash(std::span<const char> text) {
  uint64_t hash = kStart;
  for (const char c : text) hash = mix_in(hash, static_cast<unsigned char>(c));
  return hash;
}

}  // namespace agpt
