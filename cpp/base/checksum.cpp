#include "cpp/base/checksum.h"

#include <array>
#include <cstring>

#include "cpp/base/random.h"

namespace agpt {
namespace {

constexpr size_t kLanes = 4;  // four multiplications in flight hide their latency

struct Block {
  std::array<uint64_t, kLanes> words{};
};

void absorb(std::array<uint64_t, kLanes>& lanes, const Block& block) {
  for (size_t i = 0; i < kLanes; ++i) {
    const uint64_t product = (lanes[i] ^ block.words[i]) * 0x9fb21c651e98df25u;
    lanes[i] = product ^ (product >> 32);  // every step is a bijection of the lane: no difference is ever lost
  }
}

}  // namespace

uint64_t checksum(std::span<const std::byte> bytes) {
  std::array<uint64_t, kLanes> lanes{1, 2, 3, 4};
  Block block;
  size_t at = 0;
  for (; at + sizeof block.words <= bytes.size(); at += sizeof block.words) {
    std::memcpy(block.words.data(), bytes.data() + at, sizeof block.words);
    absorb(lanes, block);
  }
  if (at < bytes.size()) {
    block = {};
    std::memcpy(block.words.data(), bytes.data() + at, bytes.size() - at);
    absorb(lanes, block);
  }
  uint64_t result = mix_bits(bytes.size());
  for (const uint64_t lane : lanes) result = mix_bits(result ^ lane);
  return result;
}

}  // namespace agpt
