// Sorts suffixes by their first depth + 1 tokens, ties in text order, and finds how many tokens neighbours have in
// common on the way: that is the number of leading zeros of the exclusive or of two windows.
//
//   large groups    counting passes over 12 bits, without an array of keys: 8 bytes of scratch per suffix at most
//   medium groups   load the windows once, radix sort (window, position) inside the cache
//   small groups    count for each window how many come before it: quadratic, but without a branch to mispredict
//   ties            the same again 64 bits further, at once, while their text is still in the cache
//
// Every step is stable and positions begin ascending, so suffixes that agree in depth + 1 tokens stay in text order. A
// group whose windows are all equal costs one read per suffix to move on by 64 bits: (depth + 1) * bits / 64 reads are
// the worst case. It does not arise from periodic text ("aaaa...", "abab..."), where large groups are long runs of
// suffixes one period apart: how far those agree follows from their positions alone.
#pragma once

#include <algorithm>
#include <bit>
#include <vector>

#include "cpp/trie/packed_text.h"

namespace agpt {

class WindowSorter {
 public:
  /// The text must outlive the sorter. depth <= 253: a common length and a mark fit one byte.
  WindowSorter(const PackedText& text, int depth);

  /// positions: (n) suffixes that agree in their first `bit` bits, ascending. Fills common[1 .. n): how many tokens, up
  /// to depth + 1, each shares with the one before it. common[0] is the caller's.
  void sort(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);

  /// Tokens shared by two suffixes that agree in `bit` bits and differ in the next 64.
  uint8_t common_tokens(uint32_t a, uint32_t b, uint32_t bit) const {
    return tokens_of_bits_[bit + static_cast<uint32_t>(std::countl_zero(text_.window(a, bit) ^ text_.window(b, bit)))];
  }

  /// Scratch memory in bytes for groups of at most `n` suffixes.
  static size_t scratch_bytes(size_t n) { return kMedium * (2 * sizeof(uint64_t) + sizeof(uint32_t)) + n * 8; }

 private:
  static constexpr uint32_t kSmall = 64;
  static constexpr uint32_t kPeriodic = 1024;    // from here on it pays to look for a period
  static constexpr uint32_t kMedium = 1u << 16;  // twice 12 bytes each is 1.5 MiB, about a second-level cache
  static constexpr uint8_t kTie = 255;           // in `common`: not told apart yet
  static constexpr uint32_t kDigitBits = 12;

  // A run of windows with their positions.
  struct Run {
    uint64_t* window;
    uint32_t* position;
    Run from(uint32_t i) const { return {window + i, position + i}; }
  };

  // Windows are cut at the cap, so that suffixes equal in depth + 1 tokens compare equal.
  uint64_t mask_at(uint32_t bit) const {
    return bit + 64 <= cap_bits_ ? ~uint64_t{0} : ~uint64_t{0} << (bit + 64 - cap_bits_);
  }
  uint64_t masked_window(uint32_t position, uint32_t bit, uint64_t mask) const {
    return text_.window(position, bit) & mask;
  }

  void sort_two(uint32_t* positions, uint8_t* common, uint32_t bit) const;
  void sort_small(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);
  // These return false, with nothing done, if all windows are equal.
  bool sort_medium(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);
  bool sort_large(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);
  // Returns false, with nothing done, if most of the group is not periodic up to the cap.
  bool sort_periodic(uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);
  static uint32_t usual_distance(const uint32_t* positions, uint32_t n);
  void insert_ties(uint32_t* positions, uint8_t* common, uint32_t n_sorted, uint32_t n, uint32_t least_tie) const;

  static void rank_sort(Run in, uint32_t n, Run out);
  static void radix_sort(Run run, Run spare, uint32_t n, uint32_t lead, bool result_in_run);
  // Sorted windows to common lengths, and deeper sorting of the ties.
  void finish(const uint64_t* windows, uint32_t* positions, uint8_t* common, uint32_t n, uint32_t bit);
  // Leading bits that all windows of a large group share, found from a sample if that will do; 64 if all are equal.
  uint32_t shared_bits(const uint32_t* positions, uint32_t n, uint32_t bit) const;

  const PackedText& text_;
  const uint32_t cap_bits_;
  const uint8_t full_;                   // depth + 1
  std::vector<uint8_t> tokens_of_bits_;  // common bits to common tokens
  std::vector<uint64_t> windows_, spare_windows_;
  std::vector<uint32_t> spare_positions_, moved_;
  std::vector<uint16_t> digits_;
};

}  // namespace agpt
