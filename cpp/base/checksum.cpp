#include "cpp/base/checksum.h"

#include <cstring>

#include "cpp/base/random.h"

namespace agpt {

void RunningChecksum::absorb(const Block& block) {
  for (size_t i = 0; i < kLanes; ++i) {
    const uint64_t product = (lanes_[i] ^ block[i]) * 0x9fb21c651e98df25u;
    lanes_[i] = product ^ (product >> 32);  // every step is a bijection of the lane: no difference is ever lost
  }
}

void RunningChecksum::add(std::span<const std::byte> bytes) {
  n_bytes_ += bytes.size();
  Block block;
  size_t at = 0;
  for (; at + sizeof block <= bytes.size(); at += sizeof block) {
    std::memcpy(block.data(), bytes.data() + at, sizeof block);
    absorb(block);
  }
  if (at == bytes.size()) return;
  block = {};
  std::memcpy(block.data(), bytes.data() + at, bytes.size() - at);
  absorb(block);
}

uint64_t RunningChecksum::result() const {
  uint64_t result = mix_bits(n_bytes_);
  for (const uint64_t lane : lanes_) result = mix_bits(result ^ lane);
  return result;
}

uint64_t checksum(std::span<const std::byte> bytes) {
  RunningChecksum running;
  running.add(bytes);
  return running.result();
}

}  // namespace agpt
