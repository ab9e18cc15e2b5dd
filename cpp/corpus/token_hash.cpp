#include "cpp/corpus/token_hash.h"

namespace agpt {
namespace {

constexpr uint64_t kStart = 1469598103934665603u, kPrime = 1099511628211u;

uint64_t mix_in(uint64_t hash, uint64_t byte) { return (hash ^ byte) * kPrime; }

}  // namespace

uint64_t token_hash(TokenView tokens) {
  const uint64_t hash = tokens.visit([]<class Id>(std::span<const Id> ids) {
    uint64_t prime_of_zeros = 1;  // what the bytes that an id does not have multiply by
    for (size_t i = sizeof(Id); i < sizeof(Token); ++i) prime_of_zeros *= kPrime;
    uint64_t h = kStart;
    for (const uint64_t id : ids) {
      for (size_t i = 0; i + 1 < sizeof(Id); ++i) h = mix_in(h, (id >> 8 * i) & 0xFF);
      h = (h ^ (id >> 8 * (sizeof(Id) - 1))) * (kPrime * prime_of_zeros);
    }
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
