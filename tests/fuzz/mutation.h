// Spoils an input as accidents and malice would.
#pragma once

#include <span>
#include <string>

#include "cpp/base/random.h"

namespace agpt {

/// `input` after a few random changes: bits and bytes flipped, numbers of 1 to 8 bytes replaced by hostile ones, runs copied,
/// exchanged, removed or repeated, the end cut off, pieces of another input. Half of the places are in the first
/// `header_bytes`. The same for the same state of `random`.
std::string mutate(std::string input, std::span<const std::string> others, size_t header_bytes, Random& random);

}  // namespace agpt
