// Chooses paths as often as the corpus has them: every start of the trie is as likely as any other.
#pragma once

#include <optional>

#include "cpp/base/random.h"
#include "cpp/synth/leaf_table.h"

namespace agpt {

/// Masses telescope: going down by mass at every fork comes to an end in proportion to its mass, but for the few starts
/// that run into the end of the text in the middle of an edge. So one number is drawn for a whole walk, however many
/// forks there are.
class UniformLeaves {
 public:
  /// Both must outlive it. Throws MemoryCapError.
  UniformLeaves(const TrieIndex& index, const LeafTable& leaves, uint64_t seed);

  /// A leaf whose path begins with `first`, or with anything; none if no path begins so.
  std::optional<uint32_t> choose(std::optional<Token> first);
  /// One of the followers of a leaf, in proportion to the counts, which sum to `mass`.
  const TokenCount& choose(std::span<const TokenCount> followers, uint32_t mass);
  /// What a choice without an alternative draws: nothing.
  void skip_choice() {}

 private:
  struct Root {
    Token token;
    uint32_t begin;  // in leaf_of_start_
  };

  Random random_;
  MemoryReservation reserved_;
  std::vector<uint32_t> leaf_of_start_;  // each leaf as often as its mass
  std::vector<Root> roots_;              // by token; the last is the end
};

/// One of `choices`, whose counts sum to `total`, in proportion to them, for one number drawn.
inline const TokenCount& choose_by_count(std::span<const TokenCount> choices, uint64_t total, Random& random) {
  uint64_t rest = random.below(total);
  const TokenCount* choice = choices.data();
  for (; rest >= choice->count; ++choice) rest -= choice->count;
  return *choice;
}

}  // namespace agpt
