// How far two texts agree about their common paths: the probability that each gives to a path, next to each other.
#pragma once

#include <span>
#include <vector>

#include "cpp/base/types.h"

namespace agpt {

struct ConvergenceOptions {
  int depth = 4;        ///< longest path, 1 .. kMaxDepth
  Index min_count = 5;  ///< occurrences that a path needs in both texts, at least 1
  /// Counts, at a path of length d, the token d + 1 places on in place of the next one, as the reference does: its
  /// figures are made of these.
  bool reference_bug = false;
};

/// The paths that occur at least `min_count` times in both texts, depth first in byte order; one element for each.
///
/// A text gives a path the product over its bytes x of (n + e) / (N + 256 e): N is how often the path before x occurs
/// (the empty path as often as there are bytes), n how often with x behind it, e = 1e-6.
struct SharedPaths {
  std::vector<uint8_t> depth;
  std::vector<uint32_t> start;             // where the path stands in the first text
  std::vector<uint32_t> count_a, count_b;  // occurrences
  std::vector<double> log_p_a, log_p_b;    // natural logarithm of the product
  std::vector<double> log_p_min;           // of the smallest factor in either text
};

/// Throws ArgumentError for options out of range, an empty text or one of 2^31 bytes or more; MemoryCapError.
SharedPaths shared_paths(std::span<const uint8_t> a, std::span<const uint8_t> b, const ConvergenceOptions& options);

}  // namespace agpt
