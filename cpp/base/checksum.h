// A fast 64-bit checksum that finds accidental damage in files. It is no protection against intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace agpt {

/// Any change within one aligned word of 8 bytes is certain to change the result; others go unseen with probability
/// 2^-64.
uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace agpt
