#include "cpp/base/random.h"

#include <bit>
#include <cmath>
#include <numbers>

namespace agpt {

uint64_t mix_bits(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) {
    word = mix_bits(seed);
    seed += 0x9e3779b97f4a7c15u;
  }
}

uint64_t Random::next_bits() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next_bits() >> 11) * 0x1p-53; }

uint64_t Random::below(uint64_t bound) {
  // The high half of bits * bound is uniform once the few low halves below 2^64 mod bound are refused.
  for (;;) {
    const unsigned __int128 product = static_cast<unsigned __int128>(next_bits()) * bound;
    const auto low = static_cast<uint64_t>(product);
    if (low >= bound || low >= (0 - bound) % bound) return static_cast<uint64_t>(product >> 64);
  }
}

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  const double angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

Permutation::Permutation(uint64_t n, uint64_t seed) : n_(n) {
  const auto bits = static_cast<uint64_t>(std::bit_width(n > 1 ? n - 1 : 1));
  half_bits_ = (bits + 1) / 2;
  half_mask_ = (uint64_t{1} << half_bits_) - 1;
  for (uint64_t round = 0; round < keys_.size(); ++round) keys_[round] = mix_bits(seed + round * 0x9e3779b97f4a7c15u);
}

uint64_t Permutation::operator()(uint64_t i) const {
  do {  // the network permutes at most 4n numbers, so few steps bring an image back below n
    uint64_t left = i >> half_bits_, right = i & half_mask_;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (mix_bits(right ^ key) & half_mask_);
      left = right;
      right = next;
    }
    i = left << half_bits_ | right;
  } while (i >= n_);
  return i;
}

}  // namespace agpt
