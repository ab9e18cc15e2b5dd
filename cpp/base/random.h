// Random numbers that are the same on every machine: a counter-free generator with a small state that checkpoints can
// hold, normal deviates, and a keyed permutation that shuffles a range of any size without memory.
#pragma once

#include <array>
#include <cstdint>

#include "cpp/base/types.h"

namespace agpt {

/// One step of SplitMix64: turns any integer into well mixed bits. Used to derive seeds from (seed, purpose, number).
uint64_t mix_bits(uint64_t x);

/// xoshiro256** (Blackman and Vigna 2018), seeded through SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed);

  uint64_t next_bits();
  /// Uniform in [0, 1) with 53 random bits.
  double uniform();
  /// Uniform integer in [0, bound), without bias (Lemire 2019). bound > 0.
  uint64_t below(uint64_t bound);
  /// Standard normal deviate (Box-Muller; the second of each pair is kept).
  double normal();

 private:
  std::array<uint64_t, 4> state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

/// A permutation of [0, n) chosen by `seed`: a six-round Feistel network on the next even number of bits, walked until
/// it lands inside. Six, because four rounds favour some orders of five to eight numbers by a third. Takes no memory,
/// so the order of a pass over any number of batches costs nothing to keep.
class Permutation {
 public:
  Permutation(uint64_t n, uint64_t seed);
  /// The image of i; i < n.
  uint64_t operator()(uint64_t i) const;

 private:
  uint64_t n_, half_bits_, half_mask_;
  std::array<uint64_t, 6> keys_;
};

}  // namespace agpt
