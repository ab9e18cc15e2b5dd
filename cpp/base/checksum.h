// A fast 64-bit checksum that finds accidental damage in files. It is no protection against intent.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace agpt {

/// Any change within one aligned word of 8 bytes is certain to change the result; others go unseen with probability
/// 2^-64.
uint64_t checksum(std::span<const std::byte> bytes);

/// The same of bytes that come in pieces, each but the last a multiple of 32 long.
class RunningChecksum {
 public:
  void add(std::span<const std::byte> bytes);
  uint64_t result() const;

 private:
  static constexpr size_t kLanes = 4;  // four multiplications in flight hide their latency
  using Block = std::array<uint64_t, kLanes>;
  void absorb(const Block& block);

  Block lanes_{1, 2, 3, 4};
  uint64_t n_bytes_ = 0;
};

}  // namespace agpt
