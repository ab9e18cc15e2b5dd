// Chooses paths draw by draw as the reference does, so that its texts come out bit for bit.
#pragma once

#include <optional>

#include "cpp/synth/leaf_table.h"

namespace agpt {

/// The generator of the reference: xorshift64 (Marsaglia 2003), of which it uses the low 32 bits.
class ReferenceRandom {
 public:
  explicit ReferenceRandom(uint64_t seed) : state_(seed == 0 ? 1 : seed) {}

  uint32_t next_bits() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<uint32_t>(state_);
  }
  /// In [0, 1), a multiple of 2^-32.
  double uniform() { return next_bits() * 0x1p-32; }

 private:
  uint64_t state_;
};

/// Goes down from the root and draws one number at every fork, also where there is one way only. The children of a node
/// stand in order of their depth, then of their first token; each is as likely as the mass of its first row says.
class ReferenceLeaves {
 public:
  /// Throws MemoryCapError.
  ReferenceLeaves(const TrieIndex& index, uint64_t seed);

  /// A leaf whose path begins with `first`, or with anything; none, with nothing drawn, if no path begins so.
  std::optional<uint32_t> choose(std::optional<Token> first);
  /// One of the followers of a leaf, in proportion to the counts, which sum to `mass`.
  const TokenCount& choose(std::span<const TokenCount> followers, uint32_t mass);
  /// What a choice without an alternative draws: a number that decides nothing.
  void skip_choice() { random_.next_bits(); }

 private:
  // A child in the list of its node. The element before a list holds its length and its total mass.
  struct Child {
    uint32_t mass_so_far;  // of it and the children before it
    uint32_t place;        // where its own list begins; with kLeaf, the number of the leaf
  };
  static constexpr uint32_t kLeaf = uint32_t{1} << 31;
  struct Root {
    Token token;
    uint32_t place;
  };
  class Builder;

  uint32_t choose_child(uint32_t list);

  ReferenceRandom random_;
  MemoryReservation reserved_;
  std::vector<Child> lists_;  // lists of children lie before those of their parents
  uint32_t root_list_ = 0;
  std::vector<Root> roots_;  // by token
};

}  // namespace agpt
